/*
 * Buckets as wide as their values are great: 2^SUB_BITS of them between a power of two and the next. A
 * value's bucket is told by its SUB_BITS + 1 leading bits and how many follow them, which are dropped; values
 * below 2^(SUB_BITS + 1) have a bucket each.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Buckets for values of VALUE_BITS bits. */
#define BUCKETS(value_bits, sub_bits) (((value_bits) - (sub_bits) + 1) << (sub_bits))

static inline size_t buckets_index(uint64_t value, unsigned sub_bits)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned dropped = bits > sub_bits + 1 ? bits - (sub_bits + 1) : 0;
    return ((size_t)dropped << sub_bits) + (size_t)(value >> dropped);
}

/* The greatest value that bucket I holds. */
static inline uint64_t buckets_top(size_t i, unsigned sub_bits)
{
    if (i >> sub_bits == 0)
        return i;
    unsigned dropped = (unsigned)(i >> sub_bits) - 1;
    uint64_t leading = i - ((size_t)dropped << sub_bits);
    return ((leading + 1) << dropped) - 1;
}
