/*
 * Credible time, played second by second: what the system's clock and Redis's say, and what now becomes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/credible_time.h"

/* Noon in 2023, on a machine that has been up for a day. */
static const int64_t true_lead_ms = 1675000000000;
static const int64_t boot_ms = 86400000;

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 3600 * SECOND, AWAY = INT32_MAX };

/* A world in which true time is CLOCK_BOOTTIME and true_lead_ms. */
struct world {
    struct credible_time time;
    int64_t boot_ms;
    int64_t system_off_ms; /* how far the clocks are from the truth */
    int64_t redis_off_ms;  /* AWAY: it cannot be asked */
    int64_t redis_error_ms;
    int changes;
};

static struct world world_new(int64_t system_off_ms, int64_t redis_off_ms)
{
    return (struct world){.boot_ms = boot_ms, .system_off_ms = system_off_ms, .redis_off_ms = redis_off_ms};
}

static void look(struct world *w)
{
    struct time_look seen = {
        .boot_ms = w->boot_ms,
        .system_ms = w->boot_ms + true_lead_ms + w->system_off_ms,
        .redis_asked = w->redis_off_ms != AWAY,
        .redis_ms = w->boot_ms + true_lead_ms + w->redis_off_ms,
        .redis_error_ms = w->redis_error_ms,
    };
    w->changes += credible_time_look(&w->time, &seen);
}

/* Looks once a second for MS. */
static void live(struct world *w, int64_t ms)
{
    for (int64_t end = w->boot_ms + ms; w->boot_ms < end; w->boot_ms += SECOND)
        look(w);
}

static int64_t off_ms(const struct world *w)
{
    return w->time.lead_ms - true_lead_ms;
}

static void assert_now(const struct world *w, enum time_state state, int64_t off)
{
    assert_int_equal(w->time.state, state);
    assert_int_equal(off_ms(w), off);
}

static void test_now_begins_with_what_redis_says(void **state)
{
    (void)state;
    struct world w = world_new(1900, 0);
    look(&w);
    assert_now(&w, TIME_CREDIBLE, 0);
    w = world_new(0, -1900);
    look(&w);
    assert_now(&w, TIME_CREDIBLE, -1900);
}

static void test_a_start_with_a_wrong_clock_waits_until_both_agree(void **state)
{
    static const int64_t offs[][2] = {{2100, 0}, {-2100, 0}, {0, 30 * HOUR}, {-26 * HOUR, 0}, {0, AWAY}};
    (void)state;
    for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
        struct world w = world_new(offs[i][0], offs[i][1]);
        live(&w, 10 * MINUTE);
        assert_int_equal(w.time.state, TIME_UNKNOWN);
        w.system_off_ms = w.redis_off_ms = 0;
        live(&w, SECOND);
        assert_now(&w, TIME_CREDIBLE, 0);
    }
}

static void test_a_slow_question_is_given_its_time(void **state)
{
    (void)state;
    struct world w = world_new(0, 3000);
    w.redis_error_ms = 1500;
    look(&w);
    assert_int_equal(w.time.state, TIME_CREDIBLE);
}

static void test_now_follows_redis_by_a_millisecond_a_second(void **state)
{
    (void)state;
    for (int64_t to = -1500; to <= 1500; to += 3000) {
        struct world w = world_new(0, 0);
        live(&w, MINUTE);
        w.redis_off_ms = to;
        live(&w, MINUTE); /* until the samples from before are old */
        int64_t before = off_ms(&w);
        live(&w, 100 * SECOND);
        assert_now(&w, TIME_CREDIBLE, before + (to > 0 ? 100 : -100));
        live(&w, HOUR);
        assert_now(&w, TIME_CREDIBLE, to);
    }
}

static void test_the_quickest_answer_of_the_last_minute_counts(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, SECOND);
    w.redis_off_ms = 400;
    w.redis_error_ms = 500;
    live(&w, 50 * SECOND);
    assert_now(&w, TIME_CREDIBLE, 0);
    live(&w, 30 * SECOND);
    assert_true(off_ms(&w) > 0);
}

static void test_a_step_of_the_system_alone_changes_nothing(void **state)
{
    static const int64_t steps[] = {2500, -2500, 30 * HOUR, -26 * HOUR};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct world w = world_new(0, 0);
        live(&w, 11 * MINUTE);
        w.system_off_ms = steps[i];
        live(&w, 2 * MINUTE);
        assert_now(&w, TIME_CREDIBLE, 0);
        assert_true(credible_time_is_settled(&w.time, w.boot_ms));
        w.redis_off_ms = AWAY; /* a clock that is known to be wrong is believed no more for that */
        live(&w, 5 * MINUTE);
        assert_now(&w, TIME_CREDIBLE, 0);
    }
}

static void test_a_step_of_redis_alone_is_doubted_and_not_followed(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, 11 * MINUTE);
    w.redis_off_ms = 5 * HOUR;
    live(&w, SECOND);
    assert_now(&w, TIME_DOUBTED, 0);
    live(&w, HOUR);
    assert_now(&w, TIME_DOUBTED, 0);
    w.redis_off_ms = 0;
    live(&w, SECOND);
    assert_now(&w, TIME_CREDIBLE, 0);
    assert_false(credible_time_is_settled(&w.time, w.boot_ms + TIME_SETTLES_MS - 2 * SECOND));
    assert_true(credible_time_is_settled(&w.time, w.boot_ms + TIME_SETTLES_MS));
}

/* One machine: both clocks are put right, or wrong, together. */
static void test_a_step_of_both_is_believed_after_a_minute(void **state)
{
    static const int64_t steps[] = {3000, -3000, 30 * HOUR, -30 * HOUR};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct world w = world_new(0, 0);
        live(&w, 11 * MINUTE);
        w.system_off_ms = w.redis_off_ms = steps[i];
        live(&w, MINUTE);
        assert_now(&w, TIME_DOUBTED, 0);
        live(&w, SECOND);
        assert_now(&w, TIME_CREDIBLE, steps[i]);
        assert_false(credible_time_is_settled(&w.time, w.boot_ms));
        assert_int_equal(w.changes, 3);
    }
}

static void test_another_step_begins_the_minute_anew(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, MINUTE);
    w.system_off_ms = w.redis_off_ms = HOUR;
    live(&w, 50 * SECOND);
    w.system_off_ms = w.redis_off_ms = 2 * HOUR;
    live(&w, MINUTE);
    assert_now(&w, TIME_DOUBTED, 0);
    live(&w, SECOND);
    assert_now(&w, TIME_CREDIBLE, 2 * HOUR);
}

static void test_a_step_that_is_taken_back_is_forgotten(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, MINUTE);
    w.system_off_ms = w.redis_off_ms = 30 * HOUR;
    live(&w, 20 * SECOND);
    w.system_off_ms = w.redis_off_ms = 0;
    live(&w, SECOND);
    assert_now(&w, TIME_CREDIBLE, 0);
}

/* A suspended machine's CLOCK_BOOTTIME goes on: nothing has stepped. */
static void test_a_suspended_machine_wakes_up_in_time(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, 11 * MINUTE);
    w.boot_ms += 8LL * HOUR;
    live(&w, SECOND);
    assert_now(&w, TIME_CREDIBLE, 0);
}

/* A machine that was paused from outside has noticed nothing: its clocks agree with each other, and are late.
 */
static void test_a_paused_machine_asks_redis(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, 11 * MINUTE);
    w.redis_off_ms = HOUR; /* the truth has moved on; the machine's clocks stood still */
    live(&w, 30 * SECOND);
    assert_now(&w, TIME_DOUBTED, 0);
    w.system_off_ms = HOUR; /* the time service steps it */
    live(&w, MINUTE + SECOND);
    assert_now(&w, TIME_CREDIBLE, HOUR);
}

static void test_without_redis_the_system_is_asked(void **state)
{
    (void)state;
    struct world w = world_new(0, 0);
    live(&w, 11 * MINUTE);
    w.redis_off_ms = AWAY;
    live(&w, HOUR);
    assert_now(&w, TIME_CREDIBLE, 0);
    w.system_off_ms = HOUR;
    live(&w, MINUTE);
    assert_now(&w, TIME_DOUBTED, 0);
    live(&w, SECOND);
    assert_now(&w, TIME_CREDIBLE, HOUR);
    w.redis_off_ms = 0; /* it was wrong, and Redis says so */
    live(&w, SECOND);
    assert_now(&w, TIME_DOUBTED, HOUR);
    w.system_off_ms = 0;
    live(&w, MINUTE + SECOND);
    assert_now(&w, TIME_CREDIBLE, 0);
}

/* Random steps of both clocks: now goes back only by a jump, and a jump never comes sooner than after a
 * minute. */
static void test_now_never_goes_back_but_by_a_jump(void **state)
{
    unsigned seed = 20230129;
    struct world w = world_new(0, 0);
    int64_t doubted_since_ms = 0;
    (void)state;
    look(&w);
    for (int i = 0; i < 200000; i++) {
        int64_t before_ms = w.boot_ms + w.time.lead_ms;
        enum time_state was = w.time.state;
        w.boot_ms += 1 + rand_r(&seed) % 2000;
        switch (rand_r(&seed) % 200) {
        case 0:
            w.system_off_ms = (rand_r(&seed) % 7 - 3) * 1500;
            break;
        case 1:
            w.redis_off_ms = rand_r(&seed) % 4 == 0 ? AWAY : (rand_r(&seed) % 7 - 3) * 1500;
            break;
        case 2:
            w.redis_off_ms = w.system_off_ms;
            break;
        default:
            break;
        }
        w.redis_error_ms = rand_r(&seed) % 300;
        look(&w);
        bool jumped = was == TIME_DOUBTED && w.time.state == TIME_CREDIBLE &&
                      w.boot_ms - doubted_since_ms >= TIME_DOUBT_MS;
        assert_true(jumped || w.boot_ms + w.time.lead_ms >= before_ms);
        if (was != TIME_DOUBTED && w.time.state == TIME_DOUBTED)
            doubted_since_ms = w.boot_ms;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now_begins_with_what_redis_says),
        cmocka_unit_test(test_a_start_with_a_wrong_clock_waits_until_both_agree),
        cmocka_unit_test(test_a_slow_question_is_given_its_time),
        cmocka_unit_test(test_now_follows_redis_by_a_millisecond_a_second),
        cmocka_unit_test(test_the_quickest_answer_of_the_last_minute_counts),
        cmocka_unit_test(test_a_step_of_the_system_alone_changes_nothing),
        cmocka_unit_test(test_a_step_of_redis_alone_is_doubted_and_not_followed),
        cmocka_unit_test(test_a_step_of_both_is_believed_after_a_minute),
        cmocka_unit_test(test_another_step_begins_the_minute_anew),
        cmocka_unit_test(test_a_step_that_is_taken_back_is_forgotten),
        cmocka_unit_test(test_a_suspended_machine_wakes_up_in_time),
        cmocka_unit_test(test_a_paused_machine_asks_redis),
        cmocka_unit_test(test_without_redis_the_system_is_asked),
        cmocka_unit_test(test_now_never_goes_back_but_by_a_jump),
    };
    return cmocka_run_group_tests_name("credible_time", tests, NULL, NULL);
}
