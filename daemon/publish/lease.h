/*
 * What a publisher keeps in Redis for the others: the lease `minuted:publisher`, which says who publishes,
 * and the watermarks `minuted:watermarks`, which say how far that has come. The lease is renewed well before
 * it ends, and taken for lost when it has ended without an answer.
 *
 * A holder that cannot publish everything asks, those who stand by say how much they could publish, and it
 * gives the lease to the one who could publish the most, unless it could publish as much itself:
 *
 *     holder, at each renewal       those who stand by, at each look
 *     "I could publish 8"   --->    "I could publish 12", while somebody asks
 *     the lease is theirs   <---
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct outbox;

enum { LEASE_TTL_MS = 10000, LEASE_RENEW_MS = 3000, LEASE_ASK_MS = 1000, LEASE_OWNER_MAX = 128 };

/* ---- the lease ---- */

enum lease_wish {
    LEASE_KEEP,
    LEASE_ASK, /* others say what they could publish */
    LEASE_GIVE /* and whoever could publish more gets it */
};

/* Set the first three, zero the rest. */
struct lease {
    struct outbox *outbox;
    const struct clock *clock;
    const char *holder;
    /* Set by the owner at any time; what the next call says. */
    int could;            /* how many partitions this daemon could publish */
    enum lease_wish wish; /* while it is held */

    bool held;
    bool given;       /* the last call has given it away */
    int64_t wanted;   /* while another holds it: how many partitions that one could publish, which asks
                         who could publish more; -1: it does not ask */
    int64_t asked_ms; /* steady; when Redis last said that it is ours */
    char owner[LEASE_OWNER_MAX]; /* who has it, as Redis said last; "": nobody or not known */
};

/* Takes the lease where it is free, renews it where that is due. Returns whether it is held. */
bool lease_keep(struct lease *l);

/* Renews it now; true only if Redis says that it is ours. */
bool lease_confirm(struct lease *l) __attribute__((warn_unused_result));

/* Gives it up, for another daemon to take at once. */
void lease_release(struct lease *l);

/* ---- the watermarks ---- */

/* Unix seconds. */
struct watermark {
    int64_t published_through; /* all that was accepted for the time before is in Kafka */
    int64_t final_through;     /* and no run can add to the time before this */
};

/*
 * Raises the stored watermarks to W, and W to the stored ones, so that a watermark never falls when another
 * daemon takes over. False, with W as it was, when Redis did not answer or the result is not durable.
 */
bool publish_raise_watermark(struct outbox *o, struct watermark *w) __attribute__((warn_unused_result));
