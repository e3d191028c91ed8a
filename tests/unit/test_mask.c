/* Masks: bits, the judgement of one minute, and the minutes of a stretch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "credit/mask.h"

static void test_every_range(void **state)
{
    (void)state;
    for (unsigned from = 0; from <= MINUTE_SECONDS; from++) {
        for (unsigned to = from; to <= MINUTE_SECONDS; to++) {
            uint64_t wanted = 0;
            for (unsigned i = from; i < to; i++)
                wanted |= UINT64_C(1) << i;
            assert_true(mask_range(from, to) == wanted);
            assert_int_equal(mask_count(wanted), to - from);
        }
    }
    assert_true(mask_range(0, MINUTE_SECONDS) == MASK_FULL);
}

static void test_count(void **state)
{
    (void)state;
    assert_int_equal(mask_count(0), 0);
    assert_int_equal(mask_count(1), 1);
    assert_int_equal(mask_count(UINT64_C(1) << 59), 1);
    assert_int_equal(mask_count(MASK_FULL), 60);
    assert_int_equal(mask_count(UINT64_C(0x0555555555555555)), 30);
}

/* The minutes are in order, none is empty, and they hold exactly the seconds. */
static void check_split(int64_t first, int64_t end)
{
    struct minute_mask pieces[16];
    size_t n = mask_split(first, end, pieces, 16);
    int64_t second = first;
    for (size_t i = 0; i < n; i++) {
        assert_true(pieces[i].mask != 0 && (pieces[i].mask & ~MASK_FULL) == 0);
        assert_int_equal(pieces[i].minute, second / MINUTE_SECONDS);
        for (int64_t bit = 0; bit < MINUTE_SECONDS; bit++) {
            bool inside = pieces[i].minute * MINUTE_SECONDS + bit >= first &&
                          pieces[i].minute * MINUTE_SECONDS + bit < end;
            assert_int_equal(pieces[i].mask >> bit & 1, inside);
            second += inside;
        }
    }
    assert_int_equal(second, end > first ? end : first);
}

static void test_split(void **state)
{
    (void)state;
    static const int64_t base = INT64_C(1673000000) / 60 * 60;
    for (int64_t from = 0; from < 125; from++)
        for (int64_t len = 0; len <= 200; len++)
            check_split(base + from, base + from + len);
    check_split(0, 1);
    check_split(base, base + 600);
    check_split(base + 1, base + 601);
}

static void test_split_counts(void **state)
{
    (void)state;
    struct minute_mask pieces[16];
    assert_int_equal(mask_split(60, 60, pieces, 16), 0);
    assert_int_equal(mask_split(61, 60, pieces, 16), 0);
    assert_int_equal(mask_split(60, 120, pieces, 16), 1);
    assert_true(pieces[0].minute == 1 && pieces[0].mask == MASK_FULL);
    assert_int_equal(mask_split(59, 121, pieces, 16), 3);
    assert_true(pieces[0].mask == UINT64_C(1) << 59 && pieces[1].mask == MASK_FULL && pieces[2].mask == 1);
    assert_int_equal(mask_split(1, 601, pieces, 16), 11); /* ten minutes touch eleven */
    assert_int_equal(mask_split(0, 6000, pieces, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
