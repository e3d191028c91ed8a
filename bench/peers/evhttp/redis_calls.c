/* One FCALL for each run. */
#include "evhttp/redis_calls.h"

#include <hiredis/adapters/libevent.h>
#include <stdlib.h>

#include "base/mem.h"
#include "credit/mask.h"
#include "redis/resp.h"
#include "store/apply.h"

enum { HORIZON_S = 86400, GRACE_S = 70 };

struct redis_calls {
    struct event_base *base;
    struct endpoint server;
    redisAsyncContext *redis; /* NULL while there is no connection */
    int partitions;
    struct key_prefix prefixes[PARTITIONS_MAX];
    struct apply_scratch scratch;
    struct buf command;
};

struct call {
    struct store_run *run;
    run_credited *done;
    void *ctx;
};

/* ---- the connection ---- */

/* hiredis frees the context itself, also after a failed connect, when on_disconnected is not called. */
static void on_connected(const redisAsyncContext *redis, int status)
{
    struct redis_calls *calls = redis->data;
    if (status != REDIS_OK)
        calls->redis = NULL;
}

static void on_disconnected(const redisAsyncContext *redis, int status)
{
    struct redis_calls *calls = redis->data;
    (void)status;
    calls->redis = NULL;
}

static void connect_when_needed(struct redis_calls *calls)
{
    if (calls->redis != NULL)
        return;
    const struct endpoint *server = &calls->server;
    redisAsyncContext *redis =
        server->is_unix ? redisAsyncConnectUnix(server->host) : redisAsyncConnect(server->host, server->port);
    if (redis == NULL)
        return;
    if (redis->err != 0) {
        redisAsyncFree(redis);
        return;
    }
    redis->data = calls;
    redisLibeventAttach(redis, calls->base);
    redisAsyncSetConnectCallback(redis, on_connected);
    redisAsyncSetDisconnectCallback(redis, on_disconnected);
    calls->redis = redis;
}

/* ---- calls ---- */

static void complete(struct call *call)
{
    call->done(call->run, call->ctx);
    free(call);
}

static void on_answer(redisAsyncContext *redis, void *answer, void *data)
{
    const redisReply *reply = answer;
    struct call *call = data;
    struct store_run_queue queue = STAILQ_HEAD_INITIALIZER(queue);
    (void)redis;
    STAILQ_INSERT_TAIL(&queue, call->run, link);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING ||
        !apply_decode((struct slice){reply->str, reply->len}, &queue))
        call->run->status = STORE_UNAVAILABLE;
    complete(call);
}

static void encode(struct redis_calls *calls, struct store_run *run, int64_t now_ms)
{
    struct store_run_queue queue = STAILQ_HEAD_INITIALIZER(queue);
    run->hash = topology_hash_learner(run->portal, run->learner);
    STAILQ_INSERT_TAIL(&queue, run, link);
    buf_clear(&calls->command);
    const struct key_prefix *prefix = &calls->prefixes[topology_partition_of(run->hash, calls->partitions)];
    int64_t horizon = (now_ms / 1000 - HORIZON_S) / 60;
    struct apply_terms terms = {.horizon_minute = horizon,
        .limit_minute = horizon + BUCKET_MINUTES,
        .settled = true,
        .grace_s = GRACE_S};
    apply_encode(&calls->command, &calls->scratch, prefix, &queue, &terms);
}

void redis_calls_credit(
    struct redis_calls *calls, struct store_run *run, int64_t now_ms, run_credited *done, void *ctx)
{
    struct call *call = mem_alloc(sizeof(*call));
    *call = (struct call){run, done, ctx};
    encode(calls, run, now_ms);
    connect_when_needed(calls);
    if (calls->redis != NULL && redisAsyncFormattedCommand(calls->redis, on_answer, call, calls->command.data,
                                    calls->command.len) == REDIS_OK)
        return;
    run->status = STORE_UNAVAILABLE;
    complete(call);
}

struct redis_calls *redis_calls_new(struct event_base *base, const struct endpoint *server, int partitions)
{
    struct redis_calls *calls = mem_zalloc(sizeof(*calls));
    calls->base = base;
    calls->server = *server;
    calls->partitions = partitions;
    for (int p = 0; p < partitions; p++)
        topology_key_prefix(&calls->prefixes[p], p, partitions);
    connect_when_needed(calls);
    return calls;
}

void redis_calls_free(struct redis_calls *calls)
{
    if (calls->redis != NULL)
        redisAsyncFree(calls->redis);
    apply_scratch_free(&calls->scratch);
    buf_free(&calls->command);
    free(calls);
}
