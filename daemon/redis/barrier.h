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

struct config;
struct redis_server;

/* The steps of a barrier, in order; each is one command with one answer. */
enum { BARRIER_MEMORY, BARRIER_DISKS };

struct barrier {
    int steps;    /* 0: there is no barrier, the reply to a write is enough; 1: memory; 2: and disks */
    int replicas; /* that must acknowledge each step */
};

/* The barrier of CONFIG on SERVER, as it was found at the last look. */
struct barrier barrier_of(const struct config *config, const struct redis_server *server);

/* Appends the command of STEP. Its answer comes after a second at the latest. */
void barrier_encode(struct buf *b, struct barrier barrier, int step);

/*
 * Whether REPLY, to the command of STEP, says that enough have acknowledged. *ACKNOWLEDGED: how many replicas
 * have, 0 where it does not say.
 */
bool barrier_holds(const redisReply *reply, struct barrier barrier, int step, int64_t *acknowledged)
    __attribute__((warn_unused_result));
