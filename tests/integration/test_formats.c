/*
 * Values that cannot be read: of another format, as a build beside this one might store them, or spoiled.
 * `apply` leaves the learner out whom such a value belongs to and credits the others; `settle_sums` leaves
 * such a lesson's sum out; `settle` refuses. None writes over the value, and the daemon tells it. Against a
 * real redis-server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "publish/outbox_sums.h"
#include "redis/resp.h"
#include "store_fixture.h"

/* A round minute in 2023; the clock stands two hours later. */
static const int64_t base_s = 1675000800;

static int setup(void **state)
{
    struct fixture *f = fixture_new(1, (base_s + 7200) * 1000);
    *state = f;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    log_set_level(f->log, LOG_WARN);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ---- values ---- */

enum value { MASKS, TOTAL, SUM };

static void write_key(struct fixture *f, enum value value, char key[static 128])
{
    struct key_prefix prefix;
    topology_key_prefix(&prefix, 0, f->config.redis.partitions);
    if (value == MASKS)
        snprintf(key, 128, "%sw:%lld", prefix.text, (long long)base_s / 600);
    else if (value == TOTAL)
        snprintf(key, 128, "%st:basic/anna", prefix.text);
    else
        snprintf(key, 128, "%sl:%lld", prefix.text, (long long)base_s / 60);
}

/* Replaces anna's VALUE by what EXPRESSION, in Lua, makes of `value`. */
static void change_value(struct fixture *f, enum value value, const char *expression)
{
    char key[128];
    char script[256];
    write_key(f, value, key);
    snprintf(script, sizeof(script),
        "local value = redis.call('HGET', KEYS[1], ARGV[1]) return redis.call('HSET', KEYS[1], ARGV[1], %s)",
        expression);
    redisReply *reply = redisCommand(
        f->nodes[0].client, "EVAL %s 1 %s %s", script, key, value == MASKS ? "basic/anna" : "l1");
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
}

static void set_format(struct fixture *f, enum value value, int format)
{
    char expression[64];
    snprintf(expression, sizeof(expression), "string.char(%d) .. string.sub(value, 2)", format);
    change_value(f, value, expression);
}

/* Anna's VALUE as it is stored, freed by freeReplyObject(). */
static redisReply *read_value(struct fixture *f, enum value value)
{
    char key[128];
    write_key(f, value, key);
    redisReply *reply =
        redisCommand(f->nodes[0].client, "HGET %s %s", key, value == MASKS ? "basic/anna" : "l1");
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    return reply;
}

/* Changes that the server has made since it was started. */
static long long count_changes(struct fixture *f)
{
    redisReply *info = redisCommand(f->nodes[0].client, "INFO persistence");
    const char *at = strstr(info->str, "rdb_changes_since_last_save:");
    assert_non_null(at);
    long long n = strtoll(strchr(at, ':') + 1, NULL, 10);
    freeReplyObject(info);
    return n;
}

/* ---- what the daemon tells ---- */

struct capture {
    FILE *file;
    int kept;
};

static struct capture begin_capture(void)
{
    struct capture c = {tmpfile(), dup(STDERR_FILENO)};
    assert_true(c.file != NULL && c.kept >= 0);
    dup2(fileno(c.file), STDERR_FILENO);
    return c;
}

static void end_capture(const struct capture *c, char text[static 4096])
{
    dup2(c->kept, STDERR_FILENO);
    close(c->kept);
    rewind(c->file);
    size_t n = fread(text, 1, 4095, c->file);
    text[n] = '\0';
    fclose(c->file);
}

/*
 * Calls FUNCTION while VALUE has another format, and then once more when it has ours again. EVENT tells of
 * the first call; NULL where the same was told a moment ago, and is not told again.
 */
static void assert_refused(struct fixture *f, enum value value, const char *event,
    bool function(struct fixture *f, void *ctx), void *ctx)
{
    char key[128];
    char told[4096];
    write_key(f, value, key);
    set_format(f, value, 2);
    long long before = count_changes(f);
    struct capture capture = begin_capture();
    bool done = function(f, ctx);
    end_capture(&capture, told);
    assert_false(done);
    assert_int_equal(count_changes(f), before);
    if (event != NULL) {
        assert_non_null(strstr(told, event));
        assert_non_null(strstr(told, "FORMAT "));
        assert_non_null(strstr(told, key));
        assert_non_null(strstr(told, "format 2"));
    }
    set_format(f, value, 1);
    assert_in_time(f, function(f, ctx));
}

/* ---- the functions ---- */

static bool settle(struct fixture *f, void *ctx)
{
    return outbox_settle(f->outbox, ctx, 1);
}

static bool submit(struct fixture *f, struct store_run *run)
{
    fixture_submit(f, run, 1);
    return run->status == STORE_WRITTEN;
}

static void submit_first(struct fixture *f)
{
    struct store_run run = fixture_run("anna", "l1", base_s * 1000, 15000, 0, 15000);
    assert_in_time(f, submit(f, &run));
}

/*
 * One call with three runs of anna, whose VALUE cannot be read, among runs of others. Anna's minutes so far,
 * and her value, stay as they are; when the value can be read again, her runs are credited.
 */
static void assert_left_out(struct fixture *f, enum value value, const char *spoil, const char *mend)
{
    const int64_t start_ms = (base_s + 15) * 1000;
    struct store_run runs[] = {
        fixture_run("bo", "l1", start_ms, 5000, 0, 5000),
        fixture_run("anna", "l1", start_ms, 5000, 20000, 25000),
        fixture_run("anna", "l1", start_ms, 70000, 20000, 90000),
        fixture_run("chen", "lesson-2", start_ms, 70000, 0, 70000),
        fixture_run("anna", "l1", start_ms + 1000, 5000, 21000, 26000),
        fixture_run("bo", "l1", start_ms + 3000, 5000, 3000, 8000),
    };
    char told[4096];
    change_value(f, value, spoil);
    redisReply *before = read_value(f, value);
    struct capture capture = begin_capture();
    fixture_submit(f, runs, 6);
    end_capture(&capture, told);
    redisReply *after = read_value(f, value);
    assert_true(before->len == after->len && memcmp(before->str, after->str, before->len) == 0);
    freeReplyObject(before);
    freeReplyObject(after);
    assert_int_equal(runs[1].status, STORE_UNAVAILABLE);
    assert_int_equal(runs[2].status, STORE_UNAVAILABLE);
    assert_int_equal(runs[4].status, STORE_UNAVAILABLE);
    assert_int_equal(runs[0].credited_seconds, 5);
    assert_int_equal(runs[3].credited_seconds, 70);
    assert_int_equal(runs[5].credited_seconds, 3);
    assert_int_equal(runs[5].duplicate_seconds, 2);
    assert_non_null(strstr(told, "event=learner_unreadable"));
    assert_non_null(strstr(told, "learner=\"basic/anna\" lesson=l1"));

    change_value(f, value, mend);
    fixture_submit(f, runs, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(runs[i].status, STORE_WRITTEN);
    assert_int_equal(runs[1].credited_seconds, 5);
    assert_int_equal(runs[2].credited_seconds, 65);
    assert_int_equal(runs[4].duplicate_seconds, 5);
    assert_int_equal(runs[0].duplicate_seconds, 5);
}

static const char next_format[] = "'\\2' .. string.sub(value, 2)";
static const char this_format[] = "'\\1' .. string.sub(value, 2)";

static void test_masks_of_another_format(void **state)
{
    submit_first(*state);
    assert_left_out(*state, MASKS, next_format, this_format);
}

static void test_a_total_of_another_format(void **state)
{
    submit_first(*state);
    assert_left_out(*state, TOTAL, next_format, this_format);
}

static void test_masks_that_are_cut_off(void **state)
{
    submit_first(*state);
    assert_left_out(*state, MASKS, "string.sub(value, 1, 5)", "'\\1\\2l1' .. string.rep('\\0', 80)");
}

static void test_a_total_that_is_cut_off(void **state)
{
    submit_first(*state);
    assert_left_out(*state, TOTAL, "string.sub(value, 1, 7)", "'\\1' .. string.rep('\\0', 9)");
}

/* The learner's seconds count, and the sum waits for whoever can read it. */
static void test_a_sum_of_another_format(void **state)
{
    struct fixture *f = *state;
    submit_first(f);
    set_format(f, SUM, 2);
    struct store_run run = fixture_run("anna", "l1", (base_s + 15) * 1000, 5000, 20000, 25000);
    redisReply *before = read_value(f, SUM);
    fixture_submit(f, &run, 1);
    redisReply *after = read_value(f, SUM);
    assert_int_equal(run.status, STORE_WRITTEN);
    assert_int_equal(run.credited_seconds, 5);
    assert_true(before->len == after->len && memcmp(before->str, after->str, before->len) == 0);
    freeReplyObject(before);
    freeReplyObject(after);
}

/* The masks are of her only lesson, so the short way of `apply` would not look at the format. */
static void test_masks_of_another_format_for_another_lesson(void **state)
{
    struct fixture *f = *state;
    submit_first(f);
    set_format(f, MASKS, 2);
    struct store_run run = fixture_run("anna", "lesson-2", (base_s + 15) * 1000, 5000, 0, 5000);
    fixture_submit(f, &run, 1);
    assert_int_equal(run.status, STORE_UNAVAILABLE);
    set_format(f, MASKS, 1);
    fixture_submit(f, &run, 1);
    assert_int_equal(run.credited_seconds, 5);
}

/* Everything that belongs to one learner is that learner's trouble, even a key of a wrong type. */
static void test_a_total_of_a_wrong_type(void **state)
{
    struct fixture *f = *state;
    char key[128];
    submit_first(f);
    write_key(f, TOTAL, key);
    freeReplyObject(redisCommand(f->nodes[0].client, "SET %s spoiled", key));
    struct store_run runs[] = {
        fixture_run("anna", "l1", (base_s + 15) * 1000, 5000, 20000, 25000),
        fixture_run("bo", "l1", (base_s + 15) * 1000, 5000, 20000, 25000),
    };
    fixture_submit(f, runs, 2);
    assert_int_equal(runs[0].status, STORE_UNAVAILABLE);
    assert_int_equal(runs[1].credited_seconds, 5);
}

static void test_settle_refuses(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_portion taken;
    submit_first(f);
    fixture_take(f, 0, base_s / 60, &arena, &taken);
    assert_int_equal(taken.n_learners, 1);
    assert_refused(f, MASKS, "event=outbox_failed", settle, &taken);
    arena_free(&arena);
}

/* The other lesson of the minute is published; this one stays as it is, and the minute in the list. */
static void test_a_sum_that_cannot_be_read_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_sums sums;
    struct outbox_minutes grown;
    char told[4096];
    submit_first(f);
    struct store_run run = fixture_run("bo", "lesson-2", base_s * 1000, 5000, 0, 5000);
    assert_in_time(f, submit(f, &run));
    set_format(f, SUM, 2);
    redisReply *before = read_value(f, SUM);
    struct capture capture = begin_capture();
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    end_capture(&capture, told);
    assert_non_null(strstr(told, "event=sum_unreadable"));
    assert_non_null(strstr(told, "lesson=\"l1\""));
    assert_int_equal(sums.n, 1);
    assert_true(slice_is(sums.sums[0].lesson, "lesson-2"));
    assert_true(sums.parts[0].unreadable);
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    redisReply *after = read_value(f, SUM);
    assert_true(before->len == after->len && memcmp(before->str, after->str, before->len) == 0);
    freeReplyObject(before);
    freeReplyObject(after);
    assert_in_time(f, outbox_grown(f->outbox, 0, &arena, &grown));
    assert_int_equal(grown.n, 1);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 0);
    set_format(f, SUM, 1);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 1);
    assert_true(slice_is(sums.sums[0].lesson, "l1"));
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    assert_in_time(f, outbox_grown(f->outbox, 0, &arena, &grown));
    assert_int_equal(grown.n, 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_masks_of_another_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_masks_of_another_format_for_another_lesson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_total_of_another_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_masks_that_are_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_total_that_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_total_of_a_wrong_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sum_of_another_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settle_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sum_that_cannot_be_read_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
