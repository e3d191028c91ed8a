/*
 * One round of publishing, by the holder of the lease with a connected producer. Each arrow is a transaction
 * of its own, and nothing is settled before it has committed:
 *
 *     look -> masks and totals (a bounded slice, newest minutes first) -> lesson sums -> watermark
 *
 * A minute that does not fit into a transaction is left, and goes on in the next one where it was left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"

struct config;
struct cycle;
struct lease;
struct outbox;
struct producer;
struct publish_counters;

enum cycle_status {
    CYCLE_IDLE,   /* all that was due is published, or the pace asks for a pause */
    CYCLE_MORE,   /* go on at once */
    CYCLE_FAILED, /* as PRODUCER_FAILED: disconnect the producer and connect anew */
    CYCLE_FENCED, /* as PRODUCER_FENCED */
    CYCLE_LEASE_LOST
};

/* Borrowed; CONFIG, CLOCK and LOG as everywhere. */
struct cycle_parts {
    const struct config *config;
    const struct clock *clock;
    struct log *log;
    struct outbox *outbox;
    struct producer *producer;
    struct lease *lease;
    struct publish_counters *counters;
};

struct cycle *cycle_new(const struct cycle_parts *parts);
void cycle_free(struct cycle *c);

/* LAST: before the daemon ends. Minutes still running are published too, if they ever are; no pace is kept.
 */
enum cycle_status cycle_run(struct cycle *c, bool last) __attribute__((warn_unused_result));

/* How long to wait before the next round, after CYCLE_IDLE. */
int64_t cycle_wait_ms(const struct cycle *c);

/*
 * The same after CYCLE_MORE: catching up leaves Redis to heartbeats for a share of the time, and the busier
 * it is, the longer. While Kafka is at work Redis rests already.
 */
int64_t cycle_yield_ms(const struct cycle *c);

/* Gives memory back in Redis, every few seconds. Needs the lease but no Kafka. */
void cycle_retire(struct cycle *c);
