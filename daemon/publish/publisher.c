/*
 * The publisher's thread.
 *
 *     standing by --lease--> connecting --fenced the others--> publishing --lease lost--> standing by
 *          ^                    ^  any failure: wait, 1 to 10 s    |
 *          '--- give up the lease: fenced, another Kafka, or to whoever could publish more ---'
 *
 * How much a daemon could publish is the number of partitions whose servers it may use, and 0 if it does not
 * reach Kafka. A daemon that stands by looks for Kafka only while the holder asks who could publish more.
 */
#include "publish/publisher.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "config/config.h"
#include "publish/destination.h"
#include "publish/lease.h"
#include "publish/outbox.h"
#include "publish/producer.h"
#include "publish/publish_loop.h"
#include "publish/told.h"
#include "publish/topic_partitions.h"

enum {
    STEP_MAX_MS = 1000, /* the longest that a blocking call goes without a turn of renew() */
    STANDBY_MS = 1000,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 10000,
    ASK_AFTER_MS = 5000,    /* without all of Redis and Kafka it is asked who could publish more */
    GIVE_AFTER_MS = 10000,  /* and that daemon gets the lease */
    FAILING_MAX_MS = 30000, /* two long calls; then any daemon that reaches Kafka gets its chance */
    LOOK_MAX_MS = 2000,     /* the longest that one who stands by looks for Kafka, */
    LOOKED_MS = 3000,       /* and how long what it has found counts, */
    LOOKED_AWAY_MS = 10000, /* also if it has not found it */
    DESTINATION_EVERY_MS = 5000,
    COUNT_EVERY_MS = 15000, /* the partitions of topics */
    ANOTHER_MS = 10000,     /* until it is looked again whether Kafka is still another */
    RELEASE_MS = 500        /* of the deadline, kept for giving up the lease */
};

struct publisher {
    const struct config *config;
    const struct clock *clock;
    struct log *log;
    char *program;
    char *holder;
    const char *brokers;
    struct outbox *outbox;
    struct producer *producer;
    struct publish_loop *loop;
    struct lease lease;
    struct publish_counters counters;
    bool connecting;
    struct told told;
    int64_t taken_ms;      /* steady; when the lease was */
    int64_t whole_ms;      /* steady; the same, or later when every server could be used */
    bool failing;          /* for so long that another daemon is to try, although this one reaches Kafka */
    bool reaches;          /* as one who stands by: Kafka, at the last look */
    int64_t looked_ms;     /* steady; until then that counts */
    int64_t look_until_ms; /* steady; 0: no such look is under way */
    char another[DESTINATION_WHY_MAX]; /* why Kafka is not the deployment's; "": it is, or is not known */
    int64_t backoff_ms;
    int64_t connect_from_ms;    /* steady; no producer is made before */
    int64_t count_due_ms;       /* steady; when the partitions of topics are counted again */
    int used[RECORD_KINDS];     /* of these, the deployment publishes to so many */
    int reported[RECORD_KINDS]; /* and so many were told to be there */
    int64_t look_due_ms;        /* steady; when the deployment's Kafka is compared again */
    int64_t lease_from_ms;      /* steady; the lease is left to others until then */
    int64_t good_ms;            /* steady; the lease was taken, or a round went well */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic int64_t deadline_ms; /* steady; INT64_MAX: go on. Written under the lock */
    char state[256];             /* under the lock */
};

static bool stopping(struct publisher *p)
{
    return atomic_load(&p->deadline_ms) != INT64_MAX;
}

static void set_state(struct publisher *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void set_state(struct publisher *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&p->lock);
    vsnprintf(p->state, sizeof(p->state), format, args);
    pthread_mutex_unlock(&p->lock);
    va_end(args);
}

static int64_t now_ms(const struct publisher *p)
{
    return clock_steady_ms(p->clock);
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* How much this daemon could publish, and whether as the holder it wishes for one that could publish more. */
static void weigh(struct publisher *p)
{
    struct lease *l = &p->lease;
    int usable = outbox_usable(p->outbox);
    if (!l->held) {
        l->could = p->reaches ? usable : 0;
        return;
    }
    if (usable == outbox_partitions(p->outbox))
        p->whole_ms = now_ms(p);
    int64_t unanswered_ms = lesser(producer_unanswered_ms(p->producer), now_ms(p) - p->taken_ms);
    int64_t lacks_ms = greater(unanswered_ms, now_ms(p) - p->whole_ms);
    l->could = p->failing || unanswered_ms >= ASK_AFTER_MS ? 0 : usable;
    l->wish = p->failing || lacks_ms >= GIVE_AFTER_MS ? LEASE_GIVE
              : lacks_ms >= ASK_AFTER_MS              ? LEASE_ASK
                                                      : LEASE_KEEP;
}

/* Renews the lease where that is due, unless it is left to others; returns whether it is ours. */
static bool keep_lease(struct publisher *p)
{
    weigh(p);
    bool held = now_ms(p) >= p->lease_from_ms && lease_keep(&p->lease);
    if (held && atomic_exchange(&p->counters.holds_lease, 1) == 0) {
        p->good_ms = p->taken_ms = p->whole_ms = now_ms(p);
        p->failing = false;
        p->lease.wish = LEASE_KEEP;
        log_event(p->log, LOG_INFO, "lease_taken", "holder=%s", p->holder);
    }
    return held;
}

/* The turn that the producer gives: a call goes on as long as the lease is ours and the deadline is ahead. */
static int renew(void *ctx)
{
    struct publisher *p = ctx;
    if (p->look_until_ms != 0)
        return stopping(p) || now_ms(p) >= p->look_until_ms ? 0 : STEP_MAX_MS;
    int64_t left_ms = atomic_load(&p->deadline_ms) - now_ms(p) - RELEASE_MS;
    if ((p->connecting && stopping(p)) || left_ms <= 0 || !keep_lease(p))
        return 0;
    return left_ms < STEP_MAX_MS ? (int)left_ms : STEP_MAX_MS;
}

/* ---- leaving ---- */

static void close_producer(struct publisher *p)
{
    outbox_forget_untold(p->outbox);
    if (producer_pending(p->producer) > 0)
        atomic_fetch_add(&p->counters.aborts, 1);
    if (!producer_disconnect(p->producer))
        return;
    atomic_fetch_add(&p->counters.fenced, 1);
    log_event(p->log, LOG_WARN, "publisher_fenced", "error=%s", LOG_QUOTE(producer_error(p->producer)));
}

static void give_up_lease(struct publisher *p)
{
    lease_release(&p->lease);
    publish_loop_end(p->loop);
    atomic_store(&p->counters.grown_topics, 0);
    atomic_store(&p->counters.refused_records, 0);
    if (atomic_exchange(&p->counters.holds_lease, 0) == 1)
        log_event(p->log, LOG_INFO, "lease_given_up", "holder=%s", p->holder);
}

static void leave_lease_to_others(struct publisher *p, int64_t ms)
{
    p->lease_from_ms = now_ms(p) + ms;
    give_up_lease(p);
}

static void lose_lease(struct publisher *p)
{
    close_producer(p);
    publish_loop_end(p->loop);
    atomic_store(&p->counters.grown_topics, 0);
    atomic_store(&p->counters.refused_records, 0);
    p->lease.wish = LEASE_KEEP;
    if (atomic_exchange(&p->counters.holds_lease, 0) == 1)
        log_event(p->log, LOG_WARN, p->lease.given ? "lease_given_away" : "lease_lost",
            "owner=%s partitions=%d", LOG_QUOTE(p->lease.owner), p->lease.could);
    if (now_ms(p) < p->lease_from_ms)
        return; /* the state says why */
    if (p->another[0] != '\0')
        set_state(p, "standing by: %s", p->another);
    else if (p->lease.owner[0] != '\0')
        set_state(p, "standing by: %.128s publishes", p->lease.owner);
    else
        set_state(p, "standing by: the lease could not be asked for");
}

/* ---- publishing ---- */

/*
 * A daemon that has lost the lease or was fenced stands by. Any other failure is tried again later, and each
 * time after a longer wait.
 */
static void judge_failure(struct publisher *p, bool fenced, const char *error)
{
    if (!fenced && !p->lease.held) {
        lose_lease(p);
        return;
    }
    close_producer(p);
    if (fenced) {
        leave_lease_to_others(p, LEASE_TTL_MS);
        set_state(p, "standing by: another daemon has taken over");
        return;
    }
    int64_t pause_ms = BACKOFF_FIRST_MS;
    if (producer_closes_in(p->producer)) {
        p->good_ms = now_ms(p); /* Another daemon would have to find anew what Kafka refuses. */
    } else {
        pause_ms = p->backoff_ms;
        p->backoff_ms = lesser(2 * pause_ms, BACKOFF_MAX_MS);
    }
    assert(pause_ms >= BACKOFF_FIRST_MS && pause_ms <= BACKOFF_MAX_MS);
    p->connect_from_ms = now_ms(p) + pause_ms;
    p->failing = now_ms(p) - p->good_ms >= FAILING_MAX_MS;
    log_event(
        p->log, LOG_WARN, "publish_failed", "error=%s again_ms=%lld", LOG_QUOTE(error), (long long)pause_ms);
    set_state(p, "cannot publish: %.200s", error);
}

/* ---- where to ---- */

static enum destination_look compare_destination(
    struct publisher *p, bool claim, char why[static DESTINATION_WHY_MAX])
{
    struct destination ours = destination_of(p->config, producer_cluster(p->producer));
    return destination_compare(p->outbox, &ours, claim, why);
}

/* Another daemon may have the right Kafka. */
static void stand_back(struct publisher *p, const char *why)
{
    close_producer(p);
    if (strcmp(p->another, why) != 0) {
        snprintf(p->another, sizeof(p->another), "%s", why);
        log_event(p->log, LOG_ERROR, "kafka_is_another", "error=%s", LOG_QUOTE(why));
    }
    atomic_store(&p->counters.kafka_is_another, 1);
    leave_lease_to_others(p, ANOTHER_MS);
    set_state(p, "standing by: %s", why);
}

/* An operator may have moved the deployment to a new Kafka since this daemon has connected to the old one. */
static void look_at_destination(struct publisher *p)
{
    char why[DESTINATION_WHY_MAX];
    if (now_ms(p) < p->look_due_ms)
        return;
    p->look_due_ms = now_ms(p) + DESTINATION_EVERY_MS;
    if (compare_destination(p, false, why) == DESTINATION_ANOTHER)
        stand_back(p, why);
}

/* ---- to how many partitions ---- */

/* Tells topics that have more partitions than are published to, each number once. */
static void tell_grown(struct publisher *p)
{
    const int *has = producer_partitions(p->producer);
    int grown = 0;
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        char topic[RECORD_TOPIC_MAX];
        if (has[kind] <= p->used[kind])
            continue;
        grown++;
        if (p->reported[kind] == has[kind])
            continue;
        p->reported[kind] = has[kind];
        record_topic((enum record_kind)kind, p->config->kafka.topic_prefix, topic);
        log_event(p->log, LOG_ERROR, "topic_grown", "topic=%s partitions=%d published_to=%d hint=%s", topic,
            has[kind], p->used[kind],
            LOG_QUOTE("each key keeps to its partition; to use the new ones, see --to-new-kafka"));
    }
    atomic_store(&p->counters.grown_topics, grown);
}

/* An embedded Kafka is another at each start. */
static bool keep_partitions(struct publisher *p)
{
    const int *has = producer_partitions(p->producer);
    memcpy(p->used, has, sizeof(p->used));
    if (!destination_embedded(p->config) &&
        !topic_partitions_keep(p->outbox, p->config->kafka.topic_prefix, has, p->used, p->log))
        return false;
    producer_use_partitions(p->producer, p->used);
    p->count_due_ms = now_ms(p) + COUNT_EVERY_MS;
    tell_grown(p);
    return true;
}

static void look_at_partitions(struct publisher *p)
{
    if (now_ms(p) < p->count_due_ms)
        return;
    p->count_due_ms = now_ms(p) + COUNT_EVERY_MS;
    producer_count_partitions(p->producer);
    tell_grown(p);
}

/* ---- rounds ---- */

static void note_good(struct publisher *p)
{
    p->backoff_ms = BACKOFF_FIRST_MS;
    p->good_ms = now_ms(p);
    p->failing = false;
}

static void tell_state(struct publisher *p)
{
    char waits[128];
    publish_loop_describe(p->loop, waits);
    int64_t grown = atomic_load(&p->counters.grown_topics);
    if (waits[0] == '\0' && grown > 0)
        snprintf(
            waits, sizeof(waits), "%lld topics have more partitions than are published to", (long long)grown);
    set_state(p, "publishing%s%s", waits[0] == '\0' ? "" : "; ", waits);
}

/* Runs a round; returns how long to wait before the next one. */
static int64_t publish(struct publisher *p, bool last)
{
    producer_poll(p->producer);
    enum round_status status = publish_loop_round(p->loop, last);
    if (!last && (status == ROUND_MORE || status == ROUND_DONE) && producer_is_through(p->producer))
        close_producer(p); /* The next one makes batches again. */
    switch (status) {
    case ROUND_MORE:
        note_good(p);
        return last ? 0 : publish_loop_yield_ms(p->loop);
    case ROUND_DONE:
        note_good(p);
        tell_state(p);
        return publish_loop_wait_ms(p->loop);
    case ROUND_LEASE_LOST:
        lose_lease(p);
        break;
    case ROUND_ELSEWHERE:
        p->look_due_ms = 0;
        look_at_destination(p);
        break;
    case ROUND_FAILED:
    case ROUND_FENCED:
        judge_failure(p, status == ROUND_FENCED, producer_error(p->producer));
        break;
    }
    return STANDBY_MS;
}

/* ---- connecting ---- */

/*
 * Connects, and returns whether that is done. Nothing is written to a Kafka and nobody is fenced there before
 * it is known to be the deployment's; and it becomes the deployment's only when all is ready to publish: a
 * first daemon that was led to a wrong one without topics has not decided anything.
 */
static bool connect_producer(struct publisher *p)
{
    char why[DESTINATION_WHY_MAX];
    char untold[KAFKA_TROUBLE_MAX];
    enum destination_look look = DESTINATION_OURS;
    p->connecting = true;
    enum producer_status status = producer_reach(p->producer);
    if (status == PRODUCER_DONE)
        look = compare_destination(p, false, why);
    if (status == PRODUCER_DONE && look == DESTINATION_OURS)
        status = producer_connect(p->producer);
    if (status == PRODUCER_DONE && look == DESTINATION_OURS)
        look = compare_destination(p, true, why);
    bool ready = status == PRODUCER_DONE && look == DESTINATION_OURS;
    bool kept = ready && keep_partitions(p);
    bool read = kept && told_read(p->config, p->program, p->brokers, (struct producer_caller){renew, p},
                            p->log, &p->told, untold);
    p->connecting = false;
    if (look == DESTINATION_ANOTHER)
        stand_back(p, why);
    else if (look == DESTINATION_UNKNOWN && !stopping(p))
        judge_failure(p, false, "Redis does not tell to which Kafka the deployment publishes");
    else if (status != PRODUCER_DONE && !stopping(p))
        judge_failure(p, status == PRODUCER_FENCED, producer_error(p->producer));
    else if (ready && !kept && !stopping(p))
        judge_failure(p, false, "Redis does not tell to how many partitions the deployment publishes");
    else if (ready && !read && !stopping(p))
        judge_failure(p, false, untold);
    if (!read) {
        /* If it is to stop, nothing is published any more: what Kafka was told is not known. */
        if (stopping(p))
            close_producer(p);
        return false;
    }
    publish_loop_begin(p->loop, &p->told);
    p->another[0] = '\0';
    atomic_store(&p->counters.kafka_is_another, 0);
    log_event(p->log, LOG_INFO, "publishing", "holder=%s", p->holder);
    set_state(p, "publishing");
    return true;
}

/* ---- standing by ---- */

static bool reaches_kafka(struct publisher *p)
{
    char why[DESTINATION_WHY_MAX];
    p->look_until_ms = now_ms(p) + LOOK_MAX_MS;
    bool reaches = producer_look(p->producer) && compare_destination(p, false, why) == DESTINATION_OURS;
    p->look_until_ms = 0;
    close_producer(p);
    return reaches;
}

/* Looks for Kafka if the holder asks who could publish more, and this daemon could if it reaches Kafka. */
static void stand_by(struct publisher *p)
{
    if (p->lease.wanted < 0 || outbox_usable(p->outbox) <= p->lease.wanted ||
        clock_belief(p->clock) == CLOCK_DOUBTED) {
        p->reaches = false;
        p->looked_ms = 0;
    } else if (now_ms(p) >= p->looked_ms) {
        p->reaches = reaches_kafka(p);
        p->looked_ms = now_ms(p) + (p->reaches ? LOOKED_MS : LOOKED_AWAY_MS);
    }
}

/* ---- the thread ---- */

/*
 * Does what is due; returns how long to wait before the next one. While Kafka is another, old buckets stay in
 * Redis as well: it may be all that is left to publish to a new Kafka.
 */
static int64_t run_once(struct publisher *p)
{
    if (!keep_lease(p)) {
        lose_lease(p);
        stand_by(p);
        return STANDBY_MS;
    }
    if (producer_connected(p->producer))
        look_at_destination(p);
    if (producer_connected(p->producer))
        look_at_partitions(p);
    bool connected =
        producer_connected(p->producer) || (now_ms(p) >= p->connect_from_ms && connect_producer(p));
    if (p->another[0] == '\0' && p->lease.held)
        publish_loop_retire(p->loop);
    return connected ? publish(p, false) : STANDBY_MS;
}

static void *run(void *ctx)
{
    struct publisher *p = ctx;
    while (!stopping(p)) {
        struct timespec until = clock_deadline(run_once(p));
        pthread_mutex_lock(&p->lock);
        while (!stopping(p) && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
            ;
        pthread_mutex_unlock(&p->lock);
    }
    /* What is due is published once more, unless Kafka is away already. */
    int64_t wait_ms = 0;
    while (wait_ms == 0 && producer_connected(p->producer) && renew(p) > 0)
        wait_ms = publish(p, true);
    close_producer(p);
    give_up_lease(p);
    return NULL;
}

/* ---- the interface ---- */

struct publisher *publisher_start(const struct config *config, const char *program, const char *brokers,
    const char *holder, struct monitor *monitor, const struct clock *clock, struct log *log)
{
    struct publisher *p = mem_zalloc(sizeof(*p));
    /* Small pieces are joined when they are given back. Else malloc joins all of them whenever a large one is
     * asked for, and a transaction's records are hundreds of thousands of small ones. */
    mallopt(M_MXFAST, 0);
    p->config = config;
    p->clock = clock;
    p->log = log;
    p->brokers = brokers;
    p->program = mem_strdup(program);
    p->holder = mem_strdup(holder);
    p->backoff_ms = BACKOFF_FIRST_MS;
    atomic_init(&p->deadline_ms, INT64_MAX);
    pthread_mutex_init(&p->lock, NULL);
    clock_init_condition(&p->wake);
    set_state(p, "starting");
    p->outbox = outbox_new(config, monitor, clock, log);
    p->lease = (struct lease){.outbox = p->outbox, .clock = clock, .holder = p->holder};
    p->producer = producer_new(config, p->program, clock, brokers, (struct producer_caller){renew, p}, log);
    struct publish_loop_parts parts = {
        config, p->program, clock, p->outbox, p->producer, &p->lease, &p->counters, log};
    p->loop = publish_loop_new(&parts);
    if (pthread_create(&p->thread, NULL, run, p) != 0)
        abort();
    return p;
}

const struct publish_counters *publisher_counters(const struct publisher *p)
{
    return &p->counters;
}

void publisher_describe(struct publisher *p, char text[static 256])
{
    pthread_mutex_lock(&p->lock);
    snprintf(text, 256, "%s", p->state);
    pthread_mutex_unlock(&p->lock);
}

void publisher_stop(struct publisher *p, int64_t deadline_ms)
{
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->deadline_ms, now_ms(p) + deadline_ms);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    publish_loop_free(p->loop);
    producer_free(p->producer);
    outbox_free(p->outbox);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->program);
    free(p->holder);
    free(p);
}
