/*
 * A growable byte buffer.
 *
 *     data ........................ data+len ........... data+cap
 *     | what was appended           | free              |
 *
 * A zeroed struct is an empty buffer. `data` moves when it grows: hold offsets, not pointers.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

/* Room for EXTRA more bytes; returns where they go. Add to `len` what was written. */
char *buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_string(struct buf *b, const char *string);
void buf_append_char(struct buf *b, char c);
void buf_append_int(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Little-endian integers, as base/cursor.h and Lua's struct.unpack("<...") read them. */
void buf_append_u8(struct buf *b, uint8_t value);
void buf_append_u16(struct buf *b, uint16_t value);
void buf_append_u32(struct buf *b, uint32_t value);
void buf_append_u64(struct buf *b, uint64_t value);
/* A byte that says how long S is, then S, which has at most 255 bytes. */
void buf_append_counted(struct buf *b, struct slice s);
/* Drops the first N bytes. */
void buf_consume(struct buf *b, size_t n);
void buf_free(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}
