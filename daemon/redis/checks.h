/*
 * What a Redis server must be before a run is accepted into it: a primary, not loading, with durability as
 * configured, without eviction, with our functions and this deployment's settings. Blocking; the monitor's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "redis/client.h"
#include "redis/condition.h"
#include "redis/topology.h"

struct config;

enum check_result {
    CHECK_GOOD,
    CHECK_PASSING, /* not now: unreachable, loading, a replica, short of replicas */
    CHECK_WRONG    /* set up in a way that would lose what is accepted */
};

/*
 * Looks at SERVER over REDIS and fills *SEEN. HOLDS_SETTINGS: this one stores the deployment's settings.
 * Loads the functions where they are missing. A failed connection leaves redis->err set. *PERMITTED_MS
 * (monotonic; 0 for a new connection) says when all commands were last found to be allowed; they are asked
 * for again after a minute.
 */
enum check_result check_server(const struct config *config, redisContext *redis,
    const struct redis_server *server, bool holds_settings, int64_t *permitted_ms, struct log *log,
    struct redis_condition *seen);
