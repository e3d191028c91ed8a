/* File descriptors. */
#include "run/descriptors.h"

#include <assert.h>
#include <sys/resource.h>

enum {
    /* the operators' port, the monitor's and the publisher's Redis, Kafka's brokers */
    KEPT = 192,
    /* its loop, 16 listeners, two connections to each of 64 Redis servers, 64 refused clients that linger */
    KEPT_A_WORKER = 256
};

int64_t descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return INT64_MAX;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int descriptors_for_players(int64_t limit, int wanted, int workers)
{
    assert(limit >= 0 && wanted >= 0 && workers > 0);
    int64_t kept = KEPT + (int64_t)KEPT_A_WORKER * workers;
    int64_t left = kept < limit / 2 ? limit - kept : limit / 2;
    return left < wanted ? (int)left : wanted;
}
