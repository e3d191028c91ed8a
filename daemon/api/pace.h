/*
 * How often players are asked to send, and when those come back that were refused. Pure: the clock and the
 * dice are passed in.
 *
 * Both slow down with the load, so that an outage does not multiply it. Players who were refused come back
 * between 1 s and a limit later, evenly spread. The limit grows with the outage's age, since a short one
 * should be over quickly for everybody, and with the rate of refusals, since many players must be spread at
 * once. Its bound is the interval, which is itself stretched while a worker refuses many requests a second.
 * So many players together send no more in an outage than otherwise, about one request an interval each; a
 * few dozen a second are not worth it.
 *
 *     refusals a second      0 ...... 50 ............. 500 ......
 *     limit                  3 s + age    the interval
 *     interval               as told      stretched    max_interval
 */
#pragma once

#include <stdint.h>

/* What one worker has refused of late; a zeroed struct has refused nothing. */
struct pace {
    int64_t began_ms;  /* the outage's first refusal; 0: there is no outage */
    int64_t last_ms;   /* the newest refusal */
    int64_t window_ms; /* when the window began in which refusals are counted */
    int64_t count;     /* in this window */
    int64_t before;    /* in the one before */
};

/* Counts a refusal at NOW_MS (monotonic, above 0), which begins an outage or goes on with it. */
void pace_refused(struct pace *p, int64_t now_ms);

/* A request was served: the outage is over if nothing was refused for a second. */
void pace_served(struct pace *p, int64_t now_ms);

/* Refusals a second, over the last two to four. */
int64_t pace_refusals(const struct pace *p, int64_t now_ms);

/*
 * The interval for a store whose oldest run has waited AGE_MS and a worker that refuses REFUSALS a second. It
 * is INTERVAL_MS up to 50 ms and 50 refusals, MAX_INTERVAL_MS from 1000 ms or 500 refusals on, and linear in
 * between. Runs name their seconds themselves, so a longer interval loses no precision.
 */
int64_t pace_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms, int64_t refusals);

/* The longest Retry-After, in ms, of a request refused at NOW_MS. INTERVAL_MS is what pace_interval_ms()
 * says. */
int64_t pace_retry_limit_ms(const struct pace *p, int64_t interval_ms, int64_t now_ms);

/* Whole seconds from 1 to LIMIT_MS, evenly, by DICE: any number from 0 on. */
int pace_retry_after_s(int64_t limit_ms, int dice);
