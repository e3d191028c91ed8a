/* How often players are asked to send. */
#include "api/pace.h"

enum { CALM_MS = 50, BUSY_MS = 1000 };

int64_t pace_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms)
{
    if (age_ms <= CALM_MS)
        return interval_ms;
    if (age_ms >= BUSY_MS)
        return max_interval_ms;
    return interval_ms + (max_interval_ms - interval_ms) * (age_ms - CALM_MS) / (BUSY_MS - CALM_MS);
}
