/* What a lesson's minute comes to over all learners. */
#include "publish/outbox_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "config/config.h"
#include "credit/mask.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

struct grown_call {
    struct arena *arena;
    struct outbox_minutes *out;
};

static bool take_grown(void *ctx, size_t index, const redisReply *reply)
{
    struct grown_call *call = ctx;
    (void)index;
    return outbox_read_minutes(call->arena, reply, call->out);
}

bool outbox_grown(struct outbox *o, int partition, struct arena *arena, struct outbox_minutes *out)
{
    struct grown_call call = {arena, out};
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("SMEMBERS"));
    resp_key(&o->command, &o->prefixes[partition], "ld");
    if (!outbox_call(o, partition, 1, "grown", take_grown, &call))
        return false;
    if (out->n > 1)
        qsort(out->minutes, out->n, sizeof(*out->minutes), newest_first);
    return true;
}

struct part_call {
    struct outbox *o;
    struct arena *arena;
    int partition;
    int64_t minute;
    struct outbox_part *part;
    bool done;
};

static void tell_unreadable(const struct part_call *call, const char *lesson)
{
    call->part->unreadable = true;
    log_event(call->o->log, LOG_ERROR, "sum_unreadable", "server=%s partition=%d minute=%lld lesson=%s",
        outbox_server(call->o, call->partition), call->partition, (long long)call->minute, LOG_QUOTE(lesson));
}

static bool take_part(void *ctx, size_t index, const redisReply *reply)
{
    struct part_call *call = ctx;
    struct outbox_part *part = call->part;
    (void)index;
    if (reply_is_error_code(reply, "WRONGTYPE")) { /* the key's own error, and not the server's */
        part->lost = true;
        tell_unreadable(call, reply->str);
        return true;
    }
    if (!reply_is_array(reply) || reply->elements % 2 != 0)
        return false;
    part->sums = arena_alloc(call->arena, reply->elements / 2 * sizeof(*part->sums));
    for (size_t i = 0; i < reply->elements; i += 2) {
        struct slice lesson, value;
        if (!reply_string(reply->element[i], &lesson) || !reply_string(reply->element[i + 1], &value))
            return false;
        if (!id_valid(lesson)) { /* It is no lesson's. */
            tell_unreadable(call, lesson.ptr);
            continue;
        }
        struct lesson_sum *sum = &part->sums[part->n++];
        value.ptr = arena_strndup(call->arena, value.ptr, value.len);
        sum->unreadable = !values_decode_sum(value, sum);
        sum->lesson = (struct slice){arena_strndup(call->arena, lesson.ptr, lesson.len), lesson.len};
        if (sum->unreadable)
            tell_unreadable(call, lesson.ptr);
    }
    return true;
}

static int by_lesson(const void *a, const void *b)
{
    const struct lesson_sum *x = a;
    const struct lesson_sum *y = b;
    size_t shorter = x->lesson.len < y->lesson.len ? x->lesson.len : y->lesson.len;
    int order = memcmp(x->lesson.ptr, y->lesson.ptr, shorter);
    return order != 0 ? order : (int)x->lesson.len - (int)y->lesson.len;
}

/*
 * A lesson of which a part cannot be read is not told, since less would be told than before. ALL_LESSONS:
 * also what is published already.
 */
static void join_parts(struct outbox_sums *out, bool all_lessons, size_t partitions, struct arena *arena)
{
    size_t n = 0;
    for (size_t p = 0; p < partitions; p++) {
        if (out->parts[p].lost)
            return;
        n += out->parts[p].n;
    }
    struct lesson_sum *all = arena_alloc(arena, n * sizeof(*all));
    n = 0;
    for (size_t p = 0; p < partitions; p++) {
        if (out->parts[p].n > 0)
            memcpy(&all[n], out->parts[p].sums, out->parts[p].n * sizeof(*all));
        n += out->parts[p].n;
    }
    /* Sorted by lesson, the parts of one sum stand together, and are added up in place. */
    if (n > 1)
        qsort(all, n, sizeof(*all), by_lesson);
    out->sums = all;
    for (size_t i = 0; i < n;) {
        struct lesson_sum sum = all[i++];
        for (; i < n && slice_equal(sum.lesson, all[i].lesson); i++) {
            sum.watched_seconds += all[i].watched_seconds;
            sum.learners += all[i].learners;
            sum.published_seconds += all[i].published_seconds;
            sum.unreadable = sum.unreadable || all[i].unreadable;
        }
        if (sum.unreadable)
            continue;
        if (all_lessons || sum.watched_seconds > sum.published_seconds)
            out->sums[out->n++] = sum;
    }
}

/*
 * Whether MINUTE is listed as grown in any partition now. As long as it is listed, no daemon gives back a
 * part of its sums, so what was read before this is whole. Once it is not, another daemon has published it.
 */
static bool find_grown(struct outbox *o, int64_t minute, bool *grown)
{
    int64_t is_member[PARTITIONS_MAX] = {0};
    bool done[PARTITIONS_MAX] = {false};
    *grown = false;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        resp_begin(&o->command, 3);
        resp_arg(&o->command, SLICE_LITERAL("SISMEMBER"));
        resp_key(&o->command, &o->prefixes[p], "ld");
        resp_int(&o->command, minute);
        outbox_queue(o, p, 1, outbox_take_integer, &is_member[p], &done[p]);
    }
    bool good = outbox_flush(o, "grown", false);
    for (int p = 0; p < o->config->redis.partitions; p++)
        *grown = *grown || (done[p] && is_member[p] == 1);
    return good;
}

static bool take_floor(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *floor = ctx;
    (void)index;
    if (!reply_number(reply, floor))
        *floor = 0;
    return true;
}

/* *HIGHEST, unless it is NULL, gets the highest floor of any partition, as it was after the parts were read.
 */
static bool read_parts(struct outbox *o, struct outbox_sums *out, int64_t *highest, struct arena *arena)
{
    size_t partitions = (size_t)o->config->redis.partitions;
    struct part_call *calls = arena_alloc(arena, partitions * sizeof(*calls));
    int64_t floors[PARTITIONS_MAX] = {0};
    bool done[PARTITIONS_MAX];
    out->parts = arena_alloc(arena, partitions * sizeof(*out->parts));
    for (size_t p = 0; p < partitions; p++) {
        calls[p] = (struct part_call){o, arena, (int)p, out->minute, &out->parts[p], false};
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
        resp_key_number(&o->command, &o->prefixes[p], "l", out->minute);
        outbox_queue(o, (int)p, 1, take_part, &calls[p], &calls[p].done);
        if (highest == NULL)
            continue;
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("GET"));
        resp_key(&o->command, &o->prefixes[p], "floor");
        outbox_queue(o, (int)p, 1, take_floor, &floors[p], &done[p]);
    }
    bool good = outbox_flush(o, "sums", true);
    for (size_t p = 0; p < partitions && highest != NULL; p++)
        *highest = p == 0 || floors[p] > *highest ? floors[p] : *highest;
    return good;
}

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
{
    bool grown = false;
    *out = (struct outbox_sums){.minute = minute};
    if (!read_parts(o, out, NULL, arena) || !find_grown(o, minute, &grown))
        return false;
    if (grown)
        join_parts(out, false, (size_t)o->config->redis.partitions, arena);
    return true;
}

bool outbox_all_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
{
    int64_t highest = 0;
    *out = (struct outbox_sums){.minute = minute};
    if (!read_parts(o, out, &highest, arena))
        return false;
    /* Retiring a bucket takes the sums of the bucket before it, in one partition after the other. */
    if (minute >= highest - BUCKET_MINUTES)
        join_parts(out, true, (size_t)o->config->redis.partitions, arena);
    return true;
}

struct settle_sums_call {
    int64_t left;
    bool done;
};

/* Whether the commit has told the sum that PART is of. */
static bool is_told(const struct outbox_sums *sums, const struct lesson_sum *part)
{
    return part->watched_seconds > part->published_seconds && sums->n > 0 &&
           bsearch(part, sums->sums, sums->n, sizeof(*sums->sums), by_lesson) != NULL;
}

static void queue_settle(
    struct outbox *o, int partition, const struct outbox_sums *sums, struct settle_sums_call *call)
{
    const struct outbox_part *part = &sums->parts[partition];
    size_t n = 0;
    for (size_t i = 0; i < part->n; i++)
        n += is_told(sums, &part->sums[i]);
    resp_fcall(&o->command, STORE_FUNCTION("settle_sums"), 2, 2 + 1 + 2 * n);
    resp_key(&o->command, &o->prefixes[partition], "ld");
    resp_key_number(&o->command, &o->prefixes[partition], "l", sums->minute);
    resp_int(&o->command, sums->minute);
    for (size_t i = 0; i < part->n; i++)
        if (is_told(sums, &part->sums[i])) {
            resp_arg(&o->command, part->sums[i].lesson);
            resp_int(&o->command, part->sums[i].watched_seconds);
        }
    outbox_queue(o, partition, 1, outbox_take_integer, &call->left, &call->done);
}

bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums)
{
    struct settle_sums_call calls[PARTITIONS_MAX];
    for (int p = 0; p < o->config->redis.partitions; p++)
        queue_settle(o, p, sums, &calls[p]);
    return outbox_flush(o, "settle_sums", false);
}
