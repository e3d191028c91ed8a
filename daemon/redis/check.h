/*
 * What a Redis server must be before a run is accepted into it: a primary, not loading, with durability as
 * configured, without eviction, with the library of functions and this deployment's settings. Blocking; the
 * monitor's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "redis/client.h"
#include "redis/condition.h"

struct config;
struct redis_library;

/* What is the same for every server. Borrowed. */
struct check_context {
    const struct config *config;
    const char *program; /* the catalog's; NULL: any is right, also one that is only being begun */
    const struct redis_library *library;
    struct clock *clock; /* which the looks keep credible */
    struct log *log;
};

/*
 * Looks at a server over REDIS and fills *SEEN, of which nothing but the server's name is filled before.
 * HOLDS_SETTINGS: this one stores the deployment's settings. Loads the library where it is missing. A failed
 * connection leaves redis->err set. *PERMITTED_MS is the connection's, as permissions_check() keeps it.
 */
enum check_result check_server(const struct check_context *context, redisContext *redis, bool holds_settings,
    int64_t *permitted_ms, struct redis_condition *seen);
