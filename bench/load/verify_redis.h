/*
 * Redis's side of verify(). Both functions return false when they cannot do their work, and have then said
 * why in the verification's `problem`.
 */
#pragma once

#include "config/config.h"
#include "load/holding.h"
#include "load/verification.h"

struct topology;

/* Finds the servers of CONFIG, and checks that they divide learners into as many partitions as CONFIG does.
 */
bool verify_find_redis(const struct config *config, struct topology *t, struct verification *v)
    __attribute__((warn_unused_result));

/* Reads all that Redis holds of the evidence's learners in the evidence's minutes, and their totals. */
bool verify_read_redis(const struct config *config, const struct topology *t, const struct evidence *evidence,
    struct holding *holding, struct verification *v) __attribute__((warn_unused_result));
