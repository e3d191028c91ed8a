/*
 * redis.username and redis.password on sentinels and the nodes of a cluster, as on single servers: see
 * test_redis_login.py. Against real redis-servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "store_fixture.h"

enum { SHARDS = FIXTURE_NODES, LEARNERS = 40 };

static const int64_t base_s = 1675000800;
static char password[] = "correct-horse-battery";
static char username[] = "minuted";

static const char *const guarded[] = {"--requirepass", password, "--masterauth", password, NULL};

static int setup(void **state)
{
    struct fixture *f = fixture_new(16, (base_s + 7200) * 1000);
    f->config.redis.login.password = (struct secret){password, sizeof(password) - 1};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static struct redis_process *add_primary(struct fixture *f)
{
    struct redis_process *primary = fixture_add_node(f, guarded);
    redis_process_command(primary, "AUTH %s", password);
    return primary;
}

static struct redis_process *add_sentinel(
    struct fixture *f, const struct redis_process *primary, const char *more)
{
    struct redis_process *sentinel = &f->nodes[f->n_nodes++];
    redis_process_start_sentinel_with(sentinel, primary, more);
    return sentinel;
}

static void check_works(struct fixture *f)
{
    char names[LEARNERS][8];
    struct store_run runs[LEARNERS];
    for (int i = 0; i < LEARNERS; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        runs[i] = fixture_run(names[i], "l", base_s * 1000, 15000, 0, 15000);
    }
    fixture_write(f, runs, LEARNERS);
    for (int i = 0; i < LEARNERS; i++)
        assert_int_equal(runs[i].status, STORE_WRITTEN);
    struct arena arena = {0};
    for (int p = 0; p < f->config.redis.partitions; p++) {
        struct outbox_minutes minutes;
        int64_t oldest;
        assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
    }
    arena_free(&arena);
}

static void test_a_cluster(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {
        "--cluster-enabled", "yes", "--requirepass", password, "--masterauth", password, NULL};
    for (int i = 0; i < SHARDS; i++)
        redis_process_command(fixture_add_node(f, extra), "AUTH %s", password);
    redis_process_join_cluster(f->nodes, SHARDS);
    fixture_start_ready(f, &f->nodes[1]);
    check_works(f);
}

static void test_sentinels_with_the_same_password(void **state)
{
    struct fixture *f = *state;
    char more[128];
    snprintf(more, sizeof(more), "requirepass %s\nsentinel auth-pass minuted %s", password, password);
    fixture_start_ready(f, add_sentinel(f, add_primary(f), more));
    check_works(f);
}

static void test_sentinels_without_a_password(void **state)
{
    struct fixture *f = *state;
    fixture_start_ready(f, add_sentinel(f, add_primary(f), ""));
    check_works(f);
}

/* It takes AUTH for one of an unknown user, and not for one that nobody needs. */
static void test_sentinels_without_users(void **state)
{
    struct fixture *f = *state;
    struct redis_process *primary = add_primary(f);
    redis_process_command(primary, "ACL SETUSER %s on >%s ~minuted:* +@all", username, password);
    f->config.redis.login.username = username;
    fixture_start_ready(f, add_sentinel(f, primary, ""));
    check_works(f);
}

static void test_sentinels_with_another_password_are_told(void **state)
{
    struct fixture *f = *state;
    char message[512];
    struct redis_process *sentinel = add_sentinel(f, add_primary(f), "requirepass another");
    f->config.redis.mode = REDIS_SENTINEL;
    fixture_start(f, sentinel, message);
    fixture_await_state(f, MONITOR_UNREACHABLE, "WRONGPASS");
    monitor_state(f->monitor, message);
    assert_null(strstr(message, password));
}

/* The sentinel lets us in, the primary does not. */
static void test_a_primary_with_another_password_is_told(void **state)
{
    struct fixture *f = *state;
    char message[512];
    struct redis_process *primary = add_primary(f);
    redis_process_command(primary, "CONFIG SET requirepass another");
    fixture_start(f, add_sentinel(f, primary, ""), message);
    fixture_await_state(f, MONITOR_UNREACHABLE, "WRONGPASS");
    redis_process_command(primary, "CONFIG SET requirepass %s", password);
    fixture_turn_until_admits(f, true);
    check_works(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_with_the_same_password, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_without_a_password, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_without_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_with_another_password_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_primary_with_another_password_is_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("redis login", tests, NULL, NULL);
}
