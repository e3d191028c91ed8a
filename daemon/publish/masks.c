/*
 * Learners' minutes and totals: what is dirty is taken, produced, committed and settled.
 *
 * Those who cannot be read stay dirty, however often they are taken. A round that was full of them is
 * followed by one that begins behind them, so that they hold up nobody.
 */
#include <assert.h>

#include "publish/counters.h"
#include "publish/cycle_steps.h"
#include "store/values.h"

enum { MINUTES_MAX = 16384 }; /* of a partition in one look: more than the longest horizon's */

/* Portions that are taken together, and were taken before in this transaction. */
struct wave {
    struct outbox_taken portions[OUTBOX_PORTIONS_MAX];
    size_t n;
    struct wave *older;
};

/* What a transaction takes. */
struct intake {
    const struct minute_list *minutes;
    size_t next;     /* of them, not yet begun */
    size_t skipped;  /* of them, by beginning behind */
    size_t learners; /* taken, also those without a record */
    struct wave *newest;
    struct begun begun; /* and left */
};

/* ---- look ---- */

static bool look(struct cycle *c, struct sweep *s, int partition, struct outbox_minutes *out)
{
    int64_t oldest;
    /* whether a minute is due is judged here: another daemon may have noted it with another grace */
    if (!outbox_minutes(c->with.outbox, partition, INT64_MAX, MINUTES_MAX, &c->arena, out, &oldest))
        return false;
    if (out->n == MINUTES_MAX)
        cycle_leave(s, oldest);
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (s->running || cycle_is_due(c, s, out->minutes[i]))
            out->minutes[n++] = out->minutes[i];
    out->n = n;
    return true;
}

/* Every dirty minute. A server that is away does not hold up the others' partitions. */
static struct minute_list list_minutes(struct cycle *c, struct sweep *s)
{
    int partitions = outbox_partitions(c->with.outbox);
    struct outbox_minutes *found = arena_alloc(&c->arena, (size_t)partitions * sizeof(*found));
    for (int p = 0; p < partitions; p++)
        if (!look(c, s, p, &found[p])) {
            s->complete = false;
            found[p].n = 0;
        }
    return minute_list_join(&c->arena, found, partitions);
}

static void count_dirty(struct cycle *c, const struct sweep *s, const struct minute_list *list)
{
    int64_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += minute_list_is_first(list, i) && cycle_is_due(c, s, list->items[i].minute);
    atomic_store(&c->with.counters->backlog, n);
}

/* ---- take and produce ---- */

static void send_learner(
    struct cycle *c, int64_t minute, const struct learner_masks *learner, enum producer_status *status)
{
    for (size_t i = 0; i < learner->n_masks; i++) {
        cycle_send(c, record_learner_minute(&c->writer, minute, learner, &learner->masks[i]), status);
        cycle_send(c, record_learner_lesson(&c->writer, minute, learner, &learner->masks[i]), status);
    }
}

/*
 * How many portions there is room for; never more than before in the same transaction. A learner counts for
 * two records at least, since whoever has none costs as much memory and time.
 */
static size_t portions_most(const struct cycle *c, const struct intake *in)
{
    size_t pending = producer_pending(c->with.producer);
    size_t load = pending > 2 * in->learners ? pending : 2 * in->learners;
    if (load >= c->records_max)
        return 0;
    size_t n = (c->records_max - load) / (2 * OUTBOX_TAKE_MAX);
    return n < 1 ? 1 : n < OUTBOX_PORTIONS_MAX ? n : OUTBOX_PORTIONS_MAX;
}

/* A minute's first portion. Where a transaction has left it, all before is settled, and slow to pass again.
 */
static struct outbox_taken begin_minute(const struct cycle *c, const struct partition_minute *m)
{
    for (size_t i = 0; i < c->begun.n; i++) {
        const struct outbox_taken *left = &c->begun.portions[i];
        if (left->partition == m->partition && left->minute == m->minute)
            return (struct outbox_taken){.minute = m->minute,
                .partition = m->partition,
                .resumed = true,
                .cursor = left->cursor,
                .connection = left->connection};
    }
    return (struct outbox_taken){.partition = m->partition, .minute = m->minute};
}

/*
 * What a portion leaves. One that was resumed has not seen its minute's beginning: that is left for the next
 * transaction, since in this one what was taken already would come again.
 */
static void leave_portion(struct sweep *s, struct intake *in, const struct outbox_taken *portion)
{
    if (portion->cursor != 0) {
        /* there is room: what waves leave adds up to no more than the first one's portions */
        assert(in->begun.n < OUTBOX_PORTIONS_MAX);
        in->begun.portions[in->begun.n++] = *portion;
    }
    if (portion->cursor != 0 || portion->resumed)
        cycle_leave(s, portion->minute);
}

/* First what goes on from the last wave, then further minutes; what has no room is left. */
static struct wave *next_wave(struct cycle *c, struct sweep *s, struct intake *in)
{
    size_t most = portions_most(c, in);
    struct wave *wave = arena_alloc(&c->arena, sizeof(*wave));
    for (size_t i = 0; in->newest != NULL && i < in->newest->n; i++) {
        const struct outbox_taken *portion = &in->newest->portions[i];
        if (portion->done && portion->cursor != 0 && wave->n < most)
            wave->portions[wave->n++] = *portion;
        else if (portion->done)
            leave_portion(s, in, portion);
    }
    for (; in->next < in->minutes->n && wave->n < most; in->next++)
        wave->portions[wave->n++] = begin_minute(c, &in->minutes->items[in->next]);
    wave->older = in->newest;
    in->newest = wave;
    return wave;
}

/* Holds back the watermark, and needs no further round at once. */
static void leave_for_later(struct sweep *s, int64_t minute)
{
    if (minute < s->oldest_left)
        s->oldest_left = minute;
}

/* Where the round was full, and not of records: behind what is done with, else at the newest. */
static struct partition_minute next_place(const struct cycle *c, const struct intake *in)
{
    struct partition_minute place = {.minute = 0};
    if (producer_pending(c->with.producer) >= c->records_max)
        return place;
    if (in->next < in->minutes->n)
        place = in->minutes->items[in->next];
    for (size_t i = 0; i < in->begun.n; i++) {
        const struct outbox_taken *left = &in->begun.portions[i];
        struct partition_minute begun = {left->minute, left->partition};
        if (partition_minute_precedes(&begun, &place))
            place = begun;
    }
    return place;
}

static void leave_rest(const struct cycle *c, struct sweep *s, struct intake *in)
{
    for (size_t i = 0; i < in->skipped; i++)
        leave_for_later(s, in->minutes->items[i].minute);
    for (size_t i = in->next; i < in->minutes->n; i++)
        cycle_leave(s, in->minutes->items[i].minute);
    in->begun.place = next_place(c, in);
}

static enum producer_status send_portion(
    struct cycle *c, struct sweep *s, struct intake *in, const struct outbox_taken *taken)
{
    enum producer_status status = PRODUCER_DONE;
    if (!taken->done)
        s->complete = false;
    in->learners += taken->n_learners + taken->n_unreadable;
    /* no hurry with those who cannot be read: they stay the same until an operator mends them */
    if (taken->n_unreadable > 0)
        leave_for_later(s, taken->minute);
    for (size_t i = 0; i < taken->n_learners; i++)
        send_learner(c, taken->minute, &taken->learners[i], &status);
    return status;
}

static enum producer_status take_minutes(struct cycle *c, struct sweep *s, struct intake *in)
{
    enum producer_status status = PRODUCER_DONE;
    for (;;) {
        struct wave *wave = next_wave(c, s, in);
        if (wave->n == 0) {
            leave_rest(c, s, in);
            return status;
        }
        (void)outbox_take(c->with.outbox, wave->portions, wave->n, &c->arena);
        for (size_t i = 0; i < wave->n && status == PRODUCER_DONE; i++)
            status = send_portion(c, s, in, &wave->portions[i]);
        if (status != PRODUCER_DONE)
            return status;
    }
}

/* ---- settle ---- */

static uint64_t count_masks(const struct outbox_taken *taken)
{
    uint64_t n = 0;
    for (size_t i = 0; i < taken->n_learners; i++)
        n += taken->learners[i].n_masks;
    return n;
}

/* What cannot be settled now stays dirty, and is published once more. */
static void settle_wave(struct cycle *c, struct sweep *s, struct wave *wave)
{
    struct outbox_taken taken[OUTBOX_PORTIONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < wave->n; i++)
        if (wave->portions[i].done)
            taken[n++] = wave->portions[i];
    if (n > 0 && !outbox_settle(c->with.outbox, taken, n))
        s->complete = false;
    for (size_t i = 0; i < n; i++)
        if (taken[i].done)
            atomic_fetch_add(&c->with.counters->learner_masks, count_masks(&taken[i]));
}

enum cycle_status cycle_publish_masks(struct cycle *c, struct sweep *s)
{
    struct minute_list minutes = list_minutes(c, s);
    struct intake in = {.minutes = &minutes};
    if (c->begun.place.minute != 0)
        in.skipped = minute_list_find(&minutes, &c->begun.place);
    in.next = in.skipped;
    count_dirty(c, s, &minutes);
    enum cycle_status status = cycle_commit(c, take_minutes(c, s, &in));
    c->begun = in.begun;
    if (status != CYCLE_IDLE)
        c->begun = (struct begun){.n = 0};
    for (struct wave *wave = in.newest; status == CYCLE_IDLE && wave != NULL; wave = wave->older)
        settle_wave(c, s, wave);
    return status;
}
