/* The interval that players are asked to keep, by how long Redis takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/pace.h"

static void test_interval(void **state)
{
    static const struct {
        int64_t interval_ms, max_interval_ms, age_ms, expected_ms;
    } rows[] = {
        {15000, 60000, 0, 15000},
        {15000, 60000, 50, 15000},
        {15000, 60000, 51, 15047},
        {15000, 60000, 525, 37500},
        {15000, 60000, 999, 59952},
        {15000, 60000, 1000, 60000},
        {15000, 60000, INT64_MAX, 60000},
        {15000, 15000, 500, 15000},
        {1000, 3600000, 525, 1800500},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(pace_interval_ms(rows[i].interval_ms, rows[i].max_interval_ms, rows[i].age_ms),
            rows[i].expected_ms);
}

static void test_interval_never_falls_with_age(void **state)
{
    int64_t before = 0;
    (void)state;
    for (int64_t age = 0; age < 1100; age++) {
        int64_t interval = pace_interval_ms(15000, 60000, age);
        assert_true(interval >= before && interval >= 15000 && interval <= 60000);
        before = interval;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_interval_never_falls_with_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
