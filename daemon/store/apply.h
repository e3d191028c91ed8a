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

/* What all calls of a pipeline have in common. */
struct apply_terms {
    int64_t horizon_minute; /* the first minute that this daemon's clock lets be claimed */
    int64_t limit_minute;   /* a floor beyond it cannot be right: the call is refused with FLOOR */
    bool settled;           /* what lies before the horizon is too late, also where the floor is lower */
    bool waits;             /* WAIT follows on the same connection: the call writes something in any case */
    int64_t grace_s;        /* publish.grace */
};

/*
 * The greatest floor that can be right: a bucket beyond the horizon, or beyond EARLY_MINUTE, up to which
 * minutes were retired on purpose. The clock of a --dev daemon (DEV) is moved at will, so any floor can be.
 */
int64_t apply_limit_minute(bool dev, int64_t horizon_minute, int64_t early_minute);

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
 */
void apply_encode(struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix,
    const struct store_run_queue *runs, const struct apply_terms *terms);

/*
 * Reads the answer into RUNS; false when it is not one answer for each. A run of a learner whose masks or
 * total Redis could not read is STORE_UNAVAILABLE; the others were written.
 */
bool apply_decode(struct slice answer, const struct store_run_queue *runs)
    __attribute__((warn_unused_result));
