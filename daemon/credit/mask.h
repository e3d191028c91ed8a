/*
 * A minute is a 60-bit word: bit i says that second i was watched. Crediting is OR, a total is the
 * popcount, a duplicate is an OR that changes nothing, and merging two histories is OR again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MINUTE_SECONDS = 60, BUCKET_MINUTES = 10 };

#define MASK_FULL ((uint64_t)0x0fffffffffffffff)

/* One minute's part of a claim. */
struct minute_mask {
    int64_t minute; /* Unix seconds / 60 */
    uint64_t mask;  /* never 0 */
};

/* Bits [from, to) of a minute, 0 <= from <= to <= 60. For tests: they name by it the bits that they expect.
 */
uint64_t mask_range(unsigned from, unsigned to);

unsigned mask_count(uint64_t mask);

/*
 * The minutes of seconds [first, end), oldest first, into OUT. Returns how many; at most MAX are written
 * (a run of m minutes touches at most m + 1).
 */
size_t mask_split(int64_t first, int64_t end, struct minute_mask *out, size_t max);
