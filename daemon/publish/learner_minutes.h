/*
 * The part of a round that publishes learners' minutes and totals: dirty minutes are listed, their learners
 * taken in portions, the totals read once for all of them, and the records sent. The caller commits, and then
 * has what was taken settled.
 *
 * A minute that does not fit into a transaction is left unfinished; the next round goes on with it after the
 * last portion. Learners who cannot be read, or of whom Kafka refuses a record, stay dirty, however often
 * they are taken. If a round was full of them, the next one starts after them, so that they hold up nobody.
 */
#pragma once

#include "publish/outbox_minutes.h"
#include "publish/producer.h"
#include "publish/round.h"

/* Portions that are taken in one call. */
struct learner_take {
    struct outbox_portion portions[OUTBOX_PORTIONS_MAX];
    size_t n;
    struct learner_take *earlier; /* in the same round */
};

/* What the next round has to know of this one. All zero: nothing. */
struct learner_rest {
    struct outbox_portion unfinished[OUTBOX_PORTIONS_MAX]; /* the last portions of minutes that go on */
    size_t n;
    struct outbox_minute start; /* where the next round starts; minute 0: with the newest minute */
};

/* Set `round` and `rest`, zero what follows. */
struct learner_minutes {
    struct round *round;
    const struct learner_rest *rest; /* the last round's */
    struct learner_rest left;        /* this round's */
    struct outbox_list minutes;      /* what is to be published */
    size_t first;                    /* of `minutes`: where this round started */
    size_t next;                     /* of `minutes`: not yet begun */
    size_t learners;                 /* taken, also those without a record */
    size_t records;                  /* that all this comes to, at most */
    size_t n_portions;               /* taken */
    struct learner_take *last;
};

/* Takes and sends as much as a transaction holds. Unless all is well, the transaction is to be given up. */
enum producer_status learner_minutes_send(struct learner_minutes *m) __attribute__((warn_unused_result));

/* After the commit. */
void learner_minutes_settle(const struct learner_minutes *m);
