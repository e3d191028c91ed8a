/*
 * What an api is given and what it counts. Types alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "credit/claim.h"
#include "store/store.h"

/* What happened since the start; read by any thread. */
struct api_counters {
    _Atomic uint64_t sessions;   /* opened */
    _Atomic uint64_t heartbeats; /* requests to /v1/heartbeats that were understood */
    _Atomic uint64_t runs_accepted;
    _Atomic uint64_t runs_refused[REASON_COUNT]; /* rejected and retry, by reason */
    _Atomic uint64_t progress;                   /* answered */
    _Atomic uint64_t requests_shed;              /* requests answered 503 for this daemon's own state */
    _Atomic uint64_t requests_refused;           /* requests answered 4xx */
};

/* What --dev adds; NULL without it. Borrowed. */
struct api_dev {
    struct clock *clock;       /* may be moved */
    struct slice secret;       /* of the dev issuer */
    const char *kafka_brokers; /* where the records go */
};

/* What the api asks of a store, as store.h tells each. Tests hand in functions of their own. */
struct api_store_calls {
    bool (*admits)(struct store *s);
    bool (*has_ended)(struct store *s, struct slice program);
    int64_t (*age_ms)(struct store *s);
    void (*submit)(struct store *s, struct store_batch *batch, struct store_run *runs, size_t n);
    void (*progress)(
        struct store *s, struct slice portal, struct slice learner, store_progress_done *done, void *ctx);
    void (*minutes)(struct store *s, struct slice portal, struct slice learner, int64_t bucket,
        store_minutes_done *done, void *ctx);
};

struct api_settings {
    const struct config *config;
    const struct clock *clock;
    struct store *store;
    const struct api_store_calls *calls; /* NULL: those of store.h */
    const struct api_dev *dev;           /* NULL without --dev */
    struct log *log;
    unsigned jitter; /* seed of what spreads Retry-After; another one for each worker */
};
