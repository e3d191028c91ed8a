/* A growable byte buffer. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

char *buf_reserve(struct buf *b, size_t extra)
{
    if (b->cap == 0 || b->cap - b->len < extra) {
        size_t cap = b->cap == 0 ? 256 : b->cap;
        while (cap - b->len < extra)
            cap *= 2;
        b->data = mem_realloc(b->data, cap);
        b->cap = cap;
    }
    assert(b->len <= b->cap && b->cap - b->len >= extra);
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(b, len), bytes, len);
    b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_string(struct buf *b, const char *string)
{
    buf_append(b, string, strlen(string));
}

void buf_append_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->len++;
}

void buf_append_int(struct buf *b, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(need >= 0);
    char *room = buf_reserve(b, (size_t)need + 1);
    va_start(args, format);
    vsnprintf(room, (size_t)need + 1, format, args);
    va_end(args);
    b->len += (size_t)need;
}

void buf_append_u8(struct buf *b, uint8_t value)
{
    buf_append_char(b, (char)value);
}

void buf_append_u16(struct buf *b, uint16_t value)
{
    char bytes[2] = {(char)value, (char)(value >> 8)};
    buf_append(b, bytes, sizeof(bytes));
}

void buf_append_u32(struct buf *b, uint32_t value)
{
    char bytes[4] = {(char)value, (char)(value >> 8), (char)(value >> 16), (char)(value >> 24)};
    buf_append(b, bytes, sizeof(bytes));
}

void buf_append_u64(struct buf *b, uint64_t value)
{
    buf_append_u32(b, (uint32_t)value);
    buf_append_u32(b, (uint32_t)(value >> 32));
}

void buf_append_counted(struct buf *b, struct slice s)
{
    assert(s.len <= UINT8_MAX);
    buf_append_u8(b, (uint8_t)s.len);
    buf_append_slice(b, s);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    b->len -= n;
    if (b->len > 0)
        memmove(b->data, b->data + n, b->len);
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
