/* Pseudo-random numbers that a seed repeats (xorshift64*). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state; /* never 0 */
};

static inline uint64_t dice_throw(struct dice *d)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return d->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Equal seeds throw the same; seeds that differ little do not throw alike. */
static inline struct dice dice_of(uint64_t seed)
{
    struct dice d = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1};
    for (int i = 0; i < 8; i++)
        dice_throw(&d);
    return d;
}

/* 0 to N - 1. */
static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
    return (uint32_t)((dice_throw(d) >> 32) * n >> 32);
}

static inline bool dice_happens(struct dice *d, double probability)
{
    return (double)(dice_throw(d) >> 11) * 0x1p-53 < probability;
}
