/* Writing JSON. */
#include "base/json_write.h"

#include <math.h>

#include "base/utf8.h"

/* How many bytes from AT can be copied as they are. */
static size_t plain_length(struct slice text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t from = at;
    while (at < text.len && p[at] >= 0x20 && p[at] != '"' && p[at] != '\\') {
        size_t n = utf8_length(p + at, text.len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at - from;
}

void json_write_string(struct buf *b, struct slice text)
{
    buf_append_char(b, '"');
    for (size_t at = 0; at < text.len; at++) {
        size_t n = plain_length(text, at);
        buf_append(b, text.ptr + at, n);
        at += n;
        if (at == text.len)
            break;
        unsigned char c = (unsigned char)text.ptr[at];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x80)
            buf_printf(b, "\\u%04x", c);
        else
            buf_append_string(b, "\xef\xbf\xbd"); /* U+FFFD, for a byte that is no UTF-8 */
    }
    buf_append_char(b, '"');
}

/* printf() writes the decimal point of the locale. None of our programs leaves the "C" locale, so it writes a
 * point. */
void json_write_number(struct buf *b, double value, int decimals)
{
    size_t start = b->len;
    if (!isfinite(value)) {
        buf_append_string(b, "null");
        return;
    }
    buf_printf(b, "%.*f", decimals, value);
    if (decimals > 0) {
        while (b->data[b->len - 1] == '0')
            b->len--;
        if (b->data[b->len - 1] == '.')
            b->len--;
    }
    if (b->len - start == 2 && memcmp(b->data + start, "-0", 2) == 0) {
        b->data[start] = '0';
        b->len--;
    }
}
