/*
 * Credible time: what a daemon takes for now, and whether it can be believed. No clock is trusted alone.
 *
 *     CLOCK_BOOTTIME   goes on through steps and suspensions, and does not know what time it is
 *     the system's     is stepped by whoever sets it
 *     Redis's          is the same for every daemon, and may be wrong too
 *
 * Now is CLOCK_BOOTTIME plus a lead. It is credible while Redis's clock agrees with it; while Redis cannot be
 * asked, while the system's clock does. The lead follows Redis slowly, so daemons agree with each other. When
 * the clock that is asked does not agree, now is in doubt, and goes on as it was. If after a minute the two
 * other clocks still agree with each other, now becomes what they say; it goes back in no other case.
 *
 * Pure: the clocks are read by the caller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    TIME_APART_MAX_MS = 2000,     /* two clocks that are further apart do not agree */
    TIME_DOUBT_MS = 60 * 1000,    /* after so long in doubt the other clocks are believed */
    TIME_SETTLES_MS = 600 * 1000, /* after so long without a doubt now is settled */
    TIME_SAMPLE_LASTS_MS = 60 * 1000,
    TIME_SAMPLES_MAX = 64,
    TIME_SLEWS_ONE_MS_IN_MS = 1000 /* the lead changes by a millisecond a second at most */
};

/* What the clocks say at one moment. */
struct time_look {
    int64_t boot_ms;   /* CLOCK_BOOTTIME */
    int64_t system_ms; /* Unix ms */
    bool redis_asked;
    int64_t redis_ms;       /* Unix ms, if it was asked */
    int64_t redis_error_ms; /* how far that may be off: half of the time that the question took */
};

enum time_state {
    TIME_UNKNOWN, /* Redis and the system have not agreed yet */
    TIME_CREDIBLE,
    TIME_DOUBTED
};

struct time_sample {
    int64_t boot_ms;
    int64_t lead_ms; /* of Redis's clock */
    int64_t error_ms;
};

/* A zeroed struct knows nothing yet. */
struct credible_time {
    enum time_state state;
    int64_t since_ms; /* CLOCK_BOOTTIME at which the state began, or began anew */
    int64_t lead_ms;  /* now less CLOCK_BOOTTIME */
    /* its own */
    int64_t slewed_ms;      /* CLOCK_BOOTTIME until which the lead has followed */
    int64_t system_lead_ms; /* of the last look */
    bool system_wrong;      /* the system's clock disagreed while Redis's agreed: it is no witness alone */
    struct time_sample samples[TIME_SAMPLES_MAX]; /* of the last minute, in a ring */
    uint64_t n_samples;                           /* ever taken */
};

/* Takes in a look; looks come in the order of their CLOCK_BOOTTIME. True when the state or, by a jump, now
 * has changed. */
bool credible_time_look(struct credible_time *t, const struct time_look *look);

/* Whether now has been without a doubt for TIME_SETTLES_MS at CLOCK_BOOTTIME BOOT_MS. */
bool credible_time_is_settled(const struct credible_time *t, int64_t boot_ms);
