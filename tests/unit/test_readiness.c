/* What is judged from the facts of readiness, and what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/readiness.h"

struct example {
    const char *name;
    bool started;
    bool draining;
    bool second_reached;
    bool ready;
    enum monitor_state state;
    int64_t second_skew_ms;
    const char *line; /* of the short answer; NULL: none */
};

static const struct example examples[] = {
    {"well", true, false, true, true, MONITOR_READY, 0, NULL},
    {"starting", false, false, true, false, MONITOR_READY, 0, "[-] started: not yet\n"},
    {"draining", true, true, true, false, MONITOR_READY, 0, "[-] draining: being stopped\n"},
    {"redis away for a moment", true, false, true, true, MONITOR_UNREACHABLE, 0, NULL},
    {"redis away for long", true, false, false, false, MONITOR_UNREACHABLE, 0, "[-] redis: redis says no\n"},
    {"redis set up wrong", true, false, true, false, MONITOR_WRONG, 0, "[-] redis: redis says no\n"},
    {"a step of the clock", true, false, true, true, MONITOR_READY, 9999, NULL},
    {"an old skew of a server that is away", true, false, false, false, MONITOR_UNREACHABLE, 9999,
        "[-] redis: redis says no\n"},
};

static char *check(const struct example *e, const char *publisher, bool verbose, bool *ready)
{
    struct redis_condition servers[] = {
        {.name = "a:1", .reached = true, .clock_known = true}, {.name = "b:2", .clock_known = true}};
    servers[1].reached = e->second_reached;
    servers[1].clock_skew_ms = e->second_skew_ms;
    struct readiness_facts facts = {.started = e->started,
        .draining = e->draining,
        .connected = true,
        .redis = e->state,
        .redis_problem = "redis says no",
        .servers = servers,
        .n_servers = 2};
    snprintf(facts.publisher, sizeof(facts.publisher), "%s", publisher);
    struct buf out = {0};
    *ready = readiness_judge(&facts, verbose, &out);
    assert_int_equal(readiness_judge(&facts, verbose, NULL), *ready);
    buf_append_char(&out, '\0');
    return out.data;
}

static void says_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        bool ready;
        char *text = check(e, "publishing", false, &ready);
        if (ready != e->ready || strcmp(text, e->line == NULL ? "" : e->line) != 0)
            fail_msg("%s: ready %d, \"%s\"", e->name, ready, text);
        free(text);
    }
}

static void never_fails_for_kafka(void **state)
{
    (void)state;
    bool ready;
    char *text = check(&examples[0], "no broker can be reached", true, &ready);
    assert_true(ready);
    assert_non_null(strstr(text, "[i] publisher: no broker can be reached"));
    free(text);
}

static void verbose_shows_every_check(void **state)
{
    (void)state;
    bool ready;
    char *text = check(&examples[1], "publishing", true, &ready);
    assert_false(ready);
    static const char *const lines[] = {"[-] started: not yet\n", "[+] draining: no\n",
        "[+] redis: every server", "[i] clock: that of redis server a:1 is +0 ms",
        "[i] clock: that of redis server b:2 "};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(strstr(text, lines[i]));
    free(text);
}

static void a_clock_that_was_not_read_is_not_told(void **state)
{
    const struct redis_condition servers[] = {
        {.name = "a:1", .reached = true, .clock_known = true}, {.name = "b:2", .reached = true}};
    struct readiness_facts facts = {.redis = MONITOR_UNREACHABLE, .servers = servers, .n_servers = 2};
    struct buf out = {0};
    (void)state;
    assert_false(readiness_judge(&facts, true, &out));
    buf_append_char(&out, '\0');
    assert_non_null(strstr(out.data, "server a:1 is"));
    assert_null(strstr(out.data, "server b:2 is"));
    buf_free(&out);
}

static void without_a_monitor_there_is_no_redis(void **state)
{
    (void)state;
    struct ops_state ops = {true, false};
    struct ops_sources sources = {.state = &ops};
    assert_false(readiness_check(&sources, true, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_why_not),
        cmocka_unit_test(never_fails_for_kafka),
        cmocka_unit_test(verbose_shows_every_check),
        cmocka_unit_test(a_clock_that_was_not_read_is_not_told),
        cmocka_unit_test(without_a_monitor_there_is_no_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
