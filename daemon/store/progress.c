/* Reading learners' totals and minutes. */
#include "store/progress.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "redis/monitor.h"
#include "redis/redis_connection.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/values.h"

enum { TICK_MS = 250, ANSWER_MAX_MS = 3000, PENDING_MAX = 4096 };

struct ask;

/* Calls what the asker gave, with what REPLY says; NULL: there is none. */
typedef void ask_tell(const struct ask *ask, const redisReply *reply);

/* A question; in `asks` while it waits for its answer, in `failed` until the loop says so. */
struct ask {
    struct progress *progress;
    size_t server;
    int64_t asked_ms;
    int64_t bucket; /* of minutes */
    ask_tell *tell;
    union {
        store_progress_done *totals;
        store_minutes_done *minutes;
    } done;
    void *ctx;
    TAILQ_ENTRY(ask) link;
};

TAILQ_HEAD(ask_list, ask);

struct progress {
    struct event_base *base;
    struct monitor *monitor;
    struct log *log;
    struct store_counters *counters;
    struct event *tick;
    struct event *fail;
    struct ask_list asks;
    struct ask_list failed;
    size_t pending;
    struct topology *topology; /* that the connections follow; NULL: none yet */
    struct redis_connection *connections[SERVERS_MAX];
    size_t n_servers; /* 0 while there is no connection that may be asked */
    struct buf command;
};

static void answer(struct ask *ask, const redisReply *reply)
{
    struct ask answered = *ask;
    ask->progress->pending--;
    free(ask);
    answered.tell(&answered, reply);
}

static void fail_all(struct progress *p)
{
    while (!TAILQ_EMPTY(&p->failed)) {
        struct ask *ask = TAILQ_FIRST(&p->failed);
        TAILQ_REMOVE(&p->failed, ask, link);
        answer(ask, NULL);
    }
}

static void on_fail(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    fail_all(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct progress *p = ctx;
    (void)fd;
    (void)what;
    struct ask *oldest = TAILQ_FIRST(&p->asks);
    if (oldest != NULL && clock_monotonic_ms() - oldest->asked_ms > ANSWER_MAX_MS)
        redis_connection_break(p->connections[oldest->server], "no answer in time");
}

/*
 * Field and value in turn. Lessons whose value is malformed are left out and logged. False when there is
 * something else than strings, which no hash holds.
 */
static bool read_lessons(struct progress *p, const redisReply *reply, struct lesson_total *lessons, size_t *n)
{
    for (size_t i = 0; i < reply->elements; i += 2) {
        struct slice value;
        if (!reply_string(reply_at(reply, i), &lessons[*n].lesson) ||
            !reply_string(reply_at(reply, i + 1), &value))
            return false;
        if (values_decode_total(value, &lessons[*n]))
            (*n)++;
        else
            log_event(
                p->log, LOG_ERROR, "total_malformed", "lesson=%s", LOG_QUOTE(reply_text(reply_at(reply, i))));
    }
    return true;
}

/* After an unexpected answer, later ones may belong to other questions. */
static void refuse_malformed(const struct ask *ask)
{
    redis_connection_break(ask->progress->connections[ask->server], "an answer is malformed");
}

static void tell_totals(const struct ask *ask, const redisReply *reply)
{
    size_t room = reply_is_array(reply) ? reply->elements / 2 + 1 : 1;
    struct lesson_total *lessons = mem_zalloc(room * sizeof(*lessons));
    size_t n = 0;
    bool ok = reply_is_array(reply) && read_lessons(ask->progress, reply, lessons, &n);
    if (reply != NULL && !ok)
        refuse_malformed(ask);
    ask->done.totals(ask->ctx, ok, lessons, ok ? n : 0);
    free(lessons);
}

/* A learner who has nothing in the bucket has no value there. */
static bool read_minutes(
    const struct ask *ask, const redisReply *reply, struct arena *arena, struct minutes *out)
{
    struct slice value;
    if (reply == NULL || reply->type == REDIS_REPLY_NIL)
        return reply != NULL;
    if (!reply_string(reply, &value)) {
        refuse_malformed(ask);
        return false;
    }
    if (values_decode_minutes(value, ask->bucket, arena, out))
        return true;
    log_event(ask->progress->log, LOG_ERROR, "minutes_malformed", "bucket=%lld", (long long)ask->bucket);
    return false;
}

static void tell_minutes(const struct ask *ask, const redisReply *reply)
{
    struct arena arena = {0};
    struct minutes minutes = {0};
    bool ok = read_minutes(ask, reply, &arena, &minutes);
    ask->done.minutes(ask->ctx, ok, minutes.items, minutes.n);
    arena_free(&arena);
}

static void on_reply(void *ctx, const redisReply *reply)
{
    struct ask *ask = ctx;
    struct progress *p = ask->progress;
    TAILQ_REMOVE(&p->asks, ask, link);
    if (reply == NULL || reply_is_error(reply)) {
        if (reply != NULL)
            log_event(p->log, LOG_WARN, "progress_refused", "error=%s", LOG_QUOTE(reply->str));
        monitor_look(p->monitor);
        answer(ask, NULL);
        return;
    }
    atomic_store_explicit(&p->counters->last_answer_ms, clock_monotonic_ms(), memory_order_relaxed);
    answer(ask, reply);
}

struct progress *progress_new(
    struct event_base *base, struct monitor *monitor, struct log *log, struct store_counters *counters)
{
    struct progress *p = mem_zalloc(sizeof(*p));
    p->base = base;
    p->monitor = monitor;
    p->log = log;
    p->counters = counters;
    TAILQ_INIT(&p->asks);
    TAILQ_INIT(&p->failed);
    p->fail = event_new(base, -1, 0, on_fail, p);
    p->tick = event_new(base, -1, EV_PERSIST, on_tick, p);
    struct timeval period = {0, TICK_MS * 1000};
    event_add(p->tick, &period);
    return p;
}

static void disconnect(struct progress *p)
{
    /* answering may bring further questions: they find no connection any more */
    size_t n = p->n_servers;
    p->n_servers = 0;
    for (size_t i = 0; i < n; i++)
        redis_connection_free(p->connections[i]);
}

void progress_follow(struct progress *p, struct topology *t, enum topology_change change)
{
    if (change >= TOPOLOGY_ADDRESSES) {
        disconnect(p);
        for (size_t i = 0; i < t->n_servers; i++) {
            struct redis_connection_settings settings = {
                p->base, p->monitor, p->log, &t->servers[i], t->version, NULL, NULL};
            p->connections[i] = redis_connection_new(&settings);
        }
        p->n_servers = t->n_servers;
    }
    assert(p->n_servers == t->n_servers);
    topology_unref(p->topology);
    p->topology = topology_ref(t);
    for (size_t i = 0; i < t->n_servers; i++)
        redis_connection_set_usable(p->connections[i], t->servers[i].usable, t->version);
}

/* Asks QUESTION with p->command. */
static void ask_server(struct progress *p, int partition, const struct ask *question)
{
    struct ask *ask = mem_zalloc(sizeof(*ask));
    *ask = *question;
    ask->progress = p;
    ask->asked_ms = clock_monotonic_ms();
    ask->server = p->topology == NULL ? 0 : topology_server_of_partition(p->topology, partition);
    p->pending++;
    bool sent = p->n_servers > 0 && p->pending <= PENDING_MAX &&
                redis_connection_send(p->connections[ask->server], &p->command, on_reply, ask);
    if (sent) {
        TAILQ_INSERT_TAIL(&p->asks, ask, link);
    } else {
        TAILQ_INSERT_TAIL(&p->failed, ask, link);
        event_active(p->fail, EV_TIMEOUT, 0);
    }
}

void progress_ask_totals(
    struct progress *p, const struct progress_subject *subject, store_progress_done *done, void *ctx)
{
    buf_clear(&p->command);
    resp_begin(&p->command, 2);
    resp_arg(&p->command, SLICE_LITERAL("HGETALL"));
    resp_key_totals(&p->command, subject->prefix, subject->portal, subject->learner);
    ask_server(p, subject->partition, &(struct ask){.tell = tell_totals, .done.totals = done, .ctx = ctx});
}

void progress_ask_minutes(struct progress *p, const struct progress_subject *subject, int64_t bucket,
    store_minutes_done *done, void *ctx)
{
    buf_clear(&p->command);
    resp_begin(&p->command, 3);
    resp_arg(&p->command, SLICE_LITERAL("HGET"));
    resp_key_number(&p->command, subject->prefix, "w", bucket);
    resp_learner(&p->command, subject->portal, subject->learner);
    ask_server(p, subject->partition,
        &(struct ask){.bucket = bucket, .tell = tell_minutes, .done.minutes = done, .ctx = ctx});
}

size_t progress_pending(const struct progress *p)
{
    return p->pending;
}

void progress_free(struct progress *p)
{
    disconnect(p);
    fail_all(p);
    topology_unref(p->topology);
    event_free(p->fail);
    event_free(p->tick);
    buf_free(&p->command);
    free(p);
}
