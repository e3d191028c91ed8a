/*
 * Verification: Redis and Kafka hold exactly what was accepted, to the second.
 */
#pragma once

#include "config.h"
#include "load/evidence.h"
#include "load/result.h"

/*
 * Reads every mask and total of the evidence's learners from the servers of CONFIG, and their records from
 * its Kafka: the latter until they are complete, or WAIT_MS have passed. Fills *V; what could not be judged
 * is named in its `problem`. Blocks.
 */
void verify(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v);
