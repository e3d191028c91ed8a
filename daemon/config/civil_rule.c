/* When clocks change by a rule. */
#include "config/civil_rule.h"

#include <assert.h>
#include <ctype.h>

enum { HOUR = 3600, DAY = 86400 };

/* ---- reading ---- */

static bool take_char(struct slice *s, char wanted)
{
    if (s->len == 0 || s->ptr[0] != wanted)
        return false;
    *s = (struct slice){s->ptr + 1, s->len - 1};
    return true;
}

/* The number from MIN to MAX that S begins with. */
static bool take_int(struct slice *s, int min, int max, int *out)
{
    size_t digits = 0;
    int value = 0;
    for (; digits < s->len && digits < 4 && isdigit((unsigned char)s->ptr[digits]); digits++)
        value = value * 10 + (s->ptr[digits] - '0');
    *s = (struct slice){s->ptr + digits, s->len - digits};
    *out = value;
    return digits > 0 && value >= min && value <= max;
}

/* At least three letters, or letters, digits and signs in angle brackets. */
static bool take_name(struct slice *s)
{
    bool bracketed = take_char(s, '<');
    size_t n = 0;
    while (n < s->len &&
           (isalpha((unsigned char)s->ptr[n]) ||
               (bracketed && (isdigit((unsigned char)s->ptr[n]) || s->ptr[n] == '+' || s->ptr[n] == '-'))))
        n++;
    *s = (struct slice){s->ptr + n, s->len - n};
    return n >= 3 && (!bracketed || take_char(s, '>'));
}

/* [+-]hh[:mm[:ss]], in seconds. */
static bool take_time(struct slice *s, int hours_max, int32_t *out)
{
    int hours;
    int minutes = 0;
    int seconds = 0;
    bool negative = take_char(s, '-');
    if (!negative)
        take_char(s, '+');
    if (!take_int(s, 0, hours_max, &hours))
        return false;
    if (take_char(s, ':') &&
        (!take_int(s, 0, 59, &minutes) || (take_char(s, ':') && !take_int(s, 0, 59, &seconds))))
        return false;
    *out = hours * HOUR + minutes * 60 + seconds;
    *out = negative ? -*out : *out;
    return true;
}

/* Seconds east of UTC; POSIX counts them to the west. */
static bool take_offset(struct slice *s, int32_t *out)
{
    if (!take_time(s, 24, out))
        return false;
    *out = -*out;
    return true;
}

static bool take_date(struct slice *s, struct civil_date *out)
{
    bool good;
    *out = (struct civil_date){.form = CIVIL_DATE_DAY, .seconds = 2 * HOUR};
    if (!take_char(s, ','))
        return false;
    if (take_char(s, 'M')) {
        out->form = CIVIL_DATE_WEEKDAY;
        good = take_int(s, 1, 12, &out->month) && take_char(s, '.') && take_int(s, 1, 5, &out->week) &&
               take_char(s, '.') && take_int(s, 0, 6, &out->weekday);
    } else if (take_char(s, 'J')) {
        out->form = CIVIL_DATE_JULIAN;
        good = take_int(s, 1, 365, &out->day);
    } else {
        good = take_int(s, 0, 365, &out->day);
    }
    return good && (!take_char(s, '/') || take_time(s, 167, &out->seconds));
}

bool civil_rule_parse(struct slice text, struct civil_rule *out)
{
    *out = (struct civil_rule){0};
    if (!take_name(&text) || !take_offset(&text, &out->standard))
        return false;
    if (text.len == 0)
        return true;
    out->has_summer = true;
    out->summer = out->standard + HOUR;
    if (!take_name(&text) || (text.len > 0 && text.ptr[0] != ',' && !take_offset(&text, &out->summer)))
        return false;
    return take_date(&text, &out->starts) && take_date(&text, &out->ends) && text.len == 0;
}

/* ---- counting ---- */

/* The days are counted in years that begin in March, so that a leap day is the last day of its year. */
int64_t civil_rule_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Seconds from 1970 to DATE in YEAR, by the clock that is changed. */
static int64_t seconds_to(const struct civil_date *date, int year)
{
    enum {
        THURSDAY = 4,
        LEAP_DAY = 60
    }; /* 1970 began on a Thursday; the 60th day of a leap year is its 29 February */
    int64_t first = civil_rule_days(year, 1, 1);
    int64_t day = first + date->day;
    if (date->form == CIVIL_DATE_JULIAN) {
        bool leap = civil_rule_days(year, 3, 1) - first == LEAP_DAY;
        day += leap && date->day >= LEAP_DAY ? 0 : -1;
    } else if (date->form == CIVIL_DATE_WEEKDAY) {
        first = civil_rule_days(year, date->month, 1);
        day = first + (date->weekday - (first + THURSDAY) % 7 + 7) % 7 + (date->week - 1) * 7;
        if (day >= civil_rule_days(year, date->month + 1, 1))
            day -= 7;
    }
    return day * DAY + date->seconds;
}

void civil_rule_changes(const struct civil_rule *rule, int year, struct civil_change out[static 2])
{
    struct civil_change to_summer = {seconds_to(&rule->starts, year) - rule->standard, rule->summer};
    struct civil_change to_standard = {seconds_to(&rule->ends, year) - rule->summer, rule->standard};
    assert(rule->has_summer);
    bool northern = to_summer.at < to_standard.at;
    out[0] = northern ? to_summer : to_standard;
    out[1] = northern ? to_standard : to_summer;
}
