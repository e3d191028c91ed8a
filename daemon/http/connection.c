/* One client: a state machine on two raw events. */
#include "http/connection.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_state.h"

enum phase { RECEIVING, ANSWERING, SENDING, LINGERING };

enum {
    YIELD_GRACE_MS =
        500,         /* for a new client to send its request, and for an old one to read its last answer */
    YIELD_LOOKS = 16 /* connections that are looked at, one after another, for one that may yield */
};

#define NEVER INT64_MAX
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct connection {
    struct http_server *server;
    struct connection *next;
    struct connection *previous;
    struct connection *next_resumed;
    TAILQ_ENTRY(connection) queue_link;
    enum http_queue queue;
    int64_t queued_ms;              /* when it came to its queue */
    struct http_exchange *exchange; /* NULL between requests */
    struct buf input;               /* what follows the request being answered; empty while RECEIVING */
    struct buf output;              /* what the socket had not taken when SENDING began; else empty */
    size_t output_sent;             /* bytes of it that the socket has taken since */
    size_t lingered;                /* bytes dropped while LINGERING */
    int64_t began_ms;               /* when the request's first byte came */
    int64_t deadline_ms;
    int64_t wakeup_ms; /* when the timer fires: at the deadline or before it */
    struct event socket;
    struct event timer;
    enum phase phase;
    bool eof;     /* the client sends no more; it may still read */
    bool closing; /* after this answer */
    bool proven;  /* has completed a request */
    bool dead;    /* to be destroyed by whoever is outermost */
    bool resumed;
    bool refused;
    bool abrupt; /* refused and too many: no lingering */
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- deadlines ------------------------------------------------------------------------------------
 * The timer is a wake-up, not the deadline: a deadline that moves further away, as with every request,
 * leaves it alone, and on waking the rest is slept.
 */

static void sleep_until_deadline(struct connection *c, int64_t now, const struct timeval *common)
{
    int64_t rest_ms = c->deadline_ms - now;
    struct timeval rest = {.tv_sec = rest_ms / 1000, .tv_usec = rest_ms % 1000 * 1000};
    c->wakeup_ms = c->deadline_ms;
    event_add(&c->timer, common != NULL ? common : &rest);
}

static void expect_within(struct connection *c, enum http_timeout timeout)
{
    int64_t now = clock_steady_ms(c->server->clock);
    c->deadline_ms = now + c->server->timeouts_ms[timeout];
    if (c->deadline_ms < c->wakeup_ms)
        sleep_until_deadline(c, now, c->server->timeouts[timeout]);
}

/* --- who may make room ----------------------------------------------------------------------------- */

static void leave_queue(struct connection *c)
{
    if (c->queue == HTTP_QUEUE_NONE)
        return;
    TAILQ_REMOVE(&c->server->queues[c->queue], c, queue_link);
    c->server->queued[c->queue]--;
    c->queue = HTTP_QUEUE_NONE;
}

/* Puts the connection at the end of QUEUE. One that only gets its 503 has no place that it could give to
 * another, and stands in no queue. */
static void enter_queue(struct connection *c, enum http_queue queue)
{
    leave_queue(c);
    if (c->refused)
        return;
    c->queue = queue;
    c->queued_ms = clock_steady_ms(c->server->clock);
    TAILQ_INSERT_TAIL(&c->server->queues[queue], c, queue_link);
    c->server->queued[queue]++;
}

/* --- life ---------------------------------------------------------------------------------------- */

static void on_socket(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

static struct connection *connection_new(struct http_server *server, int fd)
{
    struct connection *c = mem_zalloc(sizeof(*c));
    c->server = server;
    c->deadline_ms = NEVER;
    c->wakeup_ms = NEVER;
    c->queue = HTTP_QUEUE_NONE;
    event_assign(&c->socket, server->base, fd, 0, on_socket, c);
    evtimer_assign(&c->timer, server->base, on_timer, c);
    c->next = server->connections;
    if (c->next != NULL)
        c->next->previous = c;
    server->connections = c;
    server->open++;
    count(&server->counters.connections);
    atomic_fetch_add_explicit(&server->counters.open_connections, 1, memory_order_relaxed);
    return c;
}

void connection_destroy(struct connection *c)
{
    struct http_server *server = c->server;
    struct http_exchange *x = c->exchange;
    assert(!c->resumed && c != server->serving);
    if (x != NULL && x->handed)
        x->connection = NULL; /* its answer will go nowhere */
    else if (x != NULL)
        exchange_give(&c->server->exchanges, x);
    event_del(&c->socket);
    event_del(&c->timer);
    leave_queue(c);
    close(event_get_fd(&c->socket));
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        server->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    assert(server->open > 0);
    server->open--;
    if (c->refused)
        server->refused--;
    else
        atomic_fetch_sub(&server->places->taken, 1);
    atomic_fetch_sub_explicit(&server->counters.open_connections, 1, memory_order_relaxed);
    buf_free(&c->input);
    buf_free(&c->output);
    free(c);
}

struct connection *connection_next(const struct connection *c)
{
    return c->next;
}

/* --- which events we wait for ----------------------------------------------------------------------- */

static size_t input_room(const struct connection *c)
{
    return HTTP_READ_BUFFER - (c->input.len < HTTP_READ_BUFFER ? c->input.len : HTTP_READ_BUFFER);
}

static void watch_socket(struct connection *c)
{
    short wanted = EV_READ | EV_PERSIST;
    if (c->phase == SENDING)
        wanted = EV_WRITE | EV_PERSIST;
    else if (c->eof || input_room(c) == 0)
        wanted = 0;
    if (wanted == event_get_events(&c->socket))
        return;
    event_del(&c->socket);
    event_assign(&c->socket, c->server->base, event_get_fd(&c->socket), wanted, on_socket, c);
    if (wanted != 0)
        event_add(&c->socket, NULL);
}

/* --- answering --------------------------------------------------------------------------------------- */

/* A connection that closes lingers first, since a client could lose the answer if it were closed at once. */
static void answer_written(struct connection *c)
{
    buf_free(&c->output);
    if (!c->closing) {
        c->phase = RECEIVING;
        enter_queue(c, HTTP_QUEUE_IDLE);
        expect_within(c, HTTP_TIMEOUT_IDLE);
    } else if (c->eof || c->abrupt || shutdown(event_get_fd(&c->socket), SHUT_WR) < 0) {
        c->dead = true;
    } else {
        c->phase = LINGERING;
        enter_queue(c, HTTP_QUEUE_LINGERING);
        expect_within(c, HTTP_TIMEOUT_LINGER);
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Bytes taken by the socket; 0 when it is full. A failure marks the connection dead. */
static size_t send_some(struct connection *c, struct slice bytes)
{
    ssize_t n = send(event_get_fd(&c->socket), bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (n >= 0)
        return (size_t)n;
    if (!would_block())
        c->dead = true;
    return 0;
}

static void answer(struct connection *c, const struct http_response *response)
{
    static const struct head none = {0};
    struct http_server *server = c->server;
    const struct head *head = c->exchange == NULL ? &none : &c->exchange->request.head;
    bool last = c->eof && c->input.len == 0 && server->serving != c;
    c->closing = c->closing || response->close || !head->keep_alive || server->draining || last;
    enum http_keeping kept = head->http_1_0 ? HTTP_KEEP_1_0 : HTTP_KEEP;
    struct http_frame frame = {
        .connection = c->closing ? HTTP_CLOSE : kept, .without_body = head->method == HTTP_METHOD_HEAD};
    leave_queue(c);
    buf_clear(&server->answer);
    http_response_write(&server->answer, response, &frame, &server->date);
    c->exchange = NULL;
    struct slice bytes = buf_slice(&server->answer);
    size_t sent = send_some(c, bytes);
    if (c->dead)
        return;
    if (sent == bytes.len) {
        answer_written(c);
        return;
    }
    buf_append(&c->output, bytes.ptr + sent, bytes.len - sent);
    c->output_sent = 0;
    c->phase = SENDING;
    expect_within(c, HTTP_TIMEOUT_REQUEST);
}

static void fail(struct connection *c, int status, const char *detail)
{
    struct http_server *server = c->server;
    struct http_exchange *x = c->exchange;
    struct slice origin = x == NULL ? (struct slice){0} : x->request.head.headers[HTTP_HEADER_ORIGIN];
    struct http_response response = {0};
    log_event(server->log, LOG_DEBUG, "request_refused", "status=%d detail=%s", status, LOG_QUOTE(detail));
    server->error_writer(server->ctx, status, detail, origin, &response);
    c->closing = true;
    answer(c, &response);
    if (x != NULL)
        exchange_give(&server->exchanges, x);
}

/* --- receiving --------------------------------------------------------------------------------------- */

static void respond(struct http_exchange *x, const struct http_response *response);

/* The empty line that old clients send after a body begins no request. */
static bool has_begun(const struct connection *c)
{
    return c->phase == RECEIVING && c->exchange != NULL && c->exchange->request.head_bytes.len > 0;
}

/*
 * Only an incomplete request needs deadlines; more bytes of it do not move them. The first request's headers
 * are due since the connection was accepted.
 */
static void await_rest(struct connection *c)
{
    const int64_t *timeouts = c->server->timeouts_ms;
    struct http_request *r = &c->exchange->request;
    if (c->began_ms == 0) {
        c->began_ms = clock_steady_ms(c->server->clock);
        if (c->proven)
            expect_within(c, HTTP_TIMEOUT_HEADER);
    }
    if (has_begun(c) && c->proven)
        leave_queue(c);
    else if (has_begun(c) && c->queue == HTTP_QUEUE_SILENT)
        enter_queue(c, HTTP_QUEUE_BEGUN);
    if (r->stage != REQUEST_STAGE_HEAD)
        c->deadline_ms = c->began_ms + timeouts[HTTP_TIMEOUT_REQUEST]; /* never before the header's */
    if (r->wants_continue) {
        r->wants_continue = false;
        size_t n = send_some(c, SLICE_LITERAL(CONTINUE));
        if (n > 0 && n < sizeof(CONTINUE) - 1)
            c->dead = true; /* it never fills a socket; a torn answer must not be followed by another */
    }
}

static void hand_over(struct connection *c)
{
    struct http_server *server = c->server;
    c->phase = ANSWERING;
    c->deadline_ms = NEVER;
    c->proven = true;
    c->exchange->handed = true;
    leave_queue(c);
    server->unanswered++;
    count(&server->counters.requests);
    server->handler(server->ctx, c->exchange);
}

/* Reads requests from the front of INPUT for as long as the connection is RECEIVING. */
static void receive_all(struct connection *c, struct slice *input)
{
    struct http_server *server = c->server;
    while (input->len > 0 && c->phase == RECEIVING && !c->dead) {
        if (c->exchange == NULL) {
            c->exchange = exchange_take(&server->exchanges);
            c->exchange->server = server;
            c->exchange->connection = c;
            c->exchange->respond = respond;
            c->began_ms = 0;
        }
        struct http_request *r = &c->exchange->request;
        switch (http_request_feed(r, server->limits, input)) {
        case REQUEST_MORE:
            await_rest(c);
            break;
        case REQUEST_DONE:
            hand_over(c);
            break;
        case REQUEST_REFUSED:
            count(&server->counters.bad_requests);
            fail(c, r->status, r->detail);
            break;
        }
    }
}

static void settle(struct connection *c)
{
    bool ended = c->phase == RECEIVING && (c->eof || (c->server->draining && c->exchange == NULL));
    if (c->dead || ended)
        connection_destroy(c);
    else
        watch_socket(c);
}

/* Hands out requests from what waited, then from FRESH input; the rest waits. May end the connection. */
static void serve(struct connection *c, struct slice fresh)
{
    struct slice waiting = buf_slice(&c->input);
    assert(c->server->serving == NULL);
    c->server->serving = c;
    receive_all(c, &waiting);
    buf_consume(&c->input, c->input.len - waiting.len);
    if (c->input.len == 0)
        receive_all(c, &fresh);
    /* Nobody reads what a lingering connection's client still sent. */
    if (c->phase != LINGERING)
        buf_append_slice(&c->input, fresh);
    if (c->phase == LINGERING || c->input.len == 0)
        buf_free(&c->input);
    c->server->serving = NULL;
    settle(c);
}

/* A handler may answer other connections' exchanges: they are served after, not within, this one. */
static void serve_in_turn(struct connection *c, struct slice fresh)
{
    struct http_server *server = c->server;
    serve(c, fresh);
    while (server->resumed != NULL) {
        struct connection *next = server->resumed;
        server->resumed = next->next_resumed;
        next->resumed = false;
        serve(next, (struct slice){0});
    }
}

/* The exchange's http_responder. */
static void respond(struct http_exchange *x, const struct http_response *response)
{
    struct http_server *server = x->server;
    struct connection *c = x->connection;
    assert(server->unanswered > 0);
    server->unanswered--;
    if (c != NULL)
        answer(c, response);
    exchange_give(&server->exchanges, x);
    if (c == NULL)
        return;
    if (server->serving == NULL) {
        serve_in_turn(c, (struct slice){0});
    } else if (server->serving != c && !c->resumed) {
        c->resumed = true;
        c->next_resumed = server->resumed;
        server->resumed = c;
    }
}

/* --- events --------------------------------------------------------------------------------------------- */

static struct slice read_socket(struct connection *c)
{
    struct http_server *server = c->server;
    size_t room = c->phase == LINGERING ? HTTP_READ_BUFFER : input_room(c);
    ssize_t n = recv(event_get_fd(&c->socket), server->input, room, 0);
    if (n > 0 && c->phase != LINGERING)
        return (struct slice){server->input, (size_t)n};
    if (n > 0) {
        c->lingered += (size_t)n;
        c->dead = c->dead || c->lingered > HTTP_LINGER_BYTES;
    } else if (n == 0 && c->phase != LINGERING) {
        c->eof = true;
    } else if (n == 0 || !would_block()) {
        c->dead = true;
    }
    return (struct slice){0};
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct connection *c = arg;
    struct slice fresh = {0};
    if (what & EV_WRITE) {
        struct slice rest = {c->output.data + c->output_sent, c->output.len - c->output_sent};
        c->output_sent += send_some(c, rest);
        if (!c->dead && c->output_sent == c->output.len)
            answer_written(c);
    } else {
        fresh = read_socket(c);
    }
    serve_in_turn(c, fresh);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct connection *c = arg;
    int64_t now = clock_steady_ms(c->server->clock);
    c->wakeup_ms = NEVER;
    if (c->deadline_ms == NEVER)
        return;
    if (now < c->deadline_ms) {
        sleep_until_deadline(c, now, NULL);
        return;
    }
    if (has_begun(c)) {
        count(&c->server->counters.timeouts);
        fail(c, 408, "the request did not arrive in time");
    } else {
        c->dead = true;
    }
    settle(c);
}

void connection_accept(struct http_server *server, int fd)
{
    struct connection *c = connection_new(server, fd);
    enter_queue(c, HTTP_QUEUE_SILENT);
    expect_within(c, HTTP_TIMEOUT_HEADER);
    watch_socket(c);
}

/* The connection takes no place of its own. ABRUPT: its descriptor is needed as soon as the answer is
 * written. */
static void turn_away(struct connection *c, bool abrupt)
{
    struct http_server *server = c->server;
    c->abrupt = abrupt || server->refused >= HTTP_REFUSALS_MAX;
    c->refused = true;
    server->refused++;
    fail(c, 503, "too many connections");
    settle(c);
}

void connection_refuse(struct http_server *server, int fd)
{
    count(&server->counters.refused_connections);
    turn_away(connection_new(server, fd), false);
}

/* The first of QUEUE that came to it AGE_MS ago or earlier and has nothing to say. */
static struct connection *find_yielding(
    const struct http_server *server, enum http_queue queue, int64_t age_ms)
{
    int64_t latest_ms = clock_steady_ms(server->clock) - age_ms;
    struct connection *c = TAILQ_FIRST(&server->queues[queue]);
    for (int i = 0; c != NULL && i < YIELD_LOOKS; i++, c = TAILQ_NEXT(c, queue_link)) {
        char byte;
        if (c->queued_ms > latest_ms)
            return NULL;
        if (queue == HTTP_QUEUE_LINGERING)
            return c;
        /* A client whose bytes have come and wait to be read is not as silent as it looks. */
        if (recv(event_get_fd(&c->socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
            return c;
    }
    return NULL;
}

/* The connection that has gone longest without completing a request, whether it is silent or slow. */
static struct connection *find_unproven(const struct http_server *server)
{
    size_t unproven = server->queued[HTTP_QUEUE_SILENT] + server->queued[HTTP_QUEUE_BEGUN];
    int64_t grace_ms = 4 * unproven >= server->open - server->refused ? 0 : YIELD_GRACE_MS;
    struct connection *silent = find_yielding(server, HTTP_QUEUE_SILENT, grace_ms);
    struct connection *begun = find_yielding(server, HTTP_QUEUE_BEGUN, grace_ms);
    if (silent == NULL || begun == NULL)
        return silent != NULL ? silent : begun;
    return silent->queued_ms <= begun->queued_ms ? silent : begun;
}

bool connection_make_room(struct http_server *server, bool descriptor)
{
    struct connection *c = find_unproven(server);
    if (c == NULL)
        c = find_yielding(server, HTTP_QUEUE_LINGERING, YIELD_GRACE_MS);
    if (c == NULL)
        c = find_yielding(server, HTTP_QUEUE_IDLE, server->limits->idle_yields_ms);
    if (c == NULL)
        return false;
    count(&server->counters.yielded_connections);
    if (c->queue == HTTP_QUEUE_BEGUN) {
        atomic_fetch_sub(&server->places->taken, 1);
        turn_away(c, descriptor);
    } else {
        connection_destroy(c);
    }
    return true;
}

void connection_drain(struct connection *c)
{
    if (c->phase == RECEIVING && c->exchange == NULL)
        event_active(&c->socket, EV_READ, 0);
}
