/* Civil days: where clocks jump at midnight, and names that are no zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/civil_zone.h"
#include <cmocka.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day_starts),
        cmocka_unit_test(test_no_such_zone),
        cmocka_unit_test(test_tz_is_left_alone),
    };
    return cmocka_run_group_tests_name("civil_zone", tests, NULL, NULL);
}
