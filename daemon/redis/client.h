/*
 * A blocking connection to Redis with a time limit on every command, for the threads that may block: the
 * monitor's and the publisher's.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/buf.h"
#include "redis/topology.h"

struct resolver;

enum { CLIENT_CONNECT_MS = 1000, CLIENT_ANSWER_MS = 3000, CLIENT_ERROR_MAX = 256 };

/*
 * Connects to SERVER's address and logs in. NULL with ERROR filled on failure. Freed by redisFree(), as the
 * following are.
 */
redisContext *client_connect(const struct redis_server *server, char error[static CLIENT_ERROR_MAX]);

/*
 * Looks SERVER's name up and connects to the first of its addresses that answers, which SERVER takes over;
 * where none does, it takes over the first. Nobody has logged in yet.
 */
redisContext *client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX]);

/* Logs in where a password is configured. False with ERROR filled when it is refused or the connection fails;
 * redis->err tells which. */
bool client_login(redisContext *redis, const struct redis_server *server, char error[static CLIENT_ERROR_MAX])
    __attribute__((warn_unused_result));

/* Sends COMMANDS, as RESP. False with ERROR filled when the connection fails; it must be freed then. */
bool client_send(redisContext *redis, const struct buf *commands, char error[static CLIENT_ERROR_MAX])
    __attribute__((warn_unused_result));

/*
 * A fence behind commands that were sent together: its reply is NUMBER, so when that comes in its place, the
 * replies before it are those to the commands, no more and no fewer. False with ERROR filled when it does
 * not; then none of them is to be believed.
 */
void client_append_fence(struct buf *commands, uint64_t number);
bool client_take_fence(redisContext *redis, uint64_t number, char error[static CLIENT_ERROR_MAX])
    __attribute__((warn_unused_result));

/* The next reply, which may be an error; freed by freeReplyObject(). NULL as false above. */
redisReply *client_receive(redisContext *redis, char error[static CLIENT_ERROR_MAX]);

/*
 * Sends COMMANDS (N of them) and gives each reply to TAKE in order, once all are there. False with ERROR
 * filled when the connection fails. Error replies are TAKE's to judge.
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
