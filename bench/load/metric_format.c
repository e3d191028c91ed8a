/* Figures as people read them: three digits, thousands apart, and a unit that suits their size. */
#include "load/metric_format.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { GROUP = 3, DIGITS_MAX = 24 };

/* Copies the digits of NUMBER with a comma before each three of the whole part. */
static void group_thousands(const char *number, char *out)
{
    size_t whole = strspn(number, "0123456789");
    for (size_t i = 0; number[i] != '\0'; i++) {
        if (i > 0 && i < whole && (whole - i) % GROUP == 0)
            *out++ = ',';
        *out++ = number[i];
    }
    *out = '\0';
}

/* VALUE >= 0 to three digits at least: 1.25, 12.5, 125, 12,500. What is counted in ones may be whole. */
static void three_digits(double value, bool ones, char text[static 32])
{
    char number[DIGITS_MAX];
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    if (value == 0 || (ones && value == floor(value)))
        decimals = 0;
    snprintf(number, sizeof(number), value < 1e15 ? "%.*f" : "%.*e", decimals, value);
    group_thousands(number, text);
}

struct scale {
    double below; /* it serves values that are less than this */
    double one;
    const char *name;
};

/* The bounds are where rounding to three digits comes to 1,000. */
static const struct scale times[] = {{999.5, 1, " µs"}, {999.5e3, 1e3, " ms"}, {INFINITY, 1e6, " s"}};
static const struct scale sizes[] = {{1023.5, 1, " B"}, {1023.5 * 0x1p10, 0x1p10, " KiB"},
    {1023.5 * 0x1p20, 0x1p20, " MiB"}, {INFINITY, 0x1p30, " GiB"}};
static const struct scale counts[] = {{INFINITY, 1, ""}};
static const struct scale rates[] = {{INFINITY, 1, "/s"}};
static const struct scale ratios[] = {{INFINITY, 0.01, " %"}};

static const struct scale *scale_for(enum metric_unit unit, double value)
{
    static const struct scale *const scales[] = {[UNIT_COUNT] = counts,
        [UNIT_US] = times,
        [UNIT_PER_S] = rates,
        [UNIT_BYTES] = sizes,
        [UNIT_RATIO] = ratios};
    const struct scale *scale = scales[unit];
    while (value >= scale->below)
        scale++;
    return scale;
}

char *load_metric_format(enum metric_unit unit, double value, char text[static 32])
{
    if (!isfinite(value)) {
        snprintf(text, 32, "–");
        return text;
    }
    char digits[32];
    const struct scale *scale = scale_for(unit, fabs(value));
    three_digits(fabs(value) / scale->one, scale->one == 1, digits);
    snprintf(text, 32, "%s%.22s%s", value < 0 ? "-" : "", digits, scale->name);
    return text;
}
