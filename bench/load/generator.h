/*
 * One thread of the load: opens its players' sessions, then sends their heartbeats when they are due.
 *
 *     schedule --due--> a player --claim--> a connection --answer--> the player, the tally
 *     retries  --due-----^                                  '-- refused, lost, `retry` --> retries
 *
 * An arrival does not wait for the answers before it. What finds no idle connection waits, and its latency
 * counts from when it was due.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "load/crowd.h"
#include "load/plan.h"
#include "load/tally.h"

struct generator;

/* Thread INDEX of the plan, with its share of the evidence's learners. */
struct generator *generator_new(const struct load_plan *plan, unsigned index);
void generator_free(struct generator *g);

struct crowd *generator_crowd(struct generator *g);

/* Opens a session for every player. False with a problem when that cannot be done, or *STOP is set. Blocks.
 */
bool generator_open_sessions(struct generator *g, const atomic_bool *stop, char problem[static 256])
    __attribute__((warn_unused_result));
/*
 * Sends from START_US of the monotonic clock on; returns when everything is answered or given up, or *STOP is
 * set. What is given up has failed: each arrival is answered, refused or failed in the end.
 */
void generator_run(struct generator *g, int64_t start_us, const atomic_bool *stop);

struct tally *generator_tally(struct generator *g);
