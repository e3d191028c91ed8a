/*
 * Values of another format, as a build beside this one might store them: a function that reads one of them
 * refuses, has written nothing, and the daemon tells it. Against a real redis-server.
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
    partition_prefix(&prefix, 0, f->config.redis.partitions);
    if (value == MASKS)
        snprintf(key, 128, "%sw:%lld", prefix.text, (long long)base_s / 600);
    else if (value == TOTAL)
        snprintf(key, 128, "%st:basic/anna", prefix.text);
    else
        snprintf(key, 128, "%sl:%lld", prefix.text, (long long)base_s / 60);
}

/* The first byte of the value becomes FORMAT. */
static void set_format(struct fixture *f, enum value value, int format)
{
    static const char script[] =
        "local value = redis.call('HGET', KEYS[1], ARGV[1]) "
        "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.sub(value, 2))";
    char key[128];
    char first = (char)format;
    write_key(f, value, key);
    redisReply *reply = redisCommand(f->nodes[0].client, "EVAL %s 1 %s %s %b", script, key,
        value == MASKS ? "basic/anna" : "l1", &first, (size_t)1);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
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

static bool apply(struct fixture *f, void *ctx)
{
    struct store_run *run = ctx;
    fixture_submit(f, run, 1);
    return run->status == STORE_WRITTEN;
}

static bool settle(struct fixture *f, void *ctx)
{
    return outbox_settle(f->outbox, ctx, 1);
}

static bool settle_sums(struct fixture *f, void *ctx)
{
    return outbox_settle_sums(f->outbox, ctx);
}

static void submit_first(struct fixture *f)
{
    struct store_run run = fixture_run("anna", "l1", base_s * 1000, 15000, 0, 15000);
    assert_in_time(f, apply(f, &run));
}

/* A run that is credited whole, and then one that is credited in part. */
static void test_apply_refuses(void **state)
{
    struct fixture *f = *state;
    submit_first(f);
    for (int value = MASKS; value <= SUM; value++) {
        int64_t start_ms = (base_s + 15 + 7 * value) * 1000;
        struct store_run whole = fixture_run("anna", "l1", start_ms, 5000, 20000, 25000);
        struct store_run part = fixture_run("anna", "l1", start_ms, 7000, 20000, 27000);
        assert_refused(f, value, "event=apply_refused", apply, &whole);
        assert_int_equal(whole.credited_seconds, 5);
        assert_refused(f, value, NULL, apply, &part);
        assert_int_equal(part.credited_seconds, 2);
    }
}

static void test_apply_refuses_masks_for_another_lesson(void **state)
{
    struct fixture *f = *state;
    submit_first(f);
    struct store_run run = fixture_run("anna", "lesson-2", (base_s + 15) * 1000, 5000, 0, 5000);
    assert_refused(f, MASKS, "event=apply_refused", apply, &run);
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

static void test_settle_sums_refuses(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_sums sums;
    submit_first(f);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_refused(f, SUM, "event=outbox_failed", settle_sums, &sums);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_apply_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_apply_refuses_masks_for_another_lesson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settle_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settle_sums_refuses, setup, teardown),
    };
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
