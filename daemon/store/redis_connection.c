/* One asynchronous connection to one Redis server. */
#include "store/redis_connection.h"

#include <event2/event.h>
#include <hiredis/adapters/libevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/endpoint.h"
#include "base/mem.h"

enum {
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MAX_MS = 1000,
    CONNECT_MAX_MS = 2000,
    PROVE_MS = 10,
    DEAD_PEER_MS = 3000
};

enum redis_connection_state { DOWN, CONNECTING, PROVING, READY };

struct redis_connection {
    struct redis_connection_settings settings;
    struct redis_server server;
    redisAsyncContext *redis;
    enum redis_connection_state state;
    struct event *timer; /* DOWN: retry; CONNECTING: give up; PROVING: ask the monitor again */
    int backoff_ms;
    uint64_t looks; /* the monitor's count that vouches for this connection */
    bool freeing;
};

static void arm(struct redis_connection *c, int ms)
{
    struct timeval delay = {ms / 1000, ms % 1000 * 1000};
    event_add(c->timer, &delay);
}

static void go_down(struct redis_connection *c)
{
    bool was_ready = c->state == READY;
    c->redis = NULL;
    c->state = DOWN;
    if (c->freeing)
        return;
    arm(c, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
    monitor_look(c->settings.monitor);
    if (was_ready && c->settings.changed != NULL)
        c->settings.changed(c->settings.ctx, false);
}

static void prove(struct redis_connection *c)
{
    bool vouched = monitor_looks(c->settings.monitor) >= c->looks;
    /* the verdict of those looks, not of an earlier one */
    bool current = c->settings.version == monitor_version(c->settings.monitor);
    if (vouched && current && c->server.usable) {
        c->state = READY;
        c->backoff_ms = BACKOFF_FIRST_MS;
        event_del(c->timer);
        log_event(c->settings.log, LOG_INFO, "redis_ready", "server=%s", c->server.name);
        if (c->settings.changed != NULL)
            c->settings.changed(c->settings.ctx, true);
        return;
    }
    if (!vouched)
        monitor_look(c->settings.monitor);
    arm(c, PROVE_MS);
}

static void harden_socket(struct redis_connection *c)
{
    unsigned dead_ms = DEAD_PEER_MS;
    /* Fails on a unix socket, which needs neither. */
    if (setsockopt(c->redis->c.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms)) == 0) {
        int on = 1;
        setsockopt(c->redis->c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

/* hiredis frees the context itself after a failed connect and does not call on_disconnect then. */
static void on_connect(const redisAsyncContext *redis, int status)
{
    struct redis_connection *c = redis->data;
    if (status != REDIS_OK) {
        log_event(c->settings.log, LOG_WARN, "redis_connect_failed", "server=%s error=%s", c->server.name,
            LOG_QUOTE(redis->errstr));
        go_down(c);
        return;
    }
    harden_socket(c);
    c->state = PROVING;
    c->looks = monitor_looks(c->settings.monitor) + 2;
    prove(c);
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    struct redis_connection *c = redis->data;
    if (status != REDIS_OK && !c->freeing)
        log_event(c->settings.log, LOG_WARN, "redis_disconnected", "server=%s error=%s", c->server.name,
            LOG_QUOTE(redis->errstr));
    go_down(c);
}

static redisAsyncContext *start_connecting(const struct redis_server *server)
{
    char host[ENDPOINT_NUMERIC_MAX];
    if (server->addr.ss_family == AF_UNIX)
        return redisAsyncConnectUnix(((const struct sockaddr_un *)&server->addr)->sun_path);
    return redisAsyncConnect(endpoint_numeric_host(&server->addr, host), endpoint_port(&server->addr));
}

static void try_connect(struct redis_connection *c)
{
    redisAsyncContext *redis = start_connecting(&c->server);
    if (redis == NULL || redis->err != 0) {
        log_event(c->settings.log, LOG_WARN, "redis_connect_failed", "server=%s error=%s", c->server.name,
            LOG_QUOTE(redis == NULL ? "out of memory" : redis->errstr));
        if (redis != NULL)
            redisAsyncFree(redis);
        go_down(c);
        return;
    }
    redis->data = c;
    c->redis = redis;
    c->state = CONNECTING;
    redisLibeventAttach(redis, c->settings.base);
    redisAsyncSetConnectCallback(redis, on_connect);
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
    arm(c, CONNECT_MAX_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_connection *c = ctx;
    (void)fd;
    (void)what;
    if (c->state == DOWN)
        try_connect(c);
    else if (c->state == PROVING)
        prove(c);
    else if (c->state == CONNECTING)
        redis_connection_break(c, "no connection in time");
}

struct redis_connection *redis_connection_new(const struct redis_connection_settings *settings)
{
    struct redis_connection *c = mem_zalloc(sizeof(*c));
    c->settings = *settings;
    c->server = *settings->server;
    c->backoff_ms = BACKOFF_FIRST_MS;
    c->timer = evtimer_new(settings->base, on_timer, c);
    arm(c, 0);
    return c;
}

void redis_connection_free(struct redis_connection *c)
{
    if (c == NULL)
        return;
    c->freeing = true;
    if (c->redis != NULL)
        redisAsyncFree(c->redis);
    event_free(c->timer);
    free(c);
}

bool redis_connection_ready(const struct redis_connection *c)
{
    return c->state == READY && c->server.usable;
}

void redis_connection_set_usable(struct redis_connection *c, bool usable, uint64_t version)
{
    c->settings.version = version;
    c->server.usable = usable;
}

bool redis_connection_send(
    struct redis_connection *c, const struct buf *command, redisCallbackFn *callback, void *data)
{
    return c->state == READY &&
           redisAsyncFormattedCommand(c->redis, callback, data, command->data, command->len) == REDIS_OK;
}

void redis_connection_break(struct redis_connection *c, const char *why)
{
    if (c->redis == NULL)
        return;
    log_event(c->settings.log, LOG_WARN, "redis_connection_broken", "server=%s reason=%s", c->server.name,
        LOG_QUOTE(why));
    redisAsyncContext *redis = c->redis;
    bool connected = c->state == PROVING || c->state == READY;
    redisAsyncFree(redis); /* calls on_disconnect only for a connection that was made */
    if (!connected)
        go_down(c);
}
