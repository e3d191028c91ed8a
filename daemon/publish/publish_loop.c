/* The publish loop. */
#include "publish/publish_loop.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "publish/counters.h"
#include "publish/destination.h"
#include "publish/epochs.h"
#include "publish/learner_minutes.h"
#include "publish/lease.h"
#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "publish/record.h"
#include "publish/republish.h"
#include "publish/round.h"
#include "publish/told.h"

enum {
    RECORDS_MAX = 30000, /* in a transaction */
    SMALLER_BY = 4,      /* a transaction after one that failed is so many times smaller */
    SUMS_MAX = 64,       /* lesson minutes in a transaction: each is read from every partition */
    YIELD_SHARE = 4,     /* a round is followed by a rest of a quarter of the time that Redis worked for it */
    LOOK_EVERY_MS = 1000,
    RETIRE_EVERY_MS = 5000,
    REPUBLISH_LOOK_EVERY_MS = 5000,     /* whether somebody asks for it */
    UNSETTLED_RETIRE_EVERY_MS = 300000, /* until the clock is settled, one bucket at a time */
    REFUSED_EVERY_MS = 15000,           /* the others' records of learners of whom Kafka refuses one */
    WATERMARK_EVERY_MS = 60000          /* even if nothing moves, so that readers see that all is well */
};

struct publish_loop {
    struct publish_loop_parts with;
    struct epochs epochs;
    struct learner_rest rest; /* of the last round */
    struct republish *republish;
    bool republishing;
    struct arena arena;
    struct record_writer writer;
    size_t records_most; /* in a transaction, as long as all goes well */
    size_t records_max;  /* now */
    int64_t round_us;    /* how long the last round took */
    int64_t redis_us;    /* and of that, with Redis at work for it */
    /* steady ms */
    int64_t paced_until_ms;
    int64_t running_due_ms; /* when minutes that still run are published next */
    int64_t retire_due_ms;
    int64_t republish_due_ms;
    int64_t refused_due_ms;
    int64_t raised_ms; /* when floors were last raised by a clock that is not settled; at first the start */
    int64_t watermark_sent_ms;
    struct watermark watermark;   /* as it was sent last */
    bool held_by[PARTITIONS_MAX]; /* as it was sent last */
    int64_t final_through;        /* Unix seconds, as Redis says */
};

struct publish_loop *publish_loop_new(const struct publish_loop_parts *parts)
{
    struct publish_loop *l = mem_zalloc(sizeof(*l));
    int64_t rate = parts->config->publish.max_rate;
    l->with = *parts;
    l->epochs = (struct epochs){
        parts->config, parts->outbox, parts->lease, parts->counters, parts->log, .kafka_lost = false};
    l->writer.format = parts->config->kafka.format;
    l->writer.program = parts->program;
    l->writer.deployment = parts->config->kafka.deployment;
    l->records_most = rate > 0 && rate < RECORDS_MAX ? (size_t)rate : RECORDS_MAX;
    l->records_max = l->records_most;
    l->raised_ms = clock_steady_ms(parts->clock);
    l->republish = republish_new(parts->clock, parts->log);
    return l;
}

void publish_loop_free(struct publish_loop *l)
{
    republish_free(l->republish);
    record_writer_free(&l->writer);
    arena_free(&l->arena);
    free(l);
}

static int64_t now_ms(const struct publish_loop *l)
{
    return clock_steady_ms(l->with.clock);
}

void publish_loop_begin(struct publish_loop *l, const struct told *told)
{
    epochs_begin(&l->epochs, told);
    l->watermark = told->watermark;
}

void publish_loop_end(struct publish_loop *l)
{
    epochs_end(&l->epochs);
}

void publish_loop_describe(const struct publish_loop *l, char text[static 128])
{
    text[0] = '\0';
    if (l->epochs.waiting > 0)
        snprintf(text, 128, "%d partitions of Redis lost what they held, see minuted --rebuild",
            l->epochs.waiting);
    else if (l->epochs.kafka_lost)
        snprintf(text, 128, "Kafka lost what was published, see minuted --republish");
    else if (atomic_load(&l->with.counters->refused_records) > 0)
        snprintf(text, 128, "Kafka refuses %lld records, see event=record_refused",
            (long long)atomic_load(&l->with.counters->refused_records));
}

/* ---- committing ---- */

/* Adds to the open transaction the state of each partition that was taken from since the last commit. */
static enum producer_status send_epochs(struct publish_loop *l)
{
    struct outbox *o = l->with.outbox;
    enum producer_status status = PRODUCER_DONE;
    for (int p = 0; p < outbox_partitions(o) && status == PRODUCER_DONE; p++)
        if (o->epochs[p].untold) {
            struct record record =
                record_epoch(&l->writer, p, o->epochs[p].id, o->epochs[p].taken, clock_now_ms(l->with.clock));
            status = producer_send(l->with.producer, &record);
        }
    return status;
}

/* Confirms the lease, then commits what was SENT. DONE: all of it is in Kafka, also when it is nothing. */
static enum round_status commit(struct publish_loop *l, enum producer_status sent)
{
    struct publish_counters *counters = l->with.counters;
    int64_t rate = l->with.config->publish.max_rate;
    if (sent == PRODUCER_DONE && producer_pending(l->with.producer) == 0)
        return ROUND_DONE;
    if (sent == PRODUCER_DONE)
        sent = send_epochs(l);
    size_t records = producer_pending(l->with.producer);
    if (sent == PRODUCER_DONE && !lease_confirm(l->with.lease))
        return ROUND_LEASE_LOST;
    if (sent == PRODUCER_DONE)
        sent = producer_commit(l->with.producer);
    if (sent != PRODUCER_DONE)
        return sent == PRODUCER_FENCED ? ROUND_FENCED : ROUND_FAILED;
    assert(producer_pending(l->with.producer) == 0);
    outbox_note_told(l->with.outbox);
    atomic_fetch_add(&counters->records, records);
    atomic_fetch_add(&counters->transactions, 1);
    atomic_store(&counters->last_commit_ms, clock_now_ms(l->with.clock));
    if (rate > 0) {
        int64_t from_ms = l->paced_until_ms > now_ms(l) ? l->paced_until_ms : now_ms(l);
        l->paced_until_ms = from_ms + (int64_t)records * 1000 / rate;
    }
    return ROUND_DONE;
}

/* ---- lesson minutes ---- */

static struct outbox_list list_grown(struct round *r)
{
    int partitions = outbox_partitions(r->outbox);
    struct outbox_minutes *found = arena_alloc(r->arena, (size_t)partitions * sizeof(*found));
    for (int p = 0; p < partitions; p++)
        if (!outbox_grown(r->outbox, p, r->arena, &found[p])) {
            round_miss(r, p);
            found[p].n = 0;
        }
    return outbox_list_join(r->arena, found, partitions);
}

/* Sends the SUMS of a minute. What Kafka refuses leaves them, so that it is not settled, and holds the minute
 * back. */
static enum producer_status send_sums(struct round *r, struct outbox_sums *sums)
{
    size_t n = 0;
    for (size_t k = 0; k < sums->n; k++) {
        struct record record = record_lesson_minute(r->writer, sums->minute, &sums->sums[k]);
        enum producer_status status = producer_send(r->producer, &record);
        if (status == PRODUCER_DONE)
            sums->sums[n++] = sums->sums[k];
        else if (status != PRODUCER_REFUSED)
            return status;
    }
    if (n < sums->n)
        round_hold_back(r, sums->minute);
    for (int p = 0; n < sums->n && p < outbox_partitions(r->outbox); p++)
        r->held_by[p] = r->held_by[p] || sums->parts[p].n > 0;
    sums->n = n;
    return PRODUCER_DONE;
}

/* Whether some sum of the minute cannot be read. */
static bool hold_back_unreadable(struct round *r, const struct outbox_sums *sums)
{
    bool any = false;
    for (int p = 0; p < outbox_partitions(r->outbox); p++)
        if (sums->parts[p].unreadable) {
            any = true;
            r->held_by[p] = true;
            round_hold_back(r, sums->minute);
        }
    return any;
}

static enum round_status publish_lesson_minutes(struct publish_loop *l, struct round *r)
{
    enum producer_status sent = PRODUCER_DONE;
    struct outbox_sums sums[SUMS_MAX];
    size_t n = 0;
    struct outbox_list grown = list_grown(r);
    /* Minutes that still run come once in their interval, however many rounds the learners' minutes take. */
    bool running = r->running && !r->more;
    for (size_t i = 0; i < grown.n && sent == PRODUCER_DONE; i++) {
        int64_t minute = grown.items[i].minute;
        /* A minute that has grown in several partitions is listed for each, and published once. */
        if (!outbox_list_is_first(&grown, i) || minute >= (running ? r->publish_before : r->due_before))
            continue;
        if (n == SUMS_MAX || producer_pending(r->producer) >= r->records_max) {
            round_leave(r, minute);
            continue;
        }
        if (!outbox_sums(r->outbox, minute, r->arena, &sums[n])) {
            r->complete = false;
            continue;
        }
        /* What cannot be read stays the same until an operator mends it, and takes no room from the others.
         */
        if (hold_back_unreadable(r, &sums[n]) && sums[n].n == 0)
            continue;
        sent = send_sums(r, &sums[n]);
        n += sums[n].n > 0;
    }
    enum round_status status = commit(l, sent);
    for (size_t i = 0; status == ROUND_DONE && i < n; i++)
        if (!outbox_settle_sums(l->with.outbox, &sums[i]))
            r->complete = false; /* It is published once more. */
    return status;
}

/* ---- the watermark ---- */

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/*
 * Up to where this round has published all that was accepted before its first look; 0 when it does not know.
 * What the round has left counts, not what has grown since: while late runs come in, something always has.
 */
static struct watermark watermark_after(const struct publish_loop *l, const struct round *r)
{
    struct watermark w = {0};
    if (r->complete)
        w.published_through = lesser(r->due_before, r->oldest_left) * MINUTE_SECONDS;
    /* Never beyond what is published: a retired bucket's sums may still be on their way. */
    w.final_through = lesser(l->final_through, w.published_through);
    /* A Redis that came back empty knows of no watermark and of no floor. */
    w.published_through = greater(w.published_through, l->watermark.published_through);
    w.final_through = greater(w.final_through, l->watermark.final_through);
    return w;
}

/* Compares every partition with what Kafka was told. False when the round ends here, with *STATUS. */
static bool compare(struct publish_loop *l, enum round_status *status)
{
    bool kafka_was_lost = l->epochs.kafka_lost;
    enum epochs_look look = epochs_compare(&l->epochs);
    *status = look == EPOCHS_LEASE_LOST ? ROUND_LEASE_LOST : ROUND_DONE;
    if (look != EPOCHS_DONE)
        return false;
    if (l->epochs.kafka_lost && !kafka_was_lost)
        republish_leave(l->republish); /* What a walk has published so far may be lost, too. */
    return true;
}

/*
 * A watermark says that all before it was published. So a partition that has lost what it held, and with it
 * what it still owed, holds the watermark, and a Kafka that has lost what it had holds it for all of them.
 */
static void hold_back_lost(const struct publish_loop *l, struct round *r)
{
    r->complete = r->complete && l->epochs.compared;
    for (int p = 0; p < outbox_partitions(l->with.outbox); p++)
        if (l->epochs.kafka_lost || !epochs_whole(&l->epochs, p))
            round_miss(r, p);
}

static enum round_status publish_watermark(struct publish_loop *l, struct round *r)
{
    struct watermark w = watermark_after(l, r);
    bool is_news = l->watermark_sent_ms == 0 || w.published_through > l->watermark.published_through ||
                   w.final_through > l->watermark.final_through ||
                   memcmp(l->held_by, r->held_by, sizeof(l->held_by)) != 0 ||
                   now_ms(l) - l->watermark_sent_ms >= WATERMARK_EVERY_MS;
    if (!is_news)
        return ROUND_DONE;
    enum round_status status;
    if (!compare(l, &status))
        return status;
    hold_back_lost(l, r);
    w = watermark_after(l, r);
    /* Raised in Redis first: a record that another daemon has written is never followed by a lower one. What
     * Redis knows of a Kafka that was lost holds again when everything is published anew. */
    if (!l->epochs.kafka_lost && !publish_raise_watermark(l->with.outbox, &w))
        return ROUND_DONE;
    if (w.published_through == 0)
        return ROUND_DONE; /* Nothing is known yet, here or elsewhere. */
    struct record record = record_watermark(&l->writer, &w, r->held_by, outbox_partitions(l->with.outbox));
    status = commit(l, producer_send(l->with.producer, &record));
    if (status == ROUND_DONE) {
        assert(w.published_through >= l->watermark.published_through);
        l->watermark = w;
        l->epochs.told = w;
        memcpy(l->held_by, r->held_by, sizeof(l->held_by));
        l->watermark_sent_ms = now_ms(l);
        atomic_store(&l->with.counters->published_through, w.published_through);
        atomic_store(&l->with.counters->final_through, w.final_through);
    }
    return status;
}

/* ---- what an operator wants published anew ---- */

/*
 * Who asks for everything to be published anew may just have moved the deployment to another Kafka: that
 * comes first, and the request after it. So a request that was seen is done only by a daemon that finds,
 * after having seen it, that the Kafka is its own.
 */
static enum destination_look confirm_destination(const struct publish_loop *l)
{
    char why[DESTINATION_WHY_MAX];
    struct destination ours = destination_of(l->with.config, producer_cluster(l->with.producer));
    return destination_compare(l->with.outbox, &ours, false, why);
}

static enum round_status republish(struct publish_loop *l, struct round *r)
{
    if (!l->republishing && now_ms(l) < l->republish_due_ms)
        return ROUND_DONE;
    if (!epochs_all_whole(&l->epochs))
        return ROUND_DONE; /* What a partition has left is not what is to be published. */
    l->republish_due_ms = now_ms(l) + REPUBLISH_LOOK_EVERY_MS;
    enum republish_look look = republish_look(l->republish, l->with.outbox);
    l->republishing = look != REPUBLISH_NOTHING;
    if (!l->republishing)
        return ROUND_DONE;
    if (look == REPUBLISH_BEGINS) {
        enum destination_look found = confirm_destination(l);
        if (found != DESTINATION_OURS) {
            republish_leave(l->republish);
            l->republishing = false;
            return found == DESTINATION_ANOTHER ? ROUND_ELSEWHERE : ROUND_DONE;
        }
        log_event(
            l->with.log, LOG_INFO, "republish_began", "topics=%s.*", l->with.config->kafka.topic_prefix);
    }
    enum round_status status = commit(l, republish_send(l->republish, r));
    if (status == ROUND_DONE)
        r->republishing = republish_note(l->republish, l->with.outbox);
    return status;
}

/* ---- the round ---- */

static enum round_status publish(struct publish_loop *l, struct round *r, bool last)
{
    int64_t began_us = clock_monotonic_us();
    int64_t waited_us = outbox_waited_us(l->with.outbox);
    struct learner_minutes m = {.round = r, .rest = &l->rest};
    enum round_status status = commit(l, learner_minutes_send(&m));
    if (status == ROUND_DONE)
        learner_minutes_settle(&m);
    l->rest = status == ROUND_DONE ? m.left : (struct learner_rest){.n = 0};
    /* A lesson's sum is that of all partitions: without a part of it, a lower one would follow a greater one.
     */
    if (status == ROUND_DONE && epochs_all_whole(&l->epochs))
        status = publish_lesson_minutes(l, r);
    if (status == ROUND_DONE)
        status = publish_watermark(l, r);
    if (status == ROUND_DONE && !last)
        status = republish(l, r);
    l->round_us = clock_monotonic_us() - began_us;
    l->redis_us = outbox_waited_us(l->with.outbox) - waited_us;
    return status;
}

enum round_status publish_loop_round(struct publish_loop *l, bool last)
{
    const struct config *config = l->with.config;
    int64_t now_s = clock_now_ms(l->with.clock) / 1000;
    struct round r = {
        .outbox = l->with.outbox,
        .producer = l->with.producer,
        .counters = l->with.counters,
        .writer = &l->writer,
        .arena = &l->arena,
        .records_max = l->records_max,
        .due_before = (now_s - config->publish.grace_ms / 1000) / MINUTE_SECONDS,
        .running = config->publish.running_minutes_ms > 0 && (last || now_ms(l) >= l->running_due_ms),
        .refused_too = last || now_ms(l) >= l->refused_due_ms,
        .complete = true,
        .oldest_left = INT64_MAX,
    };
    r.publish_before = r.running ? now_s / MINUTE_SECONDS + 1 : r.due_before;
    /* What is published, settled or called final by a clock that is wrong cannot be taken back. */
    if (clock_belief(l->with.clock) == CLOCK_DOUBTED) {
        l->running_due_ms = now_ms(l) + LOOK_EVERY_MS;
        return ROUND_DONE;
    }
    if (!last && now_ms(l) < l->paced_until_ms) {
        r.complete = false; /* It has not looked at all. */
        memcpy(r.held_by, l->held_by, sizeof(r.held_by));
        return publish_watermark(l, &r);
    }
    enum round_status status;
    if (compare(l, &status)) {
        hold_back_lost(l, &r);
        status = publish(l, &r, last);
    }
    /* What Kafka does not take in time, for a quota or a slow line, it may take in smaller transactions. */
    size_t sent = producer_pending(l->with.producer);
    if (status == ROUND_DONE)
        l->records_max = l->records_max > l->records_most / 2 ? l->records_most : 2 * l->records_max;
    else if (status == ROUND_FAILED && sent > 0 && sent / SMALLER_BY < l->records_max)
        l->records_max = sent > SMALLER_BY ? sent / SMALLER_BY : 1;
    if (r.refused_too)
        l->refused_due_ms = now_ms(l) + REFUSED_EVERY_MS;
    atomic_store(&l->with.counters->refused_records, (int64_t)producer_refused(l->with.producer));
    assert(l->records_max > 0 && l->records_max <= l->records_most);
    arena_reset(&l->arena);
    if (status != ROUND_DONE)
        return status;
    /* If a server is away, each round may leave the same again, so the next one need not follow at once. */
    if ((r.more && r.complete) || r.republishing)
        return ROUND_MORE;
    if (r.running)
        l->running_due_ms = now_ms(l) + config->publish.running_minutes_ms;
    return ROUND_DONE;
}

int64_t publish_loop_wait_ms(const struct publish_loop *l)
{
    bool running = l->with.config->publish.running_minutes_ms > 0;
    int64_t next_ms = running ? l->running_due_ms : now_ms(l) + LOOK_EVERY_MS;
    int64_t wait_ms = greater(next_ms, l->paced_until_ms) - now_ms(l);
    return wait_ms < 0 ? 0 : lesser(wait_ms, LOOK_EVERY_MS);
}

int64_t publish_loop_yield_ms(const struct publish_loop *l)
{
    int64_t rested_us = l->round_us - l->redis_us;
    int64_t yield_us = l->redis_us / YIELD_SHARE - rested_us;
    return yield_us > 0 ? yield_us / 1000 : 0;
}

/*
 * A floor that was raised by a wrong clock refuses what honest players send, until somebody lowers it. So a
 * clock in doubt raises none, and one that is not settled yet raises them by a bucket in five minutes at
 * most.
 */
static struct retire_terms current_terms(struct publish_loop *l)
{
    struct retire_terms terms = {.now_ms = clock_now_ms(l->with.clock), .settled = true, .max = RETIRE_MAX};
    if (clock_belief(l->with.clock) == CLOCK_SETTLED)
        return terms;
    terms.settled = false;
    terms.max = 0;
    if (now_ms(l) - l->raised_ms >= UNSETTLED_RETIRE_EVERY_MS) {
        terms.max = 1;
        l->raised_ms = now_ms(l);
    }
    return terms;
}

void publish_loop_retire(struct publish_loop *l)
{
    int64_t floor;
    if (now_ms(l) < l->retire_due_ms || clock_belief(l->with.clock) == CLOCK_DOUBTED)
        return;
    if (!l->epochs.begun)
        return; /* Kafka was not reached yet. What it was not asked for is not what it has lost. */
    enum round_status status;
    if (!l->epochs.compared && !compare(l, &status))
        return;
    if (!l->epochs.compared || l->epochs.kafka_lost || !epochs_all_whole(&l->epochs))
        return;
    struct retire_terms terms = current_terms(l);
    if (outbox_retire(l->with.outbox, &terms, &floor))
        l->final_through = floor * MINUTE_SECONDS;
    atomic_store(&l->with.counters->wrong_floors, outbox_wrong_floors(l->with.outbox));
    atomic_store(&l->with.counters->early_minutes, (uint64_t)outbox_early_minutes(l->with.outbox));
    l->retire_due_ms = now_ms(l) + RETIRE_EVERY_MS;
}
