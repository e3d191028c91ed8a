/* Packed values: little-endian numbers, and strings of at most 255 bytes with their length before them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* A cursor over a packed value; `ok` turns false at the first byte that is missing. */
struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool ok;
};

static inline struct cursor cursor_of(struct slice s)
{
    const unsigned char *start = (const unsigned char *)s.ptr;
    return (struct cursor){start, start + s.len, true};
}

static inline uint32_t cursor_take_number(struct cursor *c, size_t bytes)
{
    if ((size_t)(c->end - c->at) < bytes) {
        c->ok = false;
        return 0;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)c->at[i] << (8 * i);
    c->at += bytes;
    return value;
}

static inline struct slice cursor_take_string(struct cursor *c)
{
    size_t len = cursor_take_number(c, 1);
    if (!c->ok || (size_t)(c->end - c->at) < len) {
        c->ok = false;
        return (struct slice){"", 0};
    }
    struct slice s = {(const char *)c->at, len};
    c->at += len;
    return s;
}
