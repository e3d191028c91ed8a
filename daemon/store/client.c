/* A blocking connection to Redis. */
#include "store/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/endpoint.h"

static redisContext *open_context(const struct redis_server *server, struct timeval limit)
{
    char host[ENDPOINT_NUMERIC_MAX];
    if (server->addr.ss_family == AF_UNIX)
        return redisConnectUnixWithTimeout(((const struct sockaddr_un *)&server->addr)->sun_path, limit);
    return redisConnectWithTimeout(
        endpoint_numeric_host(&server->addr, host), endpoint_port(&server->addr), limit);
}

static void copy_error(char error[static CLIENT_ERROR_MAX], const char *text)
{
    snprintf(error, CLIENT_ERROR_MAX, "%s", text[0] != '\0' ? text : "an error without a text");
}

redisContext *client_connect(const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    redisContext *redis = open_context(server, (struct timeval){CLIENT_CONNECT_MS / 1000, 0});
    if (redis == NULL || redis->err != 0) {
        copy_error(error, redis == NULL ? "out of memory" : redis->errstr);
        if (redis != NULL)
            redisFree(redis);
        return NULL;
    }
    redisSetTimeout(redis, (struct timeval){CLIENT_ANSWER_MS / 1000, 0});
    return redis;
}

bool client_send(redisContext *redis, const struct buf *commands, char error[static CLIENT_ERROR_MAX])
{
    int all_sent = 0;
    int rc = redisAppendFormattedCommand(redis, commands->data, commands->len);
    while (rc == REDIS_OK && !all_sent)
        rc = redisBufferWrite(redis, &all_sent);
    if (rc != REDIS_OK)
        copy_error(error, redis->errstr);
    return rc == REDIS_OK;
}

redisReply *client_receive(redisContext *redis, char error[static CLIENT_ERROR_MAX])
{
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK) {
        copy_error(error, redis->errstr);
        return NULL;
    }
    return reply;
}

bool client_pipeline(redisContext *redis, const struct buf *commands, size_t n, client_take *take, void *ctx,
    char error[static CLIENT_ERROR_MAX])
{
    if (!client_send(redis, commands, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        redisReply *reply = client_receive(redis, error);
        if (reply == NULL)
            return false;
        take(ctx, i, reply);
        freeReplyObject(reply);
    }
    return true;
}

redisReply *client_words(redisContext *redis, char error[static CLIENT_ERROR_MAX], ...)
{
    enum { WORDS_MAX = 16 };
    const char *words[WORDS_MAX];
    int n = 0;
    va_list args;
    va_start(args, error);
    for (const char *word = va_arg(args, const char *); word != NULL && n < WORDS_MAX;
         word = va_arg(args, const char *))
        words[n++] = word;
    va_end(args);
    redisReply *reply = redisCommandArgv(redis, n, words, NULL);
    if (reply == NULL) {
        copy_error(error, redis->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        copy_error(error, reply->str);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}
