/*
 * The runs of one Redis server: a queue for each of its partitions, and at most one pipeline in flight.
 *
 *     queue --launch--> sent --answers--> complete          `apply` missing: sent --> head of queue
 *
 * The store's own part; its users call store_submit().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "redis/topology.h"
#include "store/apply.h"
#include "store/counters.h"
#include "store/run.h"

struct config;
struct event_base;
struct monitor;

/* What the pipelines of one store share. Borrowed. */
struct pipeline_context {
    struct event_base *base;
    const struct config *config;
    struct monitor *monitor;
    const struct clock *clock;
    struct log *log;
    struct store_counters *counters;
    size_t *pending; /* runs submitted and not completed */
    struct apply_scratch scratch;
    struct buf command;
};

struct pipeline;

/* WHERE is from the topology of VERSION. */
struct pipeline *pipeline_new(
    struct pipeline_context *context, const struct redis_server *where, uint64_t version);

/* Completes what is queued and in flight as STORE_UNAVAILABLE, then frees. */
void pipeline_free(struct pipeline *p);

/* Takes over what the topology of VERSION says of the server, which is where it was. */
void pipeline_follow(struct pipeline *p, const struct redis_server *where, uint64_t version);

/* Milliseconds that the oldest run has waited at NOW_US, monotonic microseconds. */
int64_t pipeline_age_ms(const struct pipeline *p, int64_t now_us);

/* Whether runs may be queued: the server is ready, and the oldest run has not waited too long. */
bool pipeline_admits(const struct pipeline *p, int64_t now_us);

/* Queues a run; pipeline_launch_when_due() after the last one. */
void pipeline_queue(struct pipeline *p, int partition, struct store_run *run);
void pipeline_launch_when_due(struct pipeline *p);

/* Appends PARTITION's runs that are not in flight to RUNS: another server has the partition now. */
void pipeline_give_up(struct pipeline *p, int partition, struct store_run_queue *runs);

/* Breaks a connection that does not answer in time; called a few times a second. */
void pipeline_tick(struct pipeline *p, int64_t now_us);

/* Gives each run of QUEUE, whose status is set, back to its batch. */
void pipeline_complete(struct pipeline_context *context, struct store_run_queue *queue);
