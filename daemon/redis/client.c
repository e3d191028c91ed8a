/* A blocking connection to Redis. */
#include "redis/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/login.h"
#include "redis/reply.h"
#include "redis/resolver.h"
#include "redis/resp.h"
#include "redis/tls.h"

static void copy_error(char error[static CLIENT_ERROR_MAX], const char *text)
{
    snprintf(error, CLIENT_ERROR_MAX, "%s", text[0] != '\0' ? text : "an error without a text");
}

static bool fail(redisContext *redis, const char *why, char error[static CLIENT_ERROR_MAX])
{
    if (redis->err == 0) {
        redis->err = REDIS_ERR_OTHER;
        snprintf(redis->errstr, sizeof(redis->errstr), "%s", why);
    }
    copy_error(error, redis->errstr);
    return false;
}

/* Waits until UNTIL_MS, monotonic, for EVENTS of poll(); a signal may end the wait earlier. */
static bool wait_for(redisContext *redis, short events, int64_t until_ms, char error[static CLIENT_ERROR_MAX])
{
    struct pollfd fd = {.fd = redis->fd, .events = events};
    int64_t left_ms = until_ms - clock_monotonic_ms();
    int rc = left_ms > 0 ? poll(&fd, 1, (int)left_ms) : 0;
    if (rc == 0)
        return fail(redis, "no answer in time", error);
    return rc > 0 || errno == EINTR || fail(redis, strerror(errno), error);
}

/* From here on the socket does not block: TLS may need to read more than there is before it has anything to
 * give. */
static bool secure(
    redisContext *redis, const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    struct tls_handshake handshake;
    int64_t until_ms = clock_monotonic_ms() + CLIENT_ANSWER_MS;
    enum tls_step step = TLS_FAILED;
    if (fcntl(redis->fd, F_SETFL, O_NONBLOCK) != 0)
        return fail(redis, strerror(errno), error);
    redis->flags &= ~REDIS_BLOCK;
    tls_begin(server->login->tls, redis, server->endpoint.host, &handshake);
    while ((step = tls_go_on(&handshake)) < TLS_DONE)
        if (!wait_for(redis, step == TLS_WANTS_READ ? POLLIN : POLLOUT, until_ms, error))
            return false;
    if (step == TLS_FAILED)
        copy_error(error, handshake.error);
    return step == TLS_DONE;
}

/* Connects, and sends nothing yet. That the connection was accepted does not prove that a server answers
 * there. */
static redisContext *open_to(const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    if (server->address.len == 0) {
        copy_error(error, "its address is not known");
        return NULL;
    }
    const struct sockaddr_storage *addr = &server->address.addr;
    struct timeval limit = {CLIENT_CONNECT_MS / 1000, 0};
    char host[ENDPOINT_NUMERIC_MAX];
    redisContext *redis =
        addr->ss_family == AF_UNIX
            ? redisConnectUnixWithTimeout(((const struct sockaddr_un *)addr)->sun_path, limit)
            : redisConnectWithTimeout(endpoint_numeric_host(addr, host), endpoint_port(addr), limit);
    if (redis == NULL || redis->err != 0) {
        copy_error(error, redis == NULL ? "out of memory" : redis->errstr);
        if (redis != NULL)
            redisFree(redis);
        return NULL;
    }
    redisSetTimeout(redis, (struct timeval){CLIENT_ANSWER_MS / 1000, 0});
    if (server->login != NULL && server->login->tls != NULL && !secure(redis, server, error)) {
        redisFree(redis);
        redis = NULL;
    }
    return redis;
}

redisContext *client_connect(const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    redisContext *redis = open_to(server, error);
    if (redis != NULL && !client_login(redis, server, error)) {
        redisFree(redis);
        redis = NULL;
    }
    return redis;
}

/* Whether anything at all is answered, be it that a login is wanted; but not that there is no room for
 * clients. */
static bool answers(redisContext *redis, char error[static CLIENT_ERROR_MAX])
{
    struct buf ping = {0};
    resp_begin(&ping, 1);
    resp_arg(&ping, SLICE_LITERAL("PING"));
    redisReply *reply = client_send(redis, &ping, error) ? client_receive(redis, error) : NULL;
    buf_free(&ping);
    bool good = reply != NULL && !reply_is_error_code(reply, "ERR ");
    if (reply != NULL && !good)
        copy_error(error, reply->str);
    /* That byte begins TLS's alerts, which the end of the connection may overtake. */
    else if (reply == NULL && !tls_is_on(redis) && strstr(error, "got \"\\x15\"") != NULL)
        copy_error(error, "it answers as a server that speaks TLS alone");
    else if (reply == NULL && !tls_is_on(redis) && strcmp(error, strerror(ECONNRESET)) == 0)
        copy_error(error, "it ended the connection, as a server does that speaks TLS alone");
    freeReplyObject(reply);
    return good;
}

redisContext *client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    struct endpoint_addresses found;
    if (!resolver_find(resolver, &server->endpoint, &found)) {
        copy_error(error, "the name is not known");
        return NULL;
    }
    for (size_t i = 0; i < found.n; i++) {
        server->address = found.items[i];
        redisContext *redis = open_to(server, error);
        if (redis != NULL && answers(redis, error)) {
            resolver_prefer(resolver, &server->endpoint, &found.items[i]);
            return redis;
        }
        if (redis != NULL)
            redisFree(redis);
    }
    server->address = found.items[0];
    return NULL;
}

bool client_login(redisContext *redis, const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    if (!login_wanted(server->login))
        return true;
    struct buf command = {0};
    login_encode(&command, server->login);
    redisReply *reply = client_send(redis, &command, error) ? client_receive(redis, error) : NULL;
    buf_free(&command);
    bool good = reply != NULL && login_judge(server->login, reply, error);
    freeReplyObject(reply);
    return good;
}

/* Whether bytes are there, or under TLS an end, before anything was sent. What TLS sends for itself is none.
 */
static bool is_unasked(redisContext *redis)
{
    char byte;
    if (reply_unread(redis))
        return true;
    if (tls_is_on(redis))
        return tls_read(redis) != REDIS_OK || reply_unread(redis);
    return recv(redis->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool client_send(redisContext *redis, const struct buf *commands, char error[static CLIENT_ERROR_MAX])
{
    int all_sent = 0;
    int64_t until_ms = clock_monotonic_ms() + CLIENT_ANSWER_MS;
    /* Bytes that nothing was asked for could not be told from the replies to come. A server sends them before
     * it closes a connection, for example to say that it has too many clients. */
    if (is_unasked(redis)) {
        redisReply *reply = client_receive(redis, error);
        if (reply != NULL)
            (void)fail(redis, reply_is_error(reply) ? reply->str : REPLY_UNASKED, error);
        freeReplyObject(reply);
        return false;
    }
    int rc = redisAppendFormattedCommand(redis, commands->data, commands->len);
    while (rc == REDIS_OK && !all_sent) {
        rc = tls_write(redis, &all_sent);
        if (rc == REDIS_OK && !all_sent && !wait_for(redis, POLLOUT, until_ms, error))
            return false;
    }
    return rc == REDIS_OK || fail(redis, "out of memory", error);
}

/* The limit is one for the whole reply: a server that sends a byte now and then is not waited for. */
redisReply *client_receive(redisContext *redis, char error[static CLIENT_ERROR_MAX])
{
    struct reply_progress progress = {0};
    redisReply *reply;
    int64_t until_ms = clock_monotonic_ms() + CLIENT_ANSWER_MS;
    for (;;) {
        enum reply_read read = reply_next(redis, &progress, &reply);
        if (read == REPLY_READ)
            return reply;
        if (read == REPLY_BROKEN) {
            (void)fail(redis, "", error);
            return NULL;
        }
        if (!wait_for(redis, POLLIN, until_ms, error))
            return NULL;
        if (tls_read(redis) != REDIS_OK) {
            (void)fail(redis, "out of memory", error);
            return NULL;
        }
    }
}

void client_append_fence(struct buf *commands, uint64_t number)
{
    resp_begin(commands, 2);
    resp_arg(commands, SLICE_LITERAL("PING"));
    resp_int(commands, (int64_t)number);
}

bool client_take_fence(redisContext *redis, uint64_t number, char error[static CLIENT_ERROR_MAX])
{
    int64_t got = -1;
    redisReply *reply = client_receive(redis, error);
    if (reply == NULL)
        return false;
    bool good = reply_number(reply, &got) && got == (int64_t)number;
    if (!good && reply_is_error(reply))
        (void)fail(redis, reply->str, error);
    else if (!good)
        (void)fail(redis, "the replies do not match the commands", error);
    freeReplyObject(reply);
    return good;
}

bool client_pipeline(redisContext *redis, const struct buf *commands, size_t n, client_take *take, void *ctx,
    char error[static CLIENT_ERROR_MAX])
{
    struct buf fenced = {0};
    redisReply **replies = mem_zalloc((n + 1) * sizeof(redisReply *));
    uint64_t fence = (uint64_t)clock_monotonic_us();
    size_t got = 0;
    buf_append_slice(&fenced, buf_slice(commands));
    client_append_fence(&fenced, fence);
    bool good = client_send(redis, &fenced, error);
    while (good && got < n) {
        replies[got] = client_receive(redis, error);
        good = replies[got] != NULL;
        got += good;
    }
    good = good && client_take_fence(redis, fence, error);
    for (size_t i = 0; i < got; i++) {
        if (good)
            take(ctx, i, replies[i]);
        freeReplyObject(replies[i]);
    }
    free(replies);
    buf_free(&fenced);
    return good;
}

redisReply *client_words(redisContext *redis, char error[static CLIENT_ERROR_MAX], ...)
{
    struct buf words = {0};
    struct buf command = {0};
    size_t n = 0;
    va_list args;
    va_start(args, error);
    for (const char *word = va_arg(args, const char *); word != NULL; word = va_arg(args, const char *)) {
        resp_arg(&words, slice_of(word));
        n++;
    }
    va_end(args);
    resp_begin(&command, n);
    buf_append_slice(&command, buf_slice(&words));
    redisReply *reply = client_send(redis, &command, error) ? client_receive(redis, error) : NULL;
    buf_free(&words);
    buf_free(&command);
    if (reply != NULL && reply_is_error(reply)) {
        copy_error(error, reply->str);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}
