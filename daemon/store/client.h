/*
 * A blocking connection to Redis with a time limit on every command, for the threads that may block: the
 * monitor's and the publisher's.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/buf.h"
#include "store/monitor.h"

enum { CLIENT_CONNECT_MS = 1000, CLIENT_ANSWER_MS = 3000, CLIENT_ERROR_MAX = 256 };

/* NULL with ERROR filled on failure. Freed by redisFree(). */
redisContext *client_connect(const struct redis_server *server, char error[static CLIENT_ERROR_MAX]);

/* Sends COMMANDS, as RESP. False with ERROR filled when the connection fails; it must be freed then. */
bool client_send(redisContext *redis, const struct buf *commands, char error[static CLIENT_ERROR_MAX])
    __attribute__((warn_unused_result));

/* The next reply, which may be an error; freed by freeReplyObject(). NULL as false above. */
redisReply *client_receive(redisContext *redis, char error[static CLIENT_ERROR_MAX]);

/*
 * Sends COMMANDS (N of them) and gives each reply to TAKE in order. False with ERROR filled when the
 * connection fails. Error replies are TAKE's to judge.
 */
typedef void client_take(void *ctx, size_t index, const redisReply *reply);
bool client_pipeline(redisContext *redis, const struct buf *commands, size_t n, client_take *take, void *ctx,
    char error[static CLIENT_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * One command of plain words, NULL-terminated. NULL with ERROR filled when the connection fails or the reply
 * is an error; redis->err tells which. Freed by freeReplyObject().
 */
redisReply *client_words(redisContext *redis, char error[static CLIENT_ERROR_MAX], ...)
    __attribute__((sentinel));
