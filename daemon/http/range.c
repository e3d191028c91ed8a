/* The Range header. */
#include "http/range.h"

#include <stdint.h>
#include <strings.h>

#define UNIT "bytes="

/* Digits from the front of *S; greater numbers than fit are the greatest. False when there is none. */
static bool take_number(struct slice *s, size_t *out)
{
    size_t i = 0;
    *out = 0;
    for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
        size_t digit = (size_t)(s->ptr[i] - '0');
        *out = *out > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *out * 10 + digit;
    }
    *s = (struct slice){s->ptr + i, s->len - i};
    return i > 0;
}

static enum range_verdict take_suffix(struct slice spec, size_t length, struct range *out)
{
    size_t n;
    if (!take_number(&spec, &n) || spec.len > 0)
        return RANGE_WHOLE;
    if (n == 0 || length == 0)
        return RANGE_UNSATISFIABLE;
    n = n < length ? n : length;
    *out = (struct range){length - n, n};
    return RANGE_PART;
}

static enum range_verdict take_range(struct slice spec, size_t length, struct range *out)
{
    size_t first;
    size_t last = SIZE_MAX;
    if (!take_number(&spec, &first) || spec.len == 0 || spec.ptr[0] != '-')
        return RANGE_WHOLE;
    spec = (struct slice){spec.ptr + 1, spec.len - 1};
    bool open = spec.len == 0;
    if (!open && (!take_number(&spec, &last) || spec.len > 0 || last < first))
        return RANGE_WHOLE;
    if (first >= length)
        return RANGE_UNSATISFIABLE;
    last = last < length ? last : length - 1;
    *out = (struct range){first, last - first + 1};
    return RANGE_PART;
}

enum range_verdict range_read(struct slice header, size_t length, struct range *out)
{
    size_t unit = sizeof(UNIT) - 1;
    *out = (struct range){0, length};
    if (header.len <= unit || strncasecmp(header.ptr, UNIT, unit) != 0)
        return RANGE_WHOLE;
    struct slice spec = {header.ptr + unit, header.len - unit};
    if (spec.ptr[0] == '-')
        return take_suffix((struct slice){spec.ptr + 1, spec.len - 1}, length, out);
    return take_range(spec, length, out);
}
