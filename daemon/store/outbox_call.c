/* The outbox's connections and calls. */
#include "store/outbox_call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "config.h"

struct outbox *outbox_new(const struct config *config, struct monitor *monitor, struct log *log)
{
    struct outbox *o = mem_zalloc(sizeof(*o));
    o->config = config;
    o->monitor = monitor;
    o->log = log;
    for (int p = 0; p < config->redis.partitions; p++)
        key_prefix_init(&o->prefixes[p], p, config->redis.partitions);
    return o;
}

static void disconnect(struct outbox *o, size_t server)
{
    if (o->connections[server] != NULL)
        redisFree(o->connections[server]);
    o->connections[server] = NULL;
}

static void disconnect_all(struct outbox *o)
{
    for (size_t i = 0; i < SERVERS_MAX; i++)
        disconnect(o, i);
}

void outbox_free(struct outbox *o)
{
    if (o == NULL)
        return;
    disconnect_all(o);
    topology_unref(o->topology);
    buf_free(&o->command);
    free(o);
}

int outbox_partitions(const struct outbox *o)
{
    return o->config->redis.partitions;
}

const char *outbox_server(const struct outbox *o, int partition)
{
    return o->topology->servers[o->topology->server_of[partition]].name;
}

int outbox_replicas(const struct outbox *o)
{
    return o->config->redis.durability == DURABILITY_REPLICAS ? o->config->redis.replicas : 0;
}

void outbox_append_wait(struct outbox *o, int replicas)
{
    if (replicas == 0)
        return;
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("WAIT"));
    resp_int(&o->command, replicas);
    resp_int(&o->command, OUTBOX_WAIT_MS);
}

static bool follow_topology(struct outbox *o)
{
    if (o->topology == NULL || o->topology->version != monitor_version(o->monitor)) {
        struct topology *t = monitor_topology(o->monitor);
        if (t == NULL)
            return false;
        disconnect_all(o);
        topology_unref(o->topology);
        o->topology = t;
    }
    return true;
}

/* Whom a call is for: what the log names when it fails. */
struct addressee {
    size_t server;
    int partition; /* -1: none */
    const char *what;
};

static void report(struct outbox *o, const struct addressee *to, const char *error)
{
    log_event(o->log, LOG_WARN, "outbox_failed", "server=%s action=%s partition=%d error=%s",
        o->topology->servers[to->server].name, to->what, to->partition, LOG_QUOTE(error));
    monitor_look(o->monitor);
}

static redisContext *connection_of(struct outbox *o, const struct addressee *to)
{
    char error[CLIENT_ERROR_MAX];
    const struct redis_server *where = &o->topology->servers[to->server];
    redisContext **connection = &o->connections[to->server];
    if (!where->usable) /* the monitor has said why, and looks on */
        return NULL;
    if (*connection == NULL)
        *connection = client_connect(where, error);
    if (*connection == NULL)
        report(o, to, error);
    return *connection;
}

struct call {
    take_reply *take;
    void *ctx;
    bool failed;
    char error[CLIENT_ERROR_MAX];
};

static void judge_reply(void *ctx, size_t index, const redisReply *reply)
{
    struct call *call = ctx;
    if (call->failed)
        return;
    call->failed = true;
    if (reply->type == REDIS_REPLY_ERROR)
        snprintf(call->error, sizeof(call->error), "%s", reply->str);
    else if (!call->take(call->ctx, index, reply))
        snprintf(call->error, sizeof(call->error), "reply %zu is malformed", index);
    else
        call->failed = false;
}

/* Sends o->command, N commands. */
static bool call_server(struct outbox *o, const struct addressee *to, size_t n, take_reply *take, void *ctx)
{
    redisContext *redis = connection_of(o, to);
    if (redis == NULL)
        return false;
    struct call call = {.take = take, .ctx = ctx};
    if (!client_pipeline(redis, &o->command, n, judge_reply, &call, call.error)) {
        disconnect(o, to->server);
        call.failed = true;
    }
    if (call.failed)
        report(o, to, call.error);
    return !call.failed;
}

bool outbox_call(struct outbox *o, int partition, size_t n, const char *what, take_reply *take, void *ctx)
{
    if (!follow_topology(o))
        return false;
    struct addressee to = {(size_t)o->topology->server_of[partition], partition, what};
    return call_server(o, &to, n, take, ctx);
}

bool outbox_call_key(struct outbox *o, const char *key, const char *what, take_reply *take, void *ctx)
{
    if (!follow_topology(o))
        return false;
    struct addressee to = {(size_t)topology_server_of_key(o->topology, key), -1, what};
    return call_server(o, &to, 1, take, ctx);
}

bool outbox_take_integer(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *out = ctx;
    (void)index;
    *out = reply->integer;
    return reply->type == REDIS_REPLY_INTEGER;
}

bool outbox_read_minutes(struct arena *arena, const redisReply *reply, struct outbox_minutes *out)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    out->minutes = arena_alloc(arena, reply->elements * sizeof(*out->minutes));
    out->n = reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
        out->minutes[i] = strtoll(reply->element[i]->str, NULL, 10);
    }
    return true;
}
