/* The chunked transfer coding. */
#include "http/chunked.h"

#include <stdbool.h>

#include "base/hex.h"
#include "http/head.h"

/* Eight hex digits are 4 GiB, which is beyond any limit. A size line has little room for extensions, since no
 * client that we know sends any. */
enum { SIZE_DIGITS_MAX = 8, SIZE_LINE_MAX = 256 };

static bool is_text(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= ' ' || u == '\t') && u != 0x7f;
}

static bool to_state(struct chunked *c, bool allowed, enum chunked_state next)
{
    c->state = next;
    return allowed;
}

static bool take_size_line(struct chunked *c, char byte)
{
    int digit = hex_digit(byte);
    c->line++;
    if (c->state == CHUNKED_EXTENSION && byte == '\r')
        return to_state(c, true, CHUNKED_SIZE_LF);
    if (c->state == CHUNKED_EXTENSION)
        return is_text(byte) && c->line <= SIZE_LINE_MAX;
    if (digit >= 0) {
        c->size = c->size * 16 + (size_t)digit;
        return c->line <= SIZE_DIGITS_MAX;
    }
    if (c->line == 1) /* no digit yet */
        return false;
    if (byte == ';')
        return to_state(c, true, CHUNKED_EXTENSION);
    return to_state(c, byte == '\r', CHUNKED_SIZE_LF);
}

static bool take_trailer(struct chunked *c, char byte)
{
    c->trailer++;
    if (c->state == CHUNKED_TRAILER_VALUE)
        return byte == '\r' ? to_state(c, true, CHUNKED_TRAILER_LF) : is_text(byte);
    if (c->state == CHUNKED_TRAILER_LF)
        return to_state(c, byte == '\n', CHUNKED_TRAILER_START);
    if (c->state == CHUNKED_TRAILER_START && byte == '\r')
        return to_state(c, true, CHUNKED_END_LF);
    if (c->state == CHUNKED_TRAILER_NAME && byte == ':')
        return to_state(c, true, CHUNKED_TRAILER_VALUE);
    return to_state(c, head_is_token((struct slice){&byte, 1}), CHUNKED_TRAILER_NAME);
}

/* One byte of what is not data. */
static bool take_byte(struct chunked *c, char byte)
{
    switch (c->state) {
    case CHUNKED_SIZE:
    case CHUNKED_EXTENSION:
        return take_size_line(c, byte);
    case CHUNKED_SIZE_LF:
        c->line = 0;
        return to_state(c, byte == '\n', c->size == 0 ? CHUNKED_TRAILER_START : CHUNKED_DATA);
    case CHUNKED_DATA_CR:
        return to_state(c, byte == '\r', CHUNKED_DATA_LF);
    case CHUNKED_DATA_LF:
        return to_state(c, byte == '\n', CHUNKED_SIZE);
    case CHUNKED_END_LF:
        return to_state(c, byte == '\n', CHUNKED_ENDED);
    case CHUNKED_TRAILER_START:
    case CHUNKED_TRAILER_NAME:
    case CHUNKED_TRAILER_VALUE:
    case CHUNKED_TRAILER_LF:
        return take_trailer(c, byte);
    case CHUNKED_DATA:
    case CHUNKED_ENDED:
        break;
    }
    return false;
}

enum chunked_status chunked_feed(
    struct chunked *c, struct slice *input, struct buf *body, size_t max_body, size_t max_trailer)
{
    while (input->len > 0 && c->state != CHUNKED_ENDED) {
        if (c->state == CHUNKED_DATA) {
            size_t n = input->len < c->size ? input->len : c->size;
            buf_append(body, input->ptr, n);
            *input = (struct slice){input->ptr + n, input->len - n};
            c->size -= n;
            if (c->size == 0)
                c->state = CHUNKED_DATA_CR;
            continue;
        }
        char byte = *input->ptr;
        *input = (struct slice){input->ptr + 1, input->len - 1};
        if (!take_byte(c, byte))
            return CHUNKED_MALFORMED;
        if (c->state == CHUNKED_DATA && c->size > max_body - body->len)
            return CHUNKED_TOO_LARGE;
        if (c->trailer > max_trailer)
            return CHUNKED_LONG_TRAILER;
    }
    return c->state == CHUNKED_ENDED ? CHUNKED_DONE : CHUNKED_MORE;
}
