/*
 * Retiring old buckets. A bucket goes in every partition before the next one goes in any, so that the sums
 * of a lesson's minute are whole for as long as any partition can still add to them.
 */
#include <stdlib.h>

#include "base/log.h"
#include "config.h"
#include "credit/mask.h"
#include "store/outbox_call.h"

enum {
    RETIRE_MAX = 8,                   /* buckets a call: far less than a lease lasts */
    HORIZON_MIN_MS = 2 * 3600 * 1000, /* what early retirement leaves at least */
    HIGH_WATER_PERCENT = 80,          /* of maxmemory */
    BUCKET_KEYS = 3 + 2 * BUCKET_MINUTES
};

enum { NO_FLOOR = -1 };

/* How far a sweep has come, read from every partition before each bucket. */
struct floors {
    int64_t floor[PARTITIONS_MAX]; /* NO_FLOOR: nothing was ever written there */
    int64_t lowest;                /* of those that have one; NO_FLOOR when none has */
    int64_t oldest_grown;          /* the oldest minute whose sums are not published; INT64_MAX */
};

struct floor_call {
    int64_t *floor;
    int64_t *oldest_grown;
};

static bool take_floor(void *ctx, size_t index, const redisReply *reply)
{
    struct floor_call *call = ctx;
    if (index == 0) {
        *call->floor = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : NO_FLOOR;
        return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL;
    }
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
        int64_t minute = strtoll(reply->element[i]->str, NULL, 10);
        if (minute < *call->oldest_grown)
            *call->oldest_grown = minute;
    }
    return true;
}

static bool read_floors(struct outbox *o, struct floors *f, bool barrier)
{
    struct floor_call calls[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
    f->lowest = NO_FLOOR;
    f->oldest_grown = INT64_MAX;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        calls[p] = (struct floor_call){&f->floor[p], &f->oldest_grown};
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("GET"));
        resp_key(&o->command, &o->prefixes[p], "floor");
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("SMEMBERS"));
        resp_key(&o->command, &o->prefixes[p], "ld");
        outbox_queue(o, p, 2, take_floor, &calls[p], &done[p]);
    }
    if (!outbox_flush(o, "floor", barrier))
        return false;
    for (int p = 0; p < o->config->redis.partitions; p++)
        if (f->floor[p] != NO_FLOOR && (f->lowest == NO_FLOOR || f->floor[p] < f->lowest))
            f->lowest = f->floor[p];
    return true;
}

static bool memory_is_short(struct outbox *o)
{
    struct monitor_server servers[SERVERS_MAX];
    size_t n = monitor_servers(o->monitor, servers, SERVERS_MAX);
    bool is_short = false;
    for (size_t i = 0; i < n; i++)
        is_short = is_short || (servers[i].max_memory > 0 &&
                                   servers[i].used_memory / HIGH_WATER_PERCENT > servers[i].max_memory / 100);
    return is_short;
}

/* The first minute that must stay claimable at NOW_MS. */
static int64_t keep_from(struct outbox *o, int64_t now_ms)
{
    int64_t horizon_ms = o->config->heartbeats.horizon_ms;
    if (horizon_ms > HORIZON_MIN_MS && memory_is_short(o)) {
        log_event(o->log, LOG_WARN, "retiring_early", "reason=memory horizon_ms=%d", HORIZON_MIN_MS);
        horizon_ms = HORIZON_MIN_MS;
    }
    return (now_ms - horizon_ms) / 1000 / MINUTE_SECONDS;
}

static bool retire_partition(struct outbox *o, int partition, int64_t bucket, int64_t *floor)
{
    const struct key_prefix *prefix = &o->prefixes[partition];
    struct buf *b = &o->command;
    resp_fcall(b, STORE_FUNCTION("retire"), BUCKET_KEYS, BUCKET_KEYS + 2);
    resp_key(b, prefix, "floor");
    resp_key(b, prefix, "due");
    resp_key_int(b, prefix, "w", bucket);
    for (int64_t i = 0; i < BUCKET_MINUTES; i++)
        resp_key_int(b, prefix, "d", bucket * BUCKET_MINUTES + i);
    for (int64_t i = 0; i < BUCKET_MINUTES; i++)
        resp_key_int(b, prefix, "l", (bucket - 1) * BUCKET_MINUTES + i);
    resp_int(b, bucket);
    resp_int(b, o->config->publish.grace_ms / 1000);
    return outbox_call(o, partition, 1, "retire", outbox_take_integer, floor);
}

/* Retires one bucket everywhere. *DONE turns false when some partition is not ready for it. */
static bool retire_bucket(struct outbox *o, const struct floors *f, int64_t bucket, bool *done)
{
    for (int p = 0; p < o->config->redis.partitions; p++) {
        int64_t floor;
        if (f->floor[p] > bucket * BUCKET_MINUTES)
            continue;
        if (!retire_partition(o, p, bucket, &floor))
            return false;
        *done = *done && floor > bucket * BUCKET_MINUTES;
    }
    return true;
}

static int64_t final_floor(const struct outbox *o, const struct floors *f)
{
    for (int p = 0; p < o->config->redis.partitions; p++)
        if (f->floor[p] == NO_FLOOR)
            return 0;
    return f->lowest;
}

bool outbox_retire(struct outbox *o, int64_t now_ms, int64_t *floor)
{
    int64_t keep = keep_from(o, now_ms);
    struct floors f;
    bool done = true;
    for (int i = 0; i < RETIRE_MAX && done; i++) {
        if (!read_floors(o, &f, false))
            return false;
        int64_t bucket = f.lowest / BUCKET_MINUTES;
        /* a sum of an older bucket that is not published yet still needs every partition's part */
        if (f.lowest == NO_FLOOR || (bucket + 1) * BUCKET_MINUTES > keep ||
            f.oldest_grown < bucket * BUCKET_MINUTES)
            break;
        /* a partition that was never used closes first what the others have closed: else it could let a run
         * into a minute whose sums they are about to give back */
        if (final_floor(o, &f) == 0)
            bucket--;
        if (!retire_bucket(o, &f, bucket, &done))
            return false;
    }
    if (!read_floors(o, &f, true)) /* the floor will be published as final: so it must not be lost */
        return false;
    *floor = final_floor(o, &f);
    return true;
}
