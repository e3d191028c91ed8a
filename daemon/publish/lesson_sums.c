/* Lesson minutes: what a lesson's minute comes to over all learners, whenever it has grown. */
#include "publish/cycle_steps.h"
#include "publish/minute_list.h"

enum { SUMS_MAX = 64 }; /* minutes in a transaction: each is read from every partition */

static struct minute_list list_grown(struct cycle *c, struct sweep *s)
{
    int partitions = outbox_partitions(c->with.outbox);
    struct outbox_minutes *found = arena_alloc(&c->arena, (size_t)partitions * sizeof(*found));
    for (int p = 0; p < partitions; p++)
        if (!outbox_grown(c->with.outbox, p, SIZE_MAX, &c->arena, &found[p])) {
            s->complete = false;
            found[p].n = 0;
        }
    return minute_list_join(&c->arena, found, partitions);
}

/* A minute that has grown in several partitions is listed for each, and published once. */
static bool wanted(
    const struct cycle *c, const struct sweep *s, bool running, const struct minute_list *grown, size_t i)
{
    return minute_list_is_first(grown, i) && (running || cycle_is_due(c, s, grown->items[i].minute));
}

static enum producer_status send_sums(
    struct cycle *c, struct sweep *s, int64_t minute, struct outbox_sums *out, size_t *n)
{
    enum producer_status status = PRODUCER_DONE;
    if (!outbox_sums(c->with.outbox, minute, &c->arena, out)) {
        s->complete = false;
        return status;
    }
    (*n)++;
    for (size_t i = 0; i < out->n; i++)
        cycle_send(c, record_lesson_minute(&c->writer, minute, &out->sums[i]), &status);
    return status;
}

struct sums_list {
    struct outbox_sums items[SUMS_MAX];
    size_t n;
};

static enum producer_status send_grown(
    struct cycle *c, struct sweep *s, const struct minute_list *grown, struct sums_list *list)
{
    enum producer_status status = PRODUCER_DONE;
    /* minutes still running come once in their interval, however many rounds the masks take */
    bool running = s->running && !s->more;
    for (size_t i = 0; i < grown->n && status == PRODUCER_DONE; i++) {
        if (!wanted(c, s, running, grown, i))
            continue;
        if (list->n < SUMS_MAX && producer_pending(c->with.producer) < c->records_max)
            status = send_sums(c, s, grown->items[i].minute, &list->items[list->n], &list->n);
        else
            cycle_leave(s, grown->items[i].minute);
    }
    return status;
}

enum cycle_status cycle_publish_sums(struct cycle *c, struct sweep *s)
{
    struct sums_list list = {.n = 0};
    struct minute_list grown = list_grown(c, s);
    enum cycle_status status = cycle_commit(c, send_grown(c, s, &grown, &list));
    for (size_t i = 0; status == CYCLE_IDLE && i < list.n; i++)
        if (!outbox_settle_sums(c->with.outbox, &list.items[i]))
            s->complete = false; /* published once more */
    return status;
}
