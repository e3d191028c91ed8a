/*
 * The barrier of `redis.durability: replicas:n`: WAIT, and whether its answer is enough. WAIT speaks for what
 * its own connection wrote last and for all that the server was told before that; from Redis 7.2 on, and in
 * Valkey, it speaks for nothing where the connection has written nothing. So the caller sends it behind a
 * write. Pure.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct config;

/* How many replicas must acknowledge. 0: there is no such barrier, the reply to a write is enough. */
int barrier_replicas(const struct config *config);

/* Appends WAIT for REPLICAS, which is not 0. The answer comes after a second at the latest. */
void barrier_encode(struct buf *b, int replicas);

/* Whether REPLY, to that, says that enough have acknowledged. *ACKNOWLEDGED: how many, 0 where it does not
 * say. */
bool barrier_holds(const redisReply *reply, int replicas, int64_t *acknowledged)
    __attribute__((warn_unused_result));
