/* What Redis still owes to Kafka: minutes, take, settle. */
#include "config.h"
#include "credit/mask.h"
#include "store/outbox_call.h"

struct minutes_call {
    struct arena *arena;
    struct outbox_minutes *out;
    int64_t *oldest;
};

static bool take_minutes(void *ctx, size_t index, const redisReply *reply)
{
    struct minutes_call *call = ctx;
    struct outbox_minutes oldest;
    if (index == 0)
        return outbox_read_minutes(call->arena, reply, call->out);
    if (!outbox_read_minutes(call->arena, reply, &oldest))
        return false;
    *call->oldest = oldest.n > 0 ? oldest.minutes[0] : INT64_MAX;
    return true;
}

static void range_by_score(
    struct buf *b, const struct key_prefix *prefix, bool newest_first, int64_t until, size_t limit)
{
    struct slice unbounded = SLICE_LITERAL("-inf");
    resp_begin(b, 7);
    resp_arg(b, slice_of(newest_first ? "ZREVRANGEBYSCORE" : "ZRANGEBYSCORE"));
    resp_key(b, prefix, "due");
    if (!newest_first)
        resp_arg(b, unbounded);
    if (until == INT64_MAX)
        resp_arg(b, SLICE_LITERAL("+inf"));
    else
        resp_int(b, until);
    if (newest_first)
        resp_arg(b, unbounded);
    resp_arg(b, SLICE_LITERAL("LIMIT"));
    resp_int(b, 0);
    resp_int(b, (int64_t)limit);
}

bool outbox_minutes(struct outbox *o, int partition, int64_t now_s, size_t max, struct arena *arena,
    struct outbox_minutes *out, int64_t *oldest)
{
    struct minutes_call call = {arena, out, oldest};
    buf_clear(&o->command);
    range_by_score(&o->command, &o->prefixes[partition], true, now_s, max);
    range_by_score(&o->command, &o->prefixes[partition], false, now_s, 1);
    return outbox_call(o, partition, 2, "minutes", take_minutes, &call);
}

/* ---- take ---- */

struct take_call {
    const struct outbox *outbox;
    struct arena *arena;
    struct outbox_taken *out;
    int replicas; /* acknowledgements asked for; 0: none */
};

static bool split_learner(struct arena *arena, const redisReply *name, struct outbox_learner *out)
{
    if (name->type != REDIS_REPLY_STRING)
        return false;
    char *copy = arena_strndup(arena, name->str, name->len);
    char *slash = memchr(copy, '/', name->len);
    if (slash == NULL)
        return false;
    out->portal = (struct slice){copy, (size_t)(slash - copy)};
    out->learner = (struct slice){slash + 1, name->len - out->portal.len - 1};
    return true;
}

static bool take_names(void *ctx, size_t index, const redisReply *reply)
{
    struct take_call *call = ctx;
    (void)index;
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    call->out->n_learners = reply->elements;
    call->out->more = reply->elements == OUTBOX_TAKE_MAX;
    call->out->learners = arena_alloc(call->arena, reply->elements * sizeof(*call->out->learners));
    for (size_t i = 0; i < reply->elements; i++)
        if (!split_learner(call->arena, reply->element[i], &call->out->learners[i]))
            return false;
    return true;
}

static bool read_learner(struct arena *arena, const redisReply *records, struct outbox_learner *out)
{
    if (records->type != REDIS_REPLY_STRING)
        return false;
    struct slice copy = {arena_strndup(arena, records->str, records->len), records->len};
    return take_decode(copy, arena, out);
}

static void report_unreadable(
    const struct take_call *call, const struct outbox_learner *learner, const redisReply *records)
{
    const char *error = records->type == REDIS_REPLY_ERROR ? records->str : "the records are malformed";
    int partition = call->out->partition;
    struct buf name = {0};
    buf_append_slice(&name, learner->portal);
    buf_append_char(&name, '/');
    buf_append_slice(&name, learner->learner);
    buf_append_char(&name, '\0');
    log_event(call->outbox->log, LOG_ERROR, "learner_unreadable",
        "server=%s partition=%d minute=%lld learner=%s error=%s", outbox_server(call->outbox, partition),
        partition, (long long)call->out->minute, LOG_QUOTE(name.data), LOG_QUOTE(error));
    buf_free(&name);
}

/* A learner whose keys cannot be read stays dirty; the others of the minute go on. */
static bool take_masks(void *ctx, size_t index, const redisReply *reply)
{
    struct take_call *call = ctx;
    struct outbox_taken *out = call->out;
    if (index == 1) /* WAIT: the barrier before anything is produced */
        return reply->type == REDIS_REPLY_INTEGER && reply->integer >= call->replicas;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != out->n_learners)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        struct outbox_learner learner = out->learners[i];
        if (read_learner(call->arena, reply->element[i], &learner))
            out->learners[n++] = learner;
        else
            report_unreadable(call, &learner, reply->element[i]);
    }
    out->n_unreadable = reply->elements - n;
    out->n_learners = n;
    return true;
}

static bool take_learners(struct outbox *o, int partition, int64_t minute, struct take_call *call)
{
    buf_clear(&o->command);
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("SRANDMEMBER"));
    resp_key_int(&o->command, &o->prefixes[partition], "d", minute);
    resp_int(&o->command, OUTBOX_TAKE_MAX);
    return outbox_call(o, partition, 1, "take", take_names, call);
}

bool outbox_take(
    struct outbox *o, int partition, int64_t minute, struct arena *arena, struct outbox_taken *out)
{
    const struct key_prefix *prefix = &o->prefixes[partition];
    *out = (struct outbox_taken){.partition = partition, .minute = minute};
    struct take_call call = {o, arena, out, outbox_replicas(o)};
    if (!take_learners(o, partition, minute, &call))
        return false;
    if (out->n_learners == 0)
        return true;
    struct buf *b = &o->command;
    buf_clear(b);
    resp_fcall(b, "FCALL_RO", STORE_FUNCTION("take"), 1 + out->n_learners, 1 + out->n_learners + 2);
    resp_key_int(b, prefix, "w", minute / BUCKET_MINUTES);
    for (size_t i = 0; i < out->n_learners; i++)
        resp_key_learner(b, prefix, out->learners[i].portal, out->learners[i].learner);
    resp_int(b, minute % BUCKET_MINUTES);
    resp_int(b, (int64_t)prefix->len + 2);
    outbox_append_wait(o, call.replicas);
    return outbox_call(o, partition, call.replicas > 0 ? 2 : 1, "take", take_masks, &call);
}

/* ---- settle ---- */

static void append_masks(struct buf *b, const struct outbox_learner *learner, struct buf *packed)
{
    buf_clear(packed);
    for (size_t i = 0; i < learner->n_masks; i++)
        mask_encode(packed, learner->masks[i].lesson, learner->masks[i].mask);
    resp_arg(b, buf_slice(packed));
}

static void append_name(struct buf *b, const struct outbox_learner *learner, struct buf *joined)
{
    buf_clear(joined);
    buf_append_slice(joined, learner->portal);
    buf_append_char(joined, '/');
    buf_append_slice(joined, learner->learner);
    resp_arg(b, buf_slice(joined));
}

bool outbox_settle(struct outbox *o, const struct outbox_taken *taken)
{
    const struct key_prefix *prefix = &o->prefixes[taken->partition];
    struct buf *b = &o->command;
    struct buf scratch = {0};
    int64_t left;
    buf_clear(b);
    resp_fcall(b, "FCALL", STORE_FUNCTION("settle"), 3, 3 + 1 + 2 * taken->n_learners);
    resp_key(b, prefix, "due");
    resp_key_int(b, prefix, "d", taken->minute);
    resp_key_int(b, prefix, "w", taken->minute / BUCKET_MINUTES);
    resp_int(b, taken->minute);
    for (size_t i = 0; i < taken->n_learners; i++) {
        append_name(b, &taken->learners[i], &scratch);
        append_masks(b, &taken->learners[i], &scratch);
    }
    buf_free(&scratch);
    return outbox_call(o, taken->partition, 1, "settle", outbox_take_integer, &left);
}
