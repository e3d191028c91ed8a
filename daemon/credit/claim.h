/*
 * Judging a run: from what a player says it played to the wall-clock seconds it may claim.
 *
 *     anchor                     from_ms          to_ms
 *       |---------------------------[ the run      )------->   the player's monotonic clock
 *                                 s s s s s s s s s            Unix seconds claimed:
 *                                                              anchor+from_ms <= 1000*s < anchor+to_ms
 *
 * Pure: the clock, the rules and the lesson are passed in. The floor below which a minute is too late
 * and the seconds that were credited before are the store's to judge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum run_status { RUN_ACCEPTED, RUN_RETRY, RUN_REJECTED };

/*
 * Why a run was not accepted. The numbers are those of player.proto; TOKEN_UNKNOWN is judged with
 * TOKEN_INVALID, all others in this order.
 */
enum run_reason {
    REASON_NONE,
    REASON_MALFORMED,
    REASON_TOKEN_INVALID,
    REASON_SESSION_EXPIRED,
    REASON_TOO_LONG,
    REASON_RATE_TOO_HIGH,
    REASON_MEDIA_MISMATCH,
    REASON_OUTSIDE_LESSON,
    REASON_LESSON_UNKNOWN, /* a retry: another daemon may have a newer catalog, or that of the next program */
    REASON_LESSON_CLOSED,  /* the run lies outside the lesson's days, or its session's program has ended */
    REASON_AHEAD_OF_CLOCK, /* a retry: the daemon's clock may be the wrong one */
    REASON_TOO_LATE,       /* the store's to say */
    REASON_UNAVAILABLE,    /* a retry: Redis could not be reached, or did not answer in time */
    REASON_TOKEN_UNKNOWN,  /* a retry: another daemon may have the token's key, or know its version */
    REASON_COUNT
};

/* The name on the wire, such as "too_long"; "" for REASON_NONE. */
const char *claim_reason_name(enum run_reason reason);

/* How a run with that reason is answered. */
enum run_status claim_reason_status(enum run_reason reason);

/*
 * Milliseconds of a run: from 0 to 2^53, up to which a double holds every whole number; anything else is
 * malformed. A position in a live stream may be a Unix time.
 */
#define RUN_MS_MAX ((int64_t)1 << 53)

#define RUN_RATE_MIN 0.25

/*
 * A run as sent, in whole milliseconds: a codec rounds what has a fraction. It sets `malformed` where it
 * could not read a field, and where a run had no length before it was rounded. A run whose ends round to the
 * same millisecond is well formed, and claims no second.
 */
struct run {
    int64_t from_ms;
    int64_t to_ms;
    int64_t media_from_ms;
    int64_t media_to_ms;
    double rate;
    bool malformed;
};

/* Whether RUN is not marked `malformed` and has ends in order and within their limits, and a finite rate. */
bool claim_run_well_formed(const struct run *run);

/* The deployment's rules, from the section `heartbeats` of the configuration. */
struct claim_rules {
    int64_t max_run_ms;
    int64_t clock_slack_ms;
    double max_rate;
};

/* What a lesson allows. */
struct claim_lesson {
    int64_t opens_ms;  /* Unix ms; the first claimable instant; INT64_MIN: always open */
    int64_t closes_ms; /* Unix ms; the first instant no longer claimable; INT64_MAX: never closes */
    int64_t length_ms; /* of the video; 0: not known, so `outside_lesson` is not judged */
};

/* Where the run stands in time. */
struct claim_session {
    int64_t anchor_ms; /* server Unix ms when the session opened */
    int64_t expiry_ms; /* server Unix ms; claimed time ends here at the latest */
};

/* What is left to be credited. */
struct claim {
    int64_t first_second; /* Unix seconds [first_second, end_second), clipped to the opening window */
    int64_t end_second;
    /* The stretch those seconds come from, clipped alike: [start_ms, start_ms + length_ms) played the media
     * below. */
    int64_t start_ms; /* Unix ms */
    int64_t length_ms;
    int64_t media_from_ms;
    int64_t media_to_ms;
};

/*
 * Judges RUN at NOW_MS in the order of enum run_reason. LESSON is NULL when the catalog does not know it.
 * REASON_NONE fills *CLAIM; a claim without a second is valid and writes nothing.
 */
enum run_reason claim_judge(const struct claim_rules *rules, const struct claim_session *session,
    const struct claim_lesson *lesson, int64_t now_ms, const struct run *run, struct claim *claim);
