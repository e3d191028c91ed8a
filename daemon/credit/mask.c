/* A minute is a 60-bit word. */
#include "credit/mask.h"

#include <assert.h>

uint64_t mask_range(unsigned from, unsigned to)
{
    assert(from <= to && to <= MINUTE_SECONDS);
    return (((uint64_t)1 << to) - 1) & ~(((uint64_t)1 << from) - 1);
}

unsigned mask_count(uint64_t mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

size_t mask_split(int64_t first, int64_t end, struct minute_mask *out, size_t max)
{
    size_t n = 0;
    while (first < end && n < max) {
        int64_t minute = first / MINUTE_SECONDS;
        int64_t start = minute * MINUTE_SECONDS;
        int64_t stop = end < start + MINUTE_SECONDS ? end : start + MINUTE_SECONDS;
        out[n++] =
            (struct minute_mask){minute, mask_range((unsigned)(first - start), (unsigned)(stop - start))};
        first = stop;
    }
    return n;
}
