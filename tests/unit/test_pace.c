/* The interval that players are asked to keep, and when those come back that were refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "api/pace.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_interval(void **state)
{
    static const struct {
        int64_t interval_ms, max_interval_ms, age_ms, refusals, expected_ms;
    } rows[] = {
        {15000, 60000, 0, 0, 15000},
        {15000, 60000, 50, 50, 15000},
        {15000, 60000, 51, 0, 15047},
        {15000, 60000, 525, 0, 37500},
        {15000, 60000, 999, 0, 59952},
        {15000, 60000, 1000, 0, 60000},
        {15000, 60000, INT64_MAX, 0, 60000},
        {15000, 60000, 0, 51, 15100},
        {15000, 60000, 525, 51, 37500},
        {15000, 60000, 0, 275, 37500},
        {15000, 60000, 0, 500, 60000},
        {15000, 60000, 0, INT64_MAX, 60000},
        {15000, 15000, 500, 300, 15000},
        {1000, 3600000, 525, 0, 1800500},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(
            pace_interval_ms(rows[i].interval_ms, rows[i].max_interval_ms, rows[i].age_ms, rows[i].refusals),
            rows[i].expected_ms);
}

static void test_interval_never_falls_with_load(void **state)
{
    int64_t before[2] = {0, 0};
    (void)state;
    for (int64_t load = 0; load < 1100; load++) {
        int64_t intervals[2] = {
            pace_interval_ms(15000, 60000, load, 0), pace_interval_ms(15000, 60000, 0, load)};
        for (int i = 0; i < 2; i++) {
            assert_true(intervals[i] >= before[i] && intervals[i] >= 15000 && intervals[i] <= 60000);
            before[i] = intervals[i];
        }
    }
}

/* Steps of one life: what happens so much later, and what the limit is then with an interval of 15 s. */
static void test_retry_limit(void **state)
{
    static const struct {
        int64_t after_ms;
        int refused, served;
        int64_t limit_ms;
    } rows[] = {
        {1, 0, 0, 3000},                                              /* nothing yet */
        {1, 0, 1, 3000}, {1000, 1, 0, 3000},                          /* an outage begins */
        {2000, 1, 0, 5000}, {8000, 1, 0, 13000}, {1000, 1, 1, 14000}, /* some are served: it is not over */
        {2000, 1, 0, 15000},                                          /* the interval, and no more */
        {60000, 1, 0, 15000}, {999, 0, 1, 15000},
        {1, 0, 1, 3000},                         /* a second without a refusal, and one served: over */
        {10, 1, 0, 3000}, {119000, 1, 0, 15000}, /* nobody asked meanwhile */
        {120001, 1, 0, 3000},                    /* for so long that it is another one */
        {10, 19, 0, 3010},                       /* 20 in two seconds */
        {0, 20, 0, 6000},                        /* 40 */
        {0, 60, 0, 15000},                       /* 100, which is 50 a second */
        {1990, 0, 0, 14700},                     /* they pass away slowly */
        {1000, 0, 0, 7200},                      /* half of them are of the last two seconds */
        {1000, 0, 0, 7000},                      /* none are: the outage's age is left */
    };
    struct pace p = {0};
    int64_t now_ms = 1000000;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        now_ms += rows[i].after_ms;
        for (int k = 0; k < rows[i].refused; k++)
            pace_refused(&p, now_ms);
        if (rows[i].served > 0)
            pace_served(&p, now_ms);
        if (pace_retry_limit_ms(&p, 15000, now_ms) != rows[i].limit_ms)
            fail_msg("row %zu: %lld", i, (long long)pace_retry_limit_ms(&p, 15000, now_ms));
        assert_int_equal(pace_retry_limit_ms(&p, 1000, now_ms), 1000);
    }
}

static void test_retry_after(void **state)
{
    static const struct {
        int64_t limit_ms;
        int greatest;
    } rows[] = {{0, 1}, {999, 1}, {1000, 1}, {1999, 1}, {2000, 2}, {15000, 15}, {600000, 600}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int times[601] = {0};
        for (int dice = 0; dice < 10 * rows[i].greatest; dice++)
            times[pace_retry_after_s(rows[i].limit_ms, dice)]++;
        for (int s = 1; s <= rows[i].greatest; s++)
            assert_int_equal(times[s], 10);
        assert_in_range(pace_retry_after_s(rows[i].limit_ms, INT32_MAX), 1, rows[i].greatest);
    }
}

/* ---- what it comes to ---- */

enum { INTERVAL_S = 15, SECONDS = 90, WORKERS = 2, PLAYERS_MAX = 100000 };

/* PLAYERS who send once an interval meet an outage and obey; the requests of each of its seconds go to SENT.
 */
static void play_outage(int players, int sent[static SECONDS])
{
    struct pace paces[WORKERS] = {{0}};
    int *due = calloc((size_t)players, sizeof(*due)); /* the millisecond of each one's next request */
    unsigned seed = 1;
    assert_non_null(due);
    for (int i = 0; i < players; i++)
        due[i] = rand_r(&seed) % (INTERVAL_S * 1000);
    for (int s = 0; s < SECONDS; s++)
        sent[s] = 0;
    for (int ms = 0; ms < SECONDS * 1000; ms += 50) { /* those of a moment, in any order */
        for (int i = 0; i < players; i++) {
            if (due[i] > ms)
                continue;
            struct pace *p = &paces[rand_r(&seed) % WORKERS];
            int64_t now_ms = ms + 1;
            pace_refused(p, now_ms);
            int64_t interval_ms =
                pace_interval_ms((int64_t)INTERVAL_S * 1000, 60000, 0, pace_refusals(p, now_ms));
            int64_t limit_ms = pace_retry_limit_ms(p, interval_ms, now_ms);
            due[i] = ms + 1000 * pace_retry_after_s(limit_ms, rand_r(&seed));
            sent[ms / 1000]++;
        }
    }
    free(due);
}

/*
 * An outage does not multiply the load: at most a third more while it is younger than an interval, then no
 * more than without it. A few players come back sooner, and are no load.
 */
static void test_an_outage_does_not_multiply_the_load(void **state)
{
    static const struct {
        int players;
        double at_first, then; /* times the usual rate, over five seconds */
    } rows[] = {{100, 4, 3.5}, {1000, 2.4, 2.2}, {10005, 1.4, 1.1}, {PLAYERS_MAX, 1.3, 1.1}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int sent[SECONDS];
        double usual = 5.0 * rows[i].players / INTERVAL_S;
        play_outage(rows[i].players, sent);
        for (int s = 0; s + 5 <= SECONDS; s++) {
            int n = 0;
            for (int k = 0; k < 5; k++)
                n += sent[s + k];
            double allowed = s < INTERVAL_S ? rows[i].at_first : rows[i].then;
            if (n > allowed * usual)
                fail_msg("%d players, second %d: %.2f times the usual", rows[i].players, s, n / usual);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_interval_never_falls_with_load),
        cmocka_unit_test(test_retry_limit),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_an_outage_does_not_multiply_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
