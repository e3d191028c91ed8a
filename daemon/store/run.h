/*
 * Runs on their way into Redis: what is to be credited, and what became of it. Types alone.
 *
 * A run belongs to a batch, which is what one request sent. On the way it stands in queues: first in that of
 * its partition, then among those that are in flight.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/slice.h"
#include "credit/claim.h"

enum { STORE_APPLY_MAX = 128 };

/* What became of a run in Redis. */
enum store_status {
    STORE_WRITTEN,    /* credited as the counts say, durable at the configured level */
    STORE_TOO_LATE,   /* every second lies below the floor: nothing was written */
    STORE_UNAVAILABLE /* refused, cut off, timed out or unreadable: may or may not be written; send again */
};

struct store_batch;

/*
 * A run to be credited. The caller owns it and what it points to until its batch is done. A claim with no
 * second must not be submitted.
 */
struct store_run {
    /* set by the caller */
    struct claim claim;
    struct slice portal;
    struct slice learner;
    struct slice lesson;
    struct slice course;
    /* set before the batch is done */
    enum store_status status;
    uint32_t credited_seconds;
    uint32_t duplicate_seconds;
    uint32_t contested_seconds;
    uint32_t late_seconds; /* clipped by the floor */
    /* the store's own */
    struct store_batch *batch;
    uint64_t hash;        /* topology_hash_learner() */
    int64_t submitted_us; /* monotonic */
    STAILQ_ENTRY(store_run) link;
};

/*
 * Runs that are answered together. `done` is called exactly once: from the loop, or within store_submit()
 * when nothing can be sent.
 */
struct store_batch {
    void (*done)(struct store_batch *batch, void *ctx);
    void *ctx;
    size_t pending; /* the store's own */
};

STAILQ_HEAD(store_run_queue, store_run);
