/* Sessions of a crowd, asked for over HTTP as players do. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "load/crowd.h"
#include "load/plan.h"

/*
 * Asks for a session for every player, as fast as the plan's connections answer. False with a problem when
 * too many requests fail in a row, when the server's clock is not this machine's, or when *STOP is set.
 * Blocks.
 */
bool opening_run(const struct load_plan *plan, struct crowd *crowd, const atomic_bool *stop,
    char problem[static 256]) __attribute__((warn_unused_result));
