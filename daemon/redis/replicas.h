/*
 * The replicas that may be promoted, and what that could lose. A primary names those that are connected to it
 * in INFO. A thread asks each of them once in a while how it is set up, since a replica may hang, and so that
 * a fault is told before the replica is needed. Nothing that is found here keeps anybody from using the
 * primary.
 *
 * For one thread at a time, the monitor's.
 */
#pragma once

#include <hiredis/hiredis.h>

#include "redis/condition.h"
#include "redis/topology.h"

struct config;
struct replicas;

/* CONFIG is borrowed. */
struct replicas *replicas_new(const struct config *config);
void replicas_free(struct replicas *r);

/*
 * Asks PRIMARY over REDIS for its replicas and fills SEEN's risk, also from what is known of them by now. A
 * failed connection leaves redis->err set.
 */
void replicas_look(struct replicas *r, redisContext *redis, const struct redis_server *primary,
    struct redis_condition *seen);
