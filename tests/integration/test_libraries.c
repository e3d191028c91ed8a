/*
 * Libraries of Redis Functions of several builds on the same servers: none replaces another's, and one that
 * no daemon has named for a day goes. Against real redis-servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "redis/resp.h"
#include "store/functions.h"
#include "store_fixture.h"

enum { PARTITIONS = 4, HOUR_S = 3600, SLACK_S = 60 };

/* A round minute in 2023; the clock stands two hours later. The servers' clocks are this machine's. */
static const int64_t base_s = 1675000800;

static int setup(void **state)
{
    *state = fixture_new(PARTITIONS, (base_s + 7200) * 1000);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* Loads what a build would that differs from this one: the same functions by another NAME, as long as ours.
 */
static void load_as(struct redis_process *r, const char *name)
{
    char *code = strdup(functions_library.text);
    assert_int_equal(strlen(name), strlen(STORE_LIBRARY));
    for (char *at = code; (at = strstr(at, STORE_LIBRARY)) != NULL; at += strlen(name))
        for (size_t i = 0; name[i] != '\0'; i++)
            at[i] = name[i];
    redis_process_command(r, "FUNCTION LOAD %s", code);
    free(code);
}

static bool is_loaded(struct redis_process *r, const char *name)
{
    redisReply *list = redisCommand(r->client, "FUNCTION LIST LIBRARYNAME %s", name);
    bool loaded = list->elements > 0;
    freeReplyObject(list);
    return loaded;
}

static void name_at(struct redis_process *r, const char *name, int64_t seconds)
{
    redis_process_command(r, "HSET " KEY_SETTINGS " library:%s %lld", name, (long long)seconds);
}

/* 0 when it was not named. */
static int64_t named_at(struct redis_process *r, const char *name)
{
    redisReply *reply = redisCommand(r->client, "HGET " KEY_SETTINGS " library:%s", name);
    int64_t seconds = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return seconds;
}

static long long count_loads(struct redis_process *r)
{
    redisReply *info = redisCommand(r->client, "INFO commandstats");
    const char *at = strstr(info->str, "cmdstat_function|load:calls=");
    long long n = at == NULL ? 0 : strtoll(strchr(at, '=') + 1, NULL, 10);
    freeReplyObject(info);
    return n;
}

static void submit(struct fixture *f, int64_t start_s, unsigned credited)
{
    struct store_run run = fixture_run("anna", "l1", start_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
    assert_int_equal(run.credited_seconds, credited);
}

static void test_builds_leave_each_others_alone(void **state)
{
    struct fixture *f = *state;
    struct redis_process *server = fixture_add_node(f, NULL);
    load_as(server, "minuted_0123456789ab");
    fixture_start_ready(f, server);
    submit(f, base_s, 15);
    long long loads = count_loads(server);
    for (int i = 0; i < 3; i++)
        fixture_wait_for_look(f);
    assert_int_equal(count_loads(server), loads);
    assert_true(is_loaded(server, STORE_LIBRARY));
    assert_true(is_loaded(server, "minuted_0123456789ab"));
    redis_process_command(server, "FCALL minuted_0123456789ab_probe 0");
    redis_process_command(server, "FUNCTION DELETE " STORE_LIBRARY); /* by somebody's hand */
    submit(f, base_s + 15, 15);
    assert_true(is_loaded(server, STORE_LIBRARY));
}

static void test_a_library_that_nobody_names_goes(void **state)
{
    struct fixture *f = *state;
    struct redis_process *server = fixture_add_node(f, NULL);
    int64_t now_s = time(NULL);
    load_as(server, "minuted_a00000000000");
    load_as(server, "minuted_b00000000000");
    load_as(server, "minuted_c00000000000");
    load_as(server, "minuted_d00000000000");
    load_as(server, "somebodyelses_own_00");
    name_at(server, "minuted_a00000000000", now_s - 25LL * HOUR_S);
    name_at(server, "minuted_b00000000000", now_s - 23LL * HOUR_S);
    redis_process_command(server, "HSET " KEY_SETTINGS " library:minuted_d00000000000 spoiled");
    name_at(server, "minuted_e00000000000", now_s - 49LL * HOUR_S); /* its library is gone already */
    fixture_start_ready(f, server);
    fixture_wait_for_look(f);
    assert_false(is_loaded(server, "minuted_a00000000000"));
    assert_true(is_loaded(server, "minuted_b00000000000"));
    assert_true(is_loaded(server, "minuted_c00000000000")); /* it gets its day */
    assert_in_range(named_at(server, "minuted_c00000000000"), now_s - SLACK_S, now_s + SLACK_S);
    assert_true(is_loaded(server, "minuted_d00000000000"));
    assert_in_range(named_at(server, "minuted_d00000000000"), now_s - SLACK_S, now_s + SLACK_S);
    assert_true(is_loaded(server, "somebodyelses_own_00"));
    assert_int_equal(named_at(server, "somebodyelses_own_00"), 0);
    assert_int_equal(named_at(server, "minuted_e00000000000"), 0);
    assert_true(is_loaded(server, STORE_LIBRARY));
    assert_in_range(named_at(server, STORE_LIBRARY), now_s - SLACK_S, now_s + SLACK_S);
}

/* The settings are on one shard, libraries on each. */
static void test_every_shard_is_looked_at(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", NULL};
    for (int i = 0; i < FIXTURE_NODES; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, FIXTURE_NODES);
    for (int i = 0; i < FIXTURE_NODES; i++) {
        load_as(&f->nodes[i], "minuted_a00000000000");
        load_as(&f->nodes[i], "minuted_b00000000000");
    }
    struct redis_process *holder = fixture_settings_node(f);
    name_at(holder, "minuted_a00000000000", time(NULL) - 25LL * HOUR_S);
    name_at(holder, "minuted_b00000000000", time(NULL) - 23LL * HOUR_S);
    fixture_start_ready(f, &f->nodes[0]);
    fixture_wait_for_look(f);
    for (int i = 0; i < FIXTURE_NODES; i++) {
        assert_false(is_loaded(&f->nodes[i], "minuted_a00000000000"));
        assert_true(is_loaded(&f->nodes[i], "minuted_b00000000000"));
        assert_true(is_loaded(&f->nodes[i], STORE_LIBRARY));
    }
}

/* A server that takes no writes may keep its daemons from naming theirs: nothing is deleted by what it says.
 */
static void test_nothing_goes_where_nothing_can_be_named(void **state)
{
    struct fixture *f = *state;
    struct redis_process *server = fixture_add_node(f, NULL);
    char message[512];
    load_as(server, "minuted_a00000000000");
    load_as(server, STORE_LIBRARY);
    name_at(server, "minuted_a00000000000", time(NULL) - 25LL * HOUR_S);
    redis_process_command(server, "CONFIG SET maxmemory 1");
    fixture_start(f, server, message);
    fixture_wait_for_look(f);
    assert_true(is_loaded(server, "minuted_a00000000000"));
    redis_process_command(server, "CONFIG SET maxmemory 0");
    fixture_wait_for_look(f);
    assert_false(is_loaded(server, "minuted_a00000000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_builds_leave_each_others_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_library_that_nobody_names_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_shard_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_goes_where_nothing_can_be_named, setup, teardown),
    };
    return cmocka_run_group_tests_name("libraries", tests, NULL, NULL);
}
