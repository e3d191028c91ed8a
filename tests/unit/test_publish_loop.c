/* The publish loop while the clock is in doubt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "publish/publish_loop.h"

/* A round touches neither Redis nor Kafka, of which there is none here, and the next one does not follow at
 * once. */
static void test_a_clock_in_doubt_publishes_nothing(void **state)
{
    static const int64_t running_minutes_ms[] = {0, 10};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct config config = {.publish = {.grace_ms = 70000, .running_minutes_ms = running_minutes_ms[i]}};
        struct clock clock = {.belief = CLOCK_DOUBTED, .system_ms = 1675000800000, .steady_ms = 1000};
        struct publish_loop_parts parts = {.config = &config, .clock = &clock};
        struct publish_loop *l = publish_loop_new(&parts);
        for (int last = 0; last < 2; last++) {
            assert_int_equal(publish_loop_round(l, last), ROUND_DONE);
            assert_true(publish_loop_wait_ms(l) > 0);
        }
        publish_loop_retire(l);
        publish_loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_in_doubt_publishes_nothing),
    };
    return cmocka_run_group_tests_name("publish_loop", tests, NULL, NULL);
}
