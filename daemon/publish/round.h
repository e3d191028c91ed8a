/*
 * One round of the publish loop: what it works with, what it has found, and what it leaves. Whatever a round
 * could not publish holds the watermark back; what could be published at once asks for another round.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/topology.h"

struct arena;
struct outbox;
struct producer;
struct publish_counters;
struct record_writer;

struct round {
    /* borrowed */
    struct outbox *outbox;
    struct producer *producer;
    struct publish_counters *counters;
    struct record_writer *writer;
    struct arena *arena; /* all that the round allocates */

    size_t records_max; /* of a transaction; a portion that was taken is never cut */
    int64_t due_before; /* Unix seconds / 60; minutes before this one are due, as it was before the first look
                         */
    int64_t publish_before; /* the round publishes minutes before this one; none of them is still to come */
    bool running;           /* minutes that are not yet due are published too */
    bool refused_too; /* learners of whom Kafka refuses a record are taken too, for what else they have to
                         tell */
    bool complete;    /* every server has answered all that was asked */
    bool held_by[PARTITIONS_MAX]; /* partitions that could not be published as they should be */
    bool more;                    /* something was left that the next round can publish */
    bool republishing;            /* a step of what is published anew went well; another one follows */
    int64_t oldest_left;          /* the oldest minute that was left; INT64_MAX: none was */
};

/* Notes that MINUTE is not wholly published, although nothing is left to do for it now. */
static inline void round_hold_back(struct round *r, int64_t minute)
{
    if (minute < r->oldest_left)
        r->oldest_left = minute;
}

/* Notes that the server of PARTITION has not answered all that was asked. */
static inline void round_miss(struct round *r, int partition)
{
    r->complete = false;
    r->held_by[partition] = true;
}

/* Notes that MINUTE is not wholly published, and that the next round goes on with it. */
static inline void round_leave(struct round *r, int64_t minute)
{
    r->more = true;
    round_hold_back(r, minute);
}
