/*
 * Where the partitions are: one server, the primary behind sentinels, the shards of a cluster; and the
 * barrier of `durability: replicas`. Against real redis-servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "cases.h"
#include "patience.h"
#include "publish/lease.h"
#include "publish/outbox_retire.h"
#include "redis/topology.h"
#include "store_fixture.h"

enum { SHARDS = FIXTURE_NODES, LEARNERS = 40 };

static const int64_t base_s = 1675000800;

static int setup(void **state)
{
    *state = fixture_new(16, (base_s + 7200) * 1000);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* One 15-second run of each learner; how many were written. */
static int submit_learners(struct fixture *f)
{
    char names[LEARNERS][8];
    struct store_run runs[LEARNERS];
    for (int i = 0; i < LEARNERS; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        runs[i] = fixture_run(names[i], "l", base_s * 1000, 15000, 0, 15000);
    }
    fixture_submit(f, runs, LEARNERS);
    int written = 0;
    for (int i = 0; i < LEARNERS; i++)
        written += runs[i].status == STORE_WRITTEN;
    return written;
}

/* Submits the same runs again, as players do, until as many are written as WANTED says. */
static bool all(int written)
{
    return written == LEARNERS;
}

static bool some(int written)
{
    return written > 0 && written < LEARNERS;
}

static void submit_until(struct fixture *f, bool (*wanted)(int written))
{
    int written = submit_learners(f);
    for (int i = 0; i < PATIENCE_MS / 50 && !wanted(written); i++) {
        fixture_turn(f, 50000);
        written = submit_learners(f);
    }
    if (!wanted(written)) {
        char message[512];
        enum monitor_state monitor = monitor_state(f->monitor, message);
        fail_msg("%d of %d written; the monitor says %d: %s", written, LEARNERS, (int)monitor, message);
    }
}

/* How many servers the monitor lets be used. */
static size_t count_usable(struct fixture *f)
{
    struct topology *t = NULL;
    size_t n = 0;
    (void)monitor_follow(f->monitor, &t);
    for (size_t i = 0; t != NULL && i < t->n_servers; i++)
        n += t->servers[i].usable;
    topology_unref(t);
    return n;
}

/* What the outbox of every partition still owes. */
static size_t count_owed(struct fixture *f)
{
    struct arena arena = {0};
    size_t n = 0;
    for (int p = 0; p < f->config.redis.partitions; p++) {
        struct outbox_minutes minutes;
        struct outbox_portion taken;
        int64_t oldest;
        assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
        for (size_t i = 0; i < minutes.n; i++) {
            fixture_take(f, p, minutes.minutes[i], &arena, &taken);
            n += taken.n_learners;
        }
    }
    arena_free(&arena);
    return n;
}

static void test_a_cluster_holds_partitions_by_slot(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", NULL};
    for (int i = 0; i < SHARDS; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, SHARDS);
    fixture_start_ready(f, &f->nodes[1]);
    submit_until(f, all);
    assert_int_equal(count_owed(f), LEARNERS);
    struct lease lease = {.outbox = f->outbox, .clock = &f->clock, .holder = "me"};
    assert_in_time(f, lease_confirm(&lease));
    for (int i = 0; i < SHARDS; i++) {
        redisReply *keys = redisCommand(f->nodes[i].client, "KEYS minuted:*:t:*");
        assert_true(keys->elements > 0);
        freeReplyObject(keys);
    }
}

/* The slot of PARTITION goes from one node to another with its keys, as a resharding does it. */
static void move_partition(
    struct fixture *f, int partition, struct redis_process *from, struct redis_process *to)
{
    char tag[TOPOLOGY_TAG_MAX + 1];
    char ids[2][64];
    struct redis_process *ends[] = {from, to};
    topology_tag(partition, f->config.redis.partitions, tag);
    int slot = (int)topology_slot_of(slice_of(tag));
    for (int i = 0; i < 2; i++) {
        redisReply *id = redisCommand(ends[i]->client, "CLUSTER MYID");
        snprintf(ids[i], sizeof(ids[i]), "%s", id->str);
        freeReplyObject(id);
    }
    redis_process_command(to, "CLUSTER SETSLOT %d IMPORTING %s", slot, ids[0]);
    redis_process_command(from, "CLUSTER SETSLOT %d MIGRATING %s", slot, ids[1]);
    for (bool any = true; any;) {
        redisReply *keys = redisCommand(from->client, "CLUSTER GETKEYSINSLOT %d 1", slot);
        any = keys->elements > 0;
        if (any)
            redis_process_command(
                from, "MIGRATE 127.0.0.1 %d %s 0 5000", to->endpoint.port, keys->element[0]->str);
        freeReplyObject(keys);
    }
    redis_process_command(to, "CLUSTER SETSLOT %d NODE %s", slot, ids[1]);
    redis_process_command(from, "CLUSTER SETSLOT %d NODE %s", slot, ids[1]);
}

/* The runs of the other partitions are not refused for it, not even of the two servers that it concerns. */
static void test_a_partition_that_moves_is_followed_and_holds_up_no_other(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", NULL};
    for (int i = 0; i < SHARDS; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, SHARDS);
    fixture_start_ready(f, &f->nodes[0]);
    submit_until(f, all);
    uint64_t connects = atomic_load(&store_counters(f->store)->connects);
    struct topology *t = NULL;
    (void)monitor_follow(f->monitor, &t);
    struct redis_process *ends[2] = {NULL, NULL};
    for (int i = 0; i < SHARDS; i++) {
        size_t server = topology_server_of_partition(t, 0);
        if (f->nodes[i].endpoint.port == t->servers[server].endpoint.port) {
            ends[0] = &f->nodes[i];
            ends[1] = &f->nodes[(i + 1) % SHARDS];
        }
    }
    int there = t->server_of[0];
    topology_unref(t);
    if (ends[0] == NULL || ends[1] == NULL) {
        fail_msg("no node holds partition 0");
        return;
    }
    move_partition(f, 0, ends[0], ends[1]);
    submit_until(f, all);
    t = NULL;
    (void)monitor_follow(f->monitor, &t);
    assert_int_not_equal(t->server_of[0], there);
    topology_unref(t);
    assert_int_equal(atomic_load(&store_counters(f->store)->connects), connects);
    assert_int_equal(count_owed(f), LEARNERS);
}

/* Also when it is the one that holds the settings, which were compared before. */
static void test_a_lost_shard_refuses_only_its_own(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", NULL};
    for (int i = 0; i < SHARDS; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, SHARDS);
    fixture_start_ready(f, &f->nodes[0]);
    submit_until(f, all);
    kill(fixture_settings_node(f)->pid, SIGKILL);
    submit_until(f, some);
    fixture_wait_for_look(f);
    assert_int_equal(count_usable(f), SHARDS - 1);
}

/* The settings are on one shard, and who has others may not use any. */
static void test_another_program_may_use_no_shard(void **state)
{
    struct fixture *f = *state;
    char message[512];
    const char *const extra[] = {"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", NULL};
    for (int i = 0; i < SHARDS; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, SHARDS);
    struct redis_process *holder = fixture_settings_node(f);
    redis_process_command(holder, "HSET " KEY_SETTINGS " program autumn");
    fixture_start(f, &f->nodes[0], message);
    fixture_await_state(f, MONITOR_WRONG, "was first used with program = autumn");
    assert_int_equal(count_usable(f), 0);
    assert_int_equal(submit_learners(f), 0);
    /* Nor afterwards, when that shard says nothing any more. */
    kill(holder->pid, SIGKILL);
    fixture_await_state(f, MONITOR_UNREACHABLE, "");
    fixture_wait_for_look(f);
    assert_int_equal(count_usable(f), 0);
}

/* The first one of the configuration hangs: another tells, and it is never taken for a single server. */
static void test_a_silent_node_does_not_turn_the_cluster_into_a_server(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", NULL};
    for (int i = 0; i < SHARDS; i++)
        fixture_add_node(f, extra);
    redis_process_join_cluster(f->nodes, SHARDS);
    struct endpoint endpoints[SHARDS];
    for (int i = 0; i < SHARDS; i++)
        endpoints[i] = f->nodes[i].endpoint;
    f->config.redis.servers.items = endpoints;
    f->config.redis.servers.n = SHARDS;
    fixture_start_ready(f, &f->nodes[0]);
    submit_until(f, all);
    kill(f->nodes[0].pid, SIGSTOP);
    fixture_await_state(f, MONITOR_UNREACHABLE, "");
    /* Only the next look is sure to have asked the first one, in vain, which are the cluster's servers. */
    uint64_t wanted = monitor_looks(f->monitor) + 1;
    for (int i = 0; i < PATIENCE_MS / 5 && monitor_looks(f->monitor) < wanted; i++)
        fixture_turn(f, 5000);
    struct topology *t = NULL;
    (void)monitor_follow(f->monitor, &t);
    assert_int_equal(t->n_servers, SHARDS);
    topology_unref(t);
    char message[512];
    assert_int_not_equal(monitor_state(f->monitor, message), MONITOR_WRONG);
    submit_until(f, some);
    kill(f->nodes[0].pid, SIGCONT);
    submit_until(f, all);
    monitor_stop(f->monitor); /* before its configuration goes */
    f->monitor = NULL;
}

static void test_sentinels_name_the_primary(void **state)
{
    struct fixture *f = *state;
    struct redis_process *primary = fixture_add_node(f, NULL);
    struct redis_process *sentinel = &f->nodes[f->n_nodes++];
    redis_process_start_sentinel(sentinel, primary);
    fixture_start_ready(f, sentinel);
    submit_until(f, all);
    assert_int_equal(count_owed(f), LEARNERS);
}

/* Which one holds the learners cannot be guessed, and a name that none has is told with those that there are.
 */
static void test_sentinels_of_several_primaries_are_asked_for_one(void **state)
{
    struct fixture *f = *state;
    char message[512];
    char more[96];
    char primary_name[] = "minuted";
    struct redis_process *primary = fixture_add_node(f, NULL);
    struct redis_process *shop = fixture_add_node(f, NULL);
    struct redis_process *sentinel = &f->nodes[f->n_nodes++];
    snprintf(more, sizeof(more), "sentinel monitor shop 127.0.0.1 %d 1", shop->endpoint.port);
    redis_process_start_sentinel_with(sentinel, primary, more);
    assert_int_equal(fixture_start(f, sentinel, message), MONITOR_WRONG);
    assert_non_null(strstr(message, "redis.primary must name one of "));
    assert_non_null(strstr(message, "minuted"));
    assert_non_null(strstr(message, "shop"));
    store_free(f->store);
    outbox_free(f->outbox);
    monitor_stop(f->monitor);
    f->config.redis.primary = primary_name;
    fixture_start_ready(f, sentinel);
    submit_until(f, all);
    assert_int_equal(count_owed(f), LEARNERS);
    redisReply *keys = redisCommand(shop->client, "DBSIZE");
    assert_int_equal(keys->integer, 0);
    freeReplyObject(keys);
}

static void test_replicas_are_a_barrier(void **state)
{
    struct fixture *f = *state;
    char message[512];
    f->config.redis.durability = (struct redis_durability){.replicas = 1};
    struct redis_process *primary = fixture_add_node(f, NULL);
    assert_int_equal(fixture_start(f, primary, message), MONITOR_UNREACHABLE); /* no replica yet */
    fixture_await_state(f, MONITOR_UNREACHABLE, "replicas");
    struct redis_process *replica = fixture_add_node(f, NULL);
    redis_process_command(replica, "REPLICAOF 127.0.0.1 %d", primary->endpoint.port);
    fixture_turn_until_admits(f, true);
    submit_until(f, all);
    assert_int_equal(count_owed(f), LEARNERS);
    kill(replica->pid, SIGSTOP); /* connected, and acknowledges nothing */
    assert_int_equal(submit_learners(f), 0);
    kill(replica->pid, SIGCONT);
    submit_until(f, all);
}

static void test_a_replica_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    char message[512];
    struct redis_process *primary = fixture_add_node(f, NULL);
    struct redis_process *replica = fixture_add_node(f, NULL);
    redis_process_command(replica, "REPLICAOF 127.0.0.1 %d", primary->endpoint.port);
    assert_int_equal(fixture_start(f, replica, message), MONITOR_UNREACHABLE);
    fixture_await_state(f, MONITOR_UNREACHABLE, "replica");
    fixture_wait_for_look(f);
    assert_false(store_admits(f->store));
    assert_int_equal(submit_learners(f), 0);
}

/* It would anchor sessions in the past, refuse live runs for good and raise the floor for every other daemon.
 */
static void test_a_daemon_whose_clock_is_wrong_stands_by(void **state)
{
    struct fixture *f = *state;
    char message[512];
    redis_process_start_at_offset(&f->nodes[f->n_nodes++], "-10");
    assert_int_equal(fixture_start(f, &f->nodes[0], message), MONITOR_UNREACHABLE);
    fixture_await_state(f, MONITOR_UNREACHABLE, "clock");
    assert_int_equal(clock_belief(&f->clock), CLOCK_DOUBTED);
    fixture_wait_for_look(f);
    assert_false(store_admits(f->store));
    struct lease lease = {.outbox = f->outbox, .clock = &f->clock, .holder = "me"};
    assert_false(lease_confirm(&lease));
    int64_t floor;
    assert_false(fixture_retire(f, clock_now_ms(&f->clock), &floor));
}

/* A replica is asked for nothing but INFO, and a server that is away for nothing at all. Neither makes a
 * clock right that was wrong. */
static void test_a_wrong_clock_stays_wrong_until_it_is_read_again(void **state)
{
    struct fixture *f = *state;
    char message[512];
    struct redis_process *server = &f->nodes[f->n_nodes++];
    redis_process_start_at_offset(server, "-10");
    struct endpoint where = server->endpoint;
    fixture_start(f, server, message);
    fixture_await_state(f, MONITOR_UNREACHABLE, "clock");
    redis_process_command(server, "REPLICAOF 127.0.0.1 1");
    fixture_await_state(f, MONITOR_UNREACHABLE, "replica");
    fixture_wait_for_look(f);
    assert_int_equal(clock_belief(&f->clock), CLOCK_DOUBTED);
    redis_process_stop(server);
    fixture_await_state(f, MONITOR_UNREACHABLE, "cannot be reached");
    fixture_wait_for_look(f);
    assert_int_equal(clock_belief(&f->clock), CLOCK_DOUBTED);
    redis_process_start_at(server, where.host, where.port, NULL);
    fixture_turn_until_admits(f, true);
    assert_int_equal(clock_belief(&f->clock), CLOCK_SETTLED);
}

/* With it Redis answers before the disk does while it rewrites its log, whatever appendfsync says. */
static void test_fsync_must_not_pause_for_a_rewrite(void **state)
{
    struct fixture *f = *state;
    char message[512];
    const char *const extra[] = {"--no-appendfsync-on-rewrite", "yes", NULL};
    struct redis_process *server = fixture_add_node(f, extra);
    fixture_start(f, server, message);
    fixture_await_state(f, MONITOR_WRONG, "no-appendfsync-on-rewrite");
}

static void test_several_single_servers_are_refused(void **state)
{
    struct fixture *f = *state;
    char message[512];
    struct redis_process *one = fixture_add_node(f, NULL);
    struct endpoint two[2] = {one->endpoint, one->endpoint};
    f->config.redis.servers.items = two;
    f->config.redis.servers.n = 2;
    fixture_start(f, one, message);
    fixture_await_state(f, MONITOR_WRONG, "redis.servers");
    monitor_stop(f->monitor); /* before its configuration goes */
    store_free(f->store);
    outbox_free(f->outbox);
    f->monitor = NULL;
    f->store = NULL;
    f->outbox = NULL;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_cluster_holds_partitions_by_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_shard_refuses_only_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_program_may_use_no_shard, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_silent_node_does_not_turn_the_cluster_into_a_server, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_partition_that_moves_is_followed_and_holds_up_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_name_the_primary, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_sentinels_of_several_primaries_are_asked_for_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replicas_are_a_barrier, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replica_is_not_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_daemon_whose_clock_is_wrong_stands_by, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_wrong_clock_stays_wrong_until_it_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fsync_must_not_pause_for_a_rewrite, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_single_servers_are_refused, setup, teardown),
    };
    return CASES_RUN(argc, argv, tests);
}
