/* One asynchronous connection to one Redis server. */
#include "redis/redis_connection.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/endpoint.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/login.h"
#include "redis/monitor.h"
#include "redis/reply.h"
#include "redis/tls.h"

enum {
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MAX_MS = 1000,
    CONNECT_MAX_MS = 2000, /* the TLS handshake and logging in included */
    PROVE_MS = 10,
    DEAD_PEER_MS = 3000
};

enum redis_connection_state { DOWN, CONNECTING, SECURING, LOGGING_IN, PROVING, READY };

/* Whom the reply to a command goes to. */
struct asked {
    redis_reply_fn *callback;
    void *data;
};

struct redis_connection {
    struct redis_connection_settings settings;
    struct redis_server server;
    redisContext *redis; /* NULL exactly in DOWN */
    struct event *readable;
    struct event *writable;
    enum redis_connection_state state;
    struct tls_handshake handshake; /* SECURING */
    struct event *timer; /* DOWN: retry; CONNECTING to LOGGING_IN: give up; PROVING: ask the monitor again */
    int backoff_ms;
    uint64_t looks; /* the monitor's count that vouches for this connection */
    /* commands without a reply yet, in a ring: the oldest at FIRST */
    struct asked *asked;
    size_t first;
    size_t n_asked;
    size_t n_unsent; /* the newest of them, of which the kernel has no byte yet */
    size_t room;     /* a power of two, or 0 */
    struct reply_progress progress;
    bool reading; /* inside on_readable(), which sees to it that the struct outlives its callbacks */
    bool freeing;
};

static void arm(struct redis_connection *c, int ms)
{
    struct timeval delay = {ms / 1000, ms % 1000 * 1000};
    event_add(c->timer, &delay);
}

/* ---- commands under way ---- */

static void tell_first(struct redis_connection *c, const redisReply *reply)
{
    assert(c->n_asked > 0);
    struct asked asked = c->asked[c->first];
    c->first = (c->first + 1) & (c->room - 1);
    c->n_asked--;
    asked.callback(asked.data, reply);
}

static void queue_command(
    struct redis_connection *c, const struct buf *command, redis_reply_fn *callback, void *data)
{
    assert(c->redis != NULL && c->n_unsent <= c->n_asked);
    if (redisAppendFormattedCommand(c->redis, command->data, command->len) != REDIS_OK)
        abort(); /* out of memory */
    if (c->n_asked == c->room) {
        size_t room = c->room == 0 ? 64 : 2 * c->room;
        struct asked *asked = mem_alloc(room * sizeof(*asked));
        for (size_t i = 0; i < c->n_asked; i++)
            asked[i] = c->asked[(c->first + i) & (c->room - 1)];
        free(c->asked);
        c->asked = asked;
        c->room = room;
        c->first = 0;
    }
    c->asked[(c->first + c->n_asked++) & (c->room - 1)] = (struct asked){callback, data};
    c->n_unsent++;
    event_add(c->writable, NULL); /* what is queued in one turn of the loop leaves in one write */
}

/* ---- up and down ---- */

/* The socket is closed before the callbacks are told, so that none of them can send anything more. */
static void go_down(struct redis_connection *c)
{
    bool was_ready = c->state == READY;
    if (c->redis != NULL) {
        event_free(c->readable);
        event_free(c->writable);
        redisFree(c->redis);
        c->redis = NULL;
    }
    c->state = DOWN;
    c->n_unsent = 0;
    while (c->n_asked > 0)
        tell_first(c, NULL);
    if (c->freeing)
        return;
    arm(c, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
    monitor_look(c->settings.monitor);
    if (was_ready && c->settings.changed != NULL)
        c->settings.changed(c->settings.ctx, false);
}

static void fail(struct redis_connection *c, const char *event, const char *why)
{
    log_event(c->settings.log, LOG_WARN, event, "server=%s error=%s", c->server.name, LOG_QUOTE(why));
    go_down(c);
}

static void prove(struct redis_connection *c)
{
    /* The monitor stores the count of its looks after the version, so here the version is read after the
     * count: then it is the verdict of those looks, and not of an earlier one. */
    bool vouched = monitor_looks(c->settings.monitor) >= c->looks;
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

static void start_proving(struct redis_connection *c)
{
    assert(c->state == CONNECTING || c->state == SECURING || c->state == LOGGING_IN);
    c->state = PROVING;
    c->looks = monitor_looks(c->settings.monitor) + 2;
    prove(c);
}

static void on_login(void *data, const redisReply *reply)
{
    struct redis_connection *c = data;
    char error[LOGIN_ERROR_MAX];
    if (reply == NULL)
        return;
    if (login_judge(c->server.login, reply, error))
        start_proving(c);
    else
        fail(c, "redis_login_refused", error);
}

static void start_login(struct redis_connection *c)
{
    if (!login_wanted(c->server.login)) {
        start_proving(c);
        return;
    }
    struct buf command = {0};
    login_encode(&command, c->server.login);
    c->state = LOGGING_IN;
    queue_command(c, &command, on_login, c);
    buf_free(&command);
}

static void go_on_securing(struct redis_connection *c)
{
    assert(c->state == SECURING);
    switch (tls_go_on(&c->handshake)) {
    case TLS_WANTS_READ:
        break; /* that event stays */
    case TLS_WANTS_WRITE:
        event_add(c->writable, NULL);
        break;
    case TLS_DONE:
        start_login(c);
        break;
    case TLS_FAILED:
        fail(c, "redis_tls_failed", c->handshake.error);
    }
}

static void on_connected(struct redis_connection *c)
{
    assert(c->state == CONNECTING && c->n_asked == 0);
    unsigned dead_ms = DEAD_PEER_MS;
    int on = 1;
    /* The first call fails on a unix socket, which needs neither option. */
    if (setsockopt(c->redis->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms)) == 0)
        setsockopt(c->redis->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    event_add(c->readable, NULL);
    if (c->server.login == NULL || c->server.login->tls == NULL) {
        start_login(c);
        return;
    }
    c->state = SECURING;
    tls_begin(c->server.login->tls, c->redis, c->server.endpoint.host, &c->handshake);
    go_on_securing(c);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_connection *c = ctx;
    int problem = 0;
    int all_sent = 0;
    socklen_t len = sizeof(problem);
    (void)what;
    if (c->state == CONNECTING) {
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) == 0 && problem == 0)
            on_connected(c);
        else
            fail(c, "redis_connect_failed", strerror(problem));
        return;
    }
    if (c->state == SECURING) {
        go_on_securing(c);
        return;
    }
    c->n_unsent = 0;
    if (tls_write(c->redis, &all_sent) != REDIS_OK)
        fail(c, "redis_disconnected", c->redis->errstr);
    else if (!all_sent)
        event_add(c->writable, NULL);
}

static void free_memory(struct redis_connection *c)
{
    event_free(c->timer);
    free(c->asked);
    free(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_connection *c = ctx;
    (void)fd;
    (void)what;
    if (c->state == SECURING) {
        go_on_securing(c);
        return;
    }
    c->reading = true;
    const redisContext *redis = c->redis;
    redisReply *reply;
    enum reply_read read = REPLY_BROKEN;
    if (tls_read(c->redis) == REDIS_OK)
        read = reply_next(c->redis, &c->progress, &reply);
    while (read == REPLY_READ) {
        if (c->n_asked == c->n_unsent) /* a callback may just have asked for more */
            fail(c, "redis_disconnected", reply_is_error(reply) ? reply->str : REPLY_UNASKED);
        else
            tell_first(c, reply);
        freeReplyObject(reply);
        /* If the reply or its callback has ended the connection, there is nothing more to read. */
        read = c->redis == redis ? reply_next(c->redis, &c->progress, &reply) : REPLY_NONE_YET;
    }
    if (read == REPLY_BROKEN)
        fail(c, "redis_disconnected", c->redis->errstr);
    c->reading = false;
    if (c->freeing)
        free_memory(c);
}

static void try_connect(struct redis_connection *c)
{
    if (c->server.address.len == 0) {
        fail(c, "redis_connect_failed", "its address is not known");
        return;
    }
    const struct sockaddr_storage *addr = &c->server.address.addr;
    char host[ENDPOINT_NUMERIC_MAX];
    redisContext *redis = addr->ss_family == AF_UNIX
                              ? redisConnectUnixNonBlock(((const struct sockaddr_un *)addr)->sun_path)
                              : redisConnectNonBlock(endpoint_numeric_host(addr, host), endpoint_port(addr));
    if (redis == NULL || redis->err != 0) {
        char why[sizeof(redis->errstr)];
        snprintf(why, sizeof(why), "%s", redis == NULL ? "out of memory" : redis->errstr);
        if (redis != NULL)
            redisFree(redis);
        fail(c, "redis_connect_failed", why);
        return;
    }
    c->redis = redis;
    c->state = CONNECTING;
    c->progress = (struct reply_progress){0};
    c->readable = event_new(c->settings.base, redis->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(c->settings.base, redis->fd, EV_WRITE, on_writable, c);
    event_add(c->writable, NULL);
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
    else if (c->state == CONNECTING || c->state == SECURING || c->state == LOGGING_IN)
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
    go_down(c);
    if (!c->reading)
        free_memory(c);
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
    struct redis_connection *c, const struct buf *command, redis_reply_fn *callback, void *data)
{
    if (!redis_connection_ready(c))
        return false;
    queue_command(c, command, callback, data);
    return true;
}

void redis_connection_break(struct redis_connection *c, const char *why)
{
    if (c->redis == NULL)
        return;
    log_event(c->settings.log, LOG_WARN, "redis_connection_broken", "server=%s reason=%s", c->server.name,
        LOG_QUOTE(why));
    go_down(c);
}
