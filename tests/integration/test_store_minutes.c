/* What a learner's ten minutes hold, asked of a real redis-server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <signal.h>

#include "credit/mask.h"
#include "store/values.h"
#include "store_fixture.h"

enum { BUCKET = 2791668, ANSWERS_MAX = 4 };

/* The last 15 seconds of a bucket's first minute begin here. */
#define LATE_MS ((INT64_C(600) * BUCKET + 45) * 1000)

static int setup(void **state)
{
    struct fixture *f = fixture_new(4, LATE_MS + 3600 * 1000);
    *state = f;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

struct answer {
    struct event_base *base;
    int times;
    bool ok;
    size_t n;
    struct store_minute minutes[ANSWERS_MAX];
    char lessons[ANSWERS_MAX][16];
};

static void on_minutes(void *ctx, bool ok, const struct store_minute *minutes, size_t n)
{
    struct answer *answer = ctx;
    assert_true(n <= ANSWERS_MAX);
    answer->times++;
    answer->ok = ok;
    answer->n = n;
    for (size_t i = 0; i < n; i++) {
        answer->minutes[i] = minutes[i];
        snprintf(answer->lessons[i], sizeof(answer->lessons[i]), "%.*s", SLICE_ARG(minutes[i].lesson));
    }
    event_base_loopbreak(answer->base);
}

static void ask(struct fixture *f, const char *learner, int64_t bucket, struct answer *answer)
{
    *answer = (struct answer){.base = f->base};
    store_minutes(f->store, SLICE_LITERAL("basic"), slice_of(learner), bucket, on_minutes, answer);
    assert_int_equal(answer->times, 0); /* from the loop, never within */
}

static struct answer asked(struct fixture *f, const char *learner, int64_t bucket)
{
    struct answer answer;
    ask(f, learner, bucket, &answer);
    event_base_dispatch(f->base);
    assert_int_equal(answer.times, 1);
    return answer;
}

/* The answer when the server is there. */
static bool has_answer(struct fixture *f, const char *learner, int64_t bucket, struct answer *answer)
{
    *answer = asked(f, learner, bucket);
    return answer->ok;
}

static struct answer asked_in_time(struct fixture *f, const char *learner, int64_t bucket)
{
    struct answer answer;
    assert_in_time(f, has_answer(f, learner, bucket, &answer));
    return answer;
}

static void watch(struct fixture *f, const char *lesson, int64_t start_ms, int64_t length_ms)
{
    struct store_run run = fixture_run("王/li", lesson, start_ms, length_ms, 0, length_ms);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
}

static void assert_minute(const struct answer *a, size_t i, int64_t minute, const char *lesson, uint64_t mask)
{
    assert_int_equal(a->minutes[i].minute, minute);
    assert_string_equal(a->lessons[i], lesson);
    assert_true(a->minutes[i].mask == mask);
}

static void test_what_was_credited(void **state)
{
    struct fixture *f = *state;
    watch(f, "l1", LATE_MS, 20000);
    watch(f, "x", LATE_MS + 10000, 12000); /* five of them are l1's, and five more */
    struct answer answer = asked_in_time(f, "王/li", BUCKET);
    assert_int_equal(answer.n, 3);
    assert_minute(&answer, 0, BUCKET * 10L, "l1", mask_range(45, 60));
    assert_minute(&answer, 1, BUCKET * 10L + 1, "l1", mask_range(0, 5));
    assert_minute(&answer, 2, BUCKET * 10L + 1, "x", mask_range(5, 7));
}

static void test_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    watch(f, "l1", LATE_MS, 15000);
    assert_true(asked_in_time(f, "王/li", BUCKET).n == 1);
    struct answer other_bucket = asked_in_time(f, "王/li", BUCKET - 1);
    struct answer other_learner = asked_in_time(f, "王", BUCKET);
    assert_int_equal(other_bucket.n + other_learner.n, 0);
}

/* What cannot be read is told as that, and not as nothing. */
static void test_what_is_malformed(void **state)
{
    static const char *const commands[] = {"HSET %s basic/王/li x", "SET %s x"};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        watch(f, "l1", LATE_MS + (int64_t)i * 20000, 15000);
        redisReply *keys = redisCommand(f->nodes[0].client, "KEYS minuted:*:w:%d", BUCKET);
        assert_int_equal(keys->elements, 1);
        redis_process_command(&f->nodes[0], "DEL %s", keys->element[0]->str);
        redis_process_command(&f->nodes[0], commands[i], keys->element[0]->str);
        struct answer answer = asked(f, "王/li", BUCKET);
        assert_false(answer.ok);
        assert_int_equal(answer.n, 0);
        redis_process_command(&f->nodes[0], "DEL %s", keys->element[0]->str);
        freeReplyObject(keys);
    }
}

/* A question that is on its way when the server dies, and one that comes after, fail once each. */
static void test_without_a_server(void **state)
{
    struct fixture *f = *state;
    struct answer answer;
    kill(f->nodes[0].pid, SIGSTOP);
    ask(f, "王/li", BUCKET, &answer);
    fixture_turn(f, 20000);
    assert_int_equal(answer.times, 0);
    kill(f->nodes[0].pid, SIGKILL);
    event_base_dispatch(f->base);
    assert_int_equal(answer.times, 1);
    assert_false(answer.ok);
    assert_false(asked(f, "王/li", BUCKET).ok);
    assert_int_equal(store_pending(f->store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_credited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_server, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
