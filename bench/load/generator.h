/*
 * One thread of the load: opens its players' sessions, then sends their heartbeats when they are due.
 *
 *     schedule --due--> a player --claim--> a connection --answer--> the player, the tally
 *     retries  --due-----^                                  '-- refused, lost, `retry` --> retries
 *
 * An arrival does not wait for the answers before it. What finds no idle connection waits, and its latency
 * counts from when it was due.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "load/crowd.h"
#include "load/message.h"
#include "load/pool.h"
#include "load/schedule.h"
#include "load/tally.h"

/* What all threads share; borrowed. */
struct load_plan {
    const struct schedule *schedule;
    const struct playing *playing;
    struct evidence *evidence;
    struct pool_plan pool; /* of each thread */
    struct message_place place;
    unsigned threads;
    unsigned batch;   /* players in a request */
    bool any_answer;  /* of a server that credits nothing: every 2xx will do */
    int64_t drain_us; /* after the last arrival, for what is not answered yet */
    int64_t warmup_us;
    uint64_t seed;
    /* a platform's token for a learner; NULL where sessions were made already */
    size_t (*sign_jwt)(const void *ctx, struct slice learner, char *out);
    const void *sign_ctx;
};

struct generator;

/* Thread INDEX of the plan, with its share of the evidence's learners. */
struct generator *generator_new(const struct load_plan *plan, unsigned index);
void generator_free(struct generator *g);

struct crowd *generator_crowd(struct generator *g);

/* Opens a session for every player. False with a problem when that cannot be done, or *STOP is set. Blocks.
 */
bool generator_open_sessions(struct generator *g, const atomic_bool *stop, char problem[static 256])
    __attribute__((warn_unused_result));
/*
 * Sends from START_US of the monotonic clock on; returns when everything is answered or given up, or *STOP is
 * set. What is given up has failed: each arrival is answered, refused or failed in the end.
 */
void generator_run(struct generator *g, int64_t start_us, const atomic_bool *stop);

struct tally *generator_tally(struct generator *g);
