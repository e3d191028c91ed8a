/*
 * The publish loop, run by the holder of the lease with a connected producer, round by round. A round is at
 * most four transactions, and nothing is settled before its transaction has committed:
 *
 *     (each partition is compared with what Kafka was told of it)
 *     learners' minutes and totals:  due -> take -> send -> commit -> settle; what has no room is left
 *     lesson minutes:                grown -> sum up -> send -> commit -> settle
 *     watermark:                     how far everything is published now
 *     a step of a walk:              where an operator wants everything published anew (republish.h)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct config;
struct lease;
struct log;
struct outbox;
struct producer;
struct publish_counters;
struct publish_loop;
struct told;

enum round_status {
    ROUND_DONE,   /* all that was due is published, the pace asks for a pause, or the clock is in doubt */
    ROUND_MORE,   /* go on at once */
    ROUND_FAILED, /* as PRODUCER_FAILED: disconnect the producer and connect anew */
    ROUND_FENCED, /* as PRODUCER_FENCED */
    ROUND_LEASE_LOST,
    ROUND_ELSEWHERE /* the deployment publishes to another Kafka by now */
};

/* Borrowed. */
struct publish_loop_parts {
    const struct config *config;
    const char *program;
    const struct clock *clock;
    struct outbox *outbox;
    struct producer *producer;
    struct lease *lease;
    struct publish_counters *counters;
    struct log *log;
};

struct publish_loop *publish_loop_new(const struct publish_loop_parts *parts);
void publish_loop_free(struct publish_loop *l);

/* After connecting, with what Kafka was told before. */
void publish_loop_begin(struct publish_loop *l, const struct told *told);

/* With the lease lost. */
void publish_loop_end(struct publish_loop *l);

/* What waits for an operator, for /readyz?verbose; "" when nothing does. */
void publish_loop_describe(const struct publish_loop *l, char text[static 128]);

/* One round. LAST: before the daemon ends. Minutes still running are published too, if they ever are; no pace
 * is kept. */
enum round_status publish_loop_round(struct publish_loop *l, bool last) __attribute__((warn_unused_result));

/* How long to wait before the next round, after ROUND_DONE. */
int64_t publish_loop_wait_ms(const struct publish_loop *l);

/*
 * The same after ROUND_MORE: catching up leaves Redis to heartbeats for a share of the time, and the busier
 * Redis is, the longer. While Kafka is at work Redis rests already.
 */
int64_t publish_loop_yield_ms(const struct publish_loop *l);

/*
 * Gives memory back in Redis, every few seconds, once all was compared and found whole: what one of Redis and
 * Kafka has lost is restored from what the other still has.
 */
void publish_loop_retire(struct publish_loop *l);
