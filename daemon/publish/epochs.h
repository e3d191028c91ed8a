/*
 * Whether Redis and Kafka still hold of each other what they had. Each transaction tells Kafka which take of
 * which epoch of a partition it was made from, and Redis notes after the commit that it was told. So a later
 * look can see that one of them is behind the other:
 *
 *     Kafka was told less than Redis has noted:        Kafka has lost what it had
 *     Kafka was told of a later take than Redis has:   the partition was rolled back, such as by a backup
 *     Kafka was told, and Redis has no epoch:          the partition came back empty
 *     Kafka was told of another epoch:                 the partition is another Redis's
 *
 * minuted --republish is the way back for Kafka, minuted --rebuild the one for a partition.
 *
 * Nothing is published, settled or retired of a partition that waits for a way back, and its floor is where
 * Kafka was told that it is, so that no run is accepted for a time that was final. What was found stands in
 * Redis, and ends with the way back. With redis.durability memory, and for an embedded Kafka, a partition
 * that lost goes on in a new epoch instead.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "publish/lease.h"
#include "publish/outbox.h"

struct config;
struct log;
struct publish_counters;
struct told;

/* The fields of a partition's epoch that a comparison needs, as Redis stores them; 0 for what is missing. */
struct epoch_stored {
    int64_t id;
    int64_t taken;
    int64_t committed;
    int64_t replaced;       /* the epoch in whose place a way back has put this one */
    enum outbox_state lost; /* what was found earlier, and stands; else PARTITION_UNKNOWN */
    int64_t told_id;        /* the epoch that Kafka was told of, when that was found */
};

/*
 * Judges a partition by what REDIS holds and by what Kafka was told last. *KAFKA_LOST becomes true if Kafka
 * was told too little, and else stays as it is. Pure. For tests: the table of cases needs no servers.
 */
enum outbox_state epochs_judge(
    const struct epoch_stored *redis, int64_t told_id, int64_t told_taken, bool *kafka_lost);

struct epochs {
    /* Set by the owner, who zeroes the rest; borrowed. */
    const struct config *config;
    struct outbox *outbox;
    struct lease *lease;
    struct publish_counters *counters;
    struct log *log;

    struct watermark told; /* the last one in Kafka; whoever sends another one sets it */
    bool begun;            /* what Kafka was told is known; before, nothing can be compared */
    bool kafka_lost;       /* until everything is published anew */
    bool compared;         /* since then every server has answered once; before, the watermark stands */
    int waiting;           /* partitions that wait for a way back, at the last look */
};

/* After connecting: what Kafka was told. Every partition is to be compared anew. */
void epochs_begin(struct epochs *e, const struct told *told);

/* With the lease lost: another daemon may have published since. */
void epochs_end(struct epochs *e);

enum epochs_look {
    EPOCHS_DONE,   /* each partition's state is in the outbox; one whose server did not answer is
                      PARTITION_UNKNOWN */
    EPOCHS_FAILED, /* what was found could not be written, and nothing may be published before it is */
    EPOCHS_LEASE_LOST
};

/* Compares every partition; writes and tells what is new. */
enum epochs_look epochs_compare(struct epochs *e) __attribute__((warn_unused_result));

/* Whether partition P can be published: it was compared, and is whole. */
bool epochs_whole(const struct epochs *e, int partition);

/* Whether every partition can. */
bool epochs_all_whole(const struct epochs *e);
