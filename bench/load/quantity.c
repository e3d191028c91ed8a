/* Numbers with units. */
#include "load/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* strtod() without its signs, blanks, infinities and hexadecimals. */
static bool read_plain(const char *text, const char **end, double *value)
{
    char *stop;
    if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
        return false;
    *value = strtod(text, &stop);
    *end = stop;
    return isfinite(*value);
}

bool quantity_number(const char *text, const char **end, double *value)
{
    if (!read_plain(text, end, value))
        return false;
    double factor = **end == 'K' ? 1e3 : **end == 'M' ? 1e6 : 1;
    *value *= factor;
    *end += factor > 1;
    return true;
}

bool quantity_duration(const char *text, const char **end, int64_t *us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};
    double value;
    if (!read_plain(text, end, &value))
        return false;
    size_t len = strspn(*end, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (len != strlen(units[i].name) || memcmp(*end, units[i].name, len) != 0)
            continue;
        *end += len;
        value *= units[i].us;
        *us = (int64_t)llround(value < 86400e6 ? value : 86400e6);
        return value <= 86400e6;
    }
    return false;
}
