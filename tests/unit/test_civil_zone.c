/*
 * Civil days: where clocks jump at midnight, names that are no zones, and what the C library says of the same
 * files and rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "config/civil_rule.h"
#include "config/civil_zone.h"

static void test_day_starts(void **state)
{
    static const struct {
        const char *zone;
        int year, month, day;
        int64_t unix_s;
    } rows[] = {
        {"Asia/Shanghai", 2022, 12, 2, 1669910400},                         /* 2022-12-01T16:00:00Z */
        {"Asia/Shanghai", 2023, 2, 29, 1677600000},                         /* the day after 2023-02-28 */
        {"Asia/Shanghai", 2022, 12, 32, 1672502400},                        /* the day after 2022-12-31 */
        {"Asia/Shanghai", 1988, 7, 1, 583686000},                           /* its summer time then: UTC+9 */
        {"UTC", 1970, 1, 1, 0}, {"Europe/Berlin", 2023, 3, 26, 1679785200}, /* before its clocks go forward */
        {"Europe/Berlin", 2023, 3, 27, 1679868000},                         /* after */
        {"Europe/Berlin", 2023, 10, 30, 1698620400}, {"America/New_York", 2023, 11, 5, 1699156800},
        {"America/New_York", 2023, 11, 6, 1699246800}, {"Asia/Kolkata", 2024, 2, 29, 1709145000},
        {"America/Santiago", 2023, 9, 3, 1693713600}, /* 00:00 to 01:00 is left out */
        {"Africa/Cairo", 2024, 4, 26, 1714082400},    /* the same, east of Greenwich */
        {"Africa/Cairo", 2023, 10, 27, 1698357600},   /* its last hour comes twice */
        {"Asia/Amman", 2021, 10, 29, 1635454800},     /* its first hour comes twice: the earlier one */
        {"Pacific/Apia", 2011, 12, 31, 1325239200},   /* December 30th was left out */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct civil_zone *zone = civil_zone_load(rows[i].zone);
        assert_non_null(zone);
        assert_int_equal(
            civil_zone_day_start_ms(zone, rows[i].year, rows[i].month, rows[i].day), rows[i].unix_s * 1000);
        civil_zone_free(zone);
    }
}

static void test_no_such_zone(void **state)
{
    static const char *const names[] = {"", "Asia/Atlantis", "../../etc/passwd", "/etc/passwd", "Asia/../UTC",
        "Asia", "Asia/", "zone.tab", "leapseconds"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_null(civil_zone_load(names[i]));
}

/* The process's own timezone is neither asked nor touched. */
static void test_tz_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "America/New_York", 1), 0);
    struct civil_zone *zone = civil_zone_load("Asia/Shanghai");
    assert_non_null(zone);
    assert_int_equal(civil_zone_day_start_ms(zone, 2022, 12, 2), INT64_C(1669910400000));
    assert_string_equal(getenv("TZ"), "America/New_York");
    civil_zone_free(zone);
}

/* ---- against the C library ---- */

static void set_tz(const char *tz)
{
    assert_int_equal(setenv("TZ", tz, 1), 0);
    tzset();
}

/* The day that the C library's clock shows at UNIX_S, as a number that grows from day to day. */
static int shown_day(int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    return ((tm.tm_year + 1900) * 100 + tm.tm_mon + 1) * 100 + tm.tm_mday;
}

/*
 * Whether every day of the years FIRST to LAST begins when the C library first shows it. Where clocks go back
 * over midnight a day is shown, left and shown again; nothing of it lies before its begin.
 */
static void check_days(const struct civil_zone *zone, const char *name, int first, int last)
{
    int64_t day_ms = INT64_C(86400000);
    for (int64_t day = civil_rule_days(first, 1, 1); day < civil_rule_days(last + 1, 1, 1); day++) {
        time_t noon_utc = (time_t)(day * 86400 + 43200);
        struct tm tm;
        assert_non_null(gmtime_r(&noon_utc, &tm));
        int wanted = ((tm.tm_year + 1900) * 100 + tm.tm_mon + 1) * 100 + tm.tm_mday;
        int64_t ms = civil_zone_day_start_ms(zone, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
        assert_int_equal(ms % 1000, 0);
        int64_t start = ms / 1000;
        if (shown_day(start) < wanted || shown_day(start - 1) >= wanted || shown_day(start - 7200) >= wanted)
            fail_msg("%s: %d begins at %lld: then it is %d, and a second before %d", name, wanted,
                (long long)start, shown_day(start), shown_day(start - 1));
        assert_in_range(
            ms + 2 * day_ms, day * 86400000 + day_ms / 2, day * 86400000 + 3 * day_ms + day_ms / 2);
    }
}

static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Asia/Shanghai", "America/Nuuk",
    "Africa/Casablanca", "Asia/Tehran", "Europe/Dublin", "Australia/Lord_Howe", "America/Santiago",
    "Africa/Cairo", "Asia/Gaza", "Antarctica/Troll", "Etc/GMT+3", "UTC"};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* False where the compiler of zones is not installed. */
static bool compile_zones(const char *form, const char *folder)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        execl(
            "/usr/sbin/zic", "zic", "-b", form, "-d", folder, "/usr/share/zoneinfo/tzdata.zi", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void check_compiled(const char *form)
{
    char folder[] = "/tmp/test_civil_zone.XXXXXX";
    assert_non_null(mkdtemp(folder));
    bool compiled = compile_zones(form, folder);
    for (size_t i = 0; compiled && i < sizeof(zones) / sizeof(zones[0]); i++) {
        char path[100];
        struct buf bytes = {0};
        snprintf(path, sizeof(path), ":%s/%s", folder, zones[i]);
        assert_true(file_read(path + 1, 1 << 20, &bytes));
        struct civil_zone *zone = civil_zone_parse(buf_slice(&bytes));
        assert_non_null(zone);
        set_tz(path);
        check_days(zone, zones[i], 1971, 2110);
        civil_zone_free(zone);
        buf_free(&bytes);
    }
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (!compiled)
        skip();
}

/* As `zic -b slim` and most distributions of Linux make them: what the rule says is not listed. */
static void test_slim_files(void **state)
{
    (void)state;
    check_compiled("slim");
}

static void test_fat_files(void **state)
{
    (void)state;
    check_compiled("fat");
}

/* ---- rules ---- */

/* A file that lists no changes, and so is all rule. */
static struct civil_zone *zone_of_rule(const char *rule)
{
    static const char header[44] = "TZif2";
    struct buf file = {0};
    for (int block = 0; block < 2; block++) {
        size_t start = file.len;
        buf_append(&file, header, sizeof(header));
        file.data[start + 39] = 1; /* one type */
        file.data[start + 43] = 1; /* one character of names */
        buf_append(&file, "\0\0\0\0\0\0", 7);
    }
    buf_printf(&file, "\n%s\n", rule);
    struct civil_zone *zone = civil_zone_parse(buf_slice(&file));
    buf_free(&file);
    return zone;
}

static void test_rules(void **state)
{
    static const char *const rules[] = {"UTC0", "CST-8", "<+0330>-3:30", "<-0930>9:30:00",
        "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "EST+5EDT+4,M3.2.0/02:00:00,M11.1.0/2:00",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "IST-1GMT0,M10.5.0,M3.5.0/1",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
        "EET-2EEST,M4.5.5/0,M10.5.4/24", "EET-2EEST,M3.4.4/50,M10.4.4/50", "IST-2IDT,M3.4.4/26,M10.5.0",
        "AAA3BBB,J60,J300", "AAA3BBB,J59,J300/0", "AAA3BBB,59,300", "AAA3BBB,60/0,299/3",
        "AAA-3BBB,J300,J60/-5", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
        "AAA4BBB3:29:59,M5.4.1/0:0:1,M9.5.6/23:59:59", "AAA-8BBB,M6.2.3/-100,M8.1.5/160",
        "<AAA-1>-12<BBB+2>-13,M1.5.6/3,M12.1.0/3"};
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct civil_zone *zone = zone_of_rule(rules[i]);
        if (zone == NULL)
            fail_msg("refused: %s", rules[i]);
        set_tz(rules[i]);
        check_days(zone, rules[i], 1995, 2060);
        civil_zone_free(zone);
    }
}

/* The rule of a zone that has summer time all year: the C library is not sure of this one, RFC 9636 is. */
static void test_summer_all_year(void **state)
{
    (void)state;
    struct civil_zone *zone = zone_of_rule("XXX3EDT4,0/0,J365/23");
    assert_non_null(zone);
    for (int month = 1; month <= 12; month++)
        assert_int_equal(civil_zone_day_start_ms(zone, 2024, month, 1),
            (civil_rule_days(2024, month, 1) * 86400 + 4 * 3600) * 1000);
    civil_zone_free(zone);
}

static void test_no_such_rule(void **state)
{
    static const char *const rules[] = {"CET", "CE-1", "CET-25", "CET-1:60", "CET-1:30:60", "CET-1CEST", "-1",
        "<CET-1", "<>1", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3,", "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5", "CET-1CEST,J366,J5",
        "CET-1CEST,366,5", "CET-1CEST,M3.5,M10.5.0", "CET-1CEST,M3.5.0/,M10.5.0", "CET-1 CEST,M3.5.0,M10.5.0",
        "CET-1CEST,m3.5.0,M10.5.0", "CET--1", "CET1:", "CET1x"};
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct civil_zone *zone = zone_of_rule(rules[i]);
        if (zone != NULL)
            fail_msg("accepted: %s", rules[i]);
    }
    struct civil_zone *unknown = zone_of_rule(""); /* nobody knows what comes: the last offset stays */
    assert_non_null(unknown);
    assert_int_equal(civil_zone_day_start_ms(unknown, 2024, 7, 1), INT64_C(1719792000000));
    civil_zone_free(unknown);
}

/* Cut anywhere, a file is damaged. */
static void test_damaged_files(void **state)
{
    struct buf bytes = {0};
    (void)state;
    assert_true(file_read("/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &bytes));
    for (size_t len = 0; len < bytes.len; len++) {
        char *block = malloc(len + 1);
        assert_non_null(block);
        memcpy(block + 1, bytes.data, len);
        struct civil_zone *zone = civil_zone_parse((struct slice){block + 1, len});
        if (zone != NULL)
            fail_msg("accepted: %zu bytes of %zu", len, bytes.len);
        free(block);
    }
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day_starts),
        cmocka_unit_test(test_no_such_zone),
        cmocka_unit_test(test_tz_is_left_alone),
        cmocka_unit_test(test_slim_files),
        cmocka_unit_test(test_fat_files),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_summer_all_year),
        cmocka_unit_test(test_no_such_rule),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests_name("civil_zone", tests, NULL, NULL);
}
