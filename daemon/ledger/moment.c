/* A moment as people write it. */
#include "ledger/moment.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* The end of the year 9999: nobody asks beyond it, and the calendar's functions stay within their range. */
#define MOMENT_MAX INT64_C(253402300799)

/* Reads N digits at *AT, which moves past them; -1 if there are fewer. */
static int digits(const char **at, int n)
{
    int value = 0;
    for (; n > 0; n--, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip(const char **at, const char *one_of)
{
    for (; *one_of != '\0'; one_of++) {
        if (**at == *one_of) {
            (*at)++;
            return true;
        }
    }
    return false;
}

static bool parse_zone(const char **at, int64_t *offset_s)
{
    *offset_s = 0;
    if (skip(at, "Zz"))
        return **at == '\0';
    bool west = **at == '-';
    if (!skip(at, "+-"))
        return false;
    int hours = digits(at, 2);
    int minutes = skip(at, ":") ? digits(at, 2) : -1;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *offset_s = (west ? -60 : 60) * (hours * 60 + minutes);
    return **at == '\0';
}

/* timegm() turns a 31st of April into the 1st of May. If it changed anything, TEXT was no date. */
static bool parse_rfc3339(const char *text, int64_t *unix_seconds)
{
    const char *at = text;
    struct tm given = {0};
    int64_t offset_s;
    given.tm_year = digits(&at, 4) - 1900;
    given.tm_mon = skip(&at, "-") ? digits(&at, 2) - 1 : -2;
    given.tm_mday = skip(&at, "-") ? digits(&at, 2) : -1;
    given.tm_hour = skip(&at, "Tt ") ? digits(&at, 2) : -1;
    given.tm_min = skip(&at, ":") ? digits(&at, 2) : -1;
    if (given.tm_min >= 0 && skip(&at, ":"))
        given.tm_sec = digits(&at, 2);
    if (skip(&at, ".")) { /* A fraction of a second is cut off. */
        if (!isdigit((unsigned char)*at))
            return false;
        while (isdigit((unsigned char)*at))
            at++;
    }
    if (!parse_zone(&at, &offset_s))
        return false;
    struct tm moved = given;
    *unix_seconds = timegm(&moved) - offset_s;
    return moved.tm_year == given.tm_year && moved.tm_mon == given.tm_mon && moved.tm_mday == given.tm_mday &&
           moved.tm_hour == given.tm_hour && moved.tm_min == given.tm_min && moved.tm_sec == given.tm_sec;
}

bool moment_parse(const char *text, int64_t *unix_seconds)
{
    char *end;
    errno = 0;
    *unix_seconds = strtoll(text, &end, 10);
    bool parsed = isdigit((unsigned char)*text) && *end == '\0' && errno == 0;
    if (!parsed)
        parsed = parse_rfc3339(text, unix_seconds);
    return parsed && *unix_seconds >= 0 && *unix_seconds <= MOMENT_MAX;
}
