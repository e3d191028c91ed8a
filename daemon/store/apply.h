/*
 * The Redis function `apply`: its call, made of runs, and its answer, read into them. Pure: it touches no
 * connection. functions.lua is the other side.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "redis/resp.h"
#include "store/run.h"

/* A learner and a lesson of a batch, by their place in its lists. */
struct apply_pair {
    uint16_t learner;
    uint16_t lesson;
};

/* Working memory of apply_encode(), kept between calls. A zeroed struct is empty. */
struct apply_scratch {
    struct buf lists;
    struct buf runs;
    struct buf minutes;
    struct buf buckets;
    const struct store_run *learners[STORE_APPLY_MAX]; /* a run of each */
    const struct store_run *lessons[STORE_APPLY_MAX];
    struct apply_pair pairs[STORE_APPLY_MAX];
    size_t n_learners;
    size_t n_lessons;
    size_t n_pairs;
};

void apply_scratch_free(struct apply_scratch *scratch);

/*
 * Appends the call of `apply` for RUNS (a STAILQ in order, at most STORE_APPLY_MAX, each with a second).
 * HORIZON_MINUTE is the first minute that this daemon's clock lets be claimed; GRACE_S is publish.grace.
 * WAITS: WAIT follows on the same connection, so the call writes something in any case.
 */
void apply_encode(struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix,
    const struct store_run_queue *runs, int64_t horizon_minute, int64_t grace_s, bool waits);

/*
 * Reads the answer into RUNS; false when it is not one answer for each. A run of a learner whose masks or
 * total Redis could not read is STORE_UNAVAILABLE; the others were written.
 */
bool apply_decode(struct slice answer, const struct store_run_queue *runs)
    __attribute__((warn_unused_result));
