/* What the topics say of learners, into Redis. */
#include "publish/restore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "credit/mask.h"
#include "publish/outbox.h"
#include "publish/outbox_minutes.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"
#include "store/values.h"

enum { BATCH = 512, TRIES = 30, PAUSE_MS = 1000 };

/* ---- where partitions stand ---- */

enum { LOST, KEPT, RESTORED, SLICES, SLICE, STATE_FIELDS };
static const char *const state_fields[] = {
    [LOST] = "lost", [KEPT] = "kept", [RESTORED] = "restored", [SLICES] = "slices", [SLICE] = "slice"};

static const char *const lost_names[] = {[RESTORE_EMPTY] = "empty", [RESTORE_ROLLED_BACK] = "rolled_back"};

/* A partition's state, and where it is read into. */
struct state_call {
    struct restore_state *state;
    struct arena *arena;
};

/* Takes over a learner who was left out: `empty 29000000`, the reason and the first minute that was kept. */
static bool take_left_out(
    struct arena *arena, const redisReply *name, const redisReply *how, struct restore_left_out *l)
{
    struct slice text;
    char reason[16];
    if (!reply_string(name, &text) || how->type != REDIS_REPLY_STRING ||
        sscanf(how->str, "%15s %" SCNd64, reason, &l->kept) != 2)
        return false;
    l->lost = strcmp(reason, lost_names[RESTORE_EMPTY]) == 0 ? RESTORE_EMPTY : RESTORE_ROLLED_BACK;
    text = (struct slice){arena_strndup(arena, text.ptr, text.len), text.len};
    return outbox_split_learner(text, &l->portal, &l->learner);
}

static bool take_all_left_out(const struct state_call *call, const redisReply *reply)
{
    struct restore_state *state = call->state;
    if (!reply_is_array(reply))
        return false;
    state->left_out = arena_alloc(call->arena, (reply->elements / 2 + 1) * sizeof(*state->left_out));
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (!take_left_out(call->arena, reply_at(reply, i), reply_at(reply, i + 1),
                &state->left_out[state->n_left_out++]))
            return false;
    if (state->lost == RESTORE_WHOLE && state->n_left_out > 0)
        state->lost = RESTORE_LEFT_OUT;
    return true;
}

static bool take_state(void *ctx, size_t index, const redisReply *reply)
{
    struct state_call *call = ctx;
    struct restore_state *state = call->state;
    if (index == 1)
        return reply->type == REDIS_REPLY_NIL || reply_number(reply, &state->floor);
    if (index == 2)
        return take_all_left_out(call, reply);
    if (!reply_is_array(reply) || reply->elements != STATE_FIELDS)
        return false;
    const char *lost = reply_text(reply_at(reply, LOST));
    bool nothing = reply_at(reply, LOST)->type == REDIS_REPLY_NIL;
    *state = (struct restore_state){.kept = -1};
    state->lost = nothing                            ? RESTORE_WHOLE
                  : strcmp(lost, "empty") == 0       ? RESTORE_EMPTY
                  : strcmp(lost, "rolled_back") == 0 ? RESTORE_ROLLED_BACK
                                                     : RESTORE_FOREIGN;
    (void)!reply_number(reply_at(reply, KEPT), &state->kept);
    (void)!reply_number(reply_at(reply, RESTORED), &state->restored);
    (void)!reply_number(reply_at(reply, SLICES), &state->slices);
    (void)!reply_number(reply_at(reply, SLICE), &state->slice);
    return true;
}

bool restore_read_states(
    struct outbox *o, struct arena *arena, struct restore_state states[static PARTITIONS_MAX])
{
    bool done[PARTITIONS_MAX];
    struct state_call calls[PARTITIONS_MAX];
    for (int p = 0; p < outbox_partitions(o); p++) {
        resp_begin(&o->command, 2 + STATE_FIELDS);
        resp_arg(&o->command, SLICE_LITERAL("HMGET"));
        resp_key(&o->command, &o->prefixes[p], "epoch");
        for (int i = 0; i < STATE_FIELDS; i++)
            resp_arg(&o->command, slice_of(state_fields[i]));
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("GET"));
        resp_key(&o->command, &o->prefixes[p], "floor");
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
        resp_key(&o->command, &o->prefixes[p], "left_out");
        calls[p] = (struct state_call){&states[p], arena};
        outbox_queue(o, p, 3, take_state, &calls[p], &done[p]);
    }
    if (!outbox_flush(o, "states", false))
        return false;
    for (int p = 0; p < outbox_partitions(o); p++) {
        struct restore_state *state = &states[p];
        state->kept = state->kept < 0 ? state->floor : state->kept;
        state->kept = state->kept < state->restored ? state->restored : state->kept;
    }
    return true;
}

static bool take_number(void *ctx, size_t index, const redisReply *reply)
{
    (void)index;
    return reply->type == REDIS_REPLY_NIL || reply_number(reply, ctx);
}

static bool take_presence(void *ctx, size_t index, const redisReply *reply)
{
    bool *present = ctx;
    (void)index;
    *present = reply->type == REDIS_REPLY_STRING;
    return *present || reply->type == REDIS_REPLY_NIL;
}

static bool read_number(struct outbox *o, const char *key, const char *field, int64_t *number)
{
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("HGET"));
    resp_arg(&o->command, slice_of(key));
    resp_arg(&o->command, slice_of(field));
    return outbox_call_key(o, key, "deployment", false, take_number, number);
}

bool restore_read_deployment(struct outbox *o, struct restore_deployment *d)
{
    *d = (struct restore_deployment){0};
    if (!read_number(o, KEY_WATERMARKS, "final_through", &d->final_through) ||
        !read_number(o, KEY_SETTINGS, "early", &d->early_minute))
        return false;
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("GET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_PUBLISHER));
    return outbox_call_key(o, KEY_PUBLISHER, "deployment", false, take_presence, &d->published);
}

/* ---- calls ---- */

void restore_free(struct restore *r)
{
    arena_free(&r->arena);
    arena_free(&r->states);
}

/* One call of a function that answers with integers. */
struct restore_call {
    struct restore *restore;
    int64_t answers[4];
    size_t n_answers;
    bool unreadable; /* a value of the learner's cannot be read, which no other try would change */
    bool done;
};

/* Errors that another try would not change. False where it might. */
static bool take_error(struct restore_call *call, const redisReply *reply)
{
    struct restore *r = call->restore;
    if (reply_is_error_code(reply, "FORMAT") || reply_is_error_code(reply, "WRONGTYPE") ||
        strstr(reply->str, "WRONGTYPE") != NULL)
        call->unreadable = true;
    else if (reply_is_error_code(reply, "REBUILDER"))
        snprintf(
            r->why, sizeof(r->why), "another process has taken over: %s", reply->str + strlen("REBUILDER "));
    else if (reply_is_error_code(reply, "OOM"))
        snprintf(r->why, sizeof(r->why),
            "Redis is full: give it more memory (maxmemory), and run this again; it goes on where it was");
    else
        return false;
    return true;
}

static bool take_integers(void *ctx, size_t index, const redisReply *reply)
{
    struct restore_call *call = ctx;
    (void)index;
    if (reply_is_error(reply))
        return take_error(call, reply);
    if (call->n_answers == 1)
        return reply_integer(reply, &call->answers[0]);
    for (size_t i = 0; i < call->n_answers; i++)
        if (!reply_integer(reply_at(reply, i), &call->answers[i]))
            return false;
    return true;
}

static bool go_on_always(void *ctx)
{
    (void)ctx;
    return true;
}

/*
 * Makes the calls that QUEUE queues, N of them, until each is done. Those that were done and not told, since
 * a server was lost on the way, are made again: so each must change nothing the second time.
 */
static bool make_calls(struct restore *r, struct restore_call *calls, size_t n,
    void (*queue)(void *ctx, size_t i), restore_go_on *go_on, void *ctx, void *go_on_ctx)
{
    for (int tries = 0; tries < TRIES; tries++) {
        bool done = true;
        for (size_t i = 0; i < n; i++)
            if (!calls[i].done)
                queue(ctx, i);
        (void)outbox_flush(r->outbox, "restore", true);
        for (size_t i = 0; i < n; i++)
            done = done && calls[i].done;
        if (r->why[0] != '\0' || done)
            return r->why[0] == '\0';
        if (!go_on(go_on_ctx))
            return false;
        nanosleep(&(struct timespec){PAUSE_MS / 1000, 0}, NULL);
    }
    snprintf(r->why, sizeof(r->why), "Redis does not take it; run this again: it goes on where it was");
    return false;
}

/* ---- a partition ---- */

/* A call without anything but a partition's keys and numbers. */
struct partition_call {
    struct restore *restore;
    struct restore_call call;
    int partition;
    const char *function; /* NULL: HSET of the fence */
    const char *second_key;
    const char *third_key; /* NULL: none */
    int64_t numbers[2];
    size_t n_numbers;
};

static void queue_partition_call(void *ctx, size_t i)
{
    struct partition_call *c = ctx;
    struct outbox *o = c->restore->outbox;
    struct buf *b = &o->command;
    (void)i;
    if (c->function != NULL) {
        size_t keys = c->third_key == NULL ? 2 : 3;
        resp_fcall(b, c->function, keys, keys + 1 + c->n_numbers);
        resp_key(b, &o->prefixes[c->partition], "epoch");
        resp_key(b, &o->prefixes[c->partition], c->second_key);
        if (c->third_key != NULL)
            resp_key(b, &o->prefixes[c->partition], c->third_key);
        resp_arg(b, slice_of(c->restore->token));
        for (size_t k = 0; k < c->n_numbers; k++)
            resp_int(b, c->numbers[k]);
    } else {
        resp_begin(b, 4);
        resp_arg(b, SLICE_LITERAL("HSET"));
        resp_key(b, &o->prefixes[c->partition], "epoch");
        resp_arg(b, SLICE_LITERAL("rebuilder"));
        resp_arg(b, slice_of(c->restore->token));
    }
    outbox_queue_write(o, c->partition, take_integers, &c->call, &c->call.done);
}

static bool call_partition(struct partition_call *c)
{
    c->call = (struct restore_call){.restore = c->restore, .n_answers = 1};
    bool good = make_calls(c->restore, &c->call, 1, queue_partition_call, go_on_always, c, NULL);
    if (good && c->call.unreadable) {
        snprintf(
            c->restore->why, sizeof(c->restore->why), "keys of partition %d cannot be read", c->partition);
        return false;
    }
    return good;
}

bool restore_claim(struct restore *r, int partition)
{
    return call_partition(&(struct partition_call){.restore = r, .partition = partition});
}

bool restore_next(struct restore *r, int partition, int64_t slices, int64_t slice)
{
    return call_partition(&(struct partition_call){.restore = r,
        .partition = partition,
        .function = STORE_FUNCTION("restore_next"),
        .second_key = "rebuilt",
        .numbers = {slices, slice},
        .n_numbers = 2});
}

bool restore_end(struct restore *r, int partition, int64_t *epoch)
{
    struct partition_call c = {.restore = r,
        .partition = partition,
        .function = STORE_FUNCTION("restore_end"),
        .second_key = "rebuilt",
        .third_key = "floor",
        .numbers = {clock_now_ms(r->outbox->clock)},
        .n_numbers = 1};
    bool good = call_partition(&c);
    *epoch = c.call.answers[0];
    return good;
}

bool restore_lower_floor(struct restore *r, int partition, int64_t from, int64_t to, int64_t *floor)
{
    struct partition_call c = {.restore = r,
        .partition = partition,
        .function = STORE_FUNCTION("lower_floor"),
        .second_key = "floor",
        .numbers = {from, to},
        .n_numbers = 2};
    bool good = call_partition(&c);
    *floor = c.call.answers[0];
    return good;
}

/* ---- learners ---- */

enum { NEW, TAKEN, AHEAD, FIRST_TIME, ANSWERS };

/* A learner's call. */
struct learner_call {
    const struct recall_learner *learner;
    struct recall_summary summary;
    enum restore_lost lost; /* by what the learner is restored; as the partition, unless it was left out */
    int64_t kept;
    bool left_out; /* by an earlier pass */
    int64_t older; /* seconds without evidence */
};

struct batch {
    struct restore *restore;
    const struct recall *evidence;
    const struct restore_state *states;
    bool floor;
    struct learner_call learners[BATCH];
    struct restore_call calls[BATCH];
    size_t n;
};

/*
 * What a total has more than its evidence, if some evidence is not in the topic any more. If all still is,
 * the total was ahead of minutes that were not yet published: of no more seconds than there are from the
 * newest minute in the evidence to that of the total. A topic that was made anew and published to from Redis
 * has all its records, and yet none of what Redis had retired by then.
 */
static int64_t older_seconds(const struct recall *e, const struct recall_sum *sum)
{
    if (sum->total == NULL || sum->total->watched_seconds <= (int64_t)sum->seconds)
        return 0;
    int64_t more = sum->total->watched_seconds - (int64_t)sum->seconds;
    int64_t minutes = (int64_t)sum->total->last_minute - sum->last_minute + 1;
    bool is_gone = sum->seconds == 0 || recall_is_cut(e) || more > minutes * MINUTE_SECONDS;
    return is_gone ? more : 0;
}

/*
 * The packed argument of `restore` and `restore_masks`. Masks are in the order of their minutes. MINUTES and
 * BUCKETS get what the masks are of.
 */
static void pack_masks(struct buf *packed, const struct recall *e, const struct learner_call *c, bool whole,
    struct outbox_minutes *minutes, struct outbox_minutes *buckets)
{
    const struct recall_summary *s = &c->summary;
    struct buf masks = {0};
    struct buf of_minutes = {0};
    minutes->n = buckets->n = 0;
    for (size_t i = 0; i < s->n_masks; i++) {
        const struct recall_mask *m = &s->masks[i];
        size_t lesson = 0;
        while (s->sums[lesson].lesson != m->lesson)
            lesson++;
        int64_t bucket = m->minute / BUCKET_MINUTES;
        if (buckets->n == 0 || buckets->minutes[buckets->n - 1] != bucket)
            buckets->minutes[buckets->n++] = bucket;
        if (minutes->n == 0 || minutes->minutes[minutes->n - 1] != m->minute) {
            minutes->minutes[minutes->n++] = m->minute;
            buf_append_u32(&of_minutes, m->minute);
            buf_append_u32(&of_minutes, (uint32_t)buckets->n);
        }
        buf_append_u32(&masks, (uint32_t)minutes->n);
        buf_append_u32(&masks, (uint32_t)(lesson + 1));
        buf_append_u32(&masks, (uint32_t)(m->mask & VALUE_HALF_MASK));
        buf_append_u32(&masks, (uint32_t)(m->mask >> VALUE_HALF_BITS));
    }
    buf_append_u32(packed, (uint32_t)buckets->n);
    buf_append_u32(packed, (uint32_t)minutes->n);
    buf_append_u32(packed, (uint32_t)s->n_sums);
    buf_append_u32(packed, (uint32_t)s->n_masks);
    if (of_minutes.len > 0)
        buf_append_slice(packed, buf_slice(&of_minutes));
    for (size_t i = 0; i < s->n_sums; i++) {
        const struct recall_sum *sum = &s->sums[i];
        uint32_t last = sum->total == NULL ? 0 : sum->total->last_minute;
        buf_append_u32(packed, whole ? (uint32_t)(sum->before + (uint64_t)older_seconds(e, sum)) : 0);
        buf_append_u32(packed, sum->total == NULL ? 0 : sum->total->watched_seconds);
        buf_append_u32(packed, sum->last_minute > last ? sum->last_minute : last);
    }
    if (masks.len > 0)
        buf_append_slice(packed, buf_slice(&masks));
    buf_free(&masks);
    buf_free(&of_minutes);
}

static void queue_learner(void *ctx, size_t i)
{
    struct batch *batch = ctx;
    const struct learner_call *c = &batch->learners[i];
    const struct recall_summary *s = &c->summary;
    struct outbox *o = batch->restore->outbox;
    const struct key_prefix *prefix = &o->prefixes[c->learner->partition];
    bool whole = c->lost == RESTORE_EMPTY || c->left_out;
    struct buf packed = {0};
    struct buf *b = &o->command;
    struct outbox_minutes minutes = {
        arena_alloc(&batch->restore->arena, (s->n_masks + 1) * sizeof(*minutes.minutes)), 0};
    struct outbox_minutes buckets = {
        arena_alloc(&batch->restore->arena, (s->n_masks + 1) * sizeof(*buckets.minutes)), 0};
    pack_masks(&packed, batch->evidence, c, whole, &minutes, &buckets);
    if (batch->floor) {
        resp_fcall(b, STORE_FUNCTION("restore_masks"), 1 + buckets.n, 1 + buckets.n + 3 + s->n_sums);
        resp_key(b, prefix, "epoch");
    } else {
        size_t keys = 7 + buckets.n + 2 * minutes.n;
        resp_fcall(b, STORE_FUNCTION("restore"), keys, keys + 3 + 3 * s->n_sums);
        resp_key(b, prefix, "epoch");
        resp_key(b, prefix, "floor");
        resp_key(b, prefix, "ld");
        resp_key(b, prefix, "rebuilt");
        resp_key_totals(b, prefix, c->learner->portal, c->learner->learner);
        resp_key(b, prefix, "due");
        resp_key(b, prefix, "left_out");
    }
    for (size_t k = 0; k < buckets.n; k++)
        resp_key_number(b, prefix, "w", buckets.minutes[k]);
    for (size_t k = 0; !batch->floor && k < minutes.n; k++)
        resp_key_number(b, prefix, "l", minutes.minutes[k]);
    for (size_t k = 0; !batch->floor && k < minutes.n; k++)
        resp_key_number(b, prefix, "d", minutes.minutes[k]);
    resp_arg(b, slice_of(batch->restore->token));
    resp_learner(b, c->learner->portal, c->learner->learner);
    resp_arg(b, buf_slice(&packed));
    for (size_t k = 0; k < s->n_sums; k++) {
        const struct recall_lesson *lesson = recall_lesson(batch->evidence, s->sums[k].lesson);
        resp_arg(b, lesson->id);
        if (batch->floor)
            continue;
        resp_arg(b, lesson->course);
        resp_arg(b, s->sums[k].total == NULL ? SLICE_LITERAL("") : s->sums[k].total->covered);
    }
    buf_free(&packed);
    outbox_queue_write(o, c->learner->partition, take_integers, &batch->calls[i], &batch->calls[i].done);
}

/* Masks from the floor on are whole where only a floor was wrong. */
static void leave_masks_from(struct recall_summary *s, int64_t floor)
{
    while (s->n_masks > 0 && s->masks[s->n_masks - 1].minute >= floor)
        s->n_masks--;
}

static struct restore_left_out *find_left_out(
    const struct restore_state *state, const struct recall_learner *l)
{
    for (size_t i = 0; i < state->n_left_out; i++)
        if (slice_equal(state->left_out[i].learner, l->learner) &&
            slice_equal(state->left_out[i].portal, l->portal))
            return &state->left_out[i];
    return NULL;
}

static bool add_learner(struct batch *batch, const struct recall_learner *l)
{
    const struct restore_state *state = &batch->states[l->partition];
    struct restore_left_out *left_out = batch->floor ? NULL : find_left_out(state, l);
    struct learner_call *c = &batch->learners[batch->n];
    if (state->lost == RESTORE_LEFT_OUT && left_out == NULL)
        return false;
    if (left_out != NULL)
        left_out->seen = true;
    *c = (struct learner_call){.learner = l,
        .lost = left_out != NULL ? left_out->lost : state->lost,
        .kept = left_out != NULL ? left_out->kept : state->kept,
        .left_out = left_out != NULL};
    c->summary = recall_sum_up(l, batch->floor ? 0 : c->kept, &batch->restore->arena);
    for (size_t i = 0; i < c->summary.n_sums && c->lost == RESTORE_EMPTY; i++)
        c->older += older_seconds(batch->evidence, &c->summary.sums[i]);
    if (batch->floor)
        leave_masks_from(&c->summary, state->floor);
    batch->calls[batch->n] =
        (struct restore_call){.restore = batch->restore, .n_answers = batch->floor ? 1 : ANSWERS};
    return batch->floor ? c->summary.n_masks > 0 : c->left_out || c->summary.n_sums > 0;
}

static void count_learner(struct restore *r, const struct learner_call *c, const struct restore_call *call)
{
    r->learners++;
    if (call->unreadable) {
        r->left_out++;
        fprintf(stderr,
            "minuted: %.*s/%.*s cannot be restored: what Redis has of this learner cannot be read\n",
            SLICE_ARG(c->learner->portal), SLICE_ARG(c->learner->learner));
        return;
    }
    r->new_seconds += call->answers[NEW];
    r->taken_seconds += call->answers[TAKEN];
    r->ahead_seconds += call->answers[AHEAD];
    if (call->answers[FIRST_TIME] == 1) {
        r->older_seconds += c->older;
        r->older_learners += c->older > 0;
    }
}

static void queue_left_out(void *ctx, size_t i)
{
    struct batch *batch = ctx;
    const struct learner_call *c = &batch->learners[i];
    struct outbox *o = batch->restore->outbox;
    const struct key_prefix *prefix = &o->prefixes[c->learner->partition];
    struct buf *b = &o->command;
    resp_fcall(b, STORE_FUNCTION("leave_out"), 2, 2 + 4);
    resp_key(b, prefix, "epoch");
    resp_key(b, prefix, "left_out");
    resp_arg(b, slice_of(batch->restore->token));
    resp_learner(b, c->learner->portal, c->learner->learner);
    resp_arg(b, slice_of(lost_names[c->lost]));
    resp_int(b, c->kept);
    outbox_queue_write(o, c->learner->partition, take_integers, &batch->calls[i], &batch->calls[i].done);
}

/* Notes the learners of the batch who could not be restored, before the pass can count as done. */
static bool note_left_out(struct batch *batch, restore_go_on *go_on, void *ctx)
{
    struct restore *r = batch->restore;
    bool any = false;
    for (size_t k = 0; k < batch->n; k++) {
        bool unreadable = batch->calls[k].unreadable && !batch->floor;
        batch->calls[k] = (struct restore_call){.restore = r, .n_answers = 1, .done = !unreadable};
        any = any || unreadable;
    }
    if (any && !make_calls(r, batch->calls, batch->n, queue_left_out, go_on, batch, ctx))
        return false;
    for (size_t k = 0; k < batch->n; k++)
        if (batch->calls[k].unreadable) {
            snprintf(r->why, sizeof(r->why), "left_out of partition %d cannot be written",
                batch->learners[k].learner->partition);
            return false;
        }
    return true;
}

bool restore_learners(struct restore *r, const struct recall *e, size_t first, size_t n,
    const struct restore_state *states, bool floor, restore_go_on *go_on, void *ctx)
{
    struct batch batch = {.restore = r, .evidence = e, .states = states, .floor = floor};
    for (size_t i = 0; i < n;) {
        arena_reset(&r->arena);
        for (batch.n = 0; i < n && batch.n < BATCH; i++)
            batch.n += add_learner(&batch, recall_learner(e, first + i));
        if (batch.n > 0 && !make_calls(r, batch.calls, batch.n, queue_learner, go_on, &batch, ctx))
            return false;
        for (size_t k = 0; k < batch.n; k++)
            count_learner(r, &batch.learners[k], &batch.calls[k]);
        if (!note_left_out(&batch, go_on, ctx) || !go_on(ctx))
            return false;
    }
    return true;
}

bool restore_release(struct restore *r, const struct recall *e, int partition,
    const struct restore_state *states, restore_go_on *go_on, void *ctx)
{
    struct batch batch = {.restore = r, .evidence = e, .states = states};
    for (size_t i = 0; i < states[partition].n_left_out; i++) {
        const struct restore_left_out *left_out = &states[partition].left_out[i];
        struct recall_learner nothing = {
            .portal = left_out->portal, .learner = left_out->learner, .partition = partition};
        if (left_out->seen)
            continue;
        arena_reset(&r->arena);
        batch.n = 0;
        batch.n += add_learner(&batch, &nothing);
        if (batch.n > 0 && !make_calls(r, batch.calls, batch.n, queue_learner, go_on, &batch, ctx))
            return false;
    }
    return true;
}

/* ---- lesson sums ---- */

struct sums_call {
    struct restore *restore;
    struct restore_call call;
    const struct restore_sum *sums;
    size_t n;
};

static void queue_sums(void *ctx, size_t i)
{
    struct sums_call *c = ctx;
    struct outbox *o = c->restore->outbox;
    struct buf *b = &o->command;
    (void)i;
    resp_fcall(b, STORE_FUNCTION("restore_sums"), 2, 3 + 4 * c->n);
    resp_key(b, &o->prefixes[c->sums->partition], "epoch");
    resp_key_number(b, &o->prefixes[c->sums->partition], "l", c->sums->minute);
    resp_arg(b, slice_of(c->restore->token));
    for (size_t k = 0; k < c->n; k++) {
        resp_arg(b, c->sums[k].lesson);
        resp_int(b, c->sums[k].seconds);
        resp_int(b, c->sums[k].learners);
        resp_arg(b, c->sums[k].course);
    }
    outbox_queue_write(o, c->sums->partition, take_integers, &c->call, &c->call.done);
}

bool restore_sums(
    struct restore *r, const struct restore_sum *sums, size_t n, restore_go_on *go_on, void *ctx)
{
    struct sums_call c = {.restore = r, .call = {.restore = r, .n_answers = 1}, .sums = sums, .n = n};
    return make_calls(r, &c.call, 1, queue_sums, go_on, &c, ctx);
}
