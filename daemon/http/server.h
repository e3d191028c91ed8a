/*
 * What one event loop's server is made of; for connection.c and server.c only.
 */
#pragma once

#include "http/exchange.h"
#include "http/http.h"
#include "http/response.h"

enum {
    HTTP_READ_BUFFER = 64 * 1024,
    HTTP_LINGER_MS = 2000, /* how long a closed client may go on sending before it is cut off */
    HTTP_LINGER_BYTES = 4 * 1024 * 1024,
    HTTP_REFUSALS_MAX = 64 /* refused connections that are closed with care at a time; the rest abruptly */
};

enum http_timeout {
    HTTP_TIMEOUT_IDLE,
    HTTP_TIMEOUT_HEADER,
    HTTP_TIMEOUT_REQUEST,
    HTTP_TIMEOUT_LINGER,
    HTTP_TIMEOUTS
};

struct listener;

struct http_server {
    struct event_base *base;
    const struct http_limits *limits;
    http_handler *handler;
    http_error_writer *error_writer;
    void *ctx;
    struct log *log;
    struct http_counters counters;
    struct listener *listeners;
    struct connection *connections;
    size_t open;
    _Atomic int64_t own_taken;
    _Atomic int64_t *taken; /* limits->taken or own_taken */
    size_t refused;         /* of these, those that only get their 503 */
    size_t unanswered;      /* exchanges that the handler owes an answer */
    struct exchange_pool exchanges;
    int64_t timeouts_ms[HTTP_TIMEOUTS];
    const struct timeval *timeouts[HTTP_TIMEOUTS]; /* the same, as the loop's common timeouts */
    struct connection *serving;                    /* the one whose requests are being handed out right now */
    struct connection *resumed;                    /* answered meanwhile by its handler: next in turn */
    bool draining;
    struct response_date date;
    struct buf answer; /* the one being written */
    char input[HTTP_READ_BUFFER];
};
