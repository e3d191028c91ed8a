/* base64url without padding. */
#include "base/base64url.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(const void *bytes, size_t len, char *out)
{
    const unsigned char *in = bytes;
    size_t n = 0;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (held += 8; held >= 6; held -= 6)
            out[n++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        out[n++] = alphabet[bits << (6 - held) & 63];
    return n;
}

/* What a character stands for; those outside the alphabet have the high bit set. */
#define NO 0x80
/* clang-format off */
static const unsigned char digits[256] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
    NO,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, 63,
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};
/* clang-format on */

bool base64url_decode(const char *text, size_t len, void *out, size_t *out_len)
{
    const unsigned char *in = (const unsigned char *)text;
    unsigned char *bytes = out;
    size_t rest = len % 4;
    unsigned bad = 0;
    unsigned unused = 0; /* bits beyond the last byte, which must be zero */
    if (rest == 1)
        return false;
    for (size_t i = 0; i < len / 4; i++, in += 4, bytes += 3) {
        unsigned a = digits[in[0]];
        unsigned b = digits[in[1]];
        unsigned c = digits[in[2]];
        unsigned d = digits[in[3]];
        bad |= a | b | c | d;
        bytes[0] = (unsigned char)(a << 2 | b >> 4);
        bytes[1] = (unsigned char)(b << 4 | c >> 2);
        bytes[2] = (unsigned char)(c << 6 | d);
    }
    if (rest > 0) { /* the last two or three characters stand for one byte or two */
        unsigned a = digits[in[0]];
        unsigned b = digits[in[1]];
        unsigned c = rest == 3 ? digits[in[2]] : 0;
        unsigned bits = a << 12 | b << 6 | c;
        bad |= a | b | c;
        bytes[0] = (unsigned char)(bits >> 10);
        if (rest == 3)
            bytes[1] = (unsigned char)(bits >> 2);
        unused = bits & (rest == 3 ? 0x3 : 0x3ff);
    }
    *out_len = len * 3 / 4;
    return (bad & NO) == 0 && unused == 0;
}
