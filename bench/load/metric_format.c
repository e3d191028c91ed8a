/* Figures as people read them: three digits, thousands apart, and a unit that suits their size. */
#include "load/metric_format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUP = 3, DIGITS_MAX = 24 };

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

char *load_metric_format(enum metric_unit unit, double value, char text[static 32])
{
    static const struct scale *const scales[] = {[UNIT_COUNT] = counts,
        [UNIT_US] = times,
        [UNIT_PER_S] = rates,
        [UNIT_BYTES] = sizes,
        [UNIT_RATIO] = ratios};
    if (!isfinite(value)) {
        snprintf(text, 32, "–");
        return text;
    }
    const struct scale *scale = scales[unit];
    while (fabs(value) >= scale->below)
        scale++;
    /* At least three digits are shown: 1.25, 12.5, 125, 12,500. What is counted in ones may be whole. */
    double shown = fabs(value) / scale->one;
    int decimals = shown < 9.995 ? 2 : shown < 99.95 ? 1 : 0;
    if (shown == 0 || (scale->one == 1 && shown == floor(shown)))
        decimals = 0;
    char number[DIGITS_MAX];
    snprintf(number, sizeof(number), shown < 1e15 ? "%.*f" : "%.*e", decimals, shown);
    /* A comma stands before each three digits of the whole part. */
    char digits[32];
    size_t n = 0;
    size_t whole = strspn(number, "0123456789");
    for (size_t i = 0; number[i] != '\0'; i++) {
        if (i > 0 && i < whole && (whole - i) % GROUP == 0)
            digits[n++] = ',';
        digits[n++] = number[i];
    }
    digits[n] = '\0';
    snprintf(text, 32, "%s%.22s%s", value < 0 ? "-" : "", digits, scale->name);
    return text;
}
