/* Counts and latencies by the second, of one thread and of several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/dice.h"
#include "load/tally.h"

enum { SECOND_US = 1000000 };

static void test_what_happens_when_counts_there(void **state)
{
    (void)state;
    static const struct {
        int64_t now_us;
        size_t second;
        size_t finished; /* below it nothing changes any more */
    } rows[] = {
        {-5, 0, 0},
        {0, 0, 0},
        {999999, 0, 0},
        {1000000, 1, 1},
        {1999999, 1, 1},
        {3500000, 3, 3}, /* nothing happened in second 2 */
        {3400000, 3, 3},
        {2900000, 3, 3},  /* a second that is over takes nothing */
        {99000000, 4, 4}, /* what comes too late */
        {4000000, 4, 4},
    };
    struct tally *t = tally_new(0, 5);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_ptr_equal(tally_at(t, rows[i].now_us), &t->seconds[rows[i].second]);
        assert_int_equal(tally_finished(t), rows[i].finished);
    }
    tally_close(t);
    assert_int_equal(tally_finished(t), 5);
    tally_free(t);
}

static void test_the_warm_up_is_counted_and_not_measured(void **state)
{
    (void)state;
    struct tally *t = tally_new(SECOND_US, 4);
    tally_sent(t, 999999, 999000, 999);
    tally_answered(t, 1500000, 999999); /* due before */
    assert_int_equal(t->latency.n, 0);
    assert_int_equal(t->lateness.n, 0);
    tally_sent(t, 1600000, 1000000, 600000);
    tally_answered(t, 2100000, 1000000);
    assert_int_equal(t->latency.n, 1);
    assert_int_equal(t->latency.max_us, 1100000);
    assert_int_equal(t->lateness.n, 1);
    assert_int_equal(t->lateness.max_us, 600000);
    assert_int_equal(t->seconds[0].counts.sent, 1);
    assert_int_equal(t->seconds[0].lateness_us, 999);
    assert_int_equal(t->seconds[1].counts.answered, 1);
    assert_int_equal(t->seconds[1].latency_max_us, 500001);
    assert_int_equal(t->seconds[2].counts.answered, 1);
    tally_free(t);
}

static void test_an_answer_is_never_early(void **state)
{
    (void)state;
    struct tally *t = tally_new(0, 2);
    tally_answered(t, 500, 900);
    assert_int_equal(t->latency.max_us, 0);
    tally_free(t);
}

static void use_cpu(void)
{
    uint64_t spun = 1;
    for (int i = 0; i < 20000000; i++)
        spun = spun * 3 + (uint64_t)i;
    assert_int_not_equal(spun, 0);
}

static void test_cpu_goes_to_the_second_it_was_used_in(void **state)
{
    (void)state;
    struct tally *t = tally_new(0, 5);
    tally_at(t, 500000);
    use_cpu();
    tally_at(t, 1500000);
    tally_at(t, 2500000);
    tally_close(t);
    assert_true(t->seconds[0].cpu_us > 1000);
    assert_true(t->seconds[1].cpu_us < t->seconds[0].cpu_us);
    tally_free(t);
}

/* ---- several threads ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* As many magnitudes as there are. */
static uint64_t random_latency(struct dice *dice)
{
    return dice_throw(dice) >> (32 + dice_below(dice, 32));
}

static void check_marks(uint64_t *latencies, size_t n, const uint64_t marks[static LATENCY_MARKS])
{
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};
    qsort(latencies, n, sizeof(*latencies), compare);
    for (size_t i = 0; i < LATENCY_MARKS; i++) {
        size_t rank = 1;
        while ((double)rank < quantiles[i] * (double)n)
            rank++;
        uint64_t exact = latencies[rank - 1];
        if (marks[i] < exact || marks[i] - exact > exact / 32)
            fail_msg("mark %zu of %zu: %lu for %lu", i, n, (unsigned long)marks[i], (unsigned long)exact);
    }
    assert_int_equal(marks[LATENCY_MARKS - 1], latencies[n - 1]);
}

static void check_random_second(struct dice *dice, size_t threads, size_t n)
{
    struct tally *tallies[4];
    uint64_t *latencies = mem_alloc(n * sizeof(*latencies));
    struct tally_sum *sum = mem_zalloc(sizeof(*sum));
    struct second second = {.offered_rate = 1};
    uint64_t marks[LATENCY_MARKS];
    for (size_t i = 0; i < threads; i++)
        tallies[i] = tally_new(0, 2);
    for (size_t i = 0; i < n; i++) {
        latencies[i] = random_latency(dice);
        tally_answered(tallies[i % threads], SECOND_US, SECOND_US - (int64_t)latencies[i]);
    }
    for (size_t i = 0; i < threads; i++)
        tally_add(sum, &second, tallies[i], 1);
    tally_marks(sum, marks);
    assert_int_equal(second.counts.answered, n);
    check_marks(latencies, n, marks);
    for (size_t i = 0; i < threads; i++)
        tally_free(tallies[i]);
    free(latencies);
    free(sum);
}

static void test_marks_are_within_three_percent(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 7, 100, 999, 1000, 5000};
    struct dice dice = dice_of(3);
    for (size_t threads = 1; threads <= 4; threads++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            check_random_second(&dice, threads, sizes[i]);
}

static void test_a_second_without_answers_has_no_marks(void **state)
{
    (void)state;
    struct tally_sum *sum = mem_zalloc(sizeof(*sum));
    uint64_t marks[LATENCY_MARKS];
    uint64_t zeros[LATENCY_MARKS] = {0};
    tally_marks(sum, marks);
    assert_memory_equal(marks, zeros, sizeof(marks));
    free(sum);
}

/* Every member, told apart by its value: one that is forgotten would stay 0. */
static void test_all_counts_are_added(void **state)
{
    (void)state;
    struct load_counts one;
    struct load_counts sum = {0};
    uint64_t values[sizeof(one) / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        values[i] = i + 1;
    memcpy(&one, values, sizeof(one));
    result_add_counts(&sum, &one);
    assert_memory_equal(&sum, &one, sizeof(sum));
    result_add_counts(&sum, &one);
    assert_int_equal(sum.offered, 2);
}

static void test_the_worst_thread_is_told(void **state)
{
    (void)state;
    static const int64_t lateness_us[] = {5, 900, 30};
    struct tally_sum *sum = mem_zalloc(sizeof(*sum));
    struct second second = {.offered_rate = 1};
    for (size_t i = 0; i < 3; i++) {
        struct tally *t = tally_new(0, 1);
        tally_sent(t, 0, 0, lateness_us[i]);
        t->seconds[0].cpu_us = (uint64_t)lateness_us[i] * 2;
        tally_add(sum, &second, t, 0);
        tally_free(t);
    }
    assert_int_equal(second.lateness_us, 900);
    assert_int_equal(second.generator_cpu_us, 1800);
    assert_int_equal(second.counts.sent, 3);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_happens_when_counts_there),
        cmocka_unit_test(test_the_warm_up_is_counted_and_not_measured),
        cmocka_unit_test(test_an_answer_is_never_early),
        cmocka_unit_test(test_cpu_goes_to_the_second_it_was_used_in),
        cmocka_unit_test(test_marks_are_within_three_percent),
        cmocka_unit_test(test_a_second_without_answers_has_no_marks),
        cmocka_unit_test(test_all_counts_are_added),
        cmocka_unit_test(test_the_worst_thread_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
