/*
 * The server's clock. Every time that is credited, signed or published is read from one `struct clock`,
 * so that tests can move it; timers and latencies use the monotonic clock, which nothing moves.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct clock {
    _Atomic int64_t offset_ms; /* added to the system's clock; 0 outside tests */
};

/* Unix milliseconds as this daemon sees them. Any thread. */
int64_t clock_now_ms(const struct clock *clock);
/* Unix milliseconds of the machine, whatever the offset. */
int64_t clock_system_ms(void);
/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* The instant MS from now on CLOCK_MONOTONIC, for pthread_cond_timedwait(). */
struct timespec clock_deadline(int64_t ms);
