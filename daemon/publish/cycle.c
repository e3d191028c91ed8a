/* One round of publishing. */
#include "publish/cycle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "publish/counters.h"
#include "publish/cycle_steps.h"
#include "publish/lease.h"

enum { RECORDS_MAX = 30000, SMALLER_BY = 4, LOOK_EVERY_MS = 1000, RETIRE_EVERY_MS = 5000 };
enum { YIELD_SHARE = 4 }; /* of the time that Redis was at work it rests */

static size_t records_most(int64_t rate)
{
    return rate > 0 && rate < RECORDS_MAX ? (size_t)rate : RECORDS_MAX;
}

struct cycle *cycle_new(const struct cycle_parts *parts)
{
    struct cycle *c = mem_zalloc(sizeof(*c));
    c->with = *parts;
    c->writer.format = parts->config->kafka.format;
    c->grace_s = parts->config->publish.grace_ms / 1000;
    c->records_most = records_most(parts->config->publish.max_rate);
    c->records_max = c->records_most;
    return c;
}

void cycle_free(struct cycle *c)
{
    record_writer_free(&c->writer);
    arena_free(&c->arena);
    free(c);
}

/* ---- for the steps ---- */

bool cycle_is_due(const struct cycle *c, const struct sweep *s, int64_t minute)
{
    return (minute + 1) * MINUTE_SECONDS + c->grace_s <= s->now_s;
}

void cycle_leave(struct sweep *s, int64_t minute)
{
    s->more = true;
    if (minute < s->oldest_left)
        s->oldest_left = minute;
}

void cycle_send(struct cycle *c, struct record record, enum producer_status *status)
{
    if (*status == PRODUCER_DONE)
        *status = producer_send(c->with.producer, &record);
}

static void count_commit(struct cycle *c, size_t records)
{
    struct publish_counters *counters = c->with.counters;
    int64_t rate = c->with.config->publish.max_rate;
    int64_t now_ms = clock_monotonic_ms();
    atomic_fetch_add(&counters->records, records);
    atomic_fetch_add(&counters->transactions, 1);
    atomic_store(&counters->last_commit_ms, clock_now_ms(c->with.clock));
    if (rate > 0) {
        int64_t from_ms = c->paced_until_ms > now_ms ? c->paced_until_ms : now_ms;
        c->paced_until_ms = from_ms + (int64_t)records * 1000 / rate;
    }
}

enum cycle_status cycle_commit(struct cycle *c, enum producer_status sent)
{
    size_t records = producer_pending(c->with.producer);
    if (sent == PRODUCER_DONE && records == 0)
        return CYCLE_IDLE;
    if (sent == PRODUCER_DONE && !lease_confirm(c->with.lease))
        return CYCLE_LEASE_LOST;
    if (sent == PRODUCER_DONE)
        sent = producer_commit(c->with.producer);
    if (sent != PRODUCER_DONE)
        return sent == PRODUCER_FENCED ? CYCLE_FENCED : CYCLE_FAILED;
    count_commit(c, records);
    return CYCLE_IDLE;
}

/* ---- the round ---- */

static bool is_paced(const struct cycle *c)
{
    return clock_monotonic_ms() < c->paced_until_ms;
}

static bool running_is_due(const struct cycle *c, bool last)
{
    return c->with.config->publish.running_minutes_ms > 0 &&
           (last || clock_monotonic_ms() >= c->running_due_ms);
}

/* What Kafka does not take in time, for a quota or a slow way there, it may take in smaller portions. */
static void size_transactions(struct cycle *c, enum cycle_status status)
{
    size_t sent = producer_pending(c->with.producer);
    if (status == CYCLE_IDLE)
        c->records_max = c->records_max > c->records_most / 2 ? c->records_most : 2 * c->records_max;
    else if (status == CYCLE_FAILED && sent > 0 && sent / SMALLER_BY < c->records_max)
        c->records_max = sent > SMALLER_BY ? sent / SMALLER_BY : 1;
}

static enum cycle_status publish(struct cycle *c, struct sweep *s)
{
    enum cycle_status status = cycle_publish_masks(c, s);
    if (status == CYCLE_IDLE)
        status = cycle_publish_sums(c, s);
    if (status == CYCLE_IDLE)
        status = cycle_publish_watermark(c, s);
    return status;
}

enum cycle_status cycle_run(struct cycle *c, bool last)
{
    struct sweep s = {
        .now_s = clock_now_ms(c->with.clock) / 1000,
        .running = running_is_due(c, last),
        .complete = true,
        .oldest_left = INT64_MAX,
    };
    if (!last && is_paced(c)) {
        s.complete = false; /* not looked at all */
        return cycle_publish_watermark(c, &s);
    }
    int64_t began_us = clock_monotonic_us();
    int64_t waited_us = outbox_waited_us(c->with.outbox);
    enum cycle_status status = publish(c, &s);
    c->round_us = clock_monotonic_us() - began_us;
    c->redis_us = outbox_waited_us(c->with.outbox) - waited_us;
    size_transactions(c, status);
    arena_reset(&c->arena);
    if (status != CYCLE_IDLE)
        return status;
    if (s.more && s.complete)
        return CYCLE_MORE;
    /* where a server is away, what is left may be the same again and again: no hurry */
    if (s.running)
        c->running_due_ms = clock_monotonic_ms() + c->with.config->publish.running_minutes_ms;
    return CYCLE_IDLE;
}

int64_t cycle_wait_ms(const struct cycle *c)
{
    bool running = c->with.config->publish.running_minutes_ms > 0;
    int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = running ? c->running_due_ms : now_ms + LOOK_EVERY_MS;
    int64_t wait_ms = (next_ms > c->paced_until_ms ? next_ms : c->paced_until_ms) - now_ms;
    return wait_ms < 0 ? 0 : wait_ms < LOOK_EVERY_MS ? wait_ms : LOOK_EVERY_MS;
}

int64_t cycle_yield_ms(const struct cycle *c)
{
    int64_t rested_us = c->round_us - c->redis_us;
    int64_t yield_us = c->redis_us / YIELD_SHARE - rested_us;
    return yield_us > 0 ? yield_us / 1000 : 0;
}

void cycle_retire(struct cycle *c)
{
    int64_t floor;
    if (clock_monotonic_ms() < c->retire_due_ms)
        return;
    if (outbox_retire(c->with.outbox, clock_now_ms(c->with.clock), &floor))
        c->final_through = floor * MINUTE_SECONDS;
    atomic_store(&c->with.counters->early_minutes, (uint64_t)outbox_early_minutes(c->with.outbox));
    c->retire_due_ms = clock_monotonic_ms() + RETIRE_EVERY_MS;
}
