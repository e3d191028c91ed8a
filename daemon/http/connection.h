/*
 * One client: a socket, a deadline, at most one exchange.
 *
 *                 request complete            answered, written
 *     RECEIVING -------------------> ANSWERING ----------------> RECEIVING   kept alive
 *         |                              |  \                 \-> LINGERING   to be closed
 *         | refused, too late            |   `-> SENDING, while the client is slow to read
 *         `--------> answered with an error, then LINGERING
 *
 * LINGERING has shut down its own side and drops what still comes in, so that the client reads the answer
 * instead of a reset. A connection without a request holds no buffers.
 */
#pragma once

#include <stdbool.h>

struct connection;
struct http_server;

/* Takes FD, an accepted non-blocking socket. */
void connection_accept(struct http_server *server, int fd);
/* Answers 503 and closes FD. */
void connection_refuse(struct http_server *server, int fd);
/*
 * Closes the first connection that may make room for another, as server.h says; false when there is none.
 * DESCRIPTOR: room is wanted for a file descriptor, which is then closed at once.
 */
bool connection_make_room(struct http_server *server, bool descriptor);
/* Closes when idle, but reads first what has arrived already. */
void connection_drain(struct connection *c);
void connection_destroy(struct connection *c);
struct connection *connection_next(const struct connection *c);
