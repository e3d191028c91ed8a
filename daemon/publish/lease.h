/*
 * The lease `minuted:publisher` as its holder sees it: renewed well before it ends, and taken for lost when
 * it has ended without an answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct outbox;

enum { LEASE_TTL_MS = 10000, LEASE_RENEW_MS = 3000, LEASE_OWNER_MAX = 128 };

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
