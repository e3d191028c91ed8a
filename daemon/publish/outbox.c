/* The outbox's connections and requests. */
#include "publish/outbox.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/barrier.h"
#include "redis/monitor.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

static enum topology_change follow(void *ctx, struct topology **current)
{
    return monitor_follow(ctx, current);
}

static void look(void *ctx)
{
    monitor_look(ctx);
}

static size_t get_servers(void *ctx, struct redis_condition out[static SERVERS_MAX])
{
    return monitor_servers(ctx, out);
}

struct outbox *outbox_new(
    const struct config *config, struct monitor *monitor, const struct clock *clock, struct log *log)
{
    return outbox_new_with(config, &(struct outbox_monitor){monitor, follow, look, get_servers}, clock, log);
}

struct outbox *outbox_new_with(const struct config *config, const struct outbox_monitor *monitor,
    const struct clock *clock, struct log *log)
{
    struct outbox *o = mem_zalloc(sizeof(*o));
    o->config = config;
    o->monitor = *monitor;
    o->clock = clock;
    o->log = log;
    for (int p = 0; p < config->redis.partitions; p++)
        topology_key_prefix(&o->prefixes[p], p, config->redis.partitions);
    return o;
}

static void disconnect(struct outbox *o, size_t server)
{
    if (o->links[server].redis != NULL)
        redisFree(o->links[server].redis);
    o->links[server].redis = NULL;
    o->links[server].number = 0;
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
    for (size_t i = 0; i < SERVERS_MAX; i++)
        buf_free(&o->links[i].commands);
    topology_unref(o->topology);
    buf_free(&o->command);
    free(o->requests);
    free(o);
}

int64_t outbox_waited_us(const struct outbox *o)
{
    return o->waited_us;
}

int outbox_partitions(const struct outbox *o)
{
    return o->config->redis.partitions;
}

const char *outbox_server(const struct outbox *o, int partition)
{
    return o->topology->servers[topology_server_of_partition(o->topology, partition)].name;
}

uint64_t outbox_connection(const struct outbox *o, int partition)
{
    return o->topology == NULL ? 0 : o->links[topology_server_of_partition(o->topology, partition)].number;
}

/* ---- queueing ---- */

enum { NO_PARTITION = -1 };

struct outbox_request {
    size_t server;
    int partition; /* NO_PARTITION: a key that is none's */
    size_t n;      /* replies */
    take_reply *take;
    void *ctx;
    bool *done;
};

static void queue(struct outbox *o, const struct outbox_request *request)
{
    if (o->n_requests == o->room) {
        o->room = o->room == 0 ? 64 : 2 * o->room;
        o->requests = mem_realloc(o->requests, o->room * sizeof(*o->requests));
    }
    *request->done = false;
    buf_append_slice(&o->links[request->server].commands, buf_slice(&o->command));
    buf_clear(&o->command);
    o->requests[o->n_requests++] = *request;
}

bool outbox_follow(struct outbox *o)
{
    if (o->n_requests > 0)
        return true;
    /* Any change may mean that another server answers at the same address. */
    if (o->monitor.follow(o->monitor.ctx, &o->topology) != TOPOLOGY_SAME)
        disconnect_all(o);
    if (o->topology != NULL)
        return true;
    buf_clear(&o->command);
    return false;
}

int outbox_usable(struct outbox *o)
{
    int n = 0;
    for (int p = 0; outbox_follow(o) && p < outbox_partitions(o); p++)
        n += o->topology->servers[topology_server_of_partition(o->topology, p)].usable;
    return n;
}

void outbox_note_told(struct outbox *o)
{
    for (int p = 0; p < PARTITIONS_MAX; p++)
        if (o->epochs[p].untold) {
            o->epochs[p].told_id = o->epochs[p].id;
            o->epochs[p].told_taken = o->epochs[p].taken;
            o->epochs[p].untold = false;
        }
}

int64_t outbox_told(const struct outbox *o, int partition)
{
    const struct outbox_epoch *epoch = &o->epochs[partition];
    return epoch->told_id == epoch->id ? epoch->told_taken : 0;
}

void outbox_forget_untold(struct outbox *o)
{
    for (int p = 0; p < PARTITIONS_MAX; p++)
        o->epochs[p].untold = false;
}

void outbox_queue(struct outbox *o, int partition, size_t n, take_reply *take, void *ctx, bool *done)
{
    *done = false;
    if (!outbox_follow(o))
        return;
    size_t server = topology_server_of_partition(o->topology, partition);
    queue(o, &(struct outbox_request){server, partition, n, take, ctx, done});
}

void outbox_queue_write(struct outbox *o, int partition, take_reply *take, void *ctx, bool *done)
{
    *done = false;
    if (!outbox_follow(o))
        return;
    size_t server = topology_server_of_partition(o->topology, partition);
    queue(o, &(struct outbox_request){server, NO_PARTITION, 1, take, ctx, done});
}

/* ---- sending ---- */

/* What is under way on one server. */
struct exchange {
    struct outbox *o;
    const char *what;
    size_t server;
    uint64_t fence;         /* the number that is asked for behind all else */
    struct barrier barrier; /* behind the replies */
    bool broken;            /* nothing more can be read */
};

static void report(const struct exchange *e, int partition, const char *error)
{
    log_event(e->o->log, LOG_WARN, "outbox_failed", "server=%s action=%s partition=%d error=%s",
        e->o->topology->servers[e->server].name, e->what, partition, LOG_QUOTE(error));
    e->o->monitor.look(e->o->monitor.ctx);
}

static int first_partition(const struct exchange *e)
{
    for (size_t i = 0; i < e->o->n_requests; i++)
        if (e->o->requests[i].server == e->server)
            return e->o->requests[i].partition;
    return NO_PARTITION;
}

static void break_off(struct exchange *e, const char *error)
{
    report(e, first_partition(e), error);
    disconnect(e->o, e->server);
    e->broken = true;
}

static void send_commands(struct exchange *e)
{
    char error[CLIENT_ERROR_MAX];
    struct outbox_link *link = &e->o->links[e->server];
    const struct redis_server *where = &e->o->topology->servers[e->server];
    if (!where->usable) { /* the monitor has said why, and looks on */
        e->broken = true;
        return;
    }
    if (link->redis == NULL) {
        link->redis = client_connect(where, error);
        link->number = link->redis != NULL ? ++e->o->connections : 0;
    }
    if (link->redis == NULL || !client_send(link->redis, &link->commands, error))
        break_off(e, error);
}

/* The next reply, to be freed; NULL when the connection has failed. */
static redisReply *read_reply(struct exchange *e)
{
    char error[CLIENT_ERROR_MAX];
    if (e->broken)
        return NULL;
    redisReply *reply = client_receive(e->o->links[e->server].redis, error);
    if (reply == NULL)
        break_off(e, error);
    return reply;
}

static void take_replies(struct exchange *e, const struct outbox_request *request)
{
    char malformed[64];
    *request->done = true;
    for (size_t i = 0; i < request->n; i++) {
        redisReply *reply = read_reply(e);
        if (reply == NULL)
            return;
        if (*request->done && !request->take(request->ctx, i, reply)) {
            *request->done = false;
            snprintf(malformed, sizeof(malformed), "reply %zu is malformed", i);
            report(e, request->partition, reply_is_error(reply) ? reply->str : malformed);
        }
        freeReplyObject(reply);
    }
}

static void receive(struct exchange *e)
{
    struct outbox *o = e->o;
    char error[CLIENT_ERROR_MAX];
    bool durable = true;
    for (size_t i = 0; i < o->n_requests; i++)
        if (o->requests[i].server == e->server)
            take_replies(e, &o->requests[i]);
    for (int step = 0; step < e->barrier.steps; step++) {
        /* This reply says whether as many replicas as were asked for have what was read. */
        int64_t acknowledged;
        redisReply *reply = read_reply(e);
        bool holds = reply != NULL && barrier_holds(reply, e->barrier, step, &acknowledged);
        durable = durable && holds;
        if (reply != NULL && !holds)
            report(e, first_partition(e),
                reply_is_error(reply) ? reply->str : "too few replicas have acknowledged");
        freeReplyObject(reply);
    }
    /* Without the fence, one surplus reply would shift every later answer by one partition. */
    if (!e->broken && !client_take_fence(o->links[e->server].redis, e->fence, error))
        break_off(e, error);
    for (size_t i = 0; i < o->n_requests; i++)
        if ((e->broken || !durable) && o->requests[i].server == e->server)
            *o->requests[i].done = false;
    buf_clear(&o->links[e->server].commands);
}

/* What became of the writes that a barrier needs, by partition. */
struct raise {
    int64_t id;
    int64_t taken;
};

struct raises {
    struct raise raised[PARTITIONS_MAX];
    bool queued[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
};

static bool take_raise(void *ctx, size_t index, const redisReply *reply)
{
    struct raise *raise = ctx;
    (void)index;
    return reply_integer(reply_at(reply, 0), &raise->id) && raise->id > 0 &&
           reply_integer(reply_at(reply, 1), &raise->taken);
}

/*
 * Raises `taken` of each partition that the queued requests read. WAIT covers the last write of its own
 * connection, and all that the server was told before it. What the requests read was written over other
 * connections, but before it was read: so this write, which the same connection makes after the reading and
 * before WAIT, is behind all of it. A write that came before the reading would not be: another connection
 * could have written in between. A request that is no partition's writes by itself.
 */
static void queue_raises(struct outbox *o, struct raises *raises)
{
    size_t n = o->n_requests;
    *raises = (struct raises){0};
    for (size_t i = 0; i < n; i++) {
        int p = o->requests[i].partition;
        if (p == NO_PARTITION || raises->queued[p])
            continue;
        raises->queued[p] = true;
        resp_fcall(&o->command, STORE_FUNCTION("take"), 1, 4);
        resp_key(&o->command, &o->prefixes[p], "epoch");
        bool compared = o->epochs[p].state == PARTITION_WHOLE;
        resp_int(&o->command, compared ? o->epochs[p].id : 0);
        resp_int(&o->command, compared ? outbox_told(o, p) : 0);
        resp_int(&o->command, clock_now_ms(o->clock));
        outbox_queue(o, p, 1, take_raise, &raises->raised[p], &raises->done[p]);
    }
}

bool outbox_flush(struct outbox *o, const char *what, bool barrier)
{
    struct exchange exchanges[SERVERS_MAX];
    struct raises raises;
    size_t n = 0;
    bool good = o->n_requests > 0;
    if (barrier)
        queue_raises(o, &raises);
    int64_t began_us = clock_monotonic_us();
    for (size_t server = 0; o->n_requests > 0 && server < o->topology->n_servers; server++)
        if (o->links[server].commands.len > 0) {
            struct barrier none = {0};
            struct barrier asked = barrier ? o->topology->servers[server].barrier : none;
            for (int step = 0; step < asked.steps; step++)
                barrier_encode(&o->links[server].commands, asked, step);
            client_append_fence(&o->links[server].commands, ++o->fences);
            exchanges[n] = (struct exchange){o, what, server, o->fences, asked, false};
            send_commands(&exchanges[n++]);
        }
    for (size_t i = 0; i < n; i++)
        receive(&exchanges[i]);
    for (int p = 0; barrier && p < PARTITIONS_MAX; p++)
        if (raises.done[p]) {
            o->epochs[p].id = raises.raised[p].id;
            o->epochs[p].taken = raises.raised[p].taken;
            o->epochs[p].untold = true;
        }
    for (size_t i = 0; i < o->n_requests; i++) {
        const struct outbox_request *request = &o->requests[i];
        /* A partition whose `taken` could not be raised was not read durably; the others were. */
        if (barrier && request->partition != NO_PARTITION && !raises.done[request->partition])
            *request->done = false;
        good = good && *request->done;
    }
    o->n_requests = 0;
    o->waited_us += clock_monotonic_us() - began_us;
    return good;
}

bool outbox_call(struct outbox *o, int partition, size_t n, const char *what, take_reply *take, void *ctx)
{
    bool done;
    outbox_queue(o, partition, n, take, ctx, &done);
    return outbox_flush(o, what, false);
}

bool outbox_call_key(
    struct outbox *o, const char *key, const char *what, bool barrier, take_reply *take, void *ctx)
{
    bool done;
    if (!outbox_follow(o))
        return false;
    size_t server = topology_server_of_key(o->topology, key);
    queue(o, &(struct outbox_request){server, NO_PARTITION, 1, take, ctx, &done});
    return outbox_flush(o, what, barrier);
}

bool outbox_call_server(struct outbox *o, size_t server, const char *what, take_reply *take, void *ctx)
{
    bool done;
    if (!outbox_follow(o))
        return false;
    if (server >= o->topology->n_servers) { /* The topology has changed just now. */
        buf_clear(&o->command);
        return false;
    }
    queue(o, &(struct outbox_request){server, NO_PARTITION, 1, take, ctx, &done});
    return outbox_flush(o, what, false);
}

bool outbox_take_integer(void *ctx, size_t index, const redisReply *reply)
{
    (void)index;
    return reply_integer(reply, ctx);
}

bool outbox_read_minutes(struct arena *arena, const redisReply *reply, struct outbox_minutes *out)
{
    if (!reply_is_array(reply))
        return false;
    out->minutes = arena_alloc(arena, reply->elements * sizeof(*out->minutes));
    out->n = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice text;
        if (!reply_string(reply->element[i], &text))
            return false;
        out->n += reply_number(
            reply->element[i], &out->minutes[out->n]); /* a minute that is not a number is skipped */
    }
    return true;
}
