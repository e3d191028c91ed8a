/*
 * The server's clock. Every time that is credited, signed or published is read from one `struct clock`, so
 * that tests can move it. Latencies and timers of the event loop use the machine's monotonic clock.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* A zeroed struct is the machine's clock. */
struct clock {
    _Atomic int64_t offset_ms; /* added to the system's clock; 0 outside tests */
    _Atomic int64_t system_ms; /* where tests hold the system's clock; 0: it goes */
    _Atomic int64_t steady_ms; /* where tests hold clock_steady_ms(); 0: it goes with the monotonic clock */
};

/* Unix milliseconds as this daemon sees them. Any thread. */
int64_t clock_now_ms(const struct clock *clock);
/* Unix milliseconds of the machine, whatever the offset. */
int64_t clock_system_ms(void);
/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* As clock_monotonic_ms(), for what tests must be able to hold and move: leases, pauses, deadlines. */
int64_t clock_steady_ms(const struct clock *clock);

/* The instant MS from now on CLOCK_MONOTONIC, for pthread_cond_timedwait(). */
struct timespec clock_deadline(int64_t ms);
