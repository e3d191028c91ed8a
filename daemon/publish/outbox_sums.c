/* What a lesson's minute comes to over all learners. */
#include "publish/outbox_sums.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
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

/* A partition's part of a minute's sums, one entry a lesson. */
struct part {
    struct arena *arena;
    struct lesson_sum *sums;
    size_t n;
    int64_t seconds;
    bool done;
};

static bool take_part(void *ctx, size_t index, const redisReply *reply)
{
    struct part *part = ctx;
    (void)index;
    if (!reply_is_array(reply) || reply->elements % 2 != 0)
        return false;
    part->sums = arena_alloc(part->arena, reply->elements / 2 * sizeof(*part->sums));
    for (size_t i = 0; i < reply->elements; i += 2) {
        struct slice lesson, value;
        struct lesson_sum *sum = &part->sums[part->n++];
        if (!reply_string(reply->element[i], &lesson) || !reply_string(reply->element[i + 1], &value) ||
            !values_decode_sum(value, sum))
            return false;
        sum->lesson = (struct slice){arena_strndup(part->arena, lesson.ptr, lesson.len), lesson.len};
        sum->course.ptr = arena_strndup(part->arena, sum->course.ptr, sum->course.len);
        part->seconds += sum->watched_seconds;
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

static void join_parts(
    struct outbox_sums *out, const struct part *parts, size_t partitions, struct arena *arena)
{
    size_t n = 0;
    for (size_t p = 0; p < partitions; p++)
        n += parts[p].n;
    out->sums = arena_alloc(arena, n * sizeof(*out->sums));
    n = 0;
    for (size_t p = 0; p < partitions; p++) {
        if (parts[p].n > 0)
            memcpy(&out->sums[n], parts[p].sums, parts[p].n * sizeof(*out->sums));
        n += parts[p].n;
        out->partition_seconds[p] = parts[p].seconds;
    }
    /* Sorted by lesson, the parts of one sum stand together, and are added up in place. */
    if (n > 1)
        qsort(out->sums, n, sizeof(*out->sums), by_lesson);
    for (size_t i = 0; i < n; i++) {
        const struct lesson_sum *part = &out->sums[i];
        struct lesson_sum *sum = out->n > 0 ? &out->sums[out->n - 1] : NULL;
        if (sum == NULL || !slice_equal(sum->lesson, part->lesson)) {
            out->sums[out->n++] = *part;
            continue;
        }
        sum->watched_seconds += part->watched_seconds;
        sum->learners += part->learners;
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

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
{
    size_t partitions = (size_t)o->config->redis.partitions;
    struct part *parts = arena_alloc(arena, partitions * sizeof(*parts));
    bool grown = false;
    *out = (struct outbox_sums){.minute = minute};
    out->partition_seconds = arena_alloc(arena, partitions * sizeof(*out->partition_seconds));
    for (size_t p = 0; p < partitions; p++) {
        parts[p].arena = arena;
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
        resp_key_number(&o->command, &o->prefixes[p], "l", minute);
        outbox_queue(o, (int)p, 1, take_part, &parts[p], &parts[p].done);
    }
    if (!outbox_flush(o, "sums", true) || !find_grown(o, minute, &grown))
        return false;
    if (grown)
        join_parts(out, parts, partitions, arena);
    return true;
}

bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums)
{
    int64_t left[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
    for (int p = 0; p < o->config->redis.partitions; p++) {
        resp_fcall(&o->command, STORE_FUNCTION("settle_sums"), 2, 4);
        resp_key(&o->command, &o->prefixes[p], "ld");
        resp_key_number(&o->command, &o->prefixes[p], "l", sums->minute);
        resp_int(&o->command, sums->minute);
        resp_int(&o->command, sums->partition_seconds[p]);
        outbox_queue(o, p, 1, outbox_take_integer, &left[p], &done[p]);
    }
    return outbox_flush(o, "settle_sums", false);
}
