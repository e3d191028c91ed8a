/*
 * A players' server on a loopback port and plain clients, all in one thread: whoever waits turns the event
 * loop meanwhile. What the server does with a request is told by its path, see http_fixture_handle().
 *
 * The server's clock stands still until a test calls fixture_pass(). Its deadlines therefore pass exactly
 * when a test says so, however slow the machine is.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/listen.h"
#include "http/server.h"
#include "patience.h"

#define HOST "Host: tv.example\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, headers, body) "POST " path " HTTP/1.1\r\n" HOST headers "\r\n" body

enum { FIXTURE_PENDING = 16, FIXTURE_TIMERS = 512 };

struct fixture {
    struct event_base *base;
    struct clock clock;
    struct log *log;
    struct http_limits limits;
    struct http_server *server;
    uint16_t port;
    struct http_exchange *pending[FIXTURE_PENDING]; /* to be answered later */
    size_t pending_count;
    size_t handled;
    int depth; /* of handlers within handlers */
    struct buf big;
    char error_headers[128];
};

struct client {
    struct fixture *fixture;
    struct buf in;
    int fd;
    bool eof; /* or reset */
};

/* --- time ------------------------------------------------------------------------------------------- */

/* The timers of a base that are pending. */
struct fixture_timers {
    struct event *found[FIXTURE_TIMERS];
    size_t n;
};

static inline int fixture_find_timer(const struct event_base *base, const struct event *event, void *ctx)
{
    struct fixture_timers *timers = ctx;
    (void)base;
    if (!event_pending(event, EV_TIMEOUT, NULL))
        return 0;
    assert_true(timers->n < FIXTURE_TIMERS);
    /* libevent gives what it will not change; whoever asked for it may */
    memcpy(&timers->found[timers->n++], &event, sizeof(event));
    return 0;
}

/*
 * Ends the waiting of every timer. It does not matter to the server that libevent's timers go by the
 * machine's clock: it looks at its own when one of them fires, and goes on waiting if that is too early.
 */
static inline void fixture_wake(struct fixture *f)
{
    struct fixture_timers timers = {.n = 0};
    event_base_foreach_event(f->base, fixture_find_timer, &timers);
    for (size_t i = 0; i < timers.n; i++)
        event_active(timers.found[i], EV_TIMEOUT, 1);
    event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Lets MS pass on the server's clock. */
static inline void fixture_pass(struct fixture *f, int64_t ms)
{
    for (; ms > 0; ms--) {
        atomic_fetch_add(&f->clock.steady_ms, 1);
        fixture_wake(f);
    }
}

/* --- the server's side ------------------------------------------------------------------------------ */

static inline void fixture_answer(struct http_exchange *x, struct slice body)
{
    http_respond(x, &(struct http_response){.status = 200, .content_type = "text/plain", .body = body});
}

/* Answers the oldest pending exchange. */
static inline void fixture_answer_pending(struct fixture *f, const char *body)
{
    assert_true(f->pending_count > 0);
    struct http_exchange *x = f->pending[0];
    f->pending_count--;
    for (size_t i = 0; i < f->pending_count; i++)
        f->pending[i] = f->pending[i + 1];
    fixture_answer(x, slice_of(body));
}

static inline void fixture_answer_by_path(struct fixture *f, struct http_exchange *x)
{
    struct slice path = x->request.head.path;
    if (slice_is(path, "/number")) {
        char number[24];
        snprintf(number, sizeof(number), "<%zu>", f->handled - 1);
        fixture_answer(x, slice_of(number));
    } else if (slice_is(path, "/big")) {
        fixture_answer(x, buf_slice(&f->big));
    } else if (slice_is(path, "/unchanged")) {
        http_respond(x, &(struct http_response){.status = 304, .body = buf_slice(&f->big)});
    } else if (slice_is(path, "/close")) {
        http_respond(x, &(struct http_response){.status = 200, .close = true});
    } else if (slice_is(path, "/nothing")) {
        http_respond(x, &(struct http_response){.status = 204, .headers = "X-Extra: 1\r\n"});
    } else {
        fixture_answer(x, buf_slice(&x->request.body)); /* an echo */
    }
}

static inline void http_fixture_handle(void *ctx, struct http_exchange *x)
{
    struct fixture *f = ctx;
    assert_int_equal(f->depth++, 0);
    f->handled++;
    if (slice_is(x->request.head.path, "/later")) {
        assert_true(f->pending_count < FIXTURE_PENDING);
        f->pending[f->pending_count++] = x;
    } else {
        while (slice_is(x->request.head.path, "/others") && f->pending_count > 0)
            fixture_answer_pending(f, "by another");
        fixture_answer_by_path(f, x);
    }
    f->depth--;
}

static inline void http_fixture_error(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response)
{
    struct fixture *f = ctx;
    snprintf(f->error_headers, sizeof(f->error_headers), "%sX-Origin: %.*s\r\n",
        status == 503 ? "Retry-After: 1\r\n" : "", SLICE_ARG(origin));
    *response = (struct http_response){.status = status,
        .content_type = "text/plain",
        .headers = f->error_headers,
        .body = slice_of(detail)};
}

static inline uint16_t fixture_port(int fd)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof(addr);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    return ntohs(addr.sin_port);
}

static inline void fixture_listen(struct fixture *f)
{
    struct endpoint endpoint;
    assert_true(endpoint_parse("127.0.0.1:0", &endpoint));
    int fd = http_listen_socket(&endpoint, true);
    assert_true(fd >= 0);
    f->port = fixture_port(fd);
    f->server =
        http_server_new(f->base, &f->limits, http_fixture_handle, http_fixture_error, f, &f->clock, f->log);
    http_server_listen(f->server, fd);
}

/* With other limits: sets F->limits, then calls this. */
static inline void fixture_restart(struct fixture *f)
{
    http_server_free(f->server);
    fixture_listen(f);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    f->base = event_base_new();
    f->log = log_new(LOG_ERROR);
    atomic_store(&f->clock.steady_ms, 1000);
    f->limits = (struct http_limits){.max_connections = 100,
        .max_body = 1024,
        .max_headers = 2048,
        .header_timeout_ms = 10000,
        .request_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .idle_yields_ms = 10000};
    fixture_listen(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    while (f->pending_count > 0) /* of a test that failed */
        fixture_answer_pending(f, "");
    http_server_free(f->server);
    event_base_free(f->base);
    log_free(f->log);
    buf_free(&f->big);
    free(f);
    return 0;
}

static inline uint64_t fixture_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- the clients' side -------------------------------------------------------------------------------- */

static inline struct client client_connect(struct fixture *f)
{
    struct client c = {.fixture = f};
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(c.fd >= 0);
    assert_true(connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EINPROGRESS);
    return c;
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    buf_free(&c->in);
}

/* Closes with a reset. */
static inline void client_abort(struct client *c)
{
    struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    client_close(c);
}

static inline void fixture_turn(struct fixture *f)
{
    event_base_loop(f->base, EVLOOP_NONBLOCK);
    usleep(200); /* sleeps: whoever calls this looks again and again */
}

/* Everything that has arrived. */
static inline void client_read(struct client *c)
{
    ssize_t n;
    do {
        n = recv(c->fd, buf_reserve(&c->in, 65536), 65535, 0);
        if (n > 0)
            c->in.len += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != ENOTCONN))
            c->eof = true;
    } while (n > 0);
    c->in.data[c->in.len] = '\0';
}

static inline size_t client_times(const struct client *c, const char *needle)
{
    size_t times = 0;
    size_t len = strlen(needle);
    const char *p = c->in.data;
    const char *end = c->in.data + c->in.len;
    while (p != NULL && (p = memmem(p, (size_t)(end - p), needle, len)) != NULL) {
        times++;
        p += len;
    }
    return times;
}

#define client_fail(c, what) fail_msg("%s, but got: %.400s", (what), (c)->in.data == NULL ? "" : (c)->in.data)

static inline void client_await_times(struct client *c, const char *needle, size_t times)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (client_times(c, needle) < times) {
        if (clock_monotonic_ms() > deadline || c->eof)
            client_fail(c, needle);
        fixture_turn(c->fixture);
        client_read(c);
    }
    assert_int_equal(client_times(c, needle), times);
}

static inline void client_await(struct client *c, const char *needle)
{
    client_await_times(c, needle, 1);
}

static inline void client_await_end(struct client *c)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (!c->eof) {
        if (clock_monotonic_ms() > deadline)
            client_fail(c, "not closed");
        fixture_turn(c->fixture);
        client_read(c);
    }
}

/* Sends all, reading nothing, while the server works. */
static inline void client_send_bytes(struct client *c, const char *bytes, size_t len)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(c->fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else
            assert_true(errno == EAGAIN || errno == ENOTCONN);
        assert_true(clock_monotonic_ms() < deadline);
        fixture_turn(c->fixture);
    }
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

static inline void client_forget(struct client *c)
{
    buf_clear(&c->in);
}

static inline void fixture_await_open(struct fixture *f, size_t open)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (http_server_open(f->server) != open) {
        if (clock_monotonic_ms() > deadline)
            fail_msg("%zu connections open, not %zu", http_server_open(f->server), open);
        fixture_turn(f);
    }
}

static inline void fixture_await_pending(struct fixture *f, size_t pending)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (f->pending_count != pending) {
        assert_true(clock_monotonic_ms() < deadline);
        fixture_turn(f);
    }
}

static inline void fixture_await_handled(struct fixture *f, size_t handled)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (f->handled < handled) {
        assert_true(clock_monotonic_ms() < deadline);
        fixture_turn(f);
    }
}

/* Until the server has read all that C sent. */
static inline void client_await_read(struct client *c)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    int unread = 1; /* that the server's kernel has not confirmed */
    while (unread > 0) {
        assert_true(clock_monotonic_ms() < deadline);
        fixture_turn(c->fixture);
        assert_int_equal(ioctl(c->fd, SIOCOUTQ, &unread), 0);
    }
    fixture_turn(c->fixture);
}
