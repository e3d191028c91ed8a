/* One daemon's way into Redis, for tests. */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "patience.h"
#include "store/functions.h"

struct fixture *fixture_new(int partitions, int64_t now_ms)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->config.redis.servers.items = &f->endpoint;
    f->config.redis.servers.n = 1;
    f->config.redis.durability = DURABILITY_FSYNC;
    f->config.redis.replicas = 1;
    f->config.redis.partitions = partitions;
    f->config.redis.linger_us = 1000;
    f->config.heartbeats.horizon_ms = 24LL * 3600 * 1000;
    f->config.publish.grace_ms = 70000;
    fixture_set_clock(f, now_ms);
    f->log = log_new(LOG_ERROR);
    f->base = event_base_new();
    return f;
}

void fixture_free(struct fixture *f)
{
    store_free(f->store);
    outbox_free(f->outbox);
    monitor_stop(f->monitor);
    event_base_free(f->base);
    log_free(f->log);
    for (int i = 0; i < f->n_nodes; i++)
        redis_process_stop(&f->nodes[i]);
    free(f);
}

struct redis_process *fixture_add_node(struct fixture *f, const char *const *extra)
{
    struct redis_process *node = &f->nodes[f->n_nodes++];
    redis_process_start(node, extra);
    return node;
}

enum monitor_state fixture_start(
    struct fixture *f, const struct redis_process *asked, char message[static 512])
{
    f->endpoint = asked->endpoint;
    f->monitor = monitor_start(&f->config, &functions_library, f->log);
    enum monitor_state found = monitor_wait(f->monitor, PATIENCE_MS, message);
    f->store = store_new(f->base, &f->config, f->monitor, &f->clock, f->log);
    f->outbox = outbox_new(&f->config, f->monitor, f->log);
    return found;
}

void fixture_start_ready(struct fixture *f, const struct redis_process *asked)
{
    char message[512];
    fixture_start(f, asked, message);
    fixture_await_state(f, MONITOR_READY, "");
    fixture_turn_until_admits(f, true);
}

void fixture_await_state(struct fixture *f, enum monitor_state wanted, const char *says)
{
    char message[512] = "";
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        if (monitor_state(f->monitor, message) == wanted && strstr(message, says) != NULL)
            return;
        monitor_look(f->monitor);
        fixture_turn(f, 5000);
    }
    fail_msg("the monitor says \"%s\", not \"%s\"", message, says);
}

void fixture_set_clock(struct fixture *f, int64_t now_ms)
{
    atomic_store(&f->clock.offset_ms, now_ms - clock_system_ms());
}

void fixture_turn(struct fixture *f, long us)
{
    event_base_loopexit(f->base, &(struct timeval){us / 1000000, us % 1000000});
    event_base_dispatch(f->base);
}

void fixture_turn_until_admits(struct fixture *f, bool wanted)
{
    for (int i = 0; i < PATIENCE_MS / 10 && store_admits(f->store) != wanted; i++)
        fixture_turn(f, 10000);
    assert_int_equal(store_admits(f->store), wanted);
}

void fixture_wait_for_look(struct fixture *f)
{
    uint64_t wanted = monitor_looks(f->monitor) + 2;
    for (int i = 0; i < PATIENCE_MS / 5 && monitor_looks(f->monitor) < wanted; i++) {
        monitor_look(f->monitor);
        fixture_turn(f, 5000);
    }
    assert_true(monitor_looks(f->monitor) >= wanted);
}

struct store_run fixture_run(const char *learner, const char *lesson, int64_t start_ms, int64_t length_ms,
    int64_t media_from_ms, int64_t media_to_ms)
{
    return (struct store_run){
        .claim = {.first_second = (start_ms + 999) / 1000,
            .end_second = (start_ms + length_ms + 999) / 1000,
            .start_ms = start_ms,
            .length_ms = length_ms,
            .media_from_ms = media_from_ms,
            .media_to_ms = media_to_ms},
        .portal = SLICE_LITERAL("basic"),
        .learner = slice_of(learner),
        .lesson = slice_of(lesson),
        .course = SLICE_LITERAL("course"),
    };
}

static void on_done(struct store_batch *batch, void *ctx)
{
    (void)batch;
    event_base_loopbreak(ctx);
}

void fixture_submit(struct fixture *f, struct store_run *runs, size_t n)
{
    struct store_batch batch = {.done = on_done, .ctx = f->base};
    store_submit(f->store, &batch, runs, n);
    event_base_dispatch(f->base);
    assert_int_equal(batch.pending, 0);
}

int fixture_partition_of(const struct fixture *f, const char *learner)
{
    return partition_of_hash(
        partition_hash(SLICE_LITERAL("basic"), slice_of(learner)), f->config.redis.partitions);
}

void fixture_take(
    struct fixture *f, int partition, int64_t minute, struct arena *arena, struct outbox_portion *out)
{
    *out = (struct outbox_portion){.partition = partition, .minute = minute};
    assert_true(outbox_take(f->outbox, out, 1, arena));
    assert_int_equal(out->cursor, 0);
}
