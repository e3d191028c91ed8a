/*
 * Simulated players: who plays what since when, what each has to claim, and which of it was accepted. One
 * crowd is one thread's share of them. Pure: time and answers are passed in.
 *
 * A player is one learner on one device with one lesson. It plays in real time at a speed of its own, now and
 * then pauses or seeks, and claims what it played since it last did. What was not answered stays in its
 * queue, and is claimed again, in the same words, with what came after it. A player in the past
 * (`backdate_ms`) has played already, as a phone that was offline, and delivers stretch after stretch.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "credit/claim.h"
#include "load/evidence.h"

enum {
    PLAYER_RUNS_MAX = 4, /* in a player's queue */
    PLAYER_RUN_MAX_MS = 60000
};

/* How they play; shared by all crowds. */
struct playing {
    int64_t interval_ms;              /* between a player's heartbeats */
    int64_t backdate_ms;              /* 0: in real time */
    int64_t claim_ms;                 /* a stretch of a player in the past */
    int64_t run_max_ms;               /* a longer run is cut; at most PLAYER_RUN_MAX_MS */
    double rate_max;                  /* nobody plays faster */
    double pauses;                    /* share of stretches with a pause in them */
    double seeks;                     /* share of stretches with a jump in them */
    double resends;                   /* share of accepted runs that are claimed once more */
    double speeds;                    /* share of players who do not play at speed 1 */
    const int64_t *lesson_lengths_ms; /* of the evidence's lessons; 0: not known */
};

struct crowd;

/*
 * Players FIRST to FIRST+N of EVIDENCE, which gets their accepted seconds. PLAYING and EVIDENCE are borrowed;
 * SEED makes the same players.
 */
struct crowd *crowd_new(
    const struct playing *playing, struct evidence *evidence, uint32_t first, uint32_t n, uint64_t seed);
void crowd_free(struct crowd *c);

uint32_t crowd_size(const struct crowd *c);
/* The learner's index in the evidence. */
uint32_t crowd_learner(const struct crowd *c, uint32_t player);

/*
 * The player's session: its token is copied; it opened at OPENED_US of the monotonic clock, as the server's
 * ANCHOR_MS. The player's first turn is a millisecond later at the earliest.
 */
void crowd_open(struct crowd *c, uint32_t player, struct slice token, int64_t anchor_ms, int64_t opened_us);
struct slice crowd_token(const struct crowd *c, uint32_t player);

/*
 * The player whose turn it is at NOW_US: the one who waited longest, or a new one while the others have not
 * waited for their interval. False when everybody waits for an answer or has nothing left to claim. Until
 * crowd_done() it is the caller's.
 */
bool crowd_take(struct crowd *c, int64_t now_us, uint32_t *player) __attribute__((warn_unused_result));

/*
 * The next player in the line whose last claim was not answered as a whole. Players before it in the line are
 * dropped from it.
 */
bool crowd_take_unanswered(struct crowd *c, uint32_t *player) __attribute__((warn_unused_result));

/* Writes what the player claims at NOW_US into RUNS (PLAYER_RUNS_MAX); returns how many runs, at least 1. */
size_t crowd_claim(struct crowd *c, uint32_t player, int64_t now_us, struct run *runs);

/* How many runs the player's last claim had. */
size_t crowd_claimed(const struct crowd *c, uint32_t player);

struct run_answer {
    enum run_status status;
    uint32_t credited;
};

/* Tells the player what became of its claim: ANSWERS has one for each run, in order. */
void crowd_answered(struct crowd *c, uint32_t player, const struct run_answer *answers);

/* Ends the player's turn. What its queue still holds is claimed at its next turn. */
void crowd_done(struct crowd *c, uint32_t player, int64_t now_us);

/*
 * How many players have a queue that is not empty: they have claimed something that was never answered, or
 * that is to be tried again.
 */
uint32_t crowd_unanswered(const struct crowd *c);
