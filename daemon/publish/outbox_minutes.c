/* Dirty minutes: which there are, taking them and settling them. */
#include "publish/outbox_minutes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "credit/mask.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"
#include "store/values.h"

/* ---- which minutes are dirty ---- */

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

bool outbox_minutes(
    struct outbox *o, int partition, struct arena *arena, struct outbox_minutes *out, int64_t *oldest)
{
    struct minutes_call call = {arena, out, oldest};
    struct buf *b = &o->command;
    resp_begin(b, 5);
    resp_arg(b, SLICE_LITERAL("ZRANGE"));
    resp_key(b, &o->prefixes[partition], "due");
    resp_int(b, 0);
    resp_int(b, OUTBOX_MINUTES_MAX - 1);
    resp_arg(b, SLICE_LITERAL("REV"));
    resp_begin(b, 4);
    resp_arg(b, SLICE_LITERAL("ZRANGE"));
    resp_key(b, &o->prefixes[partition], "due");
    resp_int(b, 0);
    resp_int(b, 0);
    return outbox_call(o, partition, 2, "minutes", take_minutes, &call);
}

static int newest_first(const void *a, const void *b)
{
    const struct outbox_minute *x = a;
    const struct outbox_minute *y = b;
    if (x->minute != y->minute)
        return x->minute < y->minute ? 1 : -1;
    return x->partition - y->partition;
}

bool outbox_minute_precedes(const struct outbox_minute *a, const struct outbox_minute *b)
{
    return newest_first(a, b) < 0;
}

struct outbox_list outbox_list_join(struct arena *arena, const struct outbox_minutes *found, int partitions)
{
    size_t n = 0;
    for (int p = 0; p < partitions; p++)
        n += found[p].n;
    struct outbox_list list = {arena_alloc(arena, n * sizeof(*list.items)), 0};
    for (int p = 0; p < partitions; p++)
        for (size_t i = 0; i < found[p].n; i++)
            list.items[list.n++] = (struct outbox_minute){found[p].minutes[i], p};
    assert(list.n == n);
    qsort(list.items, list.n, sizeof(*list.items), newest_first);
    return list;
}

bool outbox_list_is_first(const struct outbox_list *list, size_t i)
{
    return i == 0 || list->items[i].minute != list->items[i - 1].minute;
}

size_t outbox_list_find(const struct outbox_list *list, const struct outbox_minute *start)
{
    size_t i = 0;
    while (i < list->n && outbox_minute_precedes(&list->items[i], start))
        i++;
    return i;
}

/* ---- taking ---- */

/*
 *     names of dirty learners -> their masks -> the totals of the lessons that have one
 *
 * Plain commands in three pipelines, and a write after the last. Totals are read after masks: so a total is
 * never behind what is published of it, and one that has run ahead belongs to a mask that is dirty.
 *
 * The barrier comes after the totals: the function `take` raises the partition's `taken`, and WAIT follows
 * (outbox_flush). It vouches for what was read before it over the same connection alone. So a portion counts
 * only if its connection was one and the same from the names to the totals; and its cursor only as long as
 * that connection lasts, since another server, or this one started anew, has another order.
 */

/* What is asked for a total. */
struct asked_total {
    size_t learner;
    struct lesson_mask *mask;
};

/* A portion while it is being taken. */
struct taking {
    struct outbox *outbox;
    struct arena *arena;
    struct outbox_portion *portion;
    struct asked_total *totals;
    size_t n_totals;
    bool goes_on; /* from a cursor */
};

static struct slice copy(struct arena *arena, struct slice s)
{
    return (struct slice){arena_strndup(arena, s.ptr, s.len), s.len};
}

/* The learner stays in the dirty set; the others are published. */
static void leave_out(struct taking *t, size_t i, const char *error)
{
    struct outbox_portion *portion = t->portion;
    struct learner_masks *learner = &portion->learners[i];
    struct buf name = {0};
    learner->unreadable = true;
    buf_append_slice(&name, learner->portal);
    buf_append_char(&name, '/');
    buf_append_slice(&name, learner->learner);
    buf_append_char(&name, '\0');
    log_event(t->outbox->log, LOG_ERROR, "learner_unreadable",
        "server=%s partition=%d minute=%lld learner=%s error=%s",
        outbox_server(t->outbox, portion->partition), portion->partition, (long long)portion->minute,
        LOG_QUOTE(name.data), LOG_QUOTE(error));
    buf_free(&name);
}

/* ---- names ---- */

static bool split_learner(struct arena *arena, const redisReply *name, struct learner_masks *out)
{
    struct slice text;
    const char *slash = reply_string(name, &text) ? memchr(text.ptr, '/', text.len) : NULL;
    if (slash == NULL)
        return false;
    struct slice whole = copy(arena, text);
    size_t portal = (size_t)(slash - text.ptr);
    out->portal = (struct slice){whole.ptr, portal};
    out->learner = (struct slice){whole.ptr + portal + 1, whole.len - portal - 1};
    return true;
}

static bool take_names(void *ctx, size_t index, const redisReply *reply)
{
    struct taking *t = ctx;
    struct outbox_portion *portion = t->portion;
    (void)index;
    struct slice cursor;
    const redisReply *names = reply_at(reply, 1);
    if (!reply_string(reply_at(reply, 0), &cursor) || !reply_is_array(names))
        return false;
    portion->cursor = strtoull(cursor.ptr, NULL, 10);
    portion->learners = arena_alloc(t->arena, names->elements * sizeof(*portion->learners));
    for (size_t i = 0; i < names->elements; i++)
        if (!split_learner(t->arena, names->element[i], &portion->learners[i]))
            return false;
    portion->n_learners = names->elements;
    return true;
}

static void queue_names(struct taking *t)
{
    struct outbox *o = t->outbox;
    struct outbox_portion *portion = t->portion;
    char cursor[24];
    portion->n_learners = 0;
    portion->n_unreadable = 0;
    t->goes_on = portion->cursor != 0;
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)portion->cursor);
    resp_begin(&o->command, 5);
    resp_arg(&o->command, SLICE_LITERAL("SSCAN"));
    resp_key_number(&o->command, &o->prefixes[portion->partition], "d", portion->minute);
    resp_arg(&o->command, slice_of(cursor));
    resp_arg(&o->command, SLICE_LITERAL("COUNT"));
    resp_int(&o->command, OUTBOX_TAKE_MAX);
    outbox_queue(o, portion->partition, 1, take_names, t, &portion->done);
}

static void note_connection(struct taking *t)
{
    struct outbox_portion *portion = t->portion;
    uint64_t connection = outbox_connection(t->outbox, portion->partition);
    if (t->goes_on && portion->connection != connection)
        portion->done = false;
    portion->connection = connection;
}

/* ---- masks ---- */

static bool take_masks(void *ctx, size_t index, const redisReply *reply)
{
    struct taking *t = ctx;
    struct outbox_portion *portion = t->portion;
    (void)index;
    if (!reply_is_array(reply) || reply->elements != portion->n_learners)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice text;
        if (reply->element[i]->type == REDIS_REPLY_NIL)
            continue;
        if (!reply_string(reply->element[i], &text) ||
            !values_decode_masks(copy(t->arena, text), portion->minute, t->arena, &portion->learners[i]))
            leave_out(t, i, "the masks are malformed");
    }
    return true;
}

static void queue_masks(struct taking *t)
{
    struct outbox *o = t->outbox;
    struct outbox_portion *portion = t->portion;
    if (!portion->done || portion->n_learners == 0)
        return;
    resp_begin(&o->command, 2 + portion->n_learners);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_key_number(&o->command, &o->prefixes[portion->partition], "w", portion->minute / BUCKET_MINUTES);
    for (size_t i = 0; i < portion->n_learners; i++)
        resp_learner(&o->command, portion->learners[i].portal, portion->learners[i].learner);
    outbox_queue(o, portion->partition, 1, take_masks, t, &portion->done);
}

/* ---- totals ---- */

static bool read_total(struct taking *t, const redisReply *value, struct lesson_mask *mask)
{
    struct store_lesson total;
    struct slice text;
    if (!reply_string(value, &text) || !values_decode_total(text, &total))
        return false;
    mask->course = copy(t->arena, total.course);
    mask->watched_seconds = total.watched_seconds;
    mask->covered_seconds = total.covered_seconds;
    mask->last_minute = total.last_minute;
    return true;
}

static bool take_total(void *ctx, size_t index, const redisReply *reply)
{
    struct taking *t = ctx;
    const struct asked_total *total = &t->totals[index];
    if (reply_is_error_code(reply, "WRONGTYPE")) /* the key's own error, and not the server's */
        leave_out(t, total->learner, reply->str);
    else if (reply_is_error(reply))
        return false;
    else if (reply->type == REDIS_REPLY_NIL)
        leave_out(t, total->learner, "there are masks of a lesson that has no total");
    else if (!read_total(t, reply, total->mask))
        leave_out(t, total->learner, "a total is malformed");
    return true;
}

static void queue_total(struct taking *t, size_t learner, struct lesson_mask *mask)
{
    struct buf *b = &t->outbox->command;
    const struct learner_masks *whose = &t->portion->learners[learner];
    resp_begin(b, 3);
    resp_arg(b, SLICE_LITERAL("HGET"));
    resp_key_totals(b, &t->outbox->prefixes[t->portion->partition], whose->portal, whose->learner);
    resp_arg(b, mask->lesson);
    t->totals[t->n_totals++] = (struct asked_total){learner, mask};
}

static void queue_totals(struct taking *t)
{
    struct outbox_portion *portion = t->portion;
    size_t n = 0;
    for (size_t i = 0; portion->done && i < portion->n_learners; i++)
        n += portion->learners[i].n_masks;
    if (n == 0)
        return;
    t->totals = arena_alloc(t->arena, n * sizeof(*t->totals));
    for (size_t i = 0; i < portion->n_learners; i++)
        for (size_t k = 0; k < portion->learners[i].n_masks; k++)
            queue_total(t, i, &portion->learners[i].masks[k]);
    outbox_queue(t->outbox, portion->partition, n, take_total, t, &portion->done);
}

static void judge_connection(struct taking *t)
{
    struct outbox_portion *portion = t->portion;
    if (portion->connection != outbox_connection(t->outbox, portion->partition))
        portion->done = false;
}

static void keep_readable(struct taking *t)
{
    struct outbox_portion *portion = t->portion;
    size_t n = 0;
    for (size_t i = 0; portion->done && i < portion->n_learners; i++)
        if (!portion->learners[i].unreadable)
            portion->learners[n++] = portion->learners[i];
    portion->n_unreadable = portion->done ? portion->n_learners - n : 0;
    portion->n_learners = n;
}

static void each(struct taking *takes, size_t n, void step(struct taking *))
{
    for (size_t i = 0; i < n; i++)
        step(&takes[i]);
}

bool outbox_take(struct outbox *o, struct outbox_portion *portions, size_t n, struct arena *arena)
{
    struct taking takes[OUTBOX_PORTIONS_MAX];
    bool good = true;
    assert(n <= OUTBOX_PORTIONS_MAX);
    for (size_t i = 0; i < n; i++)
        takes[i] = (struct taking){.outbox = o, .arena = arena, .portion = &portions[i]};
    each(takes, n, queue_names);
    (void)outbox_flush(o, "take", false);
    each(takes, n, note_connection);
    each(takes, n, queue_masks);
    (void)outbox_flush(o, "take", false);
    each(takes, n, queue_totals);
    (void)outbox_flush(o, "take", true);
    each(takes, n, judge_connection);
    each(takes, n, keep_readable);
    for (size_t i = 0; i < n; i++)
        good = good && portions[i].done;
    return good;
}

/* ---- settling ---- */

struct settle_call {
    int64_t left;
    bool done;
};

static void queue_settle(struct outbox *o, const struct outbox_portion *taken, struct settle_call *call)
{
    const struct key_prefix *prefix = &o->prefixes[taken->partition];
    struct buf *b = &o->command;
    struct buf packed = {0};
    resp_fcall(b, STORE_FUNCTION("settle"), 3, 3 + 1 + 2 * taken->n_learners);
    resp_key(b, prefix, "due");
    resp_key_number(b, prefix, "d", taken->minute);
    resp_key_number(b, prefix, "w", taken->minute / BUCKET_MINUTES);
    resp_int(b, taken->minute);
    for (size_t i = 0; i < taken->n_learners; i++) {
        const struct learner_masks *learner = &taken->learners[i];
        buf_clear(&packed);
        for (size_t k = 0; k < learner->n_masks; k++)
            values_encode_mask(&packed, learner->masks[k].lesson, learner->masks[k].mask);
        resp_learner(b, learner->portal, learner->learner);
        resp_arg(b, buf_slice(&packed));
    }
    buf_free(&packed);
    outbox_queue(o, taken->partition, 1, outbox_take_integer, &call->left, &call->done);
}

bool outbox_settle(struct outbox *o, struct outbox_portion *portions, size_t n)
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
