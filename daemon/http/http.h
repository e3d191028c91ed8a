/*
 * The players' port: HTTP/1.1 on raw libevent events.
 *
 *     socket -> connection (read once, frame strictly) -> exchange -> the handler -> http_respond() -> socket
 *
 * One server belongs to one event loop and one thread. A connection carries one exchange at a time;
 * pipelined requests wait in its buffer. The handler answers now or later, exactly once; when the client
 * goes away meanwhile the exchange stays valid until it is answered, and the answer goes nowhere.
 *
 * Framing is strict (RFC 9112): one Host, digits only in one Content-Length, `chunked` as the only
 * Transfer-Encoding and never beside a Content-Length, no obs-fold, no bare CR or NUL; anything else is
 * answered with 400 and closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/slice.h"

struct event_base;

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

/* A request and the answer owed to it. Lives until http_respond() has been called. */
struct http_exchange;

enum http_method http_method(const struct http_exchange *x);
/* The path without query, not decoded; and the query without '?', empty when there is none. */
struct slice http_path(const struct http_exchange *x);
struct slice http_query(const struct http_exchange *x);
/* Empty when the header is missing; the first one's value when it is repeated. */
struct slice http_header(const struct http_exchange *x, enum http_header header);
struct slice http_body(const struct http_exchange *x);
/* Memory of the exchange, given back when it is answered. */
struct arena *http_arena(struct http_exchange *x);
/*
 * Says that the body was read: its memory is given back, and nothing may point into it any more. A handler
 * that answers later calls it, so that what a client sent beyond what was asked for does not wait with the
 * answer.
 */
void http_release_body(struct http_exchange *x);

struct http_response {
    int status;
    const char *content_type; /* NULL: none */
    const char *headers;      /* further header lines, each ended by \r\n; NULL: none */
    struct slice body;
    bool close; /* close the connection after this answer */
};

/* Answers and releases the exchange. May be called from within the handler or later, from the loop. */
void http_respond(struct http_exchange *x, const struct http_response *response);

/* Called for each complete request. */
typedef void http_handler(void *ctx, struct http_exchange *x);

/*
 * How errors that the server itself finds (400, 408, 413, 431, 503) are written: fills *RESPONSE; what it
 * points to must live until the next call. DETAIL says what was wrong. ORIGIN is the request's Origin
 * header where it was read already, else empty. A 503 is always about the limit of connections.
 */
typedef void http_error_writer(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response);

/*
 * Where all places are taken, the first of these makes room for a new connection, each kind oldest first:
 *
 *     1. one that has not completed a request: one that has sent nothing is closed, one that has begun is
 *        answered 503
 *     2. one that has had its last answer and only waits for the client to close
 *     3. one that has been idle for idle_yields_ms since its last answer
 *
 * The first two are left alone for half a second, so that a few new clients do not push each other out before
 * they have spoken. Where a quarter of all connections have not completed a request, these yield at once: the
 * oldest of so many have had their time. A connection with bytes that are still to be read stays. So does one
 * whose request is being answered, that is receiving its answer, or that is sending a further request: those
 * have deadlines of their own. Choosing takes the same time however many connections there are. Addresses are
 * not looked at: behind a proxy all players have one.
 */
struct http_server;

/* Borrows everything it is given until http_server_free(). */
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
    http_handler *handler, http_error_writer *error_writer, void *ctx, struct log *log);

/*
 * Accepts connections from FD, a listening non-blocking socket; takes it. Without a file descriptor to
 * accept with (EMFILE) a connection makes room, as above; where none may, accepting pauses for 100 ms instead
 * of spinning.
 */
void http_server_listen(struct http_server *server, int fd);

const struct http_counters *http_server_counters(const struct http_server *server);

/* Stops accepting, closes idle connections; the others close with their next answer. */
void http_server_drain(struct http_server *server);

/* Connections still open. */
size_t http_server_open(const struct http_server *server);

/* Closes what is left; exchanges must all have been answered. */
void http_server_free(struct http_server *server);

/*
 * A listening socket (non-blocking, close-on-exec, SO_REUSEADDR; SO_REUSEPORT when REUSEPORT). Returns
 * the descriptor, or -1 with errno set.
 */
struct endpoint;
int http_listen_socket(const struct endpoint *endpoint, bool reuseport);
