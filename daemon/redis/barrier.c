/* The barrier of a `redis.durability` that asks for replicas. */
#include "redis/barrier.h"

#include <assert.h>

#include "config/config.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { STEP_MS = 1000 /* how long replicas may take to acknowledge */ };

struct barrier barrier_of(const struct config *config, bool has_waitaof)
{
    const struct redis_durability *durability = &config->redis.durability;
    struct barrier barrier = {0, durability->replicas};
    if (durability->replicas > 0)
        barrier.steps = durability->fsync && has_waitaof ? 2 : 1;
    return barrier;
}

void barrier_encode(struct buf *b, struct barrier barrier, int step)
{
    assert(step < barrier.steps);
    resp_begin(b, step == BARRIER_DISKS ? 4 : 3);
    resp_arg(b, step == BARRIER_DISKS ? SLICE_LITERAL("WAITAOF") : SLICE_LITERAL("WAIT"));
    if (step == BARRIER_DISKS)
        resp_int(b, 1); /* the primary's own disk */
    resp_int(b, barrier.replicas);
    resp_int(b, STEP_MS);
}

/* WAIT answers with the number of replicas; WAITAOF with 1 where the primary's disk has it, and with theirs.
 */
bool barrier_holds(const redisReply *reply, struct barrier barrier, int step, int64_t *acknowledged)
{
    int64_t primary = 1;
    *acknowledged = 0;
    if (step == BARRIER_DISKS && !reply_integer(reply_at(reply, 0), &primary))
        return false;
    return reply_integer(step == BARRIER_DISKS ? reply_at(reply, 1) : reply, acknowledged) && primary >= 1 &&
           *acknowledged >= barrier.replicas;
}
