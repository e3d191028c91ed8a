/*
 * How a running daemon comes to its end, driven by signals on the main thread's loop:
 *
 *     SIGTERM or SIGINT -> not ready, still accepting -> workers drain -> every worker has ended -> loop ends
 *
 * Balancers look away while the daemon is not ready and still accepts. A second signal ends the process at
 * once, whatever is under way.
 */
#pragma once

#include "base/log.h"
#include "ops/ops.h"
#include "run/workers.h"

enum { DRAIN_REQUESTS_MS = 10000 }; /* how long requests under way may take */

struct drain;
struct event_base;

/* Follows the signals from now on; one that comes is acted on once BASE runs. Borrows all until drain_free().
 */
struct drain *drain_new(struct event_base *base, struct ops_state *state, struct log *log);
/* Tells which workers are to be drained; before BASE runs. */
void drain_set_workers(struct drain *d, struct workers *workers);
/* From here on a signal ends the process, as it does by default. */
void drain_free(struct drain *d);
