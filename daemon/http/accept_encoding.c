/* The Accept-Encoding header. */
#include "http/accept_encoding.h"

#include "http/head.h"

/* Whether a coding's weight (`q=0.5`; empty when it has none) is more than 0. A malformed weight counts as
 * q=0.
 */
static bool is_positive(struct slice weight)
{
    bool positive = false;
    if (weight.len == 0)
        return true;
    if (weight.len < 2 || !http_field_is((struct slice){weight.ptr, 2}, "q="))
        return false;
    for (size_t i = 2; i < weight.len; i++) {
        char c = weight.ptr[i];
        if (c != '.' && (c < '0' || c > '9'))
            return false;
        positive = positive || (c >= '1' && c <= '9');
    }
    return positive;
}

bool accept_encoding_takes_gzip(struct slice header)
{
    bool any = false;
    while (header.len > 0) {
        struct slice weight;
        struct slice coding = http_field_part(http_field_part(header, ',', &header), ';', &weight);
        bool taken = is_positive(http_field_trim(weight));
        if (http_field_is(coding, "gzip") || http_field_is(coding, "x-gzip"))
            return taken;
        if (http_field_is(coding, "*"))
            any = taken;
    }
    return any;
}
