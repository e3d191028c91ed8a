/* What all threads of a load share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "load/crowd.h"
#include "load/evidence.h"
#include "load/message.h"
#include "load/pool.h"
#include "load/schedule.h"

enum { PLAN_JWT_MAX = 1024 };

/* Everything that it points to is borrowed. */
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
    /*
     * Writes a platform's token for a learner into OUT (PLAN_JWT_MAX) and returns its length; NULL where
     * sessions were made already.
     */
    size_t (*sign_jwt)(const void *ctx, struct slice learner, char *out);
    const void *sign_ctx;
};
