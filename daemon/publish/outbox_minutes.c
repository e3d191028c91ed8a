/* Dirty minutes: which there are, taking their masks and settling them. */
#include "publish/outbox_minutes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "config/config.h"
#include "credit/mask.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "redis/topology.h"
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
 *     names of dirty learners -> their masks -> after the last take the totals of the lessons that have one
 *
 * A portion counts only if its connection was one and the same from the names to the totals, since the
 * barrier behind the totals vouches for what was read before it over the same connection alone; and its
 * cursor only as long as that connection lasts, since another server, or this one started anew, has another
 * order.
 */

/* A portion while it is being taken. */
struct taking {
    struct outbox *outbox;
    struct arena *arena;
    struct outbox_portion *portion;
    bool goes_on; /* from a cursor */
};

static struct slice copy(struct arena *arena, struct slice s)
{
    return (struct slice){arena_strndup(arena, s.ptr, s.len), s.len};
}

static void leave_out(struct outbox *o, struct outbox_portion *portion, size_t i, const char *error)
{
    struct learner_masks *learner = &portion->learners[i];
    struct buf name = {0};
    learner->left_out = true;
    buf_append_slice(&name, learner->portal);
    buf_append_char(&name, '/');
    buf_append_slice(&name, learner->learner);
    buf_append_char(&name, '\0');
    log_event(o->log, LOG_ERROR, "learner_unreadable",
        "server=%s partition=%d minute=%lld learner=%s error=%s", outbox_server(o, portion->partition),
        portion->partition, (long long)portion->minute, LOG_QUOTE(name.data), LOG_QUOTE(error));
    buf_free(&name);
}

void outbox_keep_others(struct outbox_portion *portion)
{
    size_t n = 0;
    for (size_t i = 0; portion->done && i < portion->n_learners; i++)
        if (!portion->learners[i].left_out)
            portion->learners[n++] = portion->learners[i];
    portion->n_left_out = portion->done ? portion->n_left_out + portion->n_learners - n : 0;
    portion->n_learners = n;
}

/* ---- names ---- */

bool outbox_split_learner(struct slice name, struct slice *portal, struct slice *learner)
{
    const char *slash = memchr(name.ptr, '/', name.len);
    if (slash == NULL)
        return false;
    *portal = (struct slice){name.ptr, (size_t)(slash - name.ptr)};
    *learner = (struct slice){slash + 1, name.len - portal->len - 1};
    return id_valid(*portal) && id_name_valid(*learner);
}

/* What is not `portal/learner` is left out, since no record could have such a key. */
static bool take_name(struct taking *t, size_t i, const redisReply *name)
{
    struct learner_masks *learner = &t->portion->learners[i];
    struct slice text;
    if (!reply_string(name, &text))
        return false;
    *learner = (struct learner_masks){.learner = copy(t->arena, text)};
    if (!outbox_split_learner(learner->learner, &learner->portal, &learner->learner))
        leave_out(t->outbox, t->portion, i, "this is no learner's name");
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
        if (!take_name(t, i, names->element[i]))
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
    portion->n_left_out = 0;
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
        struct learner_masks *learner = &portion->learners[i];
        if (reply->element[i]->type == REDIS_REPLY_NIL)
            continue;
        if (!reply_string(reply->element[i], &text) ||
            !values_decode_masks(copy(t->arena, text), portion->minute, t->arena, learner))
            leave_out(t->outbox, portion, i, "the masks are malformed");
    }
    return true;
}

static void queue_masks(struct taking *t)
{
    struct outbox *o = t->outbox;
    struct outbox_portion *portion = t->portion;
    outbox_keep_others(portion);
    if (!portion->done || portion->n_learners == 0)
        return;
    resp_begin(&o->command, 2 + portion->n_learners);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_key_number(&o->command, &o->prefixes[portion->partition], "w", portion->minute / BUCKET_MINUTES);
    for (size_t i = 0; i < portion->n_learners; i++)
        resp_learner(&o->command, portion->learners[i].portal, portion->learners[i].learner);
    outbox_queue(o, portion->partition, 1, take_masks, t, &portion->done);
}

bool outbox_take(struct outbox *o, struct outbox_portion *portions, size_t n, struct arena *arena)
{
    struct taking takes[OUTBOX_PORTIONS_MAX];
    bool good = true;
    assert(n <= OUTBOX_PORTIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        takes[i] = (struct taking){.outbox = o, .arena = arena, .portion = &portions[i]};
        queue_names(&takes[i]);
    }
    (void)outbox_flush(o, "take", false);
    for (size_t i = 0; i < n; i++) {
        note_connection(&takes[i]);
        queue_masks(&takes[i]);
    }
    (void)outbox_flush(o, "take", false);
    for (size_t i = 0; i < n; i++) {
        outbox_keep_others(&portions[i]);
        good = good && portions[i].done;
    }
    return good;
}

/* ---- totals ---- */

/* A total that is asked for. Totals are read after all masks: so a total is never behind what is published of
 * it, and one that has run ahead belongs to a mask that is dirty. */
struct wanted_total {
    struct wanted_total *next; /* in the same slot of the table */
    int partition;
    struct slice portal;
    struct slice learner;
    struct lesson_total total;
    const char *error; /* why it cannot be read; NULL: it can */
    const bool *done;  /* of the request that it is part of */
    bool wanted;       /* there is something to be published that it belongs to */
};

/* Which totals were asked for already: a hash table over learners. */
struct table {
    struct wanted_total **slots;
    size_t n_slots; /* a power of two */
};

/* What one portion asks for: the totals that no portion before it has. */
struct request {
    struct arena *arena;
    struct wanted_total **asked;
    size_t n;
    struct slice *left_out; /* learners of the partition whom a rebuilding has left out */
    size_t n_left_out;
    bool done;
    struct wanted_total **needed; /* by each mask of the portion, in order */
};

static struct table new_table(struct outbox_portion *const *portions, size_t n, struct arena *arena)
{
    struct table t = {.n_slots = 1};
    size_t learners = 0;
    for (size_t i = 0; i < n; i++)
        learners += portions[i]->n_learners;
    while (t.n_slots < learners)
        t.n_slots *= 2;
    t.slots = arena_alloc(arena, t.n_slots * sizeof(struct wanted_total *));
    return t;
}

static bool is_same(
    const struct wanted_total *a, int partition, const struct learner_masks *l, struct slice lesson)
{
    return a->partition == partition && slice_equal(a->total.lesson, lesson) &&
           slice_equal(a->learner, l->learner) && slice_equal(a->portal, l->portal);
}

/* The total of LESSON, which may be new: then it is asked for with REQUEST. */
static struct wanted_total *find(struct table *t, struct request *request, int partition,
    const struct learner_masks *learner, struct slice lesson)
{
    size_t slot = topology_hash_learner(learner->portal, learner->learner) & (t->n_slots - 1);
    struct wanted_total *a = t->slots[slot];
    while (a != NULL && !is_same(a, partition, learner, lesson))
        a = a->next;
    if (a != NULL)
        return a;
    a = arena_alloc(request->arena, sizeof(*a));
    *a = (struct wanted_total){.next = t->slots[slot],
        .partition = partition,
        .portal = learner->portal,
        .learner = learner->learner,
        .total = {.lesson = lesson},
        .done = &request->done};
    t->slots[slot] = a;
    request->asked[request->n++] = a;
    return a;
}

static const char *read_total(struct arena *arena, const redisReply *reply, struct lesson_total *total)
{
    struct slice text;
    if (reply_is_error(reply))
        return arena_strndup(arena, reply->str, reply->len);
    if (reply->type == REDIS_REPLY_NIL)
        return "there are masks of a lesson that has no total";
    if (!reply_string(reply, &text))
        return "a total is malformed";
    struct slice value = {arena_strndup(arena, text.ptr, text.len), text.len};
    return values_decode_total(value, total) ? NULL : "a total is malformed";
}

static bool take_left_out(struct request *request, const redisReply *reply)
{
    if (!reply_is_array(reply))
        return false;
    request->n_left_out = 0;
    request->left_out = arena_alloc(request->arena, (reply->elements + 1) / 2 * sizeof(struct slice));
    for (size_t i = 0; i < reply->elements; i += 2) {
        struct slice name;
        if (!reply_string(reply->element[i], &name))
            return false;
        request->left_out[request->n_left_out++] = copy(request->arena, name);
    }
    return true;
}

static bool is_left_out(const struct request *request, const struct wanted_total *a)
{
    for (size_t i = 0; i < request->n_left_out; i++) {
        struct slice portal;
        struct slice learner;
        if (outbox_split_learner(request->left_out[i], &portal, &learner) &&
            slice_equal(learner, a->learner) && slice_equal(portal, a->portal))
            return true;
    }
    return false;
}

/* The learners who were left out come first: a total that is read after one has left them is whole. */
static bool take_total(void *ctx, size_t index, const redisReply *reply)
{
    struct request *request = ctx;
    if (index == 0)
        return take_left_out(request, reply);
    struct wanted_total *a = request->asked[index - 1];
    if (reply_is_error(reply) && !reply_is_error_code(reply, "WRONGTYPE"))
        return false; /* the server's error, and not the key's */
    a->error = read_total(request->arena, reply, &a->total);
    if (a->error == NULL && is_left_out(request, a))
        a->error = "minuted --rebuild has left the learner out, and is to be run again";
    return true;
}

static void queue_total(struct outbox *o, const struct wanted_total *a)
{
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("HGET"));
    resp_key_totals(&o->command, &o->prefixes[a->partition], a->portal, a->learner);
    resp_arg(&o->command, a->total.lesson);
}

static void queue_totals(
    struct outbox *o, const struct outbox_portion *portion, struct table *table, struct request *request)
{
    size_t masks = 0;
    for (size_t i = 0; i < portion->n_learners; i++)
        masks += portion->learners[i].n_masks;
    request->asked = arena_alloc(request->arena, masks * sizeof(struct wanted_total *));
    request->needed = arena_alloc(request->arena, masks * sizeof(struct wanted_total *));
    masks = 0;
    for (size_t i = 0; i < portion->n_learners; i++) {
        const struct learner_masks *learner = &portion->learners[i];
        for (size_t k = 0; k < learner->n_masks; k++) {
            struct wanted_total *a =
                find(table, request, portion->partition, learner, learner->masks[k].lesson);
            request->needed[masks++] = a;
            learner->masks[k].total = &a->total;
        }
    }
    if (request->n == 0)
        return;
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
    resp_key(&o->command, &o->prefixes[portion->partition], "left_out");
    for (size_t i = 0; i < request->n; i++)
        queue_total(o, request->asked[i]);
    outbox_queue(o, portion->partition, 1 + request->n, take_total, request, &request->done);
}

static void judge_portion(struct outbox *o, struct outbox_portion *portion, const struct request *request,
    struct outbox_leave_out by)
{
    const struct outbox_epoch *epoch = &o->epochs[portion->partition];
    size_t n = 0;
    portion->done = portion->connection == outbox_connection(o, portion->partition);
    for (size_t i = 0; i < portion->n_learners; i++)
        for (size_t k = 0; k < portion->learners[i].n_masks; k++)
            portion->done = portion->done && *request->needed[n++]->done;
    n = 0;
    for (size_t i = 0; portion->done && i < portion->n_learners; i++) {
        struct learner_masks *learner = &portion->learners[i];
        struct wanted_total *const *needed = &request->needed[n];
        const char *error = NULL;
        n += learner->n_masks;
        for (size_t k = 0; k < learner->n_masks; k++) {
            needed[k]->total.epoch = epoch->id;
            error = needed[k]->error != NULL ? needed[k]->error : error;
        }
        if (error != NULL)
            leave_out(o, portion, i, error);
        else if (by.judge != NULL && by.judge(by.ctx, portion->minute, learner))
            learner->left_out = true;
        for (size_t k = 0; !learner->left_out && k < learner->n_masks; k++)
            needed[k]->wanted = true;
    }
    outbox_keep_others(portion);
}

static void list_wanted(
    struct outbox_totals *out, const struct request *requests, size_t n, struct arena *arena)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most += requests[i].n;
    *out = (struct outbox_totals){arena_alloc(arena, most * sizeof(*out->items)), 0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < requests[i].n; k++) {
            const struct wanted_total *a = requests[i].asked[k];
            if (a->wanted)
                out->items[out->n++] = (struct learner_total){a->portal, a->learner, &a->total};
        }
}

void outbox_totals(struct outbox *o, struct outbox_portion **portions, size_t n,
    struct outbox_leave_out leave_out, struct arena *arena, struct outbox_totals *out)
{
    struct table table = new_table(portions, n, arena);
    struct request *requests = arena_alloc(arena, n * sizeof(*requests));
    for (size_t i = 0; i < n; i++) {
        requests[i].arena = arena;
        if (portions[i]->done)
            queue_totals(o, portions[i], &table, &requests[i]);
    }
    (void)outbox_flush(o, "take", true);
    for (size_t i = 0; i < n; i++)
        if (portions[i]->done)
            judge_portion(o, portions[i], &requests[i], leave_out);
    list_wanted(out, requests, n, arena);
}

/* ---- settling ---- */

enum { SETTLE_KEYS = 5 + BUCKET_MINUTES };

struct settle_call {
    int64_t left;
    bool done;
};

static void queue_settle(struct outbox *o, const struct outbox_portion *taken, struct settle_call *call)
{
    const struct key_prefix *prefix = &o->prefixes[taken->partition];
    struct buf *b = &o->command;
    struct buf packed = {0};
    int64_t bucket = taken->minute / BUCKET_MINUTES;
    resp_fcall(b, STORE_FUNCTION("settle"), SETTLE_KEYS, SETTLE_KEYS + 3 + 2 * taken->n_learners);
    resp_key(b, prefix, "due");
    resp_key_number(b, prefix, "w", bucket);
    resp_key(b, prefix, "epoch");
    resp_key(b, prefix, "floor");
    resp_key(b, prefix, "held");
    for (int64_t i = 0; i < BUCKET_MINUTES; i++)
        resp_key_number(b, prefix, "d", bucket * BUCKET_MINUTES + i);
    resp_int(b, taken->minute);
    resp_int(b, o->epochs[taken->partition].id);
    resp_int(b, outbox_told(o, taken->partition));
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
