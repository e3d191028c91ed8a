/* The value of a JSON number. */
#include "base/json_number.h"

#include <locale.h>
#include <stdlib.h>

enum { SHORT_MAX = 63 };

/*
 * The number is rounded digit by digit, and only once: the first digit after the decimal point, where the
 * exponent has moved it, decides.
 */
static void read_integer(const char *digits, bool negative, struct json_number *out)
{
    const char *mark = digits;
    const char *point = NULL;
    for (; (*mark >= '0' && *mark <= '9') || *mark == '.'; mark++)
        if (*mark == '.')
            point = mark;
    /* by how many digits the exponent moves the point; no text has so many as the limit */
    const long limit = 100000000;
    long exponent = *mark == '\0' ? 0 : strtol(mark + 1, NULL, 10);
    exponent = exponent > limit ? limit : exponent < -limit ? -limit : exponent;
    /* digits before the point */
    int64_t before = (point == NULL ? mark : point) - digits + exponent;
    int64_t value = 0;
    bool up = false;
    out->integral = true;
    for (const char *p = digits; p < mark; p++) {
        if (*p == '.')
            continue;
        if (before > 0) {
            value = value > JSON_INTEGER_MAX ? value : value * 10 + (*p - '0');
        } else {
            out->integral = out->integral && *p == '0';
            up = up || (before == 0 && *p >= '5');
        }
        before--;
    }
    for (; before > 0 && value > 0 && value <= JSON_INTEGER_MAX; before--)
        value *= 10;
    value += up;
    out->integral = out->integral && value <= JSON_INTEGER_MAX;
    if (value > JSON_INTEGER_MAX)
        value = JSON_INTEGER_MAX + 1;
    out->integer = negative ? -value : value;
}

bool json_number_value(struct slice text, struct arena *arena, struct json_number *out)
{
    char small[SHORT_MAX + 1];
    char *copy = text.len <= SHORT_MAX ? small : arena_alloc(arena, text.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    read_integer(copy + (*copy == '-'), *copy == '-', out);
    out->value = (double)out->integer;
    if (!out->integral) {
        /* The number is read in the "C" locale, whatever the process has set, since JSON always writes a
         * decimal point. */
        locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (c == (locale_t)0)
            abort();
        out->value = strtod_l(copy, NULL, c);
        freelocale(c);
    }
    return true;
}
