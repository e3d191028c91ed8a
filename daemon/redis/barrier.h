/*
 * The barrier of a `redis.durability` that asks for replicas: WAIT, and WAITAOF for their disks, and whether
 * the answers are enough. Either speaks for what its own connection wrote last and for all that the server
 * was told before that; from Redis 7.2 on, and in Valkey, it speaks for nothing where the connection has
 * written nothing. So the caller sends it behind a write. Pure.
 *
 * `replicas:n` asks for the memory of n replicas. `fsync+replicas:n` asks for the primary's disk too, which
 * `appendfsync always` sees to, and for the replicas' disks where the server knows WAITAOF: Redis from 7.2
 * on, and Valkey. WAITAOF comes behind WAIT: a replica that is asked while it has not written to its disk yet
 * says so, and is heard again only a second later. Once WAIT is answered, the replica has written.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "redis/topology.h"

struct config;

/* The steps of a barrier, in order; each is one command with one answer. */
enum { BARRIER_MEMORY, BARRIER_DISKS };

/* The barrier of CONFIG on a server that knows WAITAOF or does not. */
struct barrier barrier_of(const struct config *config, bool has_waitaof);

/* Appends the command of STEP. Its answer comes after a second at the latest. */
void barrier_encode(struct buf *b, struct barrier barrier, int step);

/*
 * Whether REPLY, to the command of STEP, says that enough have acknowledged. *ACKNOWLEDGED: how many replicas
 * have, 0 where it does not say.
 */
bool barrier_holds(const redisReply *reply, struct barrier barrier, int step, int64_t *acknowledged)
    __attribute__((warn_unused_result));
