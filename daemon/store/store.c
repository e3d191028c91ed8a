/* A worker's way into Redis: which pipeline a run goes to, and which are refused. */
#include "store/store.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "redis/monitor.h"
#include "redis/resp.h"
#include "store/apply.h"
#include "store/pipeline.h"
#include "store/progress.h"

enum { TICK_MS = 100 };

struct store {
    struct pipeline_context context;
    struct store_counters counters;
    struct event *tick;
    struct event *refuse;
    struct store_run_queue refused; /* to be completed from the loop */
    struct progress *progress;
    struct key_prefix prefixes[PARTITIONS_MAX];
    struct pipeline *pipelines[SERVERS_MAX];
    size_t n_pipelines;
    struct topology *topology; /* that the pipelines and the progress follow; NULL: none yet */
    size_t pending;
};

/* ---- topology ---- */

static void free_pipelines(struct store *s)
{
    /* completing runs may submit further ones: they find no pipeline any more */
    size_t n = s->n_pipelines;
    s->n_pipelines = 0;
    for (size_t i = 0; i < n; i++)
        pipeline_free(s->pipelines[i]);
}

/* To the server of its partition, or, if that takes no more, to those that are refused. */
static void route(struct store *s, struct store_run *run, int64_t now_us)
{
    int partition = topology_partition_of(run->hash, s->context.config->redis.partitions);
    struct pipeline *p =
        s->n_pipelines == 0 ? NULL : s->pipelines[topology_server_of_partition(s->topology, partition)];
    if (p != NULL && pipeline_admits(p, now_us)) {
        pipeline_queue(p, partition, run);
        return;
    }
    run->status = STORE_UNAVAILABLE;
    STAILQ_INSERT_TAIL(&s->refused, run, link);
    event_active(s->refuse, EV_TIMEOUT, 0);
}

static void launch_when_due(struct store *s)
{
    for (size_t i = 0; i < s->n_pipelines; i++)
        pipeline_launch_when_due(s->pipelines[i]);
}

/*
 * Partitions have moved from server to server, and the servers are those of BEFORE: their connections stay,
 * so that the runs of other partitions notice nothing. Runs that wait follow their partition; those in flight
 * are answered by the server that they were sent to.
 */
static void follow_partitions(struct store *s, const struct topology *before)
{
    struct store_run_queue moved = STAILQ_HEAD_INITIALIZER(moved);
    int64_t now_us = clock_monotonic_us();
    for (int p = 0; p < s->context.config->redis.partitions; p++)
        if (before->server_of[p] != s->topology->server_of[p])
            pipeline_give_up(s->pipelines[before->server_of[p]], p, &moved);
    while (!STAILQ_EMPTY(&moved)) {
        struct store_run *run = STAILQ_FIRST(&moved);
        STAILQ_REMOVE_HEAD(&moved, link);
        route(s, run, now_us);
    }
    launch_when_due(s);
}

static void follow_topology(struct store *s)
{
    struct topology *before = s->topology == NULL ? NULL : topology_ref(s->topology);
    enum topology_change change = monitor_follow(s->context.monitor, &s->topology);
    struct topology *t = s->topology;
    if (change >= TOPOLOGY_ADDRESSES) {
        free_pipelines(s);
        for (size_t i = 0; i < t->n_servers; i++)
            s->pipelines[i] = pipeline_new(&s->context, &t->servers[i], t->version);
        s->n_pipelines = t->n_servers;
    }
    if (change > TOPOLOGY_SAME) {
        assert(s->n_pipelines == t->n_servers);
        for (size_t i = 0; i < t->n_servers; i++)
            pipeline_follow(s->pipelines[i], &t->servers[i], t->version);
        progress_follow(s->progress, t, change);
    }
    if (change == TOPOLOGY_PARTITIONS && before != NULL)
        follow_partitions(s, before);
    topology_unref(before);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct store *s = ctx;
    (void)fd;
    (void)what;
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < s->n_pipelines; i++)
        pipeline_tick(s->pipelines[i], now_us);
    follow_topology(s);
    atomic_store_explicit(&s->counters.queued_runs, (int64_t)s->pending, memory_order_relaxed);
}

static void on_refuse(evutil_socket_t fd, short what, void *ctx)
{
    struct store *s = ctx;
    (void)fd;
    (void)what;
    pipeline_complete(&s->context, &s->refused);
}

/* ---- the interface ---- */

struct store *store_new(struct event_base *base, const struct config *config, struct monitor *monitor,
    const struct clock *clock, struct log *log)
{
    struct store *s = mem_zalloc(sizeof(*s));
    s->context = (struct pipeline_context){
        .base = base,
        .config = config,
        .monitor = monitor,
        .clock = clock,
        .log = log,
        .counters = &s->counters,
        .pending = &s->pending,
    };
    STAILQ_INIT(&s->refused);
    for (int p = 0; p < config->redis.partitions; p++)
        topology_key_prefix(&s->prefixes[p], p, config->redis.partitions);
    s->progress = progress_new(base, monitor, log, &s->counters);
    s->refuse = event_new(base, -1, 0, on_refuse, s);
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    struct timeval period = {0, TICK_MS * 1000};
    event_add(s->tick, &period);
    follow_topology(s);
    return s;
}

bool store_admits(struct store *s)
{
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < s->n_pipelines; i++)
        if (pipeline_admits(s->pipelines[i], now_us))
            return true;
    return false;
}

bool store_has_ended(struct store *s, struct slice program)
{
    return s->topology != NULL && topology_has_ended(s->topology, program);
}

int64_t store_age_ms(struct store *s)
{
    int64_t now_us = clock_monotonic_us();
    int64_t oldest = 0;
    for (size_t i = 0; i < s->n_pipelines; i++) {
        int64_t age = pipeline_age_ms(s->pipelines[i], now_us);
        oldest = age > oldest ? age : oldest;
    }
    return oldest;
}

void store_submit(struct store *s, struct store_batch *batch, struct store_run *runs, size_t n)
{
    assert(n > 0);
    int64_t now_us = clock_monotonic_us();
    batch->pending = n;
    s->pending += n;
    atomic_fetch_add_explicit(&s->counters.runs, n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        struct store_run *run = &runs[i];
        assert(run->claim.first_second < run->claim.end_second);
        run->batch = batch;
        run->hash = topology_hash_learner(run->portal, run->learner);
        run->submitted_us = now_us;
        route(s, run, now_us);
    }
    launch_when_due(s);
}

static struct progress_subject subject_of(const struct store *s, struct slice portal, struct slice learner)
{
    int partition =
        topology_partition_of(topology_hash_learner(portal, learner), s->context.config->redis.partitions);
    return (struct progress_subject){partition, &s->prefixes[partition], portal, learner};
}

void store_progress(
    struct store *s, struct slice portal, struct slice learner, store_progress_done *done, void *ctx)
{
    struct progress_subject subject = subject_of(s, portal, learner);
    progress_ask_totals(s->progress, &subject, done, ctx);
}

void store_minutes(struct store *s, struct slice portal, struct slice learner, int64_t bucket,
    store_minutes_done *done, void *ctx)
{
    struct progress_subject subject = subject_of(s, portal, learner);
    progress_ask_minutes(s->progress, &subject, bucket, done, ctx);
}

const struct store_counters *store_counters(const struct store *s)
{
    return &s->counters;
}

size_t store_pending(const struct store *s)
{
    return s->pending + progress_pending(s->progress);
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    free_pipelines(s);
    pipeline_complete(&s->context, &s->refused);
    progress_free(s->progress);
    topology_unref(s->topology);
    event_free(s->refuse);
    event_free(s->tick);
    apply_scratch_free(&s->context.scratch);
    buf_free(&s->context.command);
    free(s);
}
