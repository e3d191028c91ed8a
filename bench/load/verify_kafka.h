/* Kafka's side of verify(). */
#pragma once

#include "config/config.h"
#include "load/holding.h"
#include "load/verification.h"

/*
 * Reads what the learner topics hold of the evidence's program and learners, until the holding is complete
 * and every partition is at its end, or DEADLINE_MS (monotonic) has come. Records that are still missing then
 * are no problem, but a loss. False when the topics could not be read to their ends; V's `problem` then says
 * why.
 */
bool verify_read_kafka(const struct config *config, const struct evidence *evidence, int64_t deadline_ms,
    struct holding *holding, struct verification *v) __attribute__((warn_unused_result));
