/* A load from the first session to the last answer. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "load/result.h"
#include "load/setup.h"

/*
 * Runs the load and writes into *R what it came to. If *STOP becomes true, it ends early and the result is
 * void. False with PROBLEM when no load could begin.
 */
bool run_load(struct setup *s, struct result *r, const atomic_bool *stop, char problem[static PROBLEM_MAX])
    __attribute__((warn_unused_result));
