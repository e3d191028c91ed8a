/*
 * What the steps of a cycle share: cycle.c (the round), masks.c, lesson_sums.c and watermark.c.
 */
#pragma once

#include "base/arena.h"
#include "publish/cycle.h"
#include "publish/minute_list.h"
#include "publish/outbox.h"
#include "publish/producer.h"
#include "publish/records.h"

/* Minutes that the last transaction has begun and left: where they go on. */
struct begun {
    struct outbox_taken portions[OUTBOX_PORTIONS_MAX];
    size_t n;
    /* where the next round begins; minute 0: with the newest, as a rule */
    struct partition_minute place;
};

struct cycle {
    struct cycle_parts with;
    struct begun begun;
    struct arena arena; /* what one round allocates */
    struct record_writer writer;
    int64_t grace_s;
    size_t records_most; /* in a transaction, as a rule: a take is never cut */
    size_t records_max;  /* the same as long as all goes well */
    int64_t round_us;    /* how long the last round took */
    int64_t redis_us;    /* and of that, with Redis at work for it */
    /* monotonic ms */
    int64_t paced_until_ms;
    int64_t running_due_ms; /* when minutes still running are published next */
    int64_t retire_due_ms;
    int64_t watermark_sent_ms;
    /* Unix seconds */
    int64_t final_through; /* as Redis says */
    int64_t sent_published_through;
    int64_t sent_final_through;
};

/* What one round has found and left. */
struct sweep {
    int64_t now_s;       /* before the first look */
    bool running;        /* minutes not yet due are published too */
    bool complete;       /* every server has answered all that was asked */
    bool more;           /* something was left for the next round */
    int64_t oldest_left; /* the oldest minute of that; INT64_MAX: none */
};

bool cycle_is_due(const struct cycle *c, const struct sweep *s, int64_t minute);

/* Notes that MINUTE is not wholly published in this round. */
void cycle_leave(struct sweep *s, int64_t minute);

/* Sends RECORD unless an earlier one has failed. */
void cycle_send(struct cycle *c, struct record record, enum producer_status *status);

/* Makes sure of the lease, then commits. CYCLE_IDLE when all is in Kafka, also when nothing was sent. */
enum cycle_status cycle_commit(struct cycle *c, enum producer_status sent)
    __attribute__((warn_unused_result));

enum cycle_status cycle_publish_masks(struct cycle *c, struct sweep *s) __attribute__((warn_unused_result));
enum cycle_status cycle_publish_sums(struct cycle *c, struct sweep *s) __attribute__((warn_unused_result));
enum cycle_status cycle_publish_watermark(struct cycle *c, const struct sweep *s)
    __attribute__((warn_unused_result));
