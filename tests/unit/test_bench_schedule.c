/* The arrivals of an open loop: what can be written, when each is due, and that no rate is missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/dice.h"
#include "load/schedule.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct schedule parsed(const char *text)
{
    struct schedule s;
    char problem[256] = "";
    if (!schedule_parse(text, &s, problem))
        fail_msg("%s: %s", text, problem);
    return s;
}

static void test_what_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t phases;
        double seconds;
        uint64_t requests;
        double peak;
    } rows[] = {
        {"1000:10s", 1, 10, 10000, 1000},
        {"20K:1m", 1, 60, 1200000, 20000},
        {"0-1000:10s", 1, 10, 5000, 1000},
        {"1000-0:10s", 1, 10, 5000, 1000},
        {"2000-20000:30s,20000:60s,0:1s,50:500ms", 4, 91.5, 330000 + 1200000 + 25, 20000},
        {"0.5:4s", 1, 4, 2, 0.5},
        {"1.5K:2s", 1, 2, 3000, 1500},
        {"1:0.4s,1:0.4s", 2, 0.8, 1, 1}, /* 0.8 requests are one */
        {"1M:3h", 1, 10800, 10800000000, 1e6},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schedule s = parsed(rows[i].text);
        assert_int_equal(s.n, rows[i].phases);
        assert_false(s.closed);
        assert_true(fabs(schedule_seconds(&s) - rows[i].seconds) < 1e-9);
        assert_int_equal(schedule_requests(&s), rows[i].requests);
        assert_true(schedule_peak(&s) == rows[i].peak);
    }
}

static void test_a_closed_loop_has_a_length_and_no_arrivals(void **state)
{
    (void)state;
    struct schedule s = parsed("max:90s");
    assert_true(s.closed);
    assert_true(schedule_seconds(&s) == 90);
    assert_int_equal(schedule_requests(&s), 0);
    assert_int_equal(schedule_due_us(&s, 0), INT64_MAX);
    assert_true(schedule_rate(&s, 1) == 0);
}

static void test_what_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem; /* a part of it */
    } rows[] = {
        {"", "RATE:TIME"},
        {"1000", "RATE:TIME"},
        {"1000:", "RATE:TIME"},
        {":10s", "RATE:TIME"},
        {"1000:10", "RATE:TIME"}, /* of what? */
        {"1000:10x", "RATE:TIME"},
        {"1000:0s", "RATE:TIME"},
        {"1000:-1s", "RATE:TIME"},
        {"-1000:10s", "RATE:TIME"},
        {"1000-:10s", "RATE:TIME"},
        {"1000-2000-3000:10s", "RATE:TIME"},
        {"1000:10s,", "RATE:TIME"},
        {"1000:10s,,1000:10s", "RATE:TIME"},
        {"1000:10s;1000:10s", "RATE:TIME"},
        {"0x10:10s", "RATE:TIME"},
        {"nan:10s", "RATE:TIME"},
        {"inf:10s", "RATE:TIME"},
        {"1001K:10s", "RATE:TIME"},
        {"1-2M:10s", "RATE:TIME"},
        {"1000:25h", "RATE:TIME"},
        {"1000:1h,1000:2h,1000:1s", "longer than 3 h"},
        {"max:4h", "longer than 3 h"},
        {"maximum:10s", "RATE:TIME"},
        {"max:10s,1000:10s", "cannot be combined"},
        {"1000:10s,max:10s", "cannot be combined"},
        {"max:1s,max:1s", "cannot be combined"},
        {"0:10s", "a single request"},
        {"0.01:10s", "a single request"},
        {"1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s,1:1s", "16 phases"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schedule s;
        char problem[256] = "";
        if (schedule_parse(rows[i].text, &s, problem))
            fail_msg("'%s' was understood", rows[i].text);
        if (strstr(problem, rows[i].problem) == NULL)
            fail_msg("'%s': %s", rows[i].text, problem);
    }
}

static void test_when_arrivals_are_due(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t k;
        int64_t due_us;
    } rows[] = {
        {"1000:10s", 0, 0},
        {"1000:10s", 1, 1000},
        {"1000:10s", 9999, 9999000},
        {"1000:10s", 10000, INT64_MAX},
        {"0-1000:10s", 50, 1000000},   /* 50 t^2 */
        {"0-1000:10s", 1250, 5000000}, /* half the time, a quarter of them */
        {"1000-0:10s", 3750, 5000000},
        {"100:1s,0:5s,10:1s", 99, 990000},
        {"100:1s,0:5s,10:1s", 100, 6000000}, /* nothing comes in a pause */
        {"100:1s,0:5s,10:1s", 109, 6900000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct schedule s = parsed(rows[i].text);
        int64_t due_us = schedule_due_us(&s, rows[i].k);
        if (llabs(due_us - rows[i].due_us) > 1)
            fail_msg("%s: %lu is due at %ld", rows[i].text, (unsigned long)rows[i].k, (long)due_us);
    }
}

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        double second;
        double rate;
    } rows[] = {{0, 100}, {5, 150}, {9.999, 199.99}, {10, 500}, {12.5, 500}, {13, 0}, {1000, 0}};
    struct schedule s = parsed("100-200:10s,500:3s");
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(fabs(schedule_rate(&s, rows[i].second) - rows[i].rate) < 1e-9);
}

/* ---- properties ---- */

static void write_random(struct dice *dice, char text[static 256])
{
    size_t n = 0;
    unsigned phases = 1 + dice_below(dice, 5);
    for (unsigned i = 0; i < phases; i++) {
        unsigned from = dice_below(dice, 4) == 0 ? 0 : dice_below(dice, 3000);
        unsigned to = dice_below(dice, 4) == 0 ? from : dice_below(dice, 3000);
        n += (size_t)snprintf(
            text + n, 256 - n, "%s%u-%u:%ums", i > 0 ? "," : "", from, to, 1 + dice_below(dice, 3000));
    }
}

/* What has come by SECOND, from the rates alone: the midpoint rule, which a straight line leaves exact. */
static double integral_until(const struct schedule *s, double second)
{
    double sum = 0;
    double start = 0;
    for (size_t i = 0; i < s->n && start < second; i++) {
        double end = fmin(start + s->phases[i].seconds, second);
        sum += schedule_rate(s, (start + end) / 2) * (end - start);
        start += s->phases[i].seconds;
    }
    return sum;
}

/* Due times never fall, end before the schedule does, and by each as many have come as the rate makes. */
static void check_arrivals(const struct schedule *s, const char *text)
{
    int64_t before_us = 0;
    uint64_t n = schedule_requests(s);
    for (uint64_t k = 0; k < n; k++) {
        int64_t due_us = schedule_due_us(s, k);
        double second = (double)due_us / 1e6;
        if (due_us < before_us || second > schedule_seconds(s))
            fail_msg(
                "%s: %lu is due at %ld after %ld", text, (unsigned long)k, (long)due_us, (long)before_us);
        if (fabs(integral_until(s, second) - (double)k) > 0.01)
            fail_msg("%s: %f have come when %lu is due", text, integral_until(s, second), (unsigned long)k);
        before_us = due_us;
    }
    assert_int_equal(schedule_due_us(s, n), INT64_MAX);
    assert_true(fabs(integral_until(s, schedule_seconds(s)) - (double)n) <= 0.5 + 1e-6);
}

static void test_random_schedules(void **state)
{
    (void)state;
    struct dice dice = dice_of(5);
    for (int i = 0; i < 100; i++) {
        struct schedule s;
        char text[256];
        char problem[256];
        write_random(&dice, text);
        if (schedule_parse(text, &s, problem))
            check_arrivals(&s, text);
        else
            assert_non_null(strstr(problem, "a single request"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_understood),
        cmocka_unit_test(test_a_closed_loop_has_a_length_and_no_arrivals),
        cmocka_unit_test(test_what_is_not),
        cmocka_unit_test(test_when_arrivals_are_due),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_random_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
