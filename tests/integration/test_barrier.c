/*
 * The barrier of `durability: replicas` and of `fsync+replicas`: behind a replica that hangs nothing is
 * answered, taken or final, whoever wrote it. Two daemons on one primary with one replica. From Redis 7.2 on,
 * and in Valkey, WAIT covers only what its own connection wrote last, and there is WAITAOF;
 * tests/field/redis8 and tests/field/valkey8 run this against such servers. What the older semantics would
 * hide is counted: each step that ends with WAIT writes something itself. And what is told of replicas before
 * they are needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "cases.h"
#include "patience.h"
#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "redis/resp.h"
#include "store_fixture.h"
#include "take_with_totals.h"

enum { PARTITIONS = 4 };

/* A round minute in 2023; the clock stands two hours later. */
static const int64_t base_s = 1675000800;

struct pair {
    struct fixture *first; /* has the servers: primary and replica */
    struct fixture *second;
};

static struct fixture *daemon_new(struct redis_durability durability)
{
    struct fixture *f = fixture_new(PARTITIONS, (base_s + 7200) * 1000);
    f->config.redis.durability = durability;
    return f;
}

/* A primary and its replica; F asks the primary. */
static struct redis_process *add_servers(struct fixture *f)
{
    const char *const extra[] = {"--repl-diskless-sync-delay", "0", NULL};
    struct redis_process *primary = fixture_add_node(f, extra);
    struct redis_process *replica = fixture_add_node(f, extra);
    redis_process_command(replica, "REPLICAOF 127.0.0.1 %d", primary->endpoint.port);
    return primary;
}

static int set_up(void **state, struct redis_durability durability)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    pair->first = daemon_new(durability);
    pair->second = daemon_new(durability);
    struct redis_process *primary = add_servers(pair->first);
    fixture_start_ready(pair->first, primary);
    fixture_start_ready(pair->second, primary);
    *state = pair;
    return 0;
}

static int setup(void **state)
{
    return set_up(state, (struct redis_durability){.replicas = 1});
}

static int setup_with_disks(void **state)
{
    return set_up(state, (struct redis_durability){.fsync = true, .replicas = 1});
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    fixture_free(pair->second);
    fixture_free(pair->first);
    free(pair);
    return 0;
}

static void set_hanging(struct pair *pair, bool hanging)
{
    kill(pair->first->nodes[1].pid, hanging ? SIGSTOP : SIGCONT);
}

/* Changes that the primary has made since it was started. */
static long long count_changes(struct pair *pair)
{
    redisReply *info = redisCommand(pair->first->nodes[0].client, "INFO persistence");
    const char *at = strstr(info->str, "rdb_changes_since_last_save:");
    assert_non_null(at);
    long long n = strtoll(strchr(at, ':') + 1, NULL, 10);
    freeReplyObject(info);
    return n;
}

static struct store_run submit(struct fixture *f, const char *lesson, int64_t start_s)
{
    struct store_run run = fixture_run("anna", lesson, start_s * 1000, 15000, 0, 15000);
    fixture_submit(f, &run, 1);
    return run;
}

/* Until the replica has caught up. */
static struct store_run submit_until_written(struct fixture *f, const char *lesson, int64_t start_s)
{
    struct store_run run = fixture_run("anna", lesson, start_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    return run;
}

/* The first daemon's run reached the primary alone; what the second one is told of it must wait for the
 * replica too. */
static void test_an_answer_that_changes_nothing_waits_too(void **state)
{
    static const struct {
        const char *lesson;
        int64_t start_s;
        enum store_status status; /* once the replica follows */
    } again[] = {
        {"l1", 0, STORE_WRITTEN},             /* duplicate */
        {"l2", 0, STORE_WRITTEN},             /* contested */
        {"l1", -25LL * 3600, STORE_TOO_LATE}, /* below the floor */
    };
    struct pair *pair = *state;
    set_hanging(pair, true);
    assert_int_equal(submit(pair->first, "l1", base_s).status, STORE_UNAVAILABLE);
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        long long before = count_changes(pair);
        assert_int_equal(
            submit(pair->second, again[i].lesson, base_s + again[i].start_s).status, STORE_UNAVAILABLE);
        assert_true(count_changes(pair) > before);
    }
    set_hanging(pair, false);
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        struct store_run run = submit_until_written(pair->second, again[i].lesson, base_s + again[i].start_s);
        assert_int_equal(run.status, again[i].status);
        assert_int_equal(run.credited_seconds, 0);
    }
}

static bool take(struct pair *pair, struct arena *arena, struct outbox_portion *taken)
{
    int partition = fixture_partition_of(pair->second, "anna");
    *taken = (struct outbox_portion){.partition = partition, .minute = base_s / 60};
    return take_with_totals(pair->second->outbox, taken, 1, arena, NULL);
}

/* What goes to Kafka must outlive the primary: the first daemon's run is not taken by the second before the
 * replica has it. */
static void test_nothing_is_taken_before_the_replica_has_it(void **state)
{
    struct pair *pair = *state;
    struct arena arena = {0};
    struct outbox_portion taken;
    struct outbox_sums sums;
    set_hanging(pair, true);
    assert_int_equal(submit(pair->first, "l1", base_s).status, STORE_UNAVAILABLE);
    long long before = count_changes(pair);
    assert_false(take(pair, &arena, &taken));
    assert_false(taken.done);
    assert_true(count_changes(pair) > before);
    before = count_changes(pair);
    assert_false(outbox_sums(pair->second->outbox, base_s / 60, &arena, &sums));
    assert_true(count_changes(pair) > before);
    set_hanging(pair, false);
    assert_in_time(pair->second, take(pair, &arena, &taken));
    assert_true(taken.done);
    assert_int_equal(taken.n_learners, 1);
    assert_int_equal(taken.learners[0].masks[0].total->watched_seconds, 15);
    assert_in_time(pair->second, outbox_sums(pair->second->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.sums[0].watched_seconds, 15);
    arena_free(&arena);
}

/* A floor that is published as final must not fall back when the replica is promoted. */
static void test_no_floor_is_told_before_the_replica_has_it(void **state)
{
    struct pair *pair = *state;
    int64_t floor = 0;
    int64_t now_ms = clock_now_ms(&pair->second->clock);
    set_hanging(pair, true);
    assert_int_equal(submit(pair->first, "l1", base_s).status, STORE_UNAVAILABLE);
    long long before = count_changes(pair);
    assert_false(fixture_retire(pair->second, now_ms, &floor));
    assert_true(count_changes(pair) > before);
    set_hanging(pair, false);
    assert_in_time(pair->second, fixture_retire(pair->second, now_ms, &floor));
}

static bool takes_the_first_alone(struct fixture *f, int good, int bad)
{
    struct arena arena = {0};
    struct outbox_portion taken[] = {
        {.partition = good, .minute = base_s / 60}, {.partition = bad, .minute = base_s / 60}};
    assert_false(take_with_totals(f->outbox, taken, 2, &arena, NULL));
    assert_false(taken[1].done);
    arena_free(&arena);
    return taken[0].done;
}

/* One partition whose `taken` cannot be raised is not taken; the others are. */
static void test_an_error_of_the_barrier_is_its_partitions_own(void **state)
{
    struct pair *pair = *state;
    struct fixture *f = pair->second;
    int good = fixture_partition_of(f, "anna");
    const char *other = fixture_partition_of(f, "bo") != good ? "bo" : "e";
    int bad = fixture_partition_of(f, other);
    assert_int_not_equal(good, bad);
    struct store_run runs[2] = {fixture_run("anna", "l1", base_s * 1000, 15000, 0, 15000),
        fixture_run(other, "l1", base_s * 1000, 15000, 0, 15000)};
    fixture_write(f, runs, 2);
    struct key_prefix prefix;
    topology_key_prefix(&prefix, bad, PARTITIONS);
    redis_process_command(&pair->first->nodes[0], "SET %sepoch spoiled", prefix.text);
    assert_in_time(f, takes_the_first_alone(f, good, bad));
}

/* ---- what a failover could lose ---- */

/* Until the monitor tells that RISK of the primary, or, where it is "", none. */
static void await_risk(struct fixture *f, const char *risk)
{
    struct redis_condition servers[SERVERS_MAX] = {0};
    const struct redis_condition *server = &servers[0];
    for (int i = 0; i < PATIENCE_MS / 20; i++) {
        monitor_look(f->monitor);
        fixture_turn(f, 20000);
        if (monitor_servers(f->monitor, servers) == 1 && server->reached &&
            (risk[0] == '\0' ? server->risk[0] == '\0' : strstr(server->risk, risk) != NULL))
            return;
    }
    fail_msg("the monitor tells of the risk \"%s\", not of \"%s\"", server->risk, risk);
}

static int setup_alone(void **state)
{
    *state = daemon_new((struct redis_durability){.fsync = true});
    return 0;
}

static int teardown_alone(void **state)
{
    fixture_free(*state);
    return 0;
}

static void test_a_replica_that_nobody_waits_for_is_told(void **state)
{
    struct fixture *f = *state;
    fixture_start_ready(f, add_servers(f));
    await_risk(f, "1 of its replicas may be promoted, and redis.durability waits for 0");
    kill(f->nodes[1].pid,
        SIGSTOP); /* a replica that hangs may be promoted all the same, and holds nothing up */
    fixture_wait_for_look(f);
    await_risk(f, "1 of its replicas may be promoted");
    kill(f->nodes[1].pid, SIGCONT);
}

static void test_a_replica_that_is_never_promoted_is_none(void **state)
{
    struct fixture *f = *state;
    fixture_start_ready(f, add_servers(f));
    await_risk(f, "1 of its replicas may be promoted");
    redis_process_command(&f->nodes[1], "CONFIG SET replica-priority 0");
    await_risk(f, "");
}

static void test_replicas_that_are_waited_for_are_none(void **state)
{
    struct fixture *f = *state;
    f->config.redis.durability.replicas = 1;
    fixture_start_ready(f, add_servers(f));
    await_risk(f, "");
    redis_process_command(&f->nodes[1], "CONFIG SET appendfsync everysec");
    await_risk(f, "would not be used after a failover: it has appendfsync everysec");
    redis_process_command(&f->nodes[1], "CONFIG SET appendfsync always");
    redis_process_command(&f->nodes[1], "CONFIG SET maxmemory-policy allkeys-lru");
    await_risk(f, "has maxmemory-policy allkeys-lru");
}

#define CASE(test, setup, teardown, suffix)                                                                  \
    {                                                                                                        \
#test suffix, test, setup, teardown, NULL                                                            \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(test_an_answer_that_changes_nothing_waits_too, setup, teardown, ""),
        CASE(test_nothing_is_taken_before_the_replica_has_it, setup, teardown, ""),
        CASE(test_no_floor_is_told_before_the_replica_has_it, setup, teardown, ""),
        CASE(test_an_error_of_the_barrier_is_its_partitions_own, setup, teardown, ""),
        CASE(test_an_answer_that_changes_nothing_waits_too, setup_with_disks, teardown, "_on_disk"),
        CASE(test_nothing_is_taken_before_the_replica_has_it, setup_with_disks, teardown, "_on_disk"),
        CASE(test_no_floor_is_told_before_the_replica_has_it, setup_with_disks, teardown, "_on_disk"),
        CASE(test_a_replica_that_nobody_waits_for_is_told, setup_alone, teardown_alone, ""),
        CASE(test_a_replica_that_is_never_promoted_is_none, setup_alone, teardown_alone, ""),
        CASE(test_replicas_that_are_waited_for_are_none, setup_alone, teardown_alone, ""),
    };
    return CASES_RUN(argc, argv, tests);
}
