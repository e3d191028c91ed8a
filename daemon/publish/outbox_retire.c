/*
 * Retiring old buckets. A bucket goes in every partition before the next one goes in any, so that the sums
 * of a lesson's minute are whole for as long as any partition can still add to them. Buckets go once they are
 * behind the horizon; sooner only if the configuration allows it and a server is short of memory that they
 * hold.
 */
#include "publish/outbox_retire.h"

#include <assert.h>

#include "base/log.h"
#include "config/config.h"
#include "credit/mask.h"
#include "publish/outbox.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/apply.h"
#include "store/functions.h"

enum {
    HIGH_WATER_PERCENT = 80, /* of maxmemory; beyond it the server is short of memory */
    WORTH_SHARE = 1000,      /* a bucket is given up early for so large a part of maxmemory */
    WORTH_LOOKS = 144,       /* buckets that are asked for their memory, a call: those of a day */
    HOLD_AFTER_MINUTES = 60, /* behind the horizon; by then what can be published is */
    BUCKET_KEYS = 6 + 2 * BUCKET_MINUTES
};

enum { NO_FLOOR = -1 };

static int64_t minute_of(int64_t ms)
{
    return ms / 1000 / MINUTE_SECONDS;
}

/* How far a sweep has come, read from every partition before each bucket. */
struct floors {
    int64_t floor[PARTITIONS_MAX]; /* NO_FLOOR: nothing was ever written there */
    int64_t first[PARTITIONS_MAX]; /* what is retired next; the floor, unless that was raised past it */
    int64_t lowest;                /* of these, where there is one; NO_FLOOR when there is none */
    int64_t oldest_grown;          /* the oldest minute whose sums are not published; INT64_MAX */
};

struct floor_call {
    int64_t *floor;
    int64_t *first;
    int64_t *oldest_grown;
};

static bool take_floor(void *ctx, size_t index, const redisReply *reply)
{
    struct floor_call *call = ctx;
    if (index == 0) {
        *call->floor = NO_FLOOR;
        bool good = reply->type == REDIS_REPLY_NIL || reply_number(reply, call->floor);
        *call->first = *call->floor;
        return good;
    }
    if (index == 1)
        return reply->type == REDIS_REPLY_NIL || reply_number(reply, call->first);
    if (!reply_is_array(reply))
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        int64_t minute; /* a member that is no number is passed over, here as in publishing */
        if (reply_number(reply_at(reply, i), &minute) && minute < *call->oldest_grown)
            *call->oldest_grown = minute;
    }
    return true;
}

static bool read_floors(struct outbox *o, struct floors *f, bool barrier)
{
    struct floor_call calls[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX] = {false};
    *f = (struct floors){.lowest = NO_FLOOR, .oldest_grown = INT64_MAX};
    for (int p = 0; p < o->config->redis.partitions; p++) {
        calls[p] = (struct floor_call){&f->floor[p], &f->first[p], &f->oldest_grown};
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("GET"));
        resp_key(&o->command, &o->prefixes[p], "floor");
        resp_begin(&o->command, 3);
        resp_arg(&o->command, SLICE_LITERAL("HGET"));
        resp_key(&o->command, &o->prefixes[p], "epoch");
        resp_arg(&o->command, SLICE_LITERAL("kept"));
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("SMEMBERS"));
        resp_key(&o->command, &o->prefixes[p], "ld");
        outbox_queue(o, p, 3, take_floor, &calls[p], &done[p]);
    }
    if (!outbox_flush(o, "floor", barrier))
        return false;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        if (!done[p])
            return false;
        if (f->first[p] != NO_FLOOR && (f->lowest == NO_FLOOR || f->first[p] < f->lowest))
            f->lowest = f->first[p];
    }
    return true;
}

/* The first minute that could be claimed when a run was first written; INT64_MAX: none ever was. */
static bool take_first(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *first = ctx;
    (void)index;
    return reply->type == REDIS_REPLY_NIL || reply_number(reply, first);
}

static void queue_retire(
    struct outbox *o, int partition, int64_t bucket, bool hold, int64_t *floor, bool *done)
{
    const struct key_prefix *prefix = &o->prefixes[partition];
    struct buf *b = &o->command;
    resp_fcall(b, STORE_FUNCTION("retire"), BUCKET_KEYS, BUCKET_KEYS + 3);
    resp_key(b, prefix, "floor");
    resp_key(b, prefix, "due");
    resp_key_number(b, prefix, "w", bucket);
    resp_key(b, prefix, "epoch");
    resp_key(b, prefix, "left_out");
    resp_key(b, prefix, "held");
    for (int64_t i = 0; i < BUCKET_MINUTES; i++)
        resp_key_number(b, prefix, "d", bucket * BUCKET_MINUTES + i);
    for (int64_t i = 0; i < BUCKET_MINUTES; i++)
        resp_key_number(b, prefix, "l", (bucket - 1) * BUCKET_MINUTES + i);
    resp_int(b, bucket);
    resp_int(b, o->config->publish.grace_ms / 1000);
    resp_int(b, hold);
    outbox_queue(o, partition, 1, outbox_take_integer, floor, done);
}

/*
 * Retires one bucket everywhere. *READY turns false when some partition is not ready for it. If it lies long
 * enough before HORIZON_MINUTE, it is not kept for a few learners who cannot be published.
 */
static bool retire_bucket(
    struct outbox *o, const struct floors *f, int64_t bucket, int64_t horizon_minute, bool *ready)
{
    bool hold = (bucket + 1) * BUCKET_MINUTES + HOLD_AFTER_MINUTES <= horizon_minute;
    int64_t floor[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX] = {false};
    int n = 0;
    for (int p = 0; p < o->config->redis.partitions; p++)
        if (f->first[p] <= bucket * BUCKET_MINUTES) {
            queue_retire(o, p, bucket, hold, &floor[n], &done[n]);
            n++;
        }
    if (n > 0 && !outbox_flush(o, "retire", false))
        return false;
    for (int i = 0; i < n; i++)
        *ready = *ready && done[i] && floor[i] > bucket * BUCKET_MINUTES;
    return true;
}

static int64_t final_floor(const struct outbox *o, const struct floors *f)
{
    int64_t lowest = INT64_MAX;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        if (f->floor[p] == NO_FLOOR)
            return 0;
        lowest = f->floor[p] < lowest ? f->floor[p] : lowest;
    }
    return lowest;
}

/* Retires what lies before the minute KEEP, the oldest first, at most MAX buckets. */
static bool retire_before(struct outbox *o, int64_t keep, int64_t horizon_minute, int64_t max)
{
    struct floors f;
    bool ready = true;
    for (int64_t i = 0; i < max && ready; i++) {
        if (!read_floors(o, &f, false))
            return false;
        int64_t bucket = f.lowest / BUCKET_MINUTES;
        /* The sum of an older bucket that is not published yet still needs every partition's part. */
        if (f.lowest == NO_FLOOR || (bucket + 1) * BUCKET_MINUTES > keep ||
            f.oldest_grown < bucket * BUCKET_MINUTES)
            break;
        /* A partition that was never used first closes what the others have closed. Otherwise it could accept
         * a run for a minute whose sums the others are about to give back. */
        if (final_floor(o, &f) == 0)
            bucket--;
        if (!retire_bucket(o, &f, bucket, horizon_minute, &ready))
            return false;
    }
    return true;
}

/*
 * Sets the first floors, if something was written and no partition has a floor yet. They lie a bucket before
 * the first minute that could be claimed when the first run was written, or before the horizon, if the clock
 * that judged that run was ahead.
 */
static bool set_floors(struct outbox *o, const struct floors *f, int64_t horizon_minute)
{
    int64_t first[PARTITIONS_MAX] = {0};
    bool done[PARTITIONS_MAX] = {false};
    int64_t lowest = INT64_MAX;
    bool ready = true;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        first[p] = INT64_MAX;
        resp_begin(&o->command, 3);
        resp_arg(&o->command, SLICE_LITERAL("HGET"));
        resp_key(&o->command, &o->prefixes[p], "epoch");
        resp_arg(&o->command, SLICE_LITERAL("first"));
        outbox_queue(o, p, 1, take_first, &first[p], &done[p]);
    }
    if (!outbox_flush(o, "first", false))
        return false;
    for (int p = 0; p < o->config->redis.partitions; p++)
        lowest = first[p] < lowest ? first[p] : lowest;
    if (lowest == INT64_MAX)
        return true;
    int64_t bucket = (lowest < horizon_minute ? lowest : horizon_minute) / BUCKET_MINUTES;
    return bucket < 2 || retire_bucket(o, f, bucket - 2, horizon_minute, &ready);
}

/* ---- before the horizon ---- */

/* What a bucket is to one partition. */
struct content {
    int64_t bytes; /* of its masks, in Redis's memory */
    bool dirty;
    bool done;
};

static bool take_content(void *ctx, size_t index, const redisReply *reply)
{
    struct content *content = ctx;
    int64_t number = 0;
    bool good = reply_integer(reply, &number) || (index == 0 && reply->type == REDIS_REPLY_NIL);
    if (index == 0)
        content->bytes = number;
    else
        content->dirty = number > 0;
    return good;
}

static bool read_contents(struct outbox *o, int64_t bucket, struct content contents[static PARTITIONS_MAX])
{
    for (int p = 0; p < o->config->redis.partitions; p++) {
        resp_begin(&o->command, 3);
        resp_arg(&o->command, SLICE_LITERAL("MEMORY"));
        resp_arg(&o->command, SLICE_LITERAL("USAGE"));
        resp_key_number(&o->command, &o->prefixes[p], "w", bucket);
        resp_begin(&o->command, 1 + BUCKET_MINUTES);
        resp_arg(&o->command, SLICE_LITERAL("EXISTS"));
        for (int64_t i = 0; i < BUCKET_MINUTES; i++)
            resp_key_number(&o->command, &o->prefixes[p], "d", bucket * BUCKET_MINUTES + i);
        outbox_queue(o, p, 2, take_content, &contents[p], &contents[p].done);
    }
    return outbox_flush(o, "contents", false);
}

/* Servers that are above the mark. */
struct short_servers {
    struct redis_condition servers[SERVERS_MAX];
    size_t n;
};

/*
 * Whether giving the bucket up frees memory that matters, on a server that is short of it. If even the
 * fullest bucket is small, something else fills the server, and giving up minutes would not help.
 */
static bool is_worth(const struct outbox *o, const struct short_servers *s,
    const struct content contents[static PARTITIONS_MAX])
{
    for (size_t i = 0; i < s->n; i++) {
        int64_t bytes = 0;
        int server = topology_find_server(o->topology, s->servers[i].name);
        for (int p = 0; p < o->config->redis.partitions; p++)
            if ((int)topology_server_of_partition(o->topology, p) == server)
                bytes += contents[p].bytes;
        if (bytes > 0 && bytes >= s->servers[i].max_memory / WORTH_SHARE)
            return true;
    }
    return false;
}

/*
 * *END gets the end of the oldest bucket from F's lowest floor to the minute KEEP that is worth giving up;
 * the lowest floor itself where none is found. The buckets before it are small, and are closed with it, since
 * a partition has only one floor. A bucket that is still dirty cannot be retired, so the search ends there. A
 * call looks at a day's buckets at most, and the next call goes on after them: so the lease outlasts each
 * call.
 */
static bool find_worth(struct outbox *o, const struct floors *f, int64_t keep, int64_t *end)
{
    struct short_servers s;
    struct content contents[PARTITIONS_MAX] = {{0}};
    size_t n = o->monitor.servers(o->monitor.ctx, s.servers);
    int64_t first = f->lowest / BUCKET_MINUTES;
    *end = f->lowest;
    s.n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct redis_condition *server = &s.servers[i];
        if (server->max_memory > 0 && server->used_memory / HIGH_WATER_PERCENT > server->max_memory / 100)
            s.servers[s.n++] = *server;
    }
    if (s.n == 0 || o->early_bucket < first || (o->early_bucket + 1) * BUCKET_MINUTES > keep)
        o->early_bucket = first;
    for (int i = 0; i < WORTH_LOOKS && s.n > 0; i++) {
        int64_t bucket = o->early_bucket;
        if ((bucket + 1) * BUCKET_MINUTES > keep || f->oldest_grown < bucket * BUCKET_MINUTES)
            break;
        if (!read_contents(o, bucket, contents))
            return false;
        bool dirty = false;
        for (int p = 0; p < o->config->redis.partitions; p++)
            dirty = dirty || contents[p].dirty;
        if (dirty) {
            o->early_bucket = first;
            break;
        }
        o->early_bucket++;
        if (is_worth(o, &s, contents)) {
            *end = (bucket + 1) * BUCKET_MINUTES;
            break;
        }
    }
    return true;
}

/* Tells what a retirement before the horizon has closed, even if the call that began it has failed since. */
static void tell_early(struct outbox *o, int64_t lowest)
{
    int64_t minutes = lowest - o->early_from;
    if (o->early_from > 0 && minutes > 0) {
        o->early_minutes += minutes;
        log_event(o->log, LOG_WARN, "retired_early", "minutes=%lld until=%lld reason=memory",
            (long long)minutes, (long long)lowest * MINUTE_SECONDS);
    }
    o->early_from = 0;
}

static bool take_early(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *end = ctx;
    (void)index;
    *end = 0;
    return reply->type == REDIS_REPLY_NIL || reply_number(reply, end);
}

/* Writes into the deployment's settings that floors up to the minute END are raised on purpose. */
static bool name_early(struct outbox *o, int64_t end)
{
    int64_t fields;
    resp_begin(&o->command, 4);
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, SLICE_LITERAL("early"));
    resp_int(&o->command, end);
    if (!outbox_call_key(o, KEY_SETTINGS, "early", true, outbox_take_integer, &fields))
        return false;
    o->early_end = end;
    o->monitor.look(o->monitor.ctx);
    return true;
}

/* Gives up one bucket a call, so that the next call can see whether that was enough. Buckets older than the
 * horizon go first. */
static bool retire_early(struct outbox *o, int64_t now_ms, int64_t horizon_minute)
{
    struct floors f;
    int64_t end;
    if (!read_floors(o, &f, false))
        return false;
    tell_early(o, f.lowest);
    if (f.lowest == NO_FLOOR || f.lowest + BUCKET_MINUTES <= horizon_minute)
        return true;
    int64_t before = f.lowest;
    if (!find_worth(o, &f, minute_of(now_ms - o->config->redis.early_retire_ms), &end))
        return false;
    if (end == before)
        return true;
    /* All daemons are told first: until then, such a floor would be a wrong one to them. */
    if (end > o->early_end && !name_early(o, end))
        return false;
    o->early_from = before > horizon_minute ? before : horizon_minute;
    /* one more for partitions that were never used, which are closed first */
    if (!retire_before(o, end, horizon_minute, (end - before) / BUCKET_MINUTES + 2) ||
        !read_floors(o, &f, false))
        return false;
    tell_early(o, f.lowest);
    return true;
}

int64_t outbox_early_minutes(const struct outbox *o)
{
    return o->early_minutes;
}

int64_t outbox_wrong_floors(const struct outbox *o)
{
    return o->wrong_floors;
}

/* A floor beyond the horizon and beyond what was retired early was raised by a clock that was wrong. */
static void count_wrong_floors(struct outbox *o, const struct floors *f, int64_t horizon_minute)
{
    int64_t limit = apply_limit_minute(o->config->dev, horizon_minute, o->early_end);
    int64_t n = 0;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        if (f->floor[p] <= limit)
            continue;
        if (n++ == 0 && o->wrong_floors == 0)
            log_event(o->log, LOG_ERROR, "floor_wrong", "partition=%d floor=%lld limit=%lld", p,
                (long long)f->floor[p] * MINUTE_SECONDS, (long long)limit * MINUTE_SECONDS);
    }
    o->wrong_floors = n;
}

bool outbox_retire(struct outbox *o, const struct retire_terms *terms, int64_t *floor)
{
    int64_t horizon_minute = minute_of(terms->now_ms - o->config->heartbeats.horizon_ms);
    struct floors f;
    assert(terms->max <= RETIRE_MAX);
    if (!read_floors(o, &f, false))
        return false;
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("HGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, SLICE_LITERAL("early"));
    if (!outbox_call_key(o, KEY_SETTINGS, "early", false, take_early, &o->early_end))
        return false;
    if (f.lowest == NO_FLOOR && terms->settled && !set_floors(o, &f, horizon_minute))
        return false;
    if (!retire_before(o, horizon_minute, horizon_minute, terms->max))
        return false;
    if (o->config->redis.early_retire_ms > 0 && terms->settled &&
        !retire_early(o, terms->now_ms, horizon_minute))
        return false;
    if (!read_floors(o, &f, true)) /* the floor will be published as final: so it must not be lost */
        return false;
    count_wrong_floors(o, &f, horizon_minute);
    *floor = final_floor(o, &f);
    return true;
}
