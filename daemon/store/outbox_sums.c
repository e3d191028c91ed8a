/* Lesson minutes: sums over every partition. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "store/outbox_call.h"

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

bool outbox_grown(
    struct outbox *o, int partition, size_t max, struct arena *arena, struct outbox_minutes *out)
{
    struct grown_call call = {arena, out};
    buf_clear(&o->command);
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("SMEMBERS"));
    resp_key(&o->command, &o->prefixes[partition], "ld");
    if (!outbox_call(o, partition, 1, "grown", take_grown, &call))
        return false;
    if (out->n > 1)
        qsort(out->minutes, out->n, sizeof(*out->minutes), newest_first);
    out->n = out->n < max ? out->n : max;
    return true;
}

struct sums_call {
    struct arena *arena;
    struct outbox_sums *out;
    size_t room; /* of out->sums */
    int partition;
    int replicas; /* acknowledgements asked for; 0: none */
};

static struct outbox_sum *find_sum(struct sums_call *call, struct slice lesson)
{
    struct outbox_sums *out = call->out;
    for (size_t i = 0; i < out->n; i++)
        if (slice_equal(out->sums[i].lesson, lesson))
            return &out->sums[i];
    if (out->n == call->room) {
        size_t room = call->room == 0 ? 64 : call->room * 2;
        struct outbox_sum *larger = arena_alloc(call->arena, room * sizeof(*larger));
        if (out->n > 0)
            memcpy(larger, out->sums, out->n * sizeof(*larger));
        out->sums = larger;
        call->room = room;
    }
    struct outbox_sum *sum = &out->sums[out->n++];
    sum->lesson = (struct slice){arena_strndup(call->arena, lesson.ptr, lesson.len), lesson.len};
    return sum;
}

static bool add_sum(struct sums_call *call, const redisReply *field, const redisReply *value)
{
    struct outbox_sum part;
    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
        !sum_decode((struct slice){value->str, value->len}, &part))
        return false;
    struct outbox_sum *sum = find_sum(call, (struct slice){field->str, field->len});
    sum->watched_seconds += part.watched_seconds;
    sum->learners += part.learners;
    sum->course =
        (struct slice){arena_strndup(call->arena, part.course.ptr, part.course.len), part.course.len};
    call->out->partition_seconds[call->partition] += part.watched_seconds;
    return true;
}

static bool take_sums(void *ctx, size_t index, const redisReply *reply)
{
    struct sums_call *call = ctx;
    if (index == 1) /* WAIT: the barrier before anything is produced */
        return reply->type == REDIS_REPLY_INTEGER && reply->integer >= call->replicas;
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (!add_sum(call, reply->element[i], reply->element[i + 1]))
            return false;
    return true;
}

static bool read_partition_sums(struct outbox *o, struct sums_call *call)
{
    const struct key_prefix *prefix = &o->prefixes[call->partition];
    buf_clear(&o->command);
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
    resp_key_int(&o->command, prefix, "l", call->out->minute);
    outbox_append_wait(o, call->replicas);
    return outbox_call(o, call->partition, call->replicas > 0 ? 2 : 1, "sums", take_sums, call);
}

/*
 * Whether MINUTE is listed as grown in any partition now. As long as it is, nobody gives back a part of its
 * sums: so what was read before this is whole. Once it is not, another daemon has published it.
 */
static bool find_grown(struct outbox *o, int64_t minute, bool *grown)
{
    *grown = false;
    for (int p = 0; p < o->config->redis.partitions && !*grown; p++) {
        int64_t is_member;
        buf_clear(&o->command);
        resp_begin(&o->command, 3);
        resp_arg(&o->command, SLICE_LITERAL("SISMEMBER"));
        resp_key(&o->command, &o->prefixes[p], "ld");
        resp_int(&o->command, minute);
        if (!outbox_call(o, p, 1, "grown", outbox_take_integer, &is_member))
            return false;
        *grown = is_member == 1;
    }
    return true;
}

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
{
    size_t partitions = (size_t)o->config->redis.partitions;
    *out = (struct outbox_sums){.minute = minute};
    out->partition_seconds = arena_alloc(arena, partitions * sizeof(*out->partition_seconds));
    struct sums_call call = {.arena = arena, .out = out, .replicas = outbox_replicas(o)};
    for (; call.partition < (int)partitions; call.partition++)
        if (!read_partition_sums(o, &call))
            return false;
    bool grown;
    if (!find_grown(o, minute, &grown))
        return false;
    if (!grown) {
        out->n = 0;
        memset(out->partition_seconds, 0, partitions * sizeof(*out->partition_seconds));
    }
    return true;
}

bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums)
{
    int64_t left;
    for (int p = 0; p < o->config->redis.partitions; p++) {
        buf_clear(&o->command);
        resp_fcall(&o->command, "FCALL", STORE_FUNCTION("settle_sums"), 2, 4);
        resp_key(&o->command, &o->prefixes[p], "ld");
        resp_key_int(&o->command, &o->prefixes[p], "l", sums->minute);
        resp_int(&o->command, sums->minute);
        resp_int(&o->command, sums->partition_seconds[p]);
        if (!outbox_call(o, p, 1, "settle_sums", outbox_take_integer, &left))
            return false;
    }
    return true;
}
