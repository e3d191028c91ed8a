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

/* What an OR into a minute does. The three masks are disjoint and make up the claim. */
struct mask_credit {
    uint64_t credited;  /* newly watched */
    uint64_t duplicate; /* already this lesson's */
    uint64_t contested; /* already another lesson's */
};

/* Bits [from, to) of a minute, 0 <= from <= to <= 60. */
uint64_t mask_range(unsigned from, unsigned to);

unsigned mask_count(uint64_t mask);

/*
 * CLAIM against a minute in which this lesson holds OWN and the learner's other lessons hold OTHERS. The
 * rule's one statement in C: Redis applies it in functions.lua, and the tests hold both against a model of
 * plain sets.
 */
struct mask_credit mask_judge(uint64_t claim, uint64_t own, uint64_t others);

/*
 * The minutes of seconds [first, end), oldest first, into OUT. Returns how many; at most MAX are written
 * (a run of m minutes touches at most m + 1).
 */
size_t mask_split(int64_t first, int64_t end, struct minute_mask *out, size_t max);
