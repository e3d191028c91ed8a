/*
 * Verification: Redis and Kafka hold exactly what was accepted, to the second.
 */
#pragma once

#include "config/config.h"
#include "load/evidence.h"
#include "load/verification.h"

/*
 * Reads every mask and total of the evidence's learners from the servers of CONFIG (one server, sentinels or
 * a cluster), and the program's records of them from its Kafka: the latter from the evidence's first minute
 * on, until they are complete and every partition is at its end, or WAIT_MS have passed. To be called when
 * nothing is sent any more and every answer is in; the learners must not have watched anything else before.
 * Fills *V. Blocks, for WAIT_MS and some seconds at most beside the time that Redis takes to be read (some 5
 * s for a million learners).
 *
 * If something could not be read (a broker or server is away, the broker is embedded, a value makes no
 * sense), V's `problem` names it and there is no verdict. Missing seconds, even all of them, are a loss and
 * no problem.
 */
void verify(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v);
