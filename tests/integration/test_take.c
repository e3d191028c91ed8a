/*
 * Taking while servers change or break: the monitor is this test's own, and at one of the questions that the
 * outbox asks it, each in turn, it names another server or cuts the connections. Against real redis-servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "embedded/functions_lua.h"
#include "publish/outbox_minutes.h"
#include "publish/outbox_sums.h"
#include "redis/monitor.h"
#include "redis/resp.h"
#include "redis_process.h"
#include "store/functions.h"
#include "take_with_totals.h"

enum { SERVERS = 2, PARTITIONS = 2, LEARNERS = 2000, QUESTIONS_MAX = 12, NEVER = 0 };

/* One learner with a mask in partition 0; LEARNERS without one in every partition: more than a portion. */
static const int64_t one_minute = 27900000;
static const int64_t full_minute = 27900001;

struct scene {
    struct topology topologies[SERVERS]; /* every partition is on the server of the same index */
    struct redis_process servers[SERVERS];
    size_t now;    /* which of both */
    int questions; /* asked */
    int change_at; /* the question from which on it is the second */
    int cut_at;    /* the question at which the connections are cut */
    struct config config;
    struct clock clock;
    struct log *log;
    struct outbox *outbox;
    struct arena arena;
};

/* ---- the monitor ---- */

static void cut(struct scene *s)
{
    redis_process_command(&s->servers[s->now], "CLIENT KILL TYPE normal");
}

static void ask(struct scene *s)
{
    s->questions++;
    if (s->questions == s->change_at)
        s->now = 1;
    if (s->questions == s->cut_at)
        cut(s);
}

/* The first topology is no answer to a question: there was none before. */
static enum topology_change follow(void *ctx, struct topology **current)
{
    struct scene *s = ctx;
    if (*current != NULL)
        ask(s);
    if (*current == &s->topologies[s->now])
        return TOPOLOGY_SAME;
    topology_unref(*current);
    *current = topology_ref(&s->topologies[s->now]);
    return TOPOLOGY_SERVERS;
}

static void look(void *ctx)
{
    (void)ctx;
}

static size_t get_servers(void *ctx, struct redis_condition out[static SERVERS_MAX])
{
    (void)ctx;
    (void)out;
    return 0;
}

/* ---- the servers ---- */

/* Each server has other learners. */
static void put_names(struct redis_process *r, size_t server, const char *prefix)
{
    for (int i = 0; i < LEARNERS; i++)
        redisAppendCommand(r->client, "SADD %sd:%lld s%d/%d", prefix, (long long)full_minute, (int)server, i);
    for (int i = 0; i < LEARNERS; i++) {
        redisReply *reply = NULL;
        assert_int_equal(redisGetReply(r->client, (void **)&reply), REDIS_OK);
        freeReplyObject(reply);
    }
}

/* SECONDS, less than 8, are watched; each server has others. */
static void put_mask(struct redis_process *r, char seconds, const char *prefix)
{
    char masks[4 + 10 * 8] = {1, 2, 'l', '1', (char)((1 << seconds) - 1)};
    const char total[] = {1, seconds, 0, 0, 0, 0, 0, 0, 0, 2, 'c', '1'};
    redis_process_command(r, "SADD %sd:%lld p/u", prefix, (long long)one_minute);
    freeReplyObject(redisCommand(
        r->client, "HSET %sw:%lld p/u %b", prefix, (long long)one_minute / 10, masks, sizeof(masks)));
    freeReplyObject(redisCommand(r->client, "HSET %st:p/u l1 %b", prefix, total, sizeof(total)));
}

static void start_server(struct scene *s, size_t server)
{
    struct redis_process *r = &s->servers[server];
    struct topology *t = &s->topologies[server];
    redis_process_start(r, NULL);
    redis_process_command(r, "CONFIG SET appendfsync no"); /* thousands of commands */
    redis_process_command(r, "FUNCTION LOAD %s", functions_library.text);
    t->references = 1; /* the test's own */
    t->version = server + 1;
    t->n_servers = 1;
    t->servers[0].usable = true;
    endpoint_format(&r->endpoint, t->servers[0].name);
    struct endpoint_address *address = &t->servers[0].address;
    assert_true(endpoint_resolve(&r->endpoint, &address->addr, &address->len));
    for (int p = 0; p < PARTITIONS; p++) {
        struct key_prefix prefix;
        topology_key_prefix(&prefix, p, PARTITIONS);
        put_names(r, server, prefix.text);
        if (p == 0)
            put_mask(r, server == 0 ? 7 : 3, prefix.text);
    }
}

static int setup(void **state)
{
    struct scene *s = mem_zalloc(sizeof(*s));
    s->config.redis.partitions = PARTITIONS;
    s->config.redis.durability.fsync = true;
    s->log = log_new(LOG_ERROR);
    for (size_t i = 0; i < SERVERS; i++)
        start_server(s, i);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < SERVERS; i++)
        redis_process_stop(&s->servers[i]);
    outbox_free(s->outbox);
    arena_free(&s->arena);
    log_free(s->log);
    free(s);
    return 0;
}

/* A new outbox, which knows of nothing yet. */
static void begin(struct scene *s, int change_at, int cut_at)
{
    outbox_free(s->outbox);
    arena_reset(&s->arena);
    s->outbox = outbox_new_with(
        &s->config, &(struct outbox_monitor){s, follow, look, get_servers}, &s->clock, s->log);
    s->now = 0;
    s->questions = 0;
    s->change_at = change_at;
    s->cut_at = cut_at;
}

/* ---- the tests ---- */

/* Behind the totals the barrier would be another server's than the one whose masks were read. */
static void test_masks_and_totals_are_of_one_server(void **state)
{
    struct scene *s = *state;
    int good = 0;
    for (int at = 1; at < QUESTIONS_MAX; at++) {
        struct outbox_portion taken = {.partition = 0, .minute = one_minute};
        begin(s, at, NEVER);
        bool done = take_with_totals(s->outbox, &taken, 1, &s->arena, NULL);
        assert_int_equal(done, taken.done);
        assert_int_equal(done, s->questions < at);
        assert_int_equal(taken.n_learners, done);
        good += done;
        if (done)
            assert_int_equal(taken.learners[0].masks[0].total->watched_seconds, 7);
    }
    assert_in_range(good, 1, QUESTIONS_MAX - 2);
}

/* Also where the second portion needs nothing more of the server. */
static void test_a_broken_connection_undoes_all_its_portions(void **state)
{
    struct scene *s = *state;
    int good = 0;
    for (int at = 1; at < QUESTIONS_MAX; at++) {
        struct outbox_portion taken[] = {
            {.partition = 0, .minute = one_minute}, {.partition = 1, .minute = full_minute}};
        begin(s, NEVER, at);
        bool done = take_with_totals(s->outbox, taken, 2, &s->arena, NULL);
        assert_int_equal(done, s->questions < at);
        assert_int_equal(taken[0].done, done);
        assert_int_equal(taken[1].done, done);
        good += done;
    }
    assert_in_range(good, 1, QUESTIONS_MAX - 2);
}

/* No record could have such a key. */
static void test_what_is_no_learners_name_holds_up_nobody(void **state)
{
    static const char *const names[] = {"nobody", "/", "p/", "/u", "p q/u", "p/line\nbreak", "p/\xff"};
    struct scene *s = *state;
    struct redis_process *r = &s->servers[0];
    struct outbox_portion taken = {.partition = 0, .minute = one_minute};
    struct key_prefix prefix;
    topology_key_prefix(&prefix, 0, PARTITIONS);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        freeReplyObject(
            redisCommand(r->client, "SADD %sd:%lld %s", prefix.text, (long long)one_minute, names[i]));
    begin(s, NEVER, NEVER);
    assert_true(take_with_totals(s->outbox, &taken, 1, &s->arena, NULL));
    assert_int_equal(taken.n_learners, 1);
    assert_int_equal(taken.n_left_out, sizeof(names) / sizeof(names[0]));
    assert_true(slice_is(taken.learners[0].portal, "p") && slice_is(taken.learners[0].learner, "u"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        freeReplyObject(
            redisCommand(r->client, "SREM %sd:%lld %s", prefix.text, (long long)one_minute, names[i]));
}

/* Who was taken of a minute. */
struct seen {
    bool learners[LEARNERS];
    size_t n;
};

static void see(struct seen *seen, const struct outbox_portion *taken)
{
    for (size_t i = 0; i < taken->n_learners; i++) {
        assert_true(slice_is(taken->learners[i].portal, "s0"));
        int number = atoi(taken->learners[i].learner.ptr);
        seen->n += !seen->learners[number];
        seen->learners[number] = true;
    }
}

/* Goes on as long as all is well; nobody may be missing who was dirty on the first server. */
static bool take_whole(struct scene *s, struct outbox_portion *taken, struct seen *seen)
{
    do {
        (void)outbox_take(s->outbox, taken, 1, &s->arena);
        see(seen, taken);
    } while (taken->done && taken->cursor != 0);
    return taken->done;
}

static void test_a_cursor_is_its_connections(void **state)
{
    struct scene *s = *state;
    struct outbox_portion taken = {.partition = 1, .minute = full_minute};
    struct outbox_minutes minutes;
    struct seen seen = {.n = 0};
    int64_t oldest;
    begin(s, NEVER, NEVER);
    assert_true(outbox_take(s->outbox, &taken, 1, &s->arena));
    assert_int_not_equal(taken.cursor, 0);
    cut(s);
    while (!outbox_minutes(s->outbox, 1, &s->arena, &minutes, &oldest))
        ; /* connects anew */
    assert_false(outbox_take(s->outbox, &taken, 1, &s->arena));
    taken = (struct outbox_portion){.partition = 1, .minute = full_minute};
    assert_true(take_whole(s, &taken, &seen));
    assert_int_equal(seen.n, LEARNERS);
}

static void test_a_cursor_goes_to_no_other_server(void **state)
{
    struct scene *s = *state;
    for (int at = 1; at < QUESTIONS_MAX; at++) {
        struct outbox_portion taken[] = {
            {.partition = 0, .minute = full_minute}, {.partition = 1, .minute = full_minute}};
        struct seen seen[2] = {{.n = 0}, {.n = 0}};
        begin(s, at, NEVER);
        (void)outbox_take(s->outbox, taken, 2, &s->arena);
        for (int p = 0; p < 2; p++) {
            see(&seen[p], &taken[p]);
            if (taken[p].done && take_whole(s, &taken[p], &seen[p]))
                assert_int_equal(seen[p].n, LEARNERS);
        }
    }
}

/* Whatever is asked: catching up leaves Redis to heartbeats by this. */
static void test_the_servers_time_is_counted(void **state)
{
    struct scene *s = *state;
    struct outbox_portion taken = {.partition = 0, .minute = one_minute};
    struct outbox_minutes minutes;
    struct outbox_sums sums;
    int64_t oldest;
    int64_t before_us = 0;
    begin(s, NEVER, NEVER);
    for (int i = 0; i < 4; i++) {
        bool good = i == 0   ? outbox_minutes(s->outbox, 0, &s->arena, &minutes, &oldest)
                    : i == 1 ? outbox_take(s->outbox, &taken, 1, &s->arena)
                    : i == 2 ? outbox_grown(s->outbox, 0, &s->arena, &minutes)
                             : outbox_sums(s->outbox, one_minute, &s->arena, &sums);
        assert_true(good);
        assert_true(outbox_waited_us(s->outbox) > before_us);
        before_us = outbox_waited_us(s->outbox);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_and_totals_are_of_one_server),
        cmocka_unit_test(test_a_broken_connection_undoes_all_its_portions),
        cmocka_unit_test(test_a_cursor_is_its_connections),
        cmocka_unit_test(test_a_cursor_goes_to_no_other_server),
        cmocka_unit_test(test_what_is_no_learners_name_holds_up_nobody),
        cmocka_unit_test(test_the_servers_time_is_counted),
    };
    return cmocka_run_group_tests_name("take", tests, setup, teardown);
}
