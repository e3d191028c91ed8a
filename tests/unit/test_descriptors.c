/* How file descriptors are divided between players and what the daemon itself needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/descriptors.h"

static void test_players_get_what_is_left(void **state)
{
    static const struct {
        int64_t limit;
        int wanted;
        int workers;
        int places;
    } rows[] = {
        {1048576, 16000, 8, 16000},
        {INT64_MAX, 16000, 64, 16000},
        {20000, 16000, 2, 16000},
        {16384, 16000, 2, 15680}, /* 192 and two times 256 are kept */
        {4096, 16000, 4, 2880},
        {1024, 16000, 1, 576},
        {1024, 16000, 2, 512},
        {1024, 16000, 8, 512}, /* never more than half is kept */
        {300, 16000, 2, 150},
        {300, 100, 2, 100},
        {0, 100, 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(
            descriptors_for_players(rows[i].limit, rows[i].wanted, rows[i].workers), rows[i].places);
}

static void test_the_limit_is_raised_once_and_for_all(void **state)
{
    (void)state;
    int64_t limit = descriptors_raise_limit();
    assert_true(limit >= 256);
    assert_int_equal(descriptors_raise_limit(), limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_players_get_what_is_left),
        cmocka_unit_test(test_the_limit_is_raised_once_and_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
