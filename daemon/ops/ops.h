/*
 * What the operators' side looks at: the counters of every part of the daemon, which it reads while other
 * threads count. Metrics, readiness and the live page are three views of these sources; none of them changes
 * anything.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct api_counters;
struct http_counters;
struct monitor;
struct publisher;
struct store_counters;

/* Where the daemon stands in its life; set by its main thread. */
struct ops_state {
    _Atomic bool started;  /* workers accept requests */
    _Atomic bool draining; /* SIGTERM came: send no new requests here */
};

/*
 * Everything is borrowed. The arrays have N_WORKERS elements and do not change once `started` is true. A
 * `monitor` or `publisher` that does not run is NULL.
 */
struct ops_sources {
    size_t n_workers;
    const struct http_counters *const *http;
    const struct api_counters *const *api;
    const struct store_counters *const *store;
    struct monitor *monitor;
    struct publisher *publisher;
    const struct clock *clock;
    const struct ops_state *state;
    int64_t start_ms; /* Unix ms of the machine's clock when the process started */
};
