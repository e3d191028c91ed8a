/*
 * What one event loop's server is made of: a type that server.c and connection.c share and nobody else sees.
 */
#pragma once

#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/exchange.h"

enum {
    HTTP_READ_BUFFER = 64 * 1024,
    HTTP_LINGER_MS = 2000, /* how long a closed client may go on sending before it is cut off */
    HTTP_LINGER_BYTES = 4 * 1024 * 1024,
    HTTP_REFUSALS_MAX = 64 /* refused connections that are closed with care at a time; the rest abruptly */
};

/* Connections that may make room for another, in the order in which they are asked; see server.h. */
enum http_queue {
    HTTP_QUEUE_SILENT,
    HTTP_QUEUE_BEGUN, /* the older of the first ones of these two goes first */
    HTTP_QUEUE_LINGERING,
    HTTP_QUEUE_IDLE,
    HTTP_QUEUES,
    HTTP_QUEUE_NONE = HTTP_QUEUES
};

enum http_timeout {
    HTTP_TIMEOUT_IDLE,
    HTTP_TIMEOUT_HEADER,
    HTTP_TIMEOUT_REQUEST,
    HTTP_TIMEOUT_LINGER,
    HTTP_TIMEOUTS
};

struct listener;

TAILQ_HEAD(connection_queue, connection);

struct http_server {
    struct event_base *base;
    const struct http_limits *limits;
    http_handler *handler;
    http_error_writer *error_writer;
    void *ctx;
    const struct clock *clock;
    struct log *log;
    struct http_counters counters;
    struct listener *listeners;
    struct connection *connections;
    struct connection_queue queues[HTTP_QUEUES]; /* each in the order in which they came to it */
    size_t queued[HTTP_QUEUES];
    size_t open;
    struct http_places own_places;
    struct http_places *places; /* limits->places or own_places */
    struct event *room;         /* where places are shared: looks whether another server wants some */
    size_t refused;             /* of those open, those that only get their 503 and take no place */
    size_t unanswered;          /* exchanges that the handler owes an answer */
    struct exchange_pool exchanges;
    int64_t timeouts_ms[HTTP_TIMEOUTS];
    const struct timeval *timeouts[HTTP_TIMEOUTS]; /* the same, as the loop's common timeouts */
    struct connection *serving;                    /* the one whose requests are being handed out right now */
    struct connection *resumed;                    /* answered meanwhile by its handler: next in turn */
    bool draining;
    struct http_date date;
    struct buf answer; /* the one being written */
    char input[HTTP_READ_BUFFER];
};
