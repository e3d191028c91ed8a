/*
 * One connection to Redis and one FCALL for each run. What is called within one turn of the loop leaves in
 * one write, as hiredis does it; nothing is batched beyond that.
 */
#pragma once

#include <stdint.h>

#include "base/endpoint.h"
#include "redis/topology.h"
#include "store/store.h"

struct event_base;
struct redis_calls;

/*
 * Connects at once, and anew with the next call when the connection broke. PARTITIONS: 1 to PARTITIONS_MAX.
 * Borrows BASE.
 */
struct redis_calls *redis_calls_new(struct event_base *base, const struct endpoint *server, int partitions);

/*
 * Credits RUN, whose claim has a second, at NOW_MS. DONE is called exactly once, when its status and counts
 * are set; RUN and what it points to must live until then.
 */
typedef void run_credited(struct store_run *run, void *ctx);
void redis_calls_credit(
    struct redis_calls *calls, struct store_run *run, int64_t now_ms, run_credited *done, void *ctx);

/* Completes what is in flight as STORE_UNAVAILABLE, then frees. */
void redis_calls_free(struct redis_calls *calls);
