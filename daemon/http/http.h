/*
 * What a server of HTTP/1.1 and its handler pass to each other. Types alone: server.h has the server,
 * exchange.h what a handler may ask of a request and how it answers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct http_exchange;

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER
};

/* Headers that handlers ask for; the others are checked and dropped. */
enum http_header {
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_ORIGIN,
    HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD,
    HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS,
    HTTP_HEADER_IF_NONE_MATCH,
    HTTP_HEADER_ACCEPT_ENCODING,
    HTTP_HEADER_HOST,
    HTTP_HEADER_SEC_FETCH_SITE,
    HTTP_HEADER_COUNT
};

/* The places of one limit, counted by all servers that share it. A zeroed struct has none taken. */
struct http_places {
    _Atomic int64_t taken;
    _Atomic bool wanted; /* a server was full and had no connection of its own that could make room */
};

struct http_limits {
    int max_connections;        /* for one more another makes room, or it is answered 503 and closed */
    struct http_places *places; /* NULL: the server's own */
    size_t max_body;            /* bytes; more is 413 */
    size_t max_headers;         /* bytes of request line and headers, at most 64 KiB; more is 431 */
    int64_t header_timeout_ms;  /* from a request's first byte, or the connection's start, to the end of its
                                   headers: 408, or closed silently where no byte came */
    int64_t request_timeout_ms; /* from a request's first byte to its last: 408; and for reading an answer */
    int64_t idle_timeout_ms;    /* between requests: closed silently */
    int64_t idle_yields_ms;     /* idle for so long since its last answer, a connection may make room */
};

/* What happened since the start; read by any thread. */
struct http_counters {
    _Atomic uint64_t connections;         /* accepted, ever */
    _Atomic int64_t open_connections;     /* now */
    _Atomic uint64_t refused_connections; /* over max_connections, or no file descriptor */
    _Atomic uint64_t yielded_connections; /* closed to make room for another */
    _Atomic uint64_t requests;            /* complete requests handed to the handler */
    _Atomic uint64_t bad_requests;        /* refused by framing or limits */
    _Atomic uint64_t timeouts;            /* 408 */
};

struct http_response {
    int status;
    const char *content_type; /* NULL: none */
    const char *headers;      /* further header lines, each ended by \r\n; NULL: none */
    struct slice body;
    bool close; /* close the connection after this answer */
};

/* Called for each complete request. */
typedef void http_handler(void *ctx, struct http_exchange *x);

/*
 * How errors that the server itself finds (400, 408, 413, 431, 503) are written: fills *RESPONSE; what it
 * points to must live until the next call. DETAIL says what was wrong. ORIGIN is the request's Origin
 * header where it was read already, else empty. A 503 says that no connection or file descriptor is left.
 */
typedef void http_error_writer(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response);
