/* What Redis still owes to Kafka: minutes and settle. */
#include <assert.h>

#include "config/config.h"
#include "credit/mask.h"
#include "publish/outbox_call.h"
#include "redis/key.h"
#include "redis/resp.h"
#include "store/functions.h"
#include "store/values.h"

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
    key_append(b, prefix, "due");
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
    range_by_score(&o->command, &o->prefixes[partition], true, now_s, max);
    range_by_score(&o->command, &o->prefixes[partition], false, now_s, 1);
    return outbox_call(o, partition, 2, "minutes", take_minutes, &call);
}

/* ---- settle ---- */

static void append_masks(struct buf *b, const struct learner_masks *learner, struct buf *packed)
{
    buf_clear(packed);
    for (size_t i = 0; i < learner->n_masks; i++)
        values_encode_mask(packed, learner->masks[i].lesson, learner->masks[i].mask);
    resp_arg(b, buf_slice(packed));
}

struct settle_call {
    int64_t left;
    bool done;
};

static void queue_settle(struct outbox *o, const struct outbox_taken *taken, struct settle_call *call)
{
    const struct key_prefix *prefix = &o->prefixes[taken->partition];
    struct buf *b = &o->command;
    struct buf scratch = {0};
    resp_fcall(b, STORE_FUNCTION("settle"), 3, 3 + 1 + 2 * taken->n_learners);
    key_append(b, prefix, "due");
    key_append_number(b, prefix, "d", taken->minute);
    key_append_number(b, prefix, "w", taken->minute / BUCKET_MINUTES);
    resp_int(b, taken->minute);
    for (size_t i = 0; i < taken->n_learners; i++) {
        key_append_learner(b, taken->learners[i].portal, taken->learners[i].learner);
        append_masks(b, &taken->learners[i], &scratch);
    }
    buf_free(&scratch);
    outbox_queue(o, taken->partition, 1, outbox_take_integer, &call->left, &call->done);
}

bool outbox_settle(struct outbox *o, struct outbox_taken *portions, size_t n)
{
    struct settle_call calls[OUTBOX_PORTIONS_MAX];
    assert(n <= OUTBOX_PORTIONS_MAX);
    for (size_t i = 0; i < n; i++)
        queue_settle(o, &portions[i], &calls[i]);
    bool good = outbox_flush(o, "settle", false);
    for (size_t i = 0; i < n; i++)
        portions[i].done = calls[i].done;
    return good;
}
