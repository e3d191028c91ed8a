/* What a store counts. Types alone. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* What happened since the start; read by any thread. */
struct store_counters {
    _Atomic uint64_t runs;      /* submitted */
    _Atomic uint64_t pipelines; /* sent */
    _Atomic uint64_t applies;   /* calls of `apply` */
    _Atomic uint64_t credited_seconds;
    _Atomic uint64_t duplicate_seconds;
    _Atomic uint64_t contested_seconds;
    _Atomic uint64_t forfeited_seconds; /* within the horizon, and below the floor all the same */
    _Atomic uint64_t failed_runs;       /* STORE_UNAVAILABLE */
    _Atomic uint64_t connects;          /* connections for credits that became ready */
    _Atomic int64_t queued_runs;        /* waiting now */
    _Atomic int64_t last_answer_ms;     /* monotonic ms of the last good answer; 0: none yet */
};
