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

#include "base/clock.h"
#include "base/log.h"
#include "http/http.h"

struct event_base;

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

/* Borrows everything it is given until http_server_free(). Deadlines are judged by CLOCK's steady time. */
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
    http_handler *handler, http_error_writer *error_writer, void *ctx, const struct clock *clock,
    struct log *log);

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
