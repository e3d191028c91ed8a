/*
 * Latencies in microseconds, counted in buckets no wider than 1/1024 of what they hold: three significant
 * digits, from 1 us to an hour, in fixed memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/buckets.h"

enum {
    HISTOGRAM_SUB_BITS = 10, /* 1,024 buckets between a power of two and the next */
    HISTOGRAM_VALUE_BITS = 32,
    HISTOGRAM_BUCKETS = BUCKETS(HISTOGRAM_VALUE_BITS, HISTOGRAM_SUB_BITS)
};

/* A zeroed struct is empty. */
struct histogram {
    uint64_t n;
    uint64_t sum_us;
    uint64_t max_us; /* exactly */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, int64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The least value that QUANTILE (0 to 1) of the values do not exceed, to three digits; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double quantile);
double histogram_mean(const struct histogram *h);
/* The standard deviation, each value taken as the middle of its bucket. */
double histogram_deviation(const struct histogram *h);

/* A step of the distribution: QUANTILE of the values, COUNT of them, are at most VALUE_US. */
struct histogram_step {
    double quantile;
    uint64_t value_us;
    uint64_t count;
    unsigned index; /* of the next step */
};

/*
 * From a zeroed STEP to the first one, and on to the last, at quantile 1: five to each halving of what is
 * left, so that the tail is drawn as finely as the body. False after the last, and when empty.
 */
bool histogram_next_step(const struct histogram *h, struct histogram_step *step)
    __attribute__((warn_unused_result));

/* The greatest value that bucket I holds. For tests: they check that buckets are narrow and join. */
uint64_t histogram_bucket_top(size_t i);
