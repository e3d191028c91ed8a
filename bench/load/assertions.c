/*
 * What a result is held to: "p99<5ms,refused==0". Each assertion is parsed into a row, in which its text is
 * kept, so that an answer quotes what was asked.
 */
#include "load/assertions.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/metrics.h"

enum relation { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL };

struct assertion {
    struct slice text;
    struct slice metric;
    enum metric_unit unit;
    enum relation relation;
    double limit; /* in the metric's unit */
};

/* ---- reading ---- */

static struct slice trim(struct slice s)
{
    while (s.len > 0 && isspace((unsigned char)s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static struct slice slice_from(struct slice s, size_t at)
{
    return (struct slice){s.ptr + at, s.len - at};
}

static bool read_relation(struct slice *rest, enum relation *relation)
{
    /* The longer relations come first, since "<=" begins with "<". */
    static const struct {
        const char *text;
        enum relation relation;
    } rows[] = {{"<=", LESS_EQUAL}, {">=", GREATER_EQUAL}, {"==", EQUAL}, {"!=", NOT_EQUAL}, {"<", LESS},
        {">", GREATER}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].text);
        if (rest->len < len || memcmp(rest->ptr, rows[i].text, len) != 0)
            continue;
        *relation = rows[i].relation;
        *rest = slice_from(*rest, len);
        return true;
    }
    return false;
}

static bool read_unit(struct slice text, enum metric_unit unit, double *factor)
{
    static const struct {
        enum metric_unit unit;
        const char *text;
        double factor;
    } rows[] = {{UNIT_US, "us", 1}, {UNIT_US, "µs", 1}, {UNIT_US, "ms", 1e3}, {UNIT_US, "s", 1e6},
        {UNIT_COUNT, "", 1}, {UNIT_COUNT, "K", 1e3}, {UNIT_COUNT, "M", 1e6}, {UNIT_PER_S, "", 1},
        {UNIT_PER_S, "K", 1e3}, {UNIT_PER_S, "M", 1e6}, {UNIT_BYTES, "", 1}, {UNIT_BYTES, "K", 1e3},
        {UNIT_BYTES, "M", 1e6}, {UNIT_BYTES, "KiB", 0x1p10}, {UNIT_BYTES, "MiB", 0x1p20},
        {UNIT_BYTES, "GiB", 0x1p30}, {UNIT_RATIO, "", 1}, {UNIT_RATIO, "%", 0.01}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].unit == unit && slice_is(text, rows[i].text)) {
            *factor = rows[i].factor;
            return true;
        }
    }
    return false;
}

/* Digits with at most one point: what strtod() reads beside that is no limit. */
static bool read_digits(struct slice *rest, double *value)
{
    char number[32];
    size_t len = 0;
    while (len < rest->len && (isdigit((unsigned char)rest->ptr[len]) || rest->ptr[len] == '.'))
        len++;
    if (len == 0 || len >= sizeof(number))
        return false;
    memcpy(number, rest->ptr, len);
    number[len] = '\0';
    char *end;
    *value = strtod(number, &end);
    *rest = slice_from(*rest, len);
    return end == number + len;
}

static bool read_assertion(struct slice text, struct assertion *a, char problem[static 256])
{
    static const char *const units[] = {[UNIT_US] = "us, ms or s",
        [UNIT_COUNT] = "absent, K or M",
        [UNIT_PER_S] = "absent, K or M",
        [UNIT_BYTES] = "absent, K, M, KiB, MiB or GiB",
        [UNIT_RATIO] = "absent or %"};
    /* A message quotes no more than fits. */
    a->text = (struct slice){text.ptr, text.len < 100 ? text.len : 100};
    size_t name_len = 0;
    while (name_len < text.len && strchr("<>=!", text.ptr[name_len]) == NULL)
        name_len++;
    a->metric = trim((struct slice){text.ptr, name_len});
    struct slice rest = slice_from(text, name_len);
    if (!read_relation(&rest, &a->relation)) {
        snprintf(problem, 256, "\"%.*s\": expected one of < <= > >= == !=", SLICE_ARG(a->text));
        return false;
    }
    if (!load_metric_find(a->metric, &a->unit)) {
        snprintf(problem, 256, "\"%.*s\": there is no such metric", SLICE_ARG(a->text));
        return false;
    }
    rest = trim(rest);
    if (!read_digits(&rest, &a->limit)) {
        snprintf(problem, 256, "\"%.*s\": expected a number", SLICE_ARG(a->text));
        return false;
    }
    double factor;
    if (!read_unit(trim(rest), a->unit, &factor)) {
        snprintf(problem, 256, "\"%.*s\": the unit must be %s", SLICE_ARG(a->text), units[a->unit]);
        return false;
    }
    a->limit *= factor;
    return true;
}

/* The part of the list before the next comma; moves *AT behind it, or to NULL at the end. */
static struct slice next_part(const char **at)
{
    struct slice part = {*at, strcspn(*at, ",")};
    *at = part.ptr[part.len] == ',' ? part.ptr + part.len + 1 : NULL;
    return trim(part);
}

bool assertions_check_syntax(const char *text, char problem[static 256])
{
    struct assertion a;
    while (text)
        if (!read_assertion(next_part(&text), &a, problem))
            return false;
    return true;
}

/* ---- judging ---- */

/* NaN stands for a figure that there is not, and meets no condition, not even "!=". */
static bool is_met(const struct assertion *a, double value)
{
    switch (a->relation) {
    case LESS:
        return value < a->limit;
    case LESS_EQUAL:
        return value <= a->limit;
    case GREATER:
        return value > a->limit;
    case GREATER_EQUAL:
        return value >= a->limit;
    case EQUAL:
        return value == a->limit;
    case NOT_EQUAL:
        return !isnan(value) && value != a->limit;
    }
    return false;
}

bool assertions_judge(const char *text, const struct result *r, struct buf *out)
{
    char problem[256];
    struct assertion a;
    bool all_met = r->void_reason[0] == '\0';
    if (!all_met)
        buf_printf(out, "%-7s  the result is void: %s\n", "NOT MET", r->void_reason);
    while (text) {
        if (!read_assertion(next_part(&text), &a, problem)) {
            buf_printf(out, "%-7s  %s\n", "NOT MET", problem);
            all_met = false;
            continue;
        }
        char found[32];
        double value = load_metric_value(r, a.metric);
        bool met = is_met(&a, value);
        all_met = all_met && met;
        buf_printf(out, "%-7s  %-28.*s  ", met ? "met" : "NOT MET", SLICE_ARG(a.text));
        if (isnan(value))
            buf_append_string(out, "not measured\n");
        else
            buf_printf(out, "found %s\n", load_metric_format(a.unit, value, found));
    }
    return all_met;
}
