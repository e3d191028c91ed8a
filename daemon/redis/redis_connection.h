/*
 * One asynchronous connection to one Redis server, kept up for as long as it lives: connects, secures itself
 * by TLS and logs in where that is configured, waits until the monitor has vouched for the server, and
 * connects anew with backoff when it breaks.
 *
 *     DOWN --retry timer--> CONNECTING --> SECURING --> LOGGING_IN --let in--> PROVING --two looks--> READY
 *       ^------------------------- any failure ---------------------------------------------------------'
 *
 * Every command's callback fires exactly once: with its reply, or with NULL when the connection breaks. A
 * reply that goes beyond the limits of reply.h, or that nothing was asked for, breaks it.
 *
 * Of hiredis this takes sockets and buffers, and not its asynchronous context, which ends the process at a
 * reply without a command.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/log.h"
#include "redis/topology.h"

struct event_base;
struct monitor;
struct redis_connection;

struct redis_connection_settings {
    struct event_base *base;
    struct monitor *monitor;
    struct log *log;
    const struct redis_server *server; /* copied */
    uint64_t version;                  /* of the topology that SERVER is from */
    /* Called when the connection has become ready, and when it has ceased to be; may be NULL. */
    void (*changed)(void *ctx, bool ready);
    void *ctx;
};

/* REPLY lives during the call; NULL: the connection broke. */
typedef void redis_reply_fn(void *data, const redisReply *reply);

struct redis_connection *redis_connection_new(const struct redis_connection_settings *settings);

/* Breaks the connection; pending callbacks fire with NULL. */
void redis_connection_free(struct redis_connection *c);

bool redis_connection_ready(const struct redis_connection *c);

/* Takes over what VERSION of the topology says of the server's usability. */
void redis_connection_set_usable(struct redis_connection *c, bool usable, uint64_t version);

/*
 * Queues a RESP command; everything queued in one turn of the loop leaves in one write. False, and CALLBACK
 * is never called, when the connection is not ready.
 */
bool redis_connection_send(struct redis_connection *c, const struct buf *command, redis_reply_fn *callback,
    void *data) __attribute__((warn_unused_result));

/* Gives the connection up for what WHY says (it timed out, answered nonsense) and connects anew. */
void redis_connection_break(struct redis_connection *c, const char *why);
