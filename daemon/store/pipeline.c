/* The runs of one Redis server. */
#include "store/pipeline.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "redis/barrier.h"
#include "redis/monitor.h"
#include "redis/redis_connection.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/apply.h"
#include "store/functions.h"

enum {
    ADMIT_MAX_MS = 1000,  /* a server whose oldest run waits longer takes no more */
    ANSWER_MAX_MS = 3000, /* a pipeline unanswered for longer breaks the connection */
    LARGE_PIPELINE = 256, /* runs that do not wait for the linger */
    LOADS_MAX = 3,        /* times in a row that the functions may be missing right after they were loaded */
    REFUSAL_MAX = 640,    /* bytes of what is logged about one */
    WISH_EVERY_MS = 100   /* for a look of the monitor, while calls are refused */
};

struct lane {
    struct pipeline *pipeline;
    struct key_prefix prefix;
    struct store_run_queue queue;
    size_t queued;
    struct store_run_queue sent; /* in flight */
};

struct pipeline {
    struct pipeline_context *context;
    struct redis_server where;
    struct barrier barrier;              /* behind the pipeline in flight */
    int barrier_step;                    /* whose answer comes next */
    struct redis_connection *connection; /* NULL while it is being given up for good */
    struct event *linger;
    struct event *answer;
    struct store_run_queue answered; /* to be completed by `answer` */
    struct lane *lanes;              /* one a partition; those of other servers stay empty */
    size_t queued;
    int64_t queued_since_us; /* of the oldest queued run, when queued > 0 */
    size_t outstanding;      /* replies that the pipeline in flight still owes */
    int64_t sent_since_us;   /* of the oldest run in flight, when outstanding > 0 */
    int64_t launched_us;
    bool functions_missing;
    bool replicas_missing;
    int loads;
    char refusal[REFUSAL_MAX]; /* the text that was logged last */
    int64_t refusal_ms;
    int64_t wished_ms; /* when the monitor was last asked to look, monotonic */
};

static int partitions(const struct pipeline *p)
{
    return p->context->config->redis.partitions;
}

/* ---- completing ---- */

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* The first minute that this daemon's clock lets be claimed. */
static int64_t horizon_minute(const struct pipeline_context *context)
{
    int64_t oldest_ms = clock_now_ms(context->clock) - context->config->heartbeats.horizon_ms;
    return oldest_ms > 0 ? oldest_ms / 1000 / MINUTE_SECONDS : 0;
}

/* Late seconds are a run's first: those of them that the horizon would have let be claimed. */
static uint64_t forfeited_seconds(const struct pipeline_context *context, const struct store_run *run)
{
    int64_t end = run->claim.first_second + run->late_seconds;
    int64_t from = run->late_seconds > 0 ? horizon_minute(context) * MINUTE_SECONDS : end;
    from = from > run->claim.first_second ? from : run->claim.first_second;
    return end > from ? (uint64_t)(end - from) : 0;
}

/* `done` may free what the runs lie in, and may submit further runs: the queue is taken over first. */
void pipeline_complete(struct pipeline_context *context, struct store_run_queue *queue)
{
    struct store_counters *counters = context->counters;
    struct store_run_queue done = STAILQ_HEAD_INITIALIZER(done);
    STAILQ_CONCAT(&done, queue);
    while (!STAILQ_EMPTY(&done)) {
        struct store_run *run = STAILQ_FIRST(&done);
        STAILQ_REMOVE_HEAD(&done, link);
        if (run->status == STORE_UNAVAILABLE) {
            count(&counters->failed_runs, 1);
        } else {
            count(&counters->credited_seconds, run->credited_seconds);
            count(&counters->duplicate_seconds, run->duplicate_seconds);
            count(&counters->contested_seconds, run->contested_seconds);
            count(&counters->forfeited_seconds, forfeited_seconds(context, run));
        }
        (*context->pending)--;
        struct store_batch *batch = run->batch;
        if (--batch->pending == 0)
            batch->done(batch, batch->ctx);
    }
}

static void mark(struct store_run_queue *queue, enum store_status status)
{
    struct store_run *run;
    STAILQ_FOREACH(run, queue, link)
    {
        run->status = status;
    }
}

/* ---- functions that went missing ---- */

static void on_loaded(void *data, const redisReply *reply)
{
    const struct pipeline *p = data;
    if (reply != NULL && !library_is_loaded(&functions_library, reply))
        log_event(p->context->log, LOG_ERROR, "functions_not_loaded", "server=%s error=%s", p->where.name,
            LOG_QUOTE(reply->str));
}

/* A connection keeps the order of commands, so the next pipeline finds the functions loaded. */
static void load_functions(struct pipeline *p)
{
    struct buf *b = &p->context->command;
    buf_clear(b);
    library_encode_load(b, &functions_library);
    log_event(p->context->log, LOG_WARN, "functions_missing", "server=%s action=load", p->where.name);
    if (!redis_connection_send(p->connection, b, on_loaded, p))
        log_event(
            p->context->log, LOG_WARN, "functions_not_loaded", "server=%s error=disconnected", p->where.name);
}

/* ---- answers ---- */

static int64_t oldest_queued_us(const struct pipeline *p)
{
    int64_t oldest = INT64_MAX;
    for (int i = 0; i < partitions(p); i++) {
        const struct store_run *first = STAILQ_FIRST(&p->lanes[i].queue);
        if (first != NULL && first->submitted_us < oldest)
            oldest = first->submitted_us;
    }
    return oldest;
}

static void on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct pipeline *p = ctx;
    (void)fd;
    (void)what;
    pipeline_complete(p->context, &p->answered);
}

/*
 * The last reply of a pipeline has come, or the connection has gone. The next one is launched first, and what
 * was answered is completed in the loop's next turn, once that has been written: so Redis works while the
 * daemon answers.
 */
static void finish(struct pipeline *p)
{
    static const struct timeval at_once = {0, 0};
    struct store_run_queue done = STAILQ_HEAD_INITIALIZER(done);
    assert(p->outstanding == 0);
    for (int i = 0; i < partitions(p); i++)
        STAILQ_CONCAT(&done, &p->lanes[i].sent);
    if (p->replicas_missing)
        mark(&done, STORE_UNAVAILABLE);
    STAILQ_CONCAT(&p->answered, &done);
    bool load = p->functions_missing && p->connection != NULL;
    p->loads = p->functions_missing ? p->loads + 1 : 0;
    p->functions_missing = false;
    p->replicas_missing = false;
    if (load)
        load_functions(p);
    if (p->queued > 0)
        p->queued_since_us = oldest_queued_us(p);
    event_add(p->answer, &at_once);
    pipeline_launch_when_due(p);
}

/* Takes note that one of the replies has come, or never will. */
static void one_reply_less(struct pipeline *p)
{
    assert(p->outstanding > 0);
    if (--p->outstanding == 0)
        finish(p);
}

/*
 * Logs EVENT with TEXT, which says what was refused and why. What repeats is logged once in a while, so that
 * its repetitions do not use up the limit of lines that another refusal needs.
 */
static void tell_refusal(const struct lane *lane, const char *event, const char *text)
{
    struct pipeline *p = lane->pipeline;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - p->refusal_ms < LOG_WINDOW_MS && strncmp(p->refusal, text, sizeof(p->refusal) - 1) == 0)
        return;
    snprintf(p->refusal, sizeof(p->refusal), "%s", text);
    p->refusal_ms = now_ms;
    log_event(p->context->log, LOG_WARN, event, "server=%s partition=%d %s", p->where.name,
        (int)(lane - p->lanes), text);
}

/* ERROR is NULL when the connection is gone, which has been told. */
static void refuse_sent(struct lane *lane, const char *error)
{
    char text[REFUSAL_MAX];
    mark(&lane->sent, STORE_UNAVAILABLE);
    if (error == NULL)
        return;
    snprintf(text, sizeof(text), "error=%s", LOG_QUOTE(error));
    tell_refusal(lane, "apply_refused", text);
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - lane->pipeline->wished_ms < WISH_EVERY_MS)
        return;
    lane->pipeline->wished_ms = now_ms;
    monitor_look(lane->pipeline->context->monitor);
}

/* The runs that `apply` left out, of learners whose values it could not read. */
static void tell_unreadable(const struct lane *lane)
{
    const struct store_run *run;
    STAILQ_FOREACH(run, &lane->sent, link)
    {
        char learner[REFUSAL_MAX];
        char text[REFUSAL_MAX];
        if (run->status != STORE_UNAVAILABLE)
            continue;
        snprintf(learner, sizeof(learner), "%.*s/%.*s", SLICE_ARG(run->portal), SLICE_ARG(run->learner));
        snprintf(text, sizeof(text), "learner=%s lesson=%.*s", LOG_QUOTE(learner), SLICE_ARG(run->lesson));
        tell_refusal(lane, "learner_unreadable", text);
    }
}

/* Functions that are missing are loaded once the pipeline has finished, and its runs wait for that. */
static void take_error(struct lane *lane, const char *error)
{
    struct pipeline *p = lane->pipeline;
    struct store_run *run;
    if (!library_is_missing(error) || p->loads >= LOADS_MAX) {
        refuse_sent(lane, error);
        return;
    }
    p->functions_missing = true;
    STAILQ_FOREACH(run, &lane->sent, link)
    {
        lane->queued++;
        p->queued++;
    }
    STAILQ_CONCAT(&lane->sent, &lane->queue);
    STAILQ_CONCAT(&lane->queue, &lane->sent);
}

static void on_applied(void *data, const redisReply *reply)
{
    static const char malformed[] = "the answer of apply is malformed";
    struct lane *lane = data;
    struct pipeline *p = lane->pipeline;
    struct slice answer;
    if (reply == NULL) {
        refuse_sent(lane, NULL);
    } else if (reply_is_error(reply)) {
        take_error(lane, reply->str);
    } else if (reply_string(reply, &answer) && apply_decode(answer, &lane->sent)) {
        tell_unreadable(lane);
        atomic_store_explicit(
            &p->context->counters->last_answer_ms, clock_monotonic_ms(), memory_order_relaxed);
    } else {
        /* After an unexpected answer, later ones may belong to other questions, so they are not believed
         * either: the connection goes, and takes the rest of the pipeline with it. */
        refuse_sent(lane, malformed);
        if (p->connection != NULL)
            redis_connection_break(p->connection, malformed);
    }
    one_reply_less(p);
}

static void on_waited(void *data, const redisReply *reply)
{
    struct pipeline *p = data;
    int64_t acknowledged;
    if (!barrier_holds(reply, p->barrier, p->barrier_step++, &acknowledged)) {
        p->replicas_missing = true;
        log_event(p->context->log, LOG_WARN, "replicas_missing", "server=%s acknowledged=%lld asked=%d",
            p->where.name, (long long)acknowledged, p->barrier.replicas);
    }
    one_reply_less(p);
}

/* ---- launching ---- */

/* Sends the first runs of the lane's queue, as many as one call takes. */
static void send_lane(struct lane *lane, const struct apply_terms *terms)
{
    struct pipeline *p = lane->pipeline;
    struct pipeline_context *context = p->context;
    assert(STAILQ_EMPTY(&lane->sent));
    for (int n = 0; n < STORE_APPLY_MAX && lane->queued > 0; n++) {
        struct store_run *run = STAILQ_FIRST(&lane->queue);
        STAILQ_REMOVE_HEAD(&lane->queue, link);
        STAILQ_INSERT_TAIL(&lane->sent, run, link);
        lane->queued--;
        p->queued--;
    }
    buf_clear(&context->command);
    apply_encode(&context->command, &context->scratch, &lane->prefix, &lane->sent, terms);
    count(&context->counters->applies, 1);
    if (redis_connection_send(p->connection, &context->command, on_applied, lane))
        p->outstanding++;
    else
        refuse_sent(lane, NULL);
}

/*
 * The barrier stands behind all calls of the pipeline. Each `apply` that succeeded has written something,
 * also where it credited nothing, so the barrier speaks for all of them; one that failed is refused alone.
 */
static void send_barrier(struct pipeline *p, int step)
{
    struct buf *b = &p->context->command;
    buf_clear(b);
    barrier_encode(b, p->barrier, step);
    if (redis_connection_send(p->connection, b, on_waited, p))
        p->outstanding++;
    else
        p->replicas_missing = true;
}

static struct apply_terms current_terms(const struct pipeline *p)
{
    const struct pipeline_context *context = p->context;
    int64_t horizon = horizon_minute(context);
    return (struct apply_terms){
        .horizon_minute = horizon,
        .limit_minute = apply_limit_minute(context->config->dev, horizon, p->where.early_minute),
        .settled = clock_belief(context->clock) == CLOCK_SETTLED,
        .waits = p->barrier.steps > 0,
        .grace_s = context->config->publish.grace_ms / 1000,
    };
}

static void launch(struct pipeline *p)
{
    assert(p->outstanding == 0 && p->queued > 0);
    event_del(p->linger);
    p->sent_since_us = p->queued_since_us;
    p->launched_us = clock_monotonic_us();
    p->barrier = p->where.barrier;
    p->barrier_step = 0;
    struct apply_terms terms = current_terms(p);
    for (int i = 0; i < partitions(p); i++)
        if (p->lanes[i].queued > 0)
            send_lane(&p->lanes[i], &terms);
    if (p->queued > 0)
        p->queued_since_us = oldest_queued_us(p);
    for (int step = 0; step < p->barrier.steps; step++)
        send_barrier(p, step);
    count(&p->context->counters->pipelines, 1);
    if (p->outstanding == 0) /* nothing could be sent */
        finish(p);
}

static bool may_launch(const struct pipeline *p)
{
    return p->outstanding == 0 && p->queued > 0 && p->connection != NULL &&
           redis_connection_ready(p->connection);
}

void pipeline_launch_when_due(struct pipeline *p)
{
    if (!may_launch(p))
        return;
    int64_t left_us = p->context->config->redis.linger_us - (clock_monotonic_us() - p->queued_since_us);
    if (p->queued >= LARGE_PIPELINE || left_us <= 0) {
        launch(p);
    } else if (!event_pending(p->linger, EV_TIMEOUT, NULL)) {
        struct timeval delay = {left_us / 1000000, left_us % 1000000};
        event_add(p->linger, &delay);
    }
}

static void on_linger(evutil_socket_t fd, short what, void *ctx)
{
    struct pipeline *p = ctx;
    (void)fd;
    (void)what;
    if (may_launch(p))
        launch(p);
}

/* ---- the interface ---- */

static void fail_queued(struct pipeline *p)
{
    struct store_run_queue failed = STAILQ_HEAD_INITIALIZER(failed);
    for (int i = 0; i < partitions(p); i++)
        STAILQ_CONCAT(&failed, &p->lanes[i].queue);
    for (int i = 0; i < partitions(p); i++)
        p->lanes[i].queued = 0;
    p->queued = 0;
    mark(&failed, STORE_UNAVAILABLE);
    pipeline_complete(p->context, &failed);
}

static void on_connection_changed(void *ctx, bool ready)
{
    struct pipeline *p = ctx;
    if (ready) {
        count(&p->context->counters->connects, 1);
        p->loads = 0;
        pipeline_launch_when_due(p);
    } else {
        fail_queued(p);
    }
}

struct pipeline *pipeline_new(
    struct pipeline_context *context, const struct redis_server *where, uint64_t version)
{
    struct pipeline *p = mem_zalloc(sizeof(*p));
    p->context = context;
    p->where = *where;
    p->lanes = mem_zalloc((size_t)partitions(p) * sizeof(*p->lanes));
    for (int i = 0; i < partitions(p); i++) {
        p->lanes[i].pipeline = p;
        topology_key_prefix(&p->lanes[i].prefix, i, partitions(p));
        STAILQ_INIT(&p->lanes[i].queue);
        STAILQ_INIT(&p->lanes[i].sent);
    }
    STAILQ_INIT(&p->answered);
    p->linger = evtimer_new(context->base, on_linger, p);
    p->answer = evtimer_new(context->base, on_answer, p);
    struct redis_connection_settings settings = {
        context->base, context->monitor, context->log, where, version, on_connection_changed, p};
    p->connection = redis_connection_new(&settings);
    return p;
}

void pipeline_free(struct pipeline *p)
{
    struct redis_connection *connection = p->connection;
    p->connection = NULL;
    redis_connection_free(connection); /* what is in flight is answered here */
    pipeline_complete(p->context, &p->answered);
    fail_queued(p);
    event_free(p->linger);
    event_free(p->answer);
    free(p->lanes);
    free(p);
}

void pipeline_follow(struct pipeline *p, const struct redis_server *where, uint64_t version)
{
    p->where = *where;
    redis_connection_set_usable(p->connection, where->usable, version);
}

int64_t pipeline_age_ms(const struct pipeline *p, int64_t now_us)
{
    int64_t since = now_us;
    if (p->outstanding > 0)
        since = p->sent_since_us;
    if (p->queued > 0 && p->queued_since_us < since)
        since = p->queued_since_us;
    return (now_us - since) / 1000;
}

bool pipeline_admits(const struct pipeline *p, int64_t now_us)
{
    return p->connection != NULL && redis_connection_ready(p->connection) &&
           pipeline_age_ms(p, now_us) <= ADMIT_MAX_MS;
}

void pipeline_queue(struct pipeline *p, int partition, struct store_run *run)
{
    assert(partition >= 0 && partition < partitions(p));
    STAILQ_INSERT_TAIL(&p->lanes[partition].queue, run, link);
    p->lanes[partition].queued++;
    if (p->queued++ == 0 || run->submitted_us < p->queued_since_us)
        p->queued_since_us = run->submitted_us;
}

void pipeline_give_up(struct pipeline *p, int partition, struct store_run_queue *runs)
{
    assert(partition >= 0 && partition < partitions(p));
    struct lane *lane = &p->lanes[partition];
    STAILQ_CONCAT(runs, &lane->queue);
    p->queued -= lane->queued;
    lane->queued = 0;
    if (p->queued > 0)
        p->queued_since_us = oldest_queued_us(p);
}

void pipeline_tick(struct pipeline *p, int64_t now_us)
{
    if (p->outstanding > 0 && now_us - p->launched_us > ANSWER_MAX_MS * 1000)
        redis_connection_break(p->connection, "no answer in time");
    if (!redis_connection_ready(p->connection) && p->outstanding == 0 && p->queued > 0)
        fail_queued(p);
}
