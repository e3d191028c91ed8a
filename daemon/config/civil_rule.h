/*
 * When clocks change by a rule: the footer of a zone's file says so of all times after the last change that
 * the file lists (RFC 9636, section 3.3). It is written as POSIX writes TZ, such as
 * `CET-1CEST,M3.5.0,M10.5.0/3`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* A change of the clocks. */
struct civil_change {
    int64_t at;     /* Unix seconds */
    int32_t offset; /* seconds east of UTC from then on */
};

/* A day of every year, and the time of that day, by the clock that is changed. */
struct civil_date {
    enum civil_date_form {
        CIVIL_DATE_WEEKDAY, /* the WEEK-th WEEKDAY of MONTH; the last one where WEEK is 5 */
        CIVIL_DATE_JULIAN,  /* DAY from 1 to 365; February 29 is never counted */
        CIVIL_DATE_DAY      /* DAY from 0 to 365; February 29 is counted */
    } form;
    int month;   /* 1 to 12 */
    int week;    /* 1 to 5 */
    int weekday; /* 0 is Sunday */
    int day;
    int32_t seconds; /* after midnight; may be negative, and more than a day */
};

struct civil_rule {
    int32_t standard; /* seconds east of UTC */
    int32_t summer;
    bool has_summer; /* else it is standard time for ever, and what follows means nothing */
    struct civil_date starts;
    struct civil_date ends;
};

/* False when TEXT is no such rule. A rule that names a summer time must say when it is. */
bool civil_rule_parse(struct slice text, struct civil_rule *out) __attribute__((warn_unused_result));

/* The two changes that RULE, which has a summer time, makes in YEAR, in their order. */
void civil_rule_changes(const struct civil_rule *rule, int year, struct civil_change out[static 2]);

/* Days from 1970-01-01 to a day of the Gregorian calendar. DAY may be past the month's end, and MONTH may
 * be 13. */
int64_t civil_rule_days(int year, int month, int day);
