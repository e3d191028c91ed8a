/* One daemon's way into Redis, for tests. */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "publish/outbox_retire.h"
#include "redis/resp.h"
#include "store/functions.h"
#include "take_with_totals.h"

enum { TELL_EVERY_MS = 1000 };

static char deployment[] = "winter";
static char topic_prefix[] = "minuted";

struct fixture *fixture_new(int partitions, int64_t now_ms)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->program = "training";
    f->config.kafka.deployment = deployment;
    f->config.kafka.topic_prefix = topic_prefix;
    f->config.redis.servers.items = &f->endpoint;
    f->config.redis.servers.n = 1;
    f->config.redis.durability.fsync = true;
    f->config.dev = true; /* its clock is settled from the start */
    f->config.redis.partitions = partitions;
    f->config.redis.linger_us = 1000;
    f->config.heartbeats.horizon_ms = 24LL * 3600 * 1000;
    f->config.publish.grace_ms = 70000;
    fixture_set_clock(f, now_ms);
    f->log = log_new(LOG_WARN); /* so that a failure is told with its reason */
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

struct redis_process *fixture_settings_node(struct fixture *f)
{
    int slot = (int)topology_slot_of(SLICE_LITERAL(KEY_SETTINGS));
    int node = 0;
    while (slot >= (node + 1) * CLUSTER_SLOTS / f->n_nodes)
        node++;
    return &f->nodes[node];
}

enum monitor_state fixture_start(
    struct fixture *f, const struct redis_process *asked, char message[static 512])
{
    f->endpoint = asked->endpoint;
    f->monitor = monitor_start(&f->config, f->program, &functions_library, &f->clock, f->log);
    enum monitor_state found = monitor_wait(f->monitor, PATIENCE_MS, message);
    f->store = store_new(f->base, &f->config, f->monitor, &f->clock, f->log);
    f->outbox = outbox_new(&f->config, f->monitor, &f->clock, f->log);
    return found;
}

/* Whether each server's pipeline has its connection, not one of them alone. */
static bool takes_runs(struct fixture *f)
{
    struct redis_condition servers[SERVERS_MAX];
    size_t n = monitor_servers(f->monitor, servers);
    return atomic_load(&store_counters(f->store)->connects) >= n;
}

struct question {
    struct event_base *base;
    bool answered;
};

static void on_progress(void *ctx, bool ok, const struct lesson_total *lessons, size_t n)
{
    struct question *question = ctx;
    (void)lessons;
    (void)n;
    question->answered = ok;
    event_base_loopbreak(question->base);
}

/* About a learner of whom no test knows. */
static bool answers_questions(struct fixture *f, int partition)
{
    struct question question = {.base = f->base};
    char learner[24];
    int i = 0;
    do
        snprintf(learner, sizeof(learner), "nobody-%d", i++);
    while (fixture_partition_of(f, learner) != partition);
    store_progress(f->store, SLICE_LITERAL("basic"), slice_of(learner), on_progress, &question);
    event_base_dispatch(f->base);
    return question.answered;
}

void fixture_start_ready(struct fixture *f, const struct redis_process *asked)
{
    char message[512];
    fixture_start(f, asked, message);
    fixture_await_state(f, MONITOR_READY, "");
    fixture_turn_until_admits(f, true);
    assert_in_time(f, takes_runs(f));
    for (int p = 0; p < f->config.redis.partitions; p++)
        assert_in_time(f, answers_questions(f, p));
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

void fixture_write(struct fixture *f, struct store_run *runs, size_t n)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct store_run *refused = calloc(n, sizeof(*refused));
    size_t *places = calloc(n, sizeof(*places));
    if (refused == NULL || places == NULL)
        abort();
    fixture_submit(f, runs, n);
    for (;;) {
        size_t left = 0;
        for (size_t i = 0; i < n; i++) {
            if (runs[i].status != STORE_UNAVAILABLE)
                continue;
            refused[left] = runs[i];
            places[left++] = i;
        }
        if (left == 0)
            break;
        fixture_before_asking_again(f, until_ms, "runs are written", __FILE__, __LINE__);
        fixture_submit(f, refused, left);
        for (size_t i = 0; i < left; i++)
            runs[places[i]] = refused[i];
    }
    free(refused);
    free(places);
}

void fixture_before_asking_again(
    struct fixture *f, int64_t until_ms, const char *call, const char *file, int line)
{
    char message[512];
    int64_t now_ms = clock_monotonic_ms();
    enum monitor_state state = monitor_state(f->monitor, message);
    if (now_ms - f->told_ms >= TELL_EVERY_MS || now_ms > until_ms) {
        print_message(
            "%s:%d: not yet: %s; the monitor says %d \"%s\"\n", file, line, call, (int)state, message);
        f->told_ms = now_ms;
    }
    if (now_ms > until_ms)
        fail_msg("%s:%d: in vain: %s", file, line, call);
    monitor_look(f->monitor);
    fixture_turn(f, 50000);
}

int fixture_partition_of(const struct fixture *f, const char *learner)
{
    return topology_partition_of(
        topology_hash_learner(SLICE_LITERAL("basic"), slice_of(learner)), f->config.redis.partitions);
}

/* A cursor is its connection's, so a portion that cannot be taken begins anew. */
static bool take_portion(struct fixture *f, struct arena *arena, struct outbox_portion *portion)
{
    if (take_with_totals(f->outbox, portion, 1, arena, NULL))
        return true;
    *portion = (struct outbox_portion){.partition = portion->partition, .minute = portion->minute};
    return false;
}

void fixture_take_portion(struct fixture *f, struct arena *arena, struct outbox_portion *portion)
{
    assert_in_time(f, take_portion(f, arena, portion));
}

void fixture_take(
    struct fixture *f, int partition, int64_t minute, struct arena *arena, struct outbox_portion *out)
{
    *out = (struct outbox_portion){.partition = partition, .minute = minute};
    fixture_take_portion(f, arena, out);
    assert_int_equal(out->cursor, 0);
}

bool fixture_retire(struct fixture *f, int64_t now_ms, int64_t *floor)
{
    struct retire_terms terms = {.now_ms = now_ms, .max = RETIRE_MAX, .settled = true};
    return outbox_retire(f->outbox, &terms, floor);
}
