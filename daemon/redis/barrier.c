/* The barrier of `redis.durability: replicas:n`. */
#include "redis/barrier.h"

#include <assert.h>

#include "config/config.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { WAIT_MS = 1000 /* how long replicas may take to acknowledge */ };

int barrier_replicas(const struct config *config)
{
    return config->redis.durability == DURABILITY_REPLICAS ? config->redis.replicas : 0;
}

void barrier_encode(struct buf *b, int replicas)
{
    assert(replicas > 0);
    resp_begin(b, 3);
    resp_arg(b, SLICE_LITERAL("WAIT"));
    resp_int(b, replicas);
    resp_int(b, WAIT_MS);
}

bool barrier_holds(const redisReply *reply, int replicas, int64_t *acknowledged)
{
    *acknowledged = 0;
    return reply_integer(reply, acknowledged) && *acknowledged >= replicas;
}
