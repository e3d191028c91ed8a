/*
 * Finding the Redis servers: the one that is configured, the primary that sentinels name, or the shards of a
 * cluster. Blocking; the monitor's.
 */
#pragma once

#include "redis/client.h"
#include "redis/topology.h"

struct config;
struct resolver;

enum discovery {
    DISCOVERY_FOUND,
    DISCOVERY_UNREACHABLE,
    DISCOVERY_ELSEWHERE, /* sentinels do not watch redis.primary, or not yet */
    DISCOVERY_WRONG
};

/*
 * Fills T's servers and who holds what, as the first configured server says that can tell. Where the servers
 * of a cluster are has still to be found, by client_find(). ERROR says what is wrong otherwise, naming the
 * server.
 */
enum discovery discovery_find(
    const struct config *config, struct resolver *resolver, struct topology *t, char error[static 512]);
