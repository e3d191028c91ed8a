/*
 * Reads bytes that are packed one after the other. Every read checks that the bytes are there, so a reader
 * may ask for field after field and look at `ok` once, at the end. Numbers are little-endian. The buffers of
 * base/buf.h write what this reads: buf_append_u32() what cursor_take_u32() takes, and so on.
 *
 *     start ............ at ............ end
 *     | was taken        | is left       |
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool ok; /* false from the first read on for which bytes were missing; nothing is left then */
};

/* BYTES must live as long as what is taken from them. */
static inline struct cursor cursor_of(struct slice bytes)
{
    const unsigned char *start = (const unsigned char *)bytes.ptr;
    return (struct cursor){start, bytes.len == 0 ? start : start + bytes.len, true};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* Whether everything was there, and nothing is left. */
static inline bool cursor_is_done(const struct cursor *c)
{
    return c->ok && c->at == c->end;
}

/* For readers that find a value which cannot be. Returns false. */
static inline bool cursor_fail(struct cursor *c)
{
    c->at = c->end;
    c->ok = false;
    return false;
}

/* Whether N bytes are left. Where they are not, the cursor fails: every read asks this first. */
static inline bool cursor_has(struct cursor *c, size_t n)
{
    return cursor_left(c) >= n || cursor_fail(c);
}

/* The next N bytes; empty where they are missing. */
static inline struct slice cursor_take(struct cursor *c, size_t n)
{
    if (!cursor_has(c, n))
        return (struct slice){"", 0};
    struct slice taken = {(const char *)c->at, n};
    c->at = n == 0 ? c->at : c->at + n;
    return taken;
}

/* A number of SIZE bytes, at most 8; 0 where they are missing. */
static inline uint64_t cursor_take_number(struct cursor *c, size_t size)
{
    uint64_t value = 0;
    if (!cursor_has(c, size))
        return 0;
    memcpy(&value, c->at, size);
    c->at += size;
    return le64toh(value);
}

static inline uint8_t cursor_take_u8(struct cursor *c)
{
    return (uint8_t)cursor_take_number(c, 1);
}

static inline uint16_t cursor_take_u16(struct cursor *c)
{
    return (uint16_t)cursor_take_number(c, 2);
}

static inline uint32_t cursor_take_u32(struct cursor *c)
{
    return (uint32_t)cursor_take_number(c, 4);
}

static inline uint64_t cursor_take_u64(struct cursor *c)
{
    return cursor_take_number(c, 8);
}

/* At most 255 bytes, which follow a byte that counts them. */
static inline struct slice cursor_take_counted(struct cursor *c)
{
    return cursor_take(c, cursor_take_u8(c));
}
