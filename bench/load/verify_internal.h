/*
 * The two sides of verify(). Each reads all that its place holds of the evidence's learners into a holding;
 * false with the verification's `problem` filled when it cannot.
 */
#pragma once

#include "load/verify.h"
#include "load/verify_holding.h"
#include "redis/monitor.h"

/* Fills the problem, unless there is an earlier one. Returns false. */
bool verify_refuse(struct verification *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { VERIFY_LEARNER_MAX = 128 };

/* The id of learner I into NAME, which it lives in. */
struct slice verify_learner_name(
    const struct evidence *evidence, size_t i, char name[static VERIFY_LEARNER_MAX + 1]);

/* Finds the servers; they agree with CONFIG on how learners are divided. */
bool verify_find_redis(const struct config *config, struct topology *t, struct verification *v)
    __attribute__((warn_unused_result));
bool verify_read_redis(const struct config *config, const struct topology *t, const struct evidence *evidence,
    struct holding *holding, struct verification *v) __attribute__((warn_unused_result));

/*
 * Reads until the holding is complete and every partition is at its end, or DEADLINE_MS (monotonic) has come.
 * Records still missing then are not a problem; not having been able to look for them is.
 */
bool verify_read_kafka(const struct config *config, const struct evidence *evidence, int64_t deadline_ms,
    struct holding *holding, struct verification *v) __attribute__((warn_unused_result));
