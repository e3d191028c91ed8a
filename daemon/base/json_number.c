/* The value of a JSON number: by its digits where a double holds them exactly, by strtod where not. */
#include "base/json_number.h"

#include <locale.h>
#include <stdlib.h>

#define EXACT_MAX ((uint64_t)1 << 53)

enum {
    PLAIN_MAX = 15,         /* characters of digits that are always within 2^53 */
    DIGITS_MAX = 19,        /* that always fit into 64 bits */
    POWER_MAX = 22,         /* the greatest power of ten that a double holds exactly */
    EXPONENT_MAX = 9999999, /* where a written exponent stops counting: infinity or zero anyway */
    SHORT_MAX = 63
};

static const double powers[POWER_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* digits x 10^exponent, without trailing zeros in the digits. */
struct decimal {
    uint64_t digits;
    int64_t exponent;
    int n_digits;
    bool negative;
    bool exact; /* false: it has more than DIGITS_MAX digits */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain(struct slice text)
{
    if (text.len > PLAIN_MAX)
        return false;
    for (size_t i = text.ptr[0] == '-'; i < text.len; i++)
        if (!is_digit(text.ptr[i]))
            return false;
    return true;
}

static int64_t plain_value(struct slice text)
{
    bool negative = text.ptr[0] == '-';
    int64_t value = 0;
    for (size_t i = negative; i < text.len; i++)
        value = value * 10 + (text.ptr[i] - '0');
    return negative ? -value : value;
}

/* A digit behind ZEROS zeros that follow the last one pushed. */
static void push_digit(struct decimal *d, size_t zeros, char c)
{
    if (d->n_digits == 0)
        zeros = 0;
    if (zeros >= (size_t)(DIGITS_MAX - d->n_digits)) {
        d->exact = false;
        return;
    }
    for (size_t i = 0; i <= zeros; i++)
        d->digits *= 10;
    d->digits += (uint64_t)(c - '0');
    d->n_digits += (int)zeros + 1;
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

static struct decimal read_decimal(struct slice text)
{
    struct decimal d = {.negative = text.ptr[0] == '-', .exact = true};
    const char *p = text.ptr + d.negative;
    const char *end = text.ptr + text.len;
    size_t zeros = 0;
    bool fraction = false;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        d.exponent -= fraction;
        if (*p == '0') {
            zeros++;
            continue;
        }
        push_digit(&d, zeros, *p);
        zeros = 0;
    }
    d.exponent += (int64_t)zeros;
    if (p < end)
        d.exponent += read_exponent(p + 1, end);
    return d;
}

/* Sets the integer where the value is whole and within 2^53. */
static bool decimal_integer(const struct decimal *d, int64_t *out)
{
    *out = 0;
    if (d->exact && d->digits == 0)
        return true;
    if (!d->exact || d->exponent < 0 || d->exponent > PLAIN_MAX)
        return false;
    uint64_t power = (uint64_t)powers[d->exponent];
    if (d->digits > EXACT_MAX / power)
        return false;
    *out = (int64_t)(d->digits * power);
    if (d->negative)
        *out = -*out;
    return true;
}

/* One correctly rounded operation on two exact operands is correctly rounded. */
static bool decimal_quotient(const struct decimal *d, double *out)
{
    if (!d->exact || d->digits > EXACT_MAX || d->exponent >= 0 || d->exponent < -POWER_MAX)
        return false;
    *out = (double)d->digits / powers[-d->exponent];
    if (d->negative)
        *out = -*out;
    return true;
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
    if (is_plain(text)) {
        int64_t value = plain_value(text);
        *out = (struct json_number){(double)value, true, value};
        return true;
    }
    struct decimal d = read_decimal(text);
    *out = (struct json_number){0};
    out->integral = decimal_integer(&d, &out->integer);
    if (out->integral)
        out->value = (double)out->integer;
    if (out->integral || decimal_quotient(&d, &out->value))
        return true;
    char small[SHORT_MAX + 1];
    char *copy = text.len <= SHORT_MAX ? small : arena_alloc(arena, text.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    out->value = read_double(copy);
    return true;
}
