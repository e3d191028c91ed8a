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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "store/counters.h"
#include "store/progress.h"
#include "store/run.h"

struct config;
struct event_base;
struct monitor;
struct store;

/* Borrows everything until store_free(). */
struct store *store_new(struct event_base *base, const struct config *config, struct monitor *monitor,
    const struct clock *clock, struct log *log);

/*
 * Whether a request with runs or a question may be taken now: false when every server is away, not set up to
 * keep what is accepted, or has an oldest run that waits for more than a second. Answer 503 then. Where only
 * some servers are, the runs for them become STORE_UNAVAILABLE.
 */
bool store_admits(struct store *s);

/* Whether the deployment has ended PROGRAM, as far as is known here: false says nothing. */
bool store_has_ended(struct store *s, struct slice program);

/* The age in ms of the oldest run that waits or is in flight; 0 when there is none. */
int64_t store_age_ms(struct store *s);

/* Takes N > 0 runs; the batch is done once each has its status. */
void store_submit(struct store *s, struct store_batch *batch, struct store_run *runs, size_t n);

/* Reads what was credited to a learner, on a connection of its own. DONE is called exactly once, from the
 * loop. */
void store_progress(
    struct store *s, struct slice portal, struct slice learner, store_progress_done *done, void *ctx);

/* Reads what was credited to a learner in the ten minutes of BUCKET (Unix minutes / 10), as store_progress()
 * does. */
void store_minutes(struct store *s, struct slice portal, struct slice learner, int64_t bucket,
    store_minutes_done *done, void *ctx);

const struct store_counters *store_counters(const struct store *s);

/* Runs and questions not yet answered. */
size_t store_pending(const struct store *s);

/* Fails what is pending (calls `done` for it), then frees. */
void store_free(struct store *s);
