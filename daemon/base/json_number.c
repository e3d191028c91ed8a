/* The value of a JSON number: rounded to a whole number digit by digit, and as a double by strtod. */
#include "base/json_number.h"

#include <locale.h>
#include <stdlib.h>

enum {
    EXPONENT_MAX = 100000000, /* where a written exponent stops counting: no text has so many digits */
    SHORT_MAX = 63
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = *p == '-';
    int64_t value = 0;
    if (!is_digit(*p))
        p++;
    for (; p < end; p++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (*p - '0');
    return negative ? -value : value;
}

/* How many of the digits [P, MARK) stand before the point once the exponent, which follows MARK, has moved
 * it: fewer than none, or more than there are, where it moves beyond them. */
static int64_t count_before_point(const char *p, const char *mark, const char *end)
{
    int64_t n = 0;
    while (p + n < mark && is_digit(p[n]))
        n++;
    return mark < end ? n + read_exponent(mark + 1, end) : n;
}

/* The first digit after the point decides which way a number is rounded, so nothing is rounded twice. */
static void round_to_integer(struct slice text, struct json_number *out)
{
    const char *end = text.ptr + text.len;
    bool negative = text.ptr[0] == '-';
    const char *p = text.ptr + negative;
    const char *mark = p;
    while (mark < end && *mark != 'e' && *mark != 'E')
        mark++;
    int64_t before = count_before_point(p, mark, end);
    int64_t value = 0;
    bool whole = true;
    bool up = false;
    for (; p < mark; p++) {
        if (*p == '.')
            continue;
        if (before > 0) {
            value = value > JSON_INTEGER_MAX ? value : value * 10 + (*p - '0');
        } else {
            whole = whole && *p == '0';
            up = up || (before == 0 && *p >= '5');
        }
        before--;
    }
    for (; before > 0 && value > 0 && value <= JSON_INTEGER_MAX; before--)
        value *= 10;
    value += up;
    if (value > JSON_INTEGER_MAX) {
        value = JSON_INTEGER_MAX + 1;
        whole = false;
    }
    out->integer = negative ? -value : value;
    out->integral = whole;
}

/* The "C" locale whatever the process has set: JSON's point is a point. */
static double read_double(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        abort();
    double value = strtod_l(text, NULL, c);
    freelocale(c);
    return value;
}

bool json_number_value(struct slice text, struct arena *arena, struct json_number *out)
{
    char small[SHORT_MAX + 1];
    round_to_integer(text, out);
    if (out->integral) {
        out->value = (double)out->integer;
        return true;
    }
    char *copy = text.len <= SHORT_MAX ? small : arena_alloc(arena, text.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    out->value = read_double(copy);
    return true;
}
