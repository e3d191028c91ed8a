/*
 * Keys, arguments and answers of the Redis functions: the C side of functions.lua. Pure: it turns runs
 * into RESP commands and answers into counts, and touches no connection.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "embedded/library.h"
#include "store/outbox.h"
#include "store/partition.h"
#include "store/store.h"

/* The library of functions.lua, STORE_LIBRARY, is named by its content; so are its functions. */
#define STORE_FUNCTION(name) STORE_LIBRARY "_" name

/* Whether ERROR, of FUNCTION LOAD, says that the library is there already: another daemon was first. */
bool store_library_exists(const char *error);

#define KEY_PUBLISHER "minuted:publisher"
#define KEY_WATERMARKS "minuted:watermarks"
/* Hash of what every daemon of a deployment must agree on: partitions, horizon, and whether it runs with
 * --dev. */
#define KEY_SETTINGS "minuted:settings"

/* "minuted:{tag}:" */
struct key_prefix {
    char text[32];
    size_t len;
};

void key_prefix_init(struct key_prefix *prefix, int partition, int partitions);

/* A RESP command: the array's header, then each argument. */
void resp_begin(struct buf *b, size_t n_args);
void resp_arg(struct buf *b, struct slice arg);
void resp_int(struct buf *b, int64_t value);
/* `<portal>/<learner>`, as sets and hashes name a learner. */
void resp_learner(struct buf *b, struct slice portal, struct slice learner);
/* `minuted:{tag}:<name>`, `minuted:{tag}:<name>:<number>` and `minuted:{tag}:t:<portal>/<learner>`. */
void resp_key(struct buf *b, const struct key_prefix *prefix, const char *name);
void resp_key_int(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number);
void resp_key_learner(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner);
/* FCALL of a function; N_ARGS counts keys and arguments. */
void resp_fcall(struct buf *b, const char *function, size_t n_keys, size_t n_args);

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
STAILQ_HEAD(store_run_queue, store_run);
void apply_encode(struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix,
    const struct store_run_queue *runs, int64_t horizon_minute, int64_t grace_s, bool waits);

/* Reads the answer into RUNS; false when it is not one answer for each. */
bool apply_decode(struct slice answer, const struct store_run_queue *runs)
    __attribute__((warn_unused_result));

/* Appends a lesson's published mask of a minute, as `settle` compares it. */
void mask_encode(struct buf *b, struct slice lesson, uint64_t mask);

/*
 * Reads what a value of w:<bucket> says of MINUTE into OUT's masks: those with a second, without their
 * totals; lessons point into VALUE. False when it is malformed.
 */
bool masks_decode(struct slice value, int64_t minute, struct arena *arena, struct outbox_learner *out)
    __attribute__((warn_unused_result));

/* A value of t:<learner> into OUT (without the lesson). False when it is malformed. */
bool total_decode(struct slice value, struct store_lesson *out) __attribute__((warn_unused_result));

/* A value of l:<minute> into OUT (without the lesson). False when it is malformed. */
bool sum_decode(struct slice value, struct outbox_sum *out) __attribute__((warn_unused_result));
