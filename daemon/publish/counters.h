/* What publishing has come to since the start. The publisher's thread writes it; any thread reads it. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct publish_counters {
    _Atomic uint64_t records;          /* committed, all topics */
    _Atomic uint64_t learner_masks;    /* taken, committed and settled */
    _Atomic uint64_t transactions;     /* committed */
    _Atomic uint64_t aborts;           /* transactions given up */
    _Atomic uint64_t fenced;           /* times another daemon took over */
    _Atomic int64_t wrong_floors;      /* partitions whose floor cannot be right, at the last look */
    _Atomic uint64_t early_minutes;    /* retired before the horizon, for memory */
    _Atomic int64_t kafka_is_another;  /* 1 while that keeps this daemon from publishing */
    _Atomic int64_t grown_topics;      /* with more partitions than are published to */
    _Atomic int64_t lost_partitions;   /* that wait for a way back, as the holder of the lease sees it */
    _Atomic int64_t kafka_lost;        /* 1 until everything is published anew, as above */
    _Atomic int64_t refused_records;   /* that Kafka refuses by themselves, set aside at the last round */
    _Atomic int64_t holds_lease;       /* 1 while this daemon publishes */
    _Atomic int64_t published_through; /* Unix seconds; as in minuted.watermarks */
    _Atomic int64_t final_through;
    _Atomic int64_t backlog;        /* due and not yet published, at the last look */
    _Atomic int64_t last_commit_ms; /* Unix ms of the last commit; 0: none yet */
};
