/*
 * One thread's counts and latencies, by the second. Times are microseconds since the load's start. The thread
 * alone writes; others may read the seconds below tally_finished().
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "load/result.h"

enum {
    TALLY_SUB_BITS = 5, /* 32 buckets between a power of two and the next: 3 % */
    TALLY_BUCKETS = BUCKETS(32, TALLY_SUB_BITS)
};

struct tally_second {
    struct load_counts counts;
    uint64_t lateness_us; /* the worst */
    uint64_t cpu_us;      /* that the thread took */
    uint64_t latency_max_us;
    uint32_t latencies[TALLY_BUCKETS];
};

struct tally {
    int64_t warmup_us; /* what was due before then is not in the histograms */
    struct histogram latency;
    struct histogram lateness;
    struct tally_second *seconds;
    size_t n_seconds;
    _Atomic size_t finished;
    uint64_t cpu_seen_us;
};

/* What happens after SECONDS seconds counts in the last of them. */
struct tally *tally_new(int64_t warmup_us, size_t seconds);
void tally_free(struct tally *t);

/*
 * The second that NOW_US lies in, for counting. The seconds before it are finished, and a finished second
 * never changes: what comes too late for it counts in the one returned.
 */
struct tally_second *tally_at(struct tally *t, int64_t now_us);
/* How many seconds are finished. */
size_t tally_finished(const struct tally *t);
/* Finishes all seconds. */
void tally_close(struct tally *t);

void tally_sent(struct tally *t, int64_t now_us, int64_t due_us, int64_t lateness_us);
void tally_answered(struct tally *t, int64_t now_us, int64_t due_us);

/* The latencies of one second of several threads. */
struct tally_sum {
    uint64_t max_us;
    uint64_t n;
    uint64_t latencies[TALLY_BUCKETS];
};
/* Adds second I of a thread to SECOND, and its latencies to SUM. */
void tally_add(struct tally_sum *sum, struct second *second, const struct tally *t, size_t i);
/* Writes the marks of struct second: p50, p90, p99, p99.9 and the greatest. */
void tally_marks(const struct tally_sum *sum, uint64_t marks[static LATENCY_MARKS]);
