/* Latencies by buckets, and what they say. */
#include "load/histogram.h"

#include <assert.h>
#include <math.h>

enum { STEPS_PER_HALVING = 5 };

static const uint64_t value_max = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

uint64_t histogram_bucket_top(size_t i)
{
    assert(i < HISTOGRAM_BUCKETS);
    return buckets_top(i, HISTOGRAM_SUB_BITS);
}

void histogram_add(struct histogram *h, int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    h->n++;
    h->sum_us += value;
    if (value > h->max_us)
        h->max_us = value;
    h->buckets[buckets_index(value > value_max ? value_max : value, HISTOGRAM_SUB_BITS)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->n += from->n;
    into->sum_us += from->sum_us;
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

/* How many values QUANTILE of them are: at least one. */
static uint64_t rank_of(const struct histogram *h, double quantile)
{
    /* 0.07 * 100 is a little more than 7: what rounding added must not count as one more. */
    double rank = ceil(quantile * (double)h->n * (1 - 1e-12));
    if (!(rank > 1))
        return 1;
    return rank >= (double)h->n ? h->n : (uint64_t)rank;
}

/* What a bucket stands for: no value is greater than the greatest one. */
static uint64_t bucket_value(const struct histogram *h, size_t i)
{
    uint64_t top = histogram_bucket_top(i);
    return top > h->max_us ? h->max_us : top;
}

/* The bucket of the RANKth value, with *COUNT values in it and below. */
static size_t bucket_of_rank(const struct histogram *h, uint64_t rank, uint64_t *count)
{
    *count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        *count += h->buckets[i];
        if (*count >= rank)
            return i;
    }
    return HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_quantile(const struct histogram *h, double quantile)
{
    if (h->n == 0)
        return 0;
    uint64_t rank = rank_of(h, quantile);
    uint64_t count;
    size_t i = bucket_of_rank(h, rank, &count);
    return rank == h->n ? h->max_us : bucket_value(h, i);
}

double histogram_mean(const struct histogram *h)
{
    return h->n == 0 ? 0 : (double)h->sum_us / (double)h->n;
}

double histogram_deviation(const struct histogram *h)
{
    if (h->n == 0)
        return 0;
    double mean = histogram_mean(h);
    double sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double bottom = i == 0 ? 0 : (double)histogram_bucket_top(i - 1) + 1;
        double off = (bottom + (double)bucket_value(h, i)) / 2 - mean;
        if (h->buckets[i] > 0)
            sum += off * off * (double)h->buckets[i];
    }
    return sqrt(sum / (double)h->n);
}

bool histogram_next_step(const struct histogram *h, struct histogram_step *step)
{
    if (h->n == 0 || step->quantile >= 1)
        return false;
    if (step->count == h->n) {
        step->quantile = 1;
        return true;
    }
    /*
     * Each halving of what is left above has the same number of steps. The level is computed from the step's
     * index, since a running sum of tenths would drift past the halvings.
     */
    unsigned index = step->index++;
    unsigned halvings = index / STEPS_PER_HALVING;
    double left = exp2(-(double)halvings);
    step->quantile = 1 - left * (1 - (double)(index % STEPS_PER_HALVING) / (2 * STEPS_PER_HALVING));
    size_t i = bucket_of_rank(h, rank_of(h, step->quantile), &step->count);
    step->value_us = bucket_value(h, i);
    return true;
}
