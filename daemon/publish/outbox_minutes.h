/*
 * Dirty minutes: which there are, what their learners' masks are, and that they are settled once a
 * transaction has committed.
 *
 *     outbox_minutes -> outbox_take … -> outbox_totals -> (send, commit) -> outbox_settle
 *
 * Every function that returns false could not reach a server or was refused by it: the failure is logged, and
 * a broken connection is made anew at the next call. Nothing is lost by giving up half-way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "publish/outbox.h"
#include "store/values.h"

enum {
    OUTBOX_MINUTES_MAX = 16384, /* of a partition: more than the longest horizon has */
    OUTBOX_TAKE_MAX = 500,      /* learners of a portion, as a rule */
    OUTBOX_PORTIONS_MAX = 16    /* in one call */
};

/*
 * The newest dirty minutes of PARTITION, at most OUTBOX_MINUTES_MAX, newest first. *OLDEST is the oldest of
 * all dirty ones, INT64_MAX when there is none.
 */
bool outbox_minutes(struct outbox *o, int partition, struct arena *arena, struct outbox_minutes *out,
    int64_t *oldest) __attribute__((warn_unused_result));

/*
 * A portion of a minute's dirty learners. Set `partition` and `minute` and zero the rest for the first one;
 * the next goes on where it ended, also after a settling, when what lies before is empty and slow to pass.
 */
struct outbox_portion {
    int64_t minute;
    int partition;
    bool resumed;                   /* the caller's: the portion before it was another round's */
    bool done;                      /* the last call for it went well */
    uint64_t cursor;                /* where the next portion begins; 0: this was the last */
    uint64_t connection;            /* the outbox's: over which the names and the cursor came */
    struct learner_masks *learners; /* in the arena */
    size_t n_learners;
    size_t n_left_out; /* learners, who stay dirty: their keys hold what they should not, or Kafka refuses
                          them */
};

/*
 * Takes the masks of N portions, at most OUTBOX_PORTIONS_MAX, without their totals; nothing may be sent of
 * them before outbox_totals(). `done` is not set where the server was lost or replaced on the way, also since
 * the portion before: that minute is to be begun anew. The portions of a minute, from the first to the last,
 * together hold every learner who was dirty all the while; one may come twice, with no less the second time.
 * True when all are done.
 */
bool outbox_take(struct outbox *o, struct outbox_portion *portions, size_t n, struct arena *arena);

/*
 * The totals of the lessons in which masks were taken, each learner's lesson once, however many of its
 * minutes a transaction has: so a transaction holds one record of each total, and that one is not behind any
 * of its masks.
 */
struct outbox_totals {
    struct learner_total *items; /* in the arena */
    size_t n;
};

/* Whether LEARNER's masks of MINUTE, which have their totals, are to be left out, although they can be read.
 */
struct outbox_leave_out {
    bool (*judge)(void *ctx, int64_t minute, const struct learner_masks *learner); /* NULL: none is */
    void *ctx;
};

/*
 * To be called once for all N PORTIONS of a transaction, after the last of them was taken. Every mask of
 * every portion that is still `done` then has its total, OUT lists those totals, and all of it is durable at
 * the configured level: the barrier between taking and sending is within. A portion whose server was lost or
 * replaced since its names were read is not `done` any more, and is to be begun anew.
 */
void outbox_totals(struct outbox *o, struct outbox_portion **portions, size_t n,
    struct outbox_leave_out leave_out, struct arena *arena, struct outbox_totals *out);

/* Takes the learners that are `left_out` from the PORTION, which counts them: they are not settled. */
void outbox_keep_others(struct outbox_portion *portion);

/* The two parts of `portal/learner`, as sets and hashes name a learner. False when either cannot be one. */
bool outbox_split_learner(struct slice name, struct slice *portal, struct slice *learner)
    __attribute__((warn_unused_result));

/* After the commit: each learner leaves the dirty set unless one of its masks grew meanwhile. As above. */
bool outbox_settle(struct outbox *o, struct outbox_portion *portions, size_t n);

/* ---- the minutes of all partitions, newest first: the order in which publishing catches up ---- */

struct outbox_minute {
    int64_t minute; /* Unix seconds / 60 */
    int partition;
};

struct outbox_list {
    struct outbox_minute *items;
    size_t n;
};

/* Whether A comes before B in a list. */
bool outbox_minute_precedes(const struct outbox_minute *a, const struct outbox_minute *b);

/* Joins what was found in each of PARTITIONS partitions, in the arena. */
struct outbox_list outbox_list_join(struct arena *arena, const struct outbox_minutes *found, int partitions);

/* Whether item I is the first of its minute. */
bool outbox_list_is_first(const struct outbox_list *list, size_t i);

/* The first item that is START or comes after it; the list's length where there is none. */
size_t outbox_list_find(const struct outbox_list *list, const struct outbox_minute *start);
