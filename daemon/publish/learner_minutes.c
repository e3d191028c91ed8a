/* The part of a round that publishes learners' minutes and totals. */
#include "publish/learner_minutes.h"

#include <assert.h>

#include "base/arena.h"
#include "publish/counters.h"
#include "publish/record.h"

/* ---- what is due ---- */

/*
 * Lists the dirty minutes that this round publishes. Whether a minute is due is judged here, since another
 * daemon may have noted it with another grace.
 */
static void list_minutes(struct learner_minutes *m)
{
    struct round *r = m->round;
    int partitions = outbox_partitions(r->outbox);
    struct outbox_minutes *found = arena_alloc(r->arena, (size_t)partitions * sizeof(*found));
    for (int p = 0; p < partitions; p++) {
        struct outbox_minutes *out = &found[p];
        int64_t oldest;
        size_t n = 0;
        if (r->outbox->epochs[p].state != PARTITION_WHOLE) {
            round_miss(r, p);
            continue;
        }
        if (!outbox_minutes(r->outbox, p, r->arena, out, &oldest)) {
            /* A server that is away does not hold up the others' partitions. */
            round_miss(r, p);
            out->n = 0;
            continue;
        }
        if (out->n == OUTBOX_MINUTES_MAX)
            round_leave(r, oldest);
        for (size_t i = 0; i < out->n; i++)
            if (out->minutes[i] < r->publish_before)
                out->minutes[n++] = out->minutes[i];
        out->n = n;
    }
    m->minutes = outbox_list_join(r->arena, found, partitions);
    if (m->rest->start.minute != 0)
        m->first = outbox_list_find(&m->minutes, &m->rest->start);
    m->next = m->first;
}

/* ---- what is taken ---- */

/*
 * How many portions there is room for in the transaction; never more than before in the same round. A learner
 * counts for two records at least, since a learner without any costs as much memory and time.
 */
static size_t room_for_portions(const struct learner_minutes *m)
{
    size_t records_max = m->round->records_max;
    size_t load = m->records > 2 * m->learners ? m->records : 2 * m->learners;
    if (load >= records_max)
        return 0;
    size_t n = (records_max - load) / (2 * OUTBOX_TAKE_MAX);
    return n < 1 ? 1 : n < OUTBOX_PORTIONS_MAX ? n : OUTBOX_PORTIONS_MAX;
}

/*
 * The first portion of a minute in this round. If the last round left the minute unfinished, it goes on from
 * there: all before is settled, and slow to pass again.
 */
static struct outbox_portion begin_minute(const struct learner_minutes *m, const struct outbox_minute *at)
{
    struct outbox_portion portion = {.partition = at->partition, .minute = at->minute};
    for (size_t i = 0; i < m->rest->n; i++) {
        const struct outbox_portion *unfinished = &m->rest->unfinished[i];
        if (unfinished->partition == at->partition && unfinished->minute == at->minute) {
            portion.resumed = true;
            portion.cursor = unfinished->cursor;
            portion.connection = unfinished->connection;
        }
    }
    return portion;
}

/* Chooses the next portions: first what goes on from the last take, then further minutes. NULL: no room. */
static struct learner_take *next_take(struct learner_minutes *m)
{
    size_t most = room_for_portions(m);
    struct learner_take *take = arena_alloc(m->round->arena, sizeof(*take));
    *take = (struct learner_take){.earlier = m->last};
    for (size_t i = 0; m->last != NULL && i < m->last->n; i++) {
        const struct outbox_portion *portion = &m->last->portions[i];
        bool goes_on = portion->cursor != 0;
        if (!portion->done)
            continue;
        if (goes_on && take->n < most) {
            take->portions[take->n++] = *portion;
            continue;
        }
        /*
         * This round takes no more of the minute. A minute that was resumed has not been read from its
         * beginning; that part is left for the next round, since this one would take again what it has taken.
         */
        if (goes_on) {
            /* There is room: all that a round leaves comes to no more portions than its first take. */
            assert(m->left.n < OUTBOX_PORTIONS_MAX);
            m->left.unfinished[m->left.n++] = *portion;
        }
        if (goes_on || portion->resumed)
            round_leave(m->round, portion->minute);
    }
    for (; m->next < m->minutes.n && take->n < most; m->next++)
        take->portions[take->n++] = begin_minute(m, &m->minutes.items[m->next]);
    if (take->n == 0)
        return NULL;
    m->last = take;
    return take;
}

/* Masks have a record each and a total, which several may have in common. */
static size_t count_records(const struct outbox_portion *portion)
{
    size_t masks = 0;
    for (size_t i = 0; i < portion->n_learners; i++)
        masks += portion->learners[i].n_masks;
    return 2 * masks;
}

static void take_minutes(struct learner_minutes *m)
{
    struct learner_take *take;
    while ((take = next_take(m)) != NULL) {
        (void)outbox_take(m->round->outbox, take->portions, take->n, m->round->arena);
        m->n_portions += take->n;
        for (size_t i = 0; i < take->n; i++) {
            m->learners += take->portions[i].n_learners + take->portions[i].n_left_out;
            m->records += count_records(&take->portions[i]);
        }
    }
}

/* All that was taken, the newest minutes first. */
static struct outbox_portion **list_portions(const struct learner_minutes *m)
{
    struct outbox_portion **all =
        arena_alloc(m->round->arena, m->n_portions * sizeof(struct outbox_portion *));
    size_t n = m->n_portions;
    for (struct learner_take *take = m->last; take != NULL; take = take->earlier)
        for (size_t i = take->n; i > 0; i--)
            all[--n] = &take->portions[i - 1];
    assert(n == 0);
    return all;
}

/* ---- what is sent ---- */

/*
 * Kafka refuses a record of the learner's minute, so that it cannot be settled. What else the minute has to
 * tell is sent from time to time.
 */
static bool is_refused(void *ctx, int64_t minute, const struct learner_masks *learner)
{
    struct round *r = ctx;
    for (size_t k = 0; !r->refused_too && producer_refuses_any(r->producer) && k < learner->n_masks; k++) {
        const struct learner_total total = {learner->portal, learner->learner, learner->masks[k].total};
        struct record evidence = record_learner_minute(r->writer, minute, learner, &learner->masks[k]);
        if (producer_refuses(r->producer, &evidence))
            return true;
        struct record sum = record_learner_lesson(r->writer, &total);
        if (producer_refuses(r->producer, &sum))
            return true;
    }
    return false;
}

static enum producer_status send_masks(struct round *r, struct outbox_portion *portion)
{
    for (size_t i = 0; i < portion->n_learners; i++) {
        struct learner_masks *learner = &portion->learners[i];
        for (size_t k = 0; k < learner->n_masks; k++) {
            struct record evidence =
                record_learner_minute(r->writer, portion->minute, learner, &learner->masks[k]);
            enum producer_status status = producer_send(r->producer, &evidence);
            if (status == PRODUCER_REFUSED)
                learner->left_out = true;
            else if (status != PRODUCER_DONE)
                return status;
        }
    }
    return PRODUCER_DONE;
}

/* Leaves out every learner's minute that TOTAL goes with. */
static void leave_out_with(const struct lesson_total *total, struct outbox_portion **portions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < portions[i]->n_learners; j++) {
            struct learner_masks *learner = &portions[i]->learners[j];
            for (size_t k = 0; k < learner->n_masks; k++)
                learner->left_out = learner->left_out || learner->masks[k].total == total;
        }
}

static enum producer_status send_all(
    struct round *r, struct outbox_portion **portions, size_t n, const struct outbox_totals *totals)
{
    enum producer_status status = PRODUCER_DONE;
    for (size_t i = 0; i < n && status == PRODUCER_DONE; i++)
        status = send_masks(r, portions[i]);
    for (size_t i = 0; i < totals->n && status == PRODUCER_DONE; i++) {
        struct record total = record_learner_lesson(r->writer, &totals->items[i]);
        status = producer_send(r->producer, &total);
        if (status != PRODUCER_REFUSED)
            continue;
        leave_out_with(totals->items[i].total, portions, n);
        status = PRODUCER_DONE;
    }
    return status;
}

/* ---- what is left ---- */

/* Learners who are left out stay the same until somebody mends them or Kafka: no round is needed at once. */
static void leave_portion(struct round *r, struct outbox_portion *portion)
{
    outbox_keep_others(portion);
    if (!portion->done)
        round_miss(r, portion->partition);
    if (portion->n_left_out > 0) {
        round_hold_back(r, portion->minute);
        r->held_by[portion->partition] = true;
    }
}

static void leave_rest(struct learner_minutes *m)
{
    struct outbox_minute start = {.minute = 0};
    assert(m->first <= m->next && m->next <= m->minutes.n);
    for (size_t i = 0; i < m->first; i++)
        round_hold_back(m->round, m->minutes.items[i].minute);
    for (size_t i = m->next; i < m->minutes.n; i++)
        round_leave(m->round, m->minutes.items[i].minute);
    /* If learners who are left out filled this round, and not records, the next one starts after what is
     * done; otherwise it starts with the newest minute. */
    if (m->records < m->round->records_max) {
        if (m->next < m->minutes.n)
            start = m->minutes.items[m->next];
        for (size_t i = 0; i < m->left.n; i++) {
            struct outbox_minute at = {m->left.unfinished[i].minute, m->left.unfinished[i].partition};
            if (outbox_minute_precedes(&at, &start))
                start = at;
        }
    }
    m->left.start = start;
}

enum producer_status learner_minutes_send(struct learner_minutes *m)
{
    struct round *r = m->round;
    enum producer_status status = PRODUCER_DONE;
    int64_t backlog = 0;
    list_minutes(m);
    for (size_t i = 0; i < m->minutes.n; i++)
        backlog += outbox_list_is_first(&m->minutes, i) && m->minutes.items[i].minute < r->due_before;
    atomic_store(&r->counters->backlog, backlog);
    take_minutes(m);
    struct outbox_portion **portions = list_portions(m);
    struct outbox_totals totals;
    outbox_totals(
        r->outbox, portions, m->n_portions, (struct outbox_leave_out){is_refused, r}, r->arena, &totals);
    m->records = 0; /* What is left out has taken room, and is no record. */
    for (size_t i = 0; i < m->n_portions; i++)
        m->records += count_records(portions[i]);
    status = send_all(r, portions, m->n_portions, &totals);
    for (size_t i = 0; i < m->n_portions; i++)
        leave_portion(r, portions[i]);
    leave_rest(m);
    return status;
}

/* ---- what is settled ---- */

static uint64_t count_masks(const struct outbox_portion *portion)
{
    uint64_t n = 0;
    for (size_t i = 0; i < portion->n_learners; i++)
        n += portion->learners[i].n_masks;
    return n;
}

void learner_minutes_settle(const struct learner_minutes *m)
{
    struct round *r = m->round;
    for (const struct learner_take *take = m->last; take != NULL; take = take->earlier) {
        struct outbox_portion taken[OUTBOX_PORTIONS_MAX];
        size_t n = 0;
        for (size_t i = 0; i < take->n; i++)
            if (take->portions[i].done)
                taken[n++] = take->portions[i];
        /* What cannot be settled now stays dirty, and is published once more. */
        if (n > 0 && !outbox_settle(r->outbox, taken, n))
            r->complete = false;
        for (size_t i = 0; i < n; i++)
            if (taken[i].done)
                atomic_fetch_add(&r->counters->learner_masks, count_masks(&taken[i]));
    }
}
