/* All workers of the daemon, as one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ops/ops.h"
#include "run/worker.h"

struct workers;

/*
 * Starts as many workers as http.workers says, or as there are processors, and lets each listen on every
 * address of http.listen. SETTINGS are what the workers have in common; their connections are bounded by
 * http.max_connections and by MAX_DESCRIPTORS. Takes a reference to POLICY for each. NULL after logging why.
 */
struct workers *workers_start(
    const struct worker_settings *settings, struct policy *policy, int64_t max_descriptors);

/* Puts a new policy in force, soon. */
void workers_set_policy(struct workers *w, struct policy *policy);

/* Names the workers' counters in SOURCES; the arrays live until workers_stop(). */
void workers_list_counters(const struct workers *w, struct ops_sources *sources);

/* As worker_drain() and worker_ended(), of all of them. */
void workers_drain(struct workers *w, int64_t deadline_ms);
bool workers_ended(const struct workers *w);

/* Waits for all threads to end and frees. Call workers_drain() before. */
void workers_stop(struct workers *w);
