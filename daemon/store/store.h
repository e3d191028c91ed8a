/*
 * A worker's way into Redis: runs are credited in batches, progress is read beside them.
 *
 *     store_submit -> queue of the partition -> one pipeline in flight per server -> results -> batch done
 *
 * The next pipeline leaves when the last was answered and `redis.linger` has passed since its first run came
 * (at once when it is large), with all that arrived meanwhile: one `apply` per partition, at most
 * STORE_APPLY_MAX runs each. One store belongs to one event loop and one thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "credit/claim.h"
#include "store/values.h"

struct config;
struct event_base;
struct monitor;
struct store;

enum { STORE_APPLY_MAX = 128 };

/* What became of a run in Redis. */
enum store_status {
    STORE_WRITTEN,    /* credited as the counts say, durable at the configured level */
    STORE_TOO_LATE,   /* every second lies below the floor: nothing was written */
    STORE_UNAVAILABLE /* refused, cut off or timed out: may or may not be written; send again */
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
    uint64_t hash;        /* partition_hash() */
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

/* What happened since the start; read by any thread. */
struct store_counters {
    _Atomic uint64_t runs;      /* submitted */
    _Atomic uint64_t pipelines; /* sent */
    _Atomic uint64_t applies;   /* calls of `apply` */
    _Atomic uint64_t credited_seconds;
    _Atomic uint64_t duplicate_seconds;
    _Atomic uint64_t contested_seconds;
    _Atomic uint64_t forfeited_seconds; /* within the horizon, and below the floor all the same */
    _Atomic uint64_t failed_runs;       /* STORE_UNAVAILABLE */
    _Atomic uint64_t connects;          /* connections for credits that became ready */
    _Atomic int64_t queued_runs;        /* waiting now */
    _Atomic int64_t last_answer_ms;     /* monotonic ms of the last good answer; 0: none yet */
};

/* Borrows everything until store_free(). */
struct store *store_new(struct event_base *base, const struct config *config, struct monitor *monitor,
    const struct clock *clock, struct log *log);

/*
 * Whether a request with runs or a question may be taken now: false when every server is away, not set up to
 * keep what is accepted, or has an oldest run that waits for more than a second. Answer 503 then. Where only
 * some servers are, the runs for them become STORE_UNAVAILABLE.
 */
bool store_admits(struct store *s);

/*
 * Whether this machine's clock agrees with the servers', so that a session may be anchored by it. It needs no
 * server to be reached: what is watched while Redis is away can then be claimed later.
 */
bool store_clock_trusted(const struct store *s);

/* The age in ms of the oldest run that waits or is in flight; 0 when there is none. */
int64_t store_age_ms(struct store *s);

/* Takes N > 0 runs; the batch is done once each has its status. */
void store_submit(struct store *s, struct store_batch *batch, struct store_run *runs, size_t n);

/* OK false: Redis could not answer. LESSONS live only during the call. */
typedef void store_progress_done(void *ctx, bool ok, const struct store_lesson *lessons, size_t n);

/* Reads what was credited to a learner, on a connection of its own. DONE is called exactly once, from the
 * loop. */
void store_progress(
    struct store *s, struct slice portal, struct slice learner, store_progress_done *done, void *ctx);

/* OK false: Redis could not answer. MINUTES, oldest first, live only during the call. */
typedef void store_minutes_done(void *ctx, bool ok, const struct store_minute *minutes, size_t n);

/* Reads what was credited to a learner in the ten minutes of BUCKET (Unix minutes / 10), as store_progress()
 * does. */
void store_minutes(struct store *s, struct slice portal, struct slice learner, int64_t bucket,
    store_minutes_done *done, void *ctx);

const struct store_counters *store_counters(const struct store *s);

/* Runs and questions not yet answered. */
size_t store_pending(const struct store *s);

/* Fails what is pending (calls `done` for it), then frees. */
void store_free(struct store *s);
