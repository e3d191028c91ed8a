/* The histogram of latencies, held against sorted arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "load/dice.h"
#include "load/histogram.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct histogram *histogram_of(const int64_t *values, size_t n)
{
    struct histogram *h = mem_zalloc(sizeof(*h));
    for (size_t i = 0; i < n; i++)
        histogram_add(h, values[i]);
    return h;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* As many magnitudes as there are: a number of random bits, then as many random bits. */
static int64_t random_value(struct dice *dice)
{
    return (int64_t)(dice_throw(dice) >> (64 - 1 - dice_below(dice, HISTOGRAM_VALUE_BITS)));
}

static void check_quantile(const struct histogram *h, const int64_t *sorted, size_t n, size_t rank)
{
    uint64_t exact = (uint64_t)sorted[rank - 1];
    uint64_t found = histogram_quantile(h, (double)rank / (double)n);
    if (found < exact || found - exact > exact / 1024)
        fail_msg("rank %zu of %zu: %lu for %lu", rank, n, (unsigned long)found, (unsigned long)exact);
}

static void test_quantiles_of_random_values(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 100, 1000, 4321};
    struct dice dice = dice_of(20221202);
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t n = sizes[s];
        int64_t *values = mem_alloc(n * sizeof(*values));
        for (size_t i = 0; i < n; i++)
            values[i] = random_value(&dice);
        struct histogram *h = histogram_of(values, n);
        qsort(values, n, sizeof(*values), compare);
        for (size_t rank = 1; rank <= n; rank++)
            check_quantile(h, values, n, rank);
        assert_int_equal(h->n, n);
        assert_int_equal(histogram_quantile(h, 1), values[n - 1]);
        free(h);
        free(values);
    }
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (int64_t value = 0; value < 2048; value++) {
        int64_t values[] = {value, 4000000};
        struct histogram *h = histogram_of(values, 2);
        assert_int_equal(histogram_quantile(h, 0.5), value);
        free(h);
    }
}

static void test_quantile_edges(void **state)
{
    (void)state;
    static const struct {
        int64_t values[4];
        size_t n;
        double quantile;
        uint64_t found;
    } rows[] = {{{0}, 0, 0.5, 0}, {{7}, 1, 0, 7}, {{7}, 1, 1, 7}, {{7}, 1, 0.0001, 7}, {{1, 2}, 2, 0.5, 1},
        {{1, 2}, 2, 0.500001, 2}, {{-5, 3}, 2, 0.5, 0}, {{1, 2, 3, 4}, 4, 0.75, 3},
        /* The greatest is known exactly, also beyond the last bucket. */
        {{123456789}, 1, 0.5, 123456789}, {{1, INT64_C(1) << 40}, 2, 1, UINT64_C(1) << 40}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct histogram *h = histogram_of(rows[i].values, rows[i].n);
        uint64_t found = histogram_quantile(h, rows[i].quantile);
        if (found != rows[i].found)
            fail_msg("row %zu: %lu", i, (unsigned long)found);
        free(h);
    }
}

/* 0.07 of 100 values are 7, though 0.07 * 100 is a little more than 7. */
static void test_rounding_adds_no_rank(void **state)
{
    (void)state;
    struct histogram *h = mem_zalloc(sizeof(*h));
    for (int64_t value = 1; value <= 100; value++)
        histogram_add(h, value);
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_int_equal(histogram_quantile(h, percent / 100.0), percent);
    free(h);
}

static void test_buckets_touch(void **state)
{
    (void)state;
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t below = histogram_bucket_top(i - 1);
        struct histogram *h = NULL;
        assert_true(histogram_bucket_top(i) > below);
        assert_true(histogram_bucket_top(i) - below <= below / 1024 + 1);
        if (i % 97 != 0)
            continue;
        int64_t edges[] = {(int64_t)below, (int64_t)below + 1};
        h = histogram_of(edges, 2);
        assert_int_equal(h->buckets[i - 1], 1);
        assert_int_equal(h->buckets[i], 1);
        free(h);
    }
    assert_int_equal(histogram_bucket_top(HISTOGRAM_BUCKETS - 1), UINT32_MAX);
}

static void test_merge_is_as_added_to_one(void **state)
{
    (void)state;
    struct dice dice = dice_of(7);
    struct histogram *parts[2] = {mem_zalloc(sizeof(struct histogram)), mem_zalloc(sizeof(struct histogram))};
    struct histogram *all = mem_zalloc(sizeof(*all));
    for (size_t i = 0; i < 5000; i++) {
        int64_t value = random_value(&dice);
        histogram_add(parts[i % 2], value);
        histogram_add(all, value);
    }
    histogram_merge(parts[0], parts[1]);
    assert_memory_equal(parts[0], all, sizeof(*all));
    free(parts[0]);
    free(parts[1]);
    free(all);
}

static void test_mean_and_deviation(void **state)
{
    (void)state;
    static const int64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct histogram *h = histogram_of(values, COUNT(values));
    assert_true(histogram_mean(h) == 5);
    assert_true(fabs(histogram_deviation(h) - 2) < 1e-9);
    struct histogram *empty = histogram_of(NULL, 0);
    assert_true(histogram_mean(empty) == 0 && histogram_deviation(empty) == 0);
    free(h);
    free(empty);
}

static void test_steps_halve_what_is_left(void **state)
{
    (void)state;
    struct histogram *h = mem_zalloc(sizeof(*h));
    for (int64_t value = 1; value <= 1000; value++)
        histogram_add(h, value);
    static const double levels[] = {
        0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775, 0.8, 0.825, 0.85, 0.875, 0.8875};
    struct histogram_step step = {0};
    for (size_t i = 0; i < COUNT(levels); i++) {
        assert_true(histogram_next_step(h, &step));
        assert_true(fabs(step.quantile - levels[i]) < 1e-12);
        assert_int_equal(step.value_us, histogram_quantile(h, step.quantile));
        assert_int_equal(step.count, step.value_us);
    }
    struct histogram_step before = step;
    while (histogram_next_step(h, &step)) {
        assert_true(step.quantile > before.quantile && step.count >= before.count);
        before = step;
    }
    assert_true(before.quantile == 1);
    assert_int_equal(before.value_us, 1000);
    assert_int_equal(before.count, 1000);
    free(h);
}

static void test_no_steps_when_empty(void **state)
{
    (void)state;
    struct histogram *h = histogram_of(NULL, 0);
    struct histogram_step step = {0};
    assert_false(histogram_next_step(h, &step));
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_of_random_values),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_quantile_edges),
        cmocka_unit_test(test_rounding_adds_no_rank),
        cmocka_unit_test(test_buckets_touch),
        cmocka_unit_test(test_merge_is_as_added_to_one),
        cmocka_unit_test(test_mean_and_deviation),
        cmocka_unit_test(test_steps_halve_what_is_left),
        cmocka_unit_test(test_no_steps_when_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
