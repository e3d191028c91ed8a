/* Learners' minutes and totals: what is dirty is taken, produced, committed and settled. */
#include "publish/cycle_steps.h"
#include "publish/minute_list.h"
#include "publish/publish.h"

enum { MINUTES_MAX = 16384 }; /* of a partition in one look: more than the longest horizon's */

struct taken_list {
    struct outbox_taken *items;
    size_t n;
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
    atomic_store(&c->with.counters->dirty_minutes, n);
}

/* ---- take and produce ---- */

static void send_learner(
    struct cycle *c, int64_t minute, const struct outbox_learner *learner, enum producer_status *status)
{
    for (size_t i = 0; i < learner->n_masks; i++) {
        cycle_send(c, record_learner_minute(&c->writer, minute, learner, &learner->masks[i]), status);
        cycle_send(c, record_learner_lesson(&c->writer, minute, learner, &learner->masks[i]), status);
    }
}

static enum producer_status take_minute(
    struct cycle *c, struct sweep *s, const struct partition_minute *m, struct taken_list *list)
{
    struct outbox_taken *taken = &list->items[list->n];
    enum producer_status status = PRODUCER_DONE;
    if (!outbox_take(c->with.outbox, m->partition, m->minute, &c->arena, taken)) {
        s->complete = false;
        return status;
    }
    list->n++;
    if (taken->more && taken->n_learners > 0)
        cycle_leave(s, m->minute);
    /* no hurry with those who cannot be read: they stay the same until an operator mends them */
    if (taken->n_unreadable > 0 && m->minute < s->oldest_left)
        s->oldest_left = m->minute;
    for (size_t i = 0; i < taken->n_learners; i++)
        send_learner(c, m->minute, &taken->learners[i], &status);
    return status;
}

static enum producer_status take_minutes(
    struct cycle *c, struct sweep *s, const struct minute_list *minutes, struct taken_list *list)
{
    enum producer_status status = PRODUCER_DONE;
    for (size_t i = 0; i < minutes->n && status == PRODUCER_DONE; i++) {
        if (producer_pending(c->with.producer) < c->records_max)
            status = take_minute(c, s, &minutes->items[i], list);
        else
            cycle_leave(s, minutes->items[i].minute);
    }
    return status;
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
static void settle(struct cycle *c, struct sweep *s, const struct taken_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (outbox_settle(c->with.outbox, &list->items[i]))
            atomic_fetch_add(&c->with.counters->learner_minutes, count_masks(&list->items[i]));
        else
            s->complete = false;
    }
}

enum cycle_status cycle_publish_masks(struct cycle *c, struct sweep *s)
{
    struct minute_list minutes = list_minutes(c, s);
    count_dirty(c, s, &minutes);
    struct taken_list taken = {arena_alloc(&c->arena, minutes.n * sizeof(*taken.items)), 0};
    enum cycle_status status = cycle_commit(c, take_minutes(c, s, &minutes, &taken));
    if (status == CYCLE_IDLE)
        settle(c, s, &taken);
    return status;
}
