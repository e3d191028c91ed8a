/*
 * The lease as its holder sees it: renewed well before it ends, and taken for lost when it has ended without
 * an answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct outbox;

enum { LEASE_TTL_MS = 10000, LEASE_RENEW_MS = 3000 };

/* Set `outbox` and `holder`, zero the rest. */
struct lease {
    struct outbox *outbox;
    const char *holder;
    bool held;
    int64_t asked_ms; /* monotonic; when Redis last said that it is ours */
    char owner[128];  /* who has it, as Redis said last; "": nobody or not known */
};

/* Takes the lease where it is free, renews it where that is due. Returns whether it is held. */
bool lease_keep(struct lease *l);

/* Renews it now; true only if Redis says that it is ours. */
bool lease_confirm(struct lease *l) __attribute__((warn_unused_result));

/* Gives it up, for another daemon to take at once. */
void lease_release(struct lease *l);
