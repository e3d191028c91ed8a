/*
 * The server's clock. Every time that is credited, signed or published is read from one `struct clock`, so
 * that tests can move it. Latencies and timers of the event loop use the machine's monotonic clock.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* How far the clock is to be believed; see base/credible_time.h. */
enum clock_belief {
    CLOCK_SETTLED,  /* it has been credible for ten minutes */
    CLOCK_CREDIBLE, /* for less than that: it may still be ahead, so no run is refused for good because of it
                     */
    CLOCK_DOUBTED   /* heartbeats go on, and nothing is done that cannot be undone */
};

/* A zeroed struct is the machine's clock, and believed. */
struct clock {
    _Atomic int64_t lead_ms; /* Unix ms less CLOCK_BOOTTIME; 0: the system's clock is read */
    _Atomic enum clock_belief belief;
    _Atomic int64_t offset_ms; /* added to that; 0 outside tests */
    _Atomic int64_t system_ms; /* where tests hold the system's clock; 0: it goes */
    _Atomic int64_t steady_ms; /* where tests hold clock_steady_ms(); 0: it goes with the monotonic clock */
};

/* Unix milliseconds as this daemon sees them. Any thread. */
int64_t clock_now_ms(const struct clock *clock);
/* From now on the clock is CLOCK_BOOTTIME and LEAD_MS, and believed as BELIEF says. One thread alone. */
void clock_keep(struct clock *clock, int64_t lead_ms, enum clock_belief belief);
/* Any thread. */
enum clock_belief clock_belief(const struct clock *clock);
/* Unix milliseconds of the machine, whatever the offset. */
int64_t clock_system_ms(void);
/* Milliseconds of CLOCK_BOOTTIME, which goes on while the machine is suspended. */
int64_t clock_boot_ms(void);
/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* As clock_monotonic_ms(), for what tests must be able to hold and move: leases, pauses, deadlines. */
int64_t clock_steady_ms(const struct clock *clock);

/* The instant MS from now on CLOCK_MONOTONIC, for pthread_cond_timedwait(). */
struct timespec clock_deadline(int64_t ms);
/* Makes C a condition variable that waits until such an instant. */
void clock_init_condition(pthread_cond_t *c);
