/* One event loop's listeners and the table of its connections. */
#include "http/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/connection.h"
#include "http/server_state.h"

enum {
    ACCEPT_PAUSE_MS = 100,
    ROOM_PERIOD_MS = 250, /* how soon room is made for another server's clients */
    ROOM_MAX = 16         /* and for how many at a time */
};

struct listener {
    struct http_server *server;
    struct listener *next;
    struct evconnlistener *evconn;
    struct event resume;
};

static struct timeval timeval_of_ms(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void set_timeout(struct http_server *server, enum http_timeout timeout, int64_t ms)
{
    struct timeval tv = timeval_of_ms(ms);
    server->timeouts_ms[timeout] = ms;
    server->timeouts[timeout] = event_base_init_common_timeout(server->base, &tv);
}

static void on_room(evutil_socket_t fd, short what, void *arg);

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
    http_handler *handler, http_error_writer *error_writer, void *ctx, const struct clock *clock,
    struct log *log)
{
    struct http_server *server = mem_zalloc(sizeof(*server));
    server->base = base;
    server->limits = limits;
    server->places = limits->places != NULL ? limits->places : &server->own_places;
    for (int i = 0; i < HTTP_QUEUES; i++)
        TAILQ_INIT(&server->queues[i]);
    server->handler = handler;
    server->error_writer = error_writer;
    server->ctx = ctx;
    server->clock = clock;
    server->log = log;
    int64_t header_ms = limits->header_timeout_ms;
    if (header_ms > limits->request_timeout_ms)
        header_ms = limits->request_timeout_ms;
    set_timeout(server, HTTP_TIMEOUT_IDLE, limits->idle_timeout_ms);
    set_timeout(server, HTTP_TIMEOUT_HEADER, header_ms);
    set_timeout(server, HTTP_TIMEOUT_REQUEST, limits->request_timeout_ms);
    set_timeout(server, HTTP_TIMEOUT_LINGER, HTTP_LINGER_MS);
    if (limits->places != NULL) {
        struct timeval period = timeval_of_ms(ROOM_PERIOD_MS);
        server->room = event_new(base, -1, EV_PERSIST, on_room, server);
        event_add(server->room, &period);
    }
    return server;
}

/* --- accepting ------------------------------------------------------------------------------------------ */

/* Workers accept at once: whoever raises the count beyond the limit gives its place back. */
static bool take_place(struct http_server *server)
{
    if (atomic_fetch_add(&server->places->taken, 1) < server->limits->max_connections)
        return true;
    atomic_fetch_sub(&server->places->taken, 1);
    return false;
}

/* A server closes only its own connections, so one that has none to close asks the others. */
static void on_room(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = arg;
    int64_t max = server->limits->max_connections;
    int64_t few = max / 8 < ROOM_MAX ? max / 8 : ROOM_MAX;
    if (!atomic_load(&server->places->wanted))
        return;
    while (max - atomic_load(&server->places->taken) <= few)
        if (!connection_make_room(server, false))
            return;
    atomic_store(&server->places->wanted, false);
}

static void on_accept(
    struct evconnlistener *evconn, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
    (void)evconn;
    (void)addr;
    (void)len;
    struct listener *l = arg;
    struct http_server *server = l->server;
    if (take_place(server) || (connection_make_room(server, false) && take_place(server))) {
        connection_accept(server, fd);
        return;
    }
    atomic_store(&server->places->wanted, true);
    connection_refuse(server, fd);
}

/*
 * accept() looks for a free descriptor before it looks for a connection. The look for one more, which follows
 * each connection that is taken, therefore fails when that one has got the last descriptor, though nobody
 * waits.
 */
static bool somebody_waits(struct listener *l)
{
    struct pollfd listening = {.fd = evconnlistener_get_fd(l->evconn), .events = POLLIN};
    return poll(&listening, 1, 0) != 0;
}

/* The connection stays in the kernel's queue: without a pause the loop would find it again at once. */
static void on_accept_error(struct evconnlistener *evconn, void *arg)
{
    struct listener *l = arg;
    struct http_server *server = l->server;
    int error = EVUTIL_SOCKET_ERROR();
    struct timeval pause = timeval_of_ms(ACCEPT_PAUSE_MS);
    if (!somebody_waits(l))
        return;
    if ((error == EMFILE || error == ENFILE) && connection_make_room(server, true))
        return; /* the loop finds the connection again, and there is a descriptor for it now */
    atomic_fetch_add_explicit(&server->counters.refused_connections, 1, memory_order_relaxed);
    log_event(server->log, LOG_WARN, "accept_failed", "error=%s pause_ms=%d",
        LOG_QUOTE(evutil_socket_error_to_string(error)), ACCEPT_PAUSE_MS);
    evconnlistener_disable(evconn);
    event_add(&l->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct listener *l = arg;
    evconnlistener_enable(l->evconn);
}

void http_server_listen(struct http_server *server, int fd)
{
    struct listener *l = mem_zalloc(sizeof(*l));
    l->server = server;
    evtimer_assign(&l->resume, server->base, on_resume, l);
    /* Accepted sockets inherit TCP_NODELAY, which saves a call for each of them. On a unix socket the call
     * fails, and it is not needed there.
     */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    l->evconn =
        evconnlistener_new(server->base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    assert(l->evconn != NULL);
    evconnlistener_set_error_cb(l->evconn, on_accept_error);
    l->next = server->listeners;
    server->listeners = l;
}

static void close_listeners(struct http_server *server)
{
    while (server->listeners != NULL) {
        struct listener *l = server->listeners;
        server->listeners = l->next;
        event_del(&l->resume);
        evconnlistener_free(l->evconn);
        free(l);
    }
}

/* --- ending -----------------------------------------------------------------------------------------------
 */

void http_server_drain(struct http_server *server)
{
    close_listeners(server);
    server->draining = true;
    for (struct connection *c = server->connections; c != NULL; c = connection_next(c))
        connection_drain(c);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    close_listeners(server);
    while (server->connections != NULL)
        connection_destroy(server->connections);
    assert(server->unanswered == 0);
    exchange_pool_free(&server->exchanges);
    if (server->room != NULL)
        event_free(server->room);
    buf_free(&server->answer);
    free(server);
}

const struct http_counters *http_server_counters(const struct http_server *server)
{
    return &server->counters;
}

size_t http_server_open(const struct http_server *server)
{
    return server->open;
}
