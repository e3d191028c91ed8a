/*
 * What a publisher keeps in Redis for the others: the lease `minuted:publisher`, which says who publishes,
 * and the watermarks `minuted:watermarks`, which say how far that has come. The lease is renewed well before
 * it ends, and taken for lost when it has ended without an answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct outbox;

enum { LEASE_TTL_MS = 10000, LEASE_RENEW_MS = 3000, LEASE_OWNER_MAX = 128 };

/* ---- the lease ---- */

/* Set the first three, zero the rest. */
struct lease {
    struct outbox *outbox;
    const struct clock *clock;
    const char *holder;
    bool held;
    int64_t asked_ms;            /* steady; when Redis last said that it is ours */
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
