/* The players' port and time, memory, descriptors: deadlines, slow readers, draining, listening. */
#include "http_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

/* --- deadlines ----------------------------------------------------------------------------------------- */

static uint64_t count_timeouts(struct fixture *f)
{
    return fixture_count(&http_server_counters(f->server)->timeouts);
}

/* Sends TEXT a byte every 10 ms until the server has had enough; returns after how long. */
static int64_t trickle(struct client *c, const char *text)
{
    struct fixture *f = c->fixture;
    uint64_t timeouts = count_timeouts(f);
    int64_t took = 0;
    for (const char *p = text; *p != '\0' && count_timeouts(f) == timeouts; p++) {
        client_send_bytes(c, p, 1);
        client_await_read(c);
        fixture_pass(f, 10);
        took += 10;
    }
    client_await(c, "HTTP/1.1 408 Request Timeout\r\n");
    client_await(c, "Connection: close\r\n");
    client_await_end(c);
    assert_int_equal(count_timeouts(f), timeouts + 1);
    return took;
}

#define SLOWLY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void test_header_deadline(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 100;
    fixture_restart(f);
    struct client c = client_connect(f);
    assert_int_equal(trickle(&c, "GET /" SLOWLY), 100);
    client_close(&c);
}

static void test_request_deadline(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 50;
    f->limits.request_timeout_ms = 200;
    fixture_restart(f);
    struct client c = client_connect(f);
    client_send(&c, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    client_await_read(&c);
    assert_int_equal(trickle(&c, SLOWLY), 200);
    client_close(&c);
}

static void test_header_deadline_after_a_request(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 100;
    fixture_restart(f);
    struct client c = client_connect(f);
    client_send(&c, GET("/number"));
    client_await(&c, "<0>");
    client_forget(&c);
    assert_int_equal(trickle(&c, "GET /" SLOWLY), 100);
    client_close(&c);
}

static void test_idle_deadline(void **state)
{
    struct fixture *f = *state;
    f->limits.idle_timeout_ms = 100;
    f->limits.header_timeout_ms = 100; /* a first byte is waited for no longer than for headers */
    fixture_restart(f);
    struct client mute = client_connect(f);
    struct client c = client_connect(f);
    fixture_await_open(f, 2);
    fixture_pass(f, 60);
    client_send(&c, GET("/"));
    client_await(&c, "200 OK");
    client_forget(&c);
    fixture_pass(f, 35);
    assert_int_equal(http_server_open(f->server), 2);
    fixture_pass(f, 10);
    assert_int_equal(http_server_open(f->server), 1); /* 105 ms after it connected, 45 ms after the request */
    client_await_end(&mute);
    assert_int_equal(mute.in.len, 0);
    fixture_pass(f, 50);
    assert_int_equal(http_server_open(f->server), 1);
    fixture_pass(f, 10);
    assert_int_equal(http_server_open(f->server), 0);
    client_await_end(&c);
    assert_int_equal(c.in.len, 0);
    client_close(&mute);
    client_close(&c);
}

/* The first byte is due with the headers, from the start: sending it late gains no time. */
static void test_first_header_deadline_begins_at_the_start(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 400;
    fixture_restart(f);
    struct client silent = client_connect(f);
    struct client late = client_connect(f);
    fixture_await_open(f, 2);
    fixture_pass(f, 300);
    client_send(&late, "GET");
    client_await_read(&late);
    fixture_pass(f, 95);
    assert_int_equal(http_server_open(f->server), 2);
    fixture_pass(f, 10);
    client_await(&late, "HTTP/1.1 408 Request Timeout\r\n");
    client_await_end(&silent);
    assert_int_equal(silent.in.len, 0);
    client_close(&late);
    client_close(&silent);
}

/* A body has the request's time, not the headers'. */
static void test_first_body_has_the_requests_time(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 200;
    fixture_restart(f);
    struct client c = client_connect(f);
    client_send(&c, POST("/", "Content-Length: 5\r\n", "hel"));
    client_await_read(&c);
    fixture_pass(f, 300);
    client_send(&c, "lo");
    client_await(&c, "\r\n\r\nhello");
    client_close(&c);
}

/* Time that the handler takes is not the client's. */
static void test_no_deadline_while_answering(void **state)
{
    struct fixture *f = *state;
    f->limits.idle_timeout_ms = 40;
    f->limits.header_timeout_ms = 40;
    f->limits.request_timeout_ms = 40;
    fixture_restart(f);
    struct client c = client_connect(f);
    client_send(&c, GET("/later"));
    fixture_await_pending(f, 1);
    fixture_pass(f, 150);
    fixture_answer_pending(f, "later");
    client_await(&c, "later");
    client_close(&c);
}

static void test_empty_line_begins_no_request(void **state)
{
    struct fixture *f = *state;
    f->limits.header_timeout_ms = 50;
    fixture_restart(f);
    struct client c = client_connect(f);
    client_send(&c, GET("/") "\r\n");
    client_await(&c, "200 OK");
    client_forget(&c);
    client_await_read(&c);
    fixture_pass(f, 60);
    client_await_end(&c);
    assert_int_equal(c.in.len, 0);
    assert_int_equal(count_timeouts(f), 0);
    client_close(&c);
}

/* --- slow readers ----------------------------------------------------------------------------------------
 */

static void make_big(struct fixture *f, size_t len)
{
    char *bytes = buf_reserve(&f->big, len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)('a' + i % 23);
    f->big.len = len;
}

static void assert_body(const struct client *c, struct slice expected)
{
    char *body = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_memory_equal(body + 4, expected.ptr, expected.len);
}

static void test_slow_reader_gets_all(void **state)
{
    struct fixture *f = *state;
    make_big(f, (size_t)12 << 20);
    struct client c = client_connect(f);
    client_send(&c, GET("/big") GET("/number"));
    fixture_await_handled(f, 1); /* the answer is much more than the socket takes */
    client_await(&c, "<1>");
    assert_body(&c, buf_slice(&f->big));
    client_close(&c);
}

static void test_body_that_is_not_sent(void **state)
{
    struct fixture *f = *state;
    make_big(f, 5);
    struct client c = client_connect(f);
    client_send(&c, "HEAD /big HTTP/1.1\r\n" HOST "\r\n" GET("/unchanged") GET("/number"));
    client_await(&c, "<2>");
    client_await(&c, "Content-Length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\n");
    assert_int_equal(client_times(&c, "abcde"), 0);
    client_send(&c, GET("/big"));
    client_await(&c, "\r\n\r\nabcde");
    client_send(&c, "GET /big HTTP/1.0\r\n\r\n");
    client_await_end(&c);
    assert_int_equal(client_times(&c, "\r\n\r\nabcde"), 2);
    client_close(&c);
}

static void test_client_that_never_reads(void **state)
{
    struct fixture *f = *state;
    f->limits.request_timeout_ms = 100;
    fixture_restart(f);
    make_big(f, (size_t)12 << 20);
    struct client c = client_connect(f);
    client_send(&c, GET("/big"));
    fixture_await_handled(f, 1);
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (http_server_open(f->server) > 0 && clock_monotonic_ms() < deadline) {
        fixture_pass(f, 10);
        fixture_turn(f);
    }
    assert_int_equal(http_server_open(f->server), 0);
    client_close(&c);
}

/* --- draining
 * ----------------------------------------------------------------------------------------------- */

static void test_drain(void **state)
{
    struct fixture *f = *state;
    struct client idle = client_connect(f);
    struct client busy = client_connect(f);
    struct client partial = client_connect(f);
    struct client sent = client_connect(f);
    client_send(&idle, GET("/"));
    client_await(&idle, "200 OK");
    client_send(&busy, GET("/later"));
    client_send(&partial, "GET /number HTTP/1.1\r\n");
    fixture_await_open(f, 4);
    assert_true(send(sent.fd, GET("/number"), strlen(GET("/number")), 0) > 0);
    http_server_drain(f->server);
    client_await_end(&idle);
    client_await(&sent, "<2>"); /* it had arrived */
    client_await(&sent, "Connection: close\r\n");
    client_send(&partial, HOST "\r\n");
    client_await(&partial, "Connection: close\r\n");
    fixture_answer_pending(f, "later");
    client_await(&busy, "Connection: close\r\n");
    client_await_end(&busy);
    client_await_end(&partial);
    client_await_end(&sent);
    struct client late = client_connect(f);
    client_await_end(&late);
    client_close(&idle);
    client_close(&busy);
    client_close(&partial);
    client_close(&sent);
    client_close(&late);
    fixture_await_open(f, 0);
}

static void test_free_closes_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    client_send(&c, "GET / HTTP/1.1\r\n");
    fixture_await_open(f, 1);
    fixture_restart(f);
    client_await_end(&c);
    client_close(&c);
}

/* --- descriptors
 * ---------------------------------------------------------------------------------------------- */

static void test_no_descriptor_left(void **state)
{
    enum { TURNS = 1000, FEW = 10, PAUSE_MS = 100 };
    struct fixture *f = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct client c = client_connect(f);
    struct rlimit none = {.rlim_cur = (rlim_t)c.fd + 1, .rlim_max = before.rlim_max};
    const _Atomic uint64_t *refused = &http_server_counters(f->server)->refused_connections;
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < TURNS || fixture_count(refused) == 0; i++)
        event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    uint64_t tries = fixture_count(refused);
    /* Each try is followed by a pause; without it every turn of the loop would be a try. */
    assert_in_range(tries, 1, FEW + (clock_monotonic_ms() - began_ms) / PAUSE_MS);
    fixture_wake(f);
    assert_true(fixture_count(refused) > tries);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_send(&c, GET("/number"));
    client_await(&c, "<0>");
    client_close(&c);
}

/* --- listening
 * -------------------------------------------------------------------------------------------------- */

static struct endpoint endpoint_of(const char *text)
{
    struct endpoint endpoint;
    assert_true(endpoint_parse(text, &endpoint));
    return endpoint;
}

static void test_unix_socket(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/test_http.XXXXXX";
    char text[64];
    assert_non_null(mkdtemp(dir));
    snprintf(text, sizeof(text), "unix:%s/socket", dir);
    struct endpoint endpoint = endpoint_of(text);
    int fd = http_listen_socket(&endpoint, false);
    assert_true(fd >= 0);
    assert_int_equal(http_listen_socket(&endpoint, false), -1); /* somebody listens */
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    fd = http_listen_socket(&endpoint, true); /* nobody does */
    assert_true(fd >= 0);
    http_server_listen(f->server, fd);
    struct client c = {.fixture = f, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, endpoint.host, strlen(endpoint.host) + 1);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    client_send(&c, GET("/number"));
    client_await(&c, "<0>");
    client_close(&c);
    assert_int_equal(unlink(endpoint.host), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_unix_socket_never_replaces_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/test_http.XXXXXX";
    char text[64];
    struct stat st;
    close(mkstemp(path));
    snprintf(text, sizeof(text), "unix:%s", path);
    struct endpoint endpoint = endpoint_of(text);
    assert_int_equal(http_listen_socket(&endpoint, false), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(path);
}

static void test_tcp_sockets(void **state)
{
    struct fixture *f = *state;
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%u", f->port);
    struct endpoint endpoint = endpoint_of(text);
    assert_int_equal(http_listen_socket(&endpoint, false), -1);
    assert_int_equal(errno, EADDRINUSE);
    int fd = http_listen_socket(&endpoint, true); /* as the first one */
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    endpoint = endpoint_of("[::1]:0");
    fd = http_listen_socket(&endpoint, true);
    assert_true(fd >= 0 || errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
    if (fd >= 0)
        close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_header_deadline),
        TEST(test_request_deadline),
        TEST(test_header_deadline_after_a_request),
        TEST(test_idle_deadline),
        TEST(test_first_header_deadline_begins_at_the_start),
        TEST(test_first_body_has_the_requests_time),
        TEST(test_no_deadline_while_answering),
        TEST(test_empty_line_begins_no_request),
        TEST(test_slow_reader_gets_all),
        TEST(test_body_that_is_not_sent),
        TEST(test_client_that_never_reads),
        TEST(test_drain),
        TEST(test_free_closes_what_is_left),
        TEST(test_no_descriptor_left),
        TEST(test_unix_socket),
        TEST(test_unix_socket_never_replaces_a_file),
        TEST(test_tcp_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
