/* The players' port on a real socket: what clients do to it, and what they get. */
#include "http_fixture.h"

#include <netinet/tcp.h>

/* --- answers ------------------------------------------------------------------------------------------- */

static void test_keep_alive(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, POST("/", "Content-Length: 5\r\n", "hello"));
    client_await(&c, "\r\n\r\nhello");
    assert_int_equal(strncmp(c.in.data, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    assert_int_equal(client_times(&c, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"), 1);
    client_send(&c, POST("/", "Content-Length: 5\r\n", "again"));
    client_await(&c, "\r\n\r\nagain");
    assert_int_equal(client_times(&c, "Connection:"), 0);
    assert_int_equal(fixture_count(&http_server_counters(c.fixture->server)->requests), 2);
    assert_int_equal(fixture_count(&http_server_counters(c.fixture->server)->connections), 1);
    client_close(&c);
    fixture_await_open(c.fixture, 0);
}

static void test_pieces(void **state)
{
    struct client c = client_connect(*state);
    const char *request = POST("/", "Content-Length: 5\r\n", "hello");
    for (const char *p = request; *p != '\0'; p++)
        client_send_bytes(&c, p, 1);
    client_await(&c, "\r\n\r\nhello");
    client_close(&c);
}

static void test_connection_header(void **state)
{
    static const struct {
        const char *request;
        const char *header; /* of the answer */
        bool closed;
    } cases[] = {
        {"GET / HTTP/1.0\r\n\r\n", "\r\nConnection: close\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "\r\nConnection: keep-alive\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "\r\nConnection: close\r\n", true},
        {GET("/close"), "\r\nConnection: close\r\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = client_connect(*state);
        client_send(&c, cases[i].request);
        client_await(&c, cases[i].header);
        client_forget(&c);
        if (cases[i].closed) {
            client_await_end(&c);
        } else {
            client_send(&c, GET("/nothing"));
            client_await(&c, "HTTP/1.1 204 No Content\r\n");
        }
        client_close(&c);
    }
}

static void test_answers_without_body(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, "HEAD /number HTTP/1.1\r\n" HOST "\r\n");
    client_await(&c, "Content-Length: 3\r\n\r\n");
    client_send(&c, GET("/nothing"));
    client_await(&c, "HTTP/1.1 204 No Content\r\n");
    client_await(&c, "X-Extra: 1\r\n\r\n");
    assert_int_equal(client_times(&c, "Content-Length"), 1);
    assert_int_equal(client_times(&c, "<0>"), 0);
    client_close(&c);
}

static void test_chunked_body(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, POST("/", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
    client_send(&c, "6;x\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
    client_await(&c, "\r\n\r\nhello world");
    client_close(&c);
}

static void test_expect(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, POST("/", "Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
    client_await(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "he");
    client_send(&c, "llo");
    client_await(&c, "\r\n\r\nhello");
    assert_int_equal(client_times(&c, "100 Continue"), 1);
    client_forget(&c);
    client_send(&c, POST("/", "Expect: 100-continue\r\nContent-Length: 1025\r\n", ""));
    client_await(&c, "HTTP/1.1 413 ");
    assert_int_equal(client_times(&c, "100 Continue"), 0);
    client_close(&c);
}

static void test_nagle_is_off(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, GET("/"));
    client_await(&c, "200 OK");
    int found = 0;
    for (int fd = 3; fd < 64; fd++) { /* the server's end is the one connected to our port */
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof(peer);
        int on = 0;
        socklen_t on_len = sizeof(on);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 ||
            ntohs(peer.sin_port) != fixture_port(c.fd))
            continue;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
        found += on != 0;
    }
    assert_int_equal(found, 1);
    client_close(&c);
}

/* --- pipelining and later answers -------------------------------------------------------------------------
 */

static void test_pipelined_requests(void **state)
{
    struct client c = client_connect(*state);
    struct buf requests = {0};
    for (int i = 0; i < 100; i++)
        buf_append_string(&requests, GET("/number"));
    client_send_bytes(&c, requests.data, requests.len);
    client_await_times(&c, "HTTP/1.1 200 OK", 100);
    client_await(&c, "<99>");
    const char *at = c.in.data;
    for (int i = 0; i < 100; i++) {
        char number[16];
        snprintf(number, sizeof(number), "<%d>", i);
        at = strstr(at, number);
        assert_non_null(at);
    }
    buf_free(&requests);
    client_close(&c);
}

static void test_later_answers_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    struct buf requests = {0};
    for (int i = 0; i < 100; i++)
        buf_append_string(&requests, GET("/later"));
    client_send_bytes(&c, requests.data, requests.len);
    for (size_t i = 0; i < 100; i++) {
        fixture_await_pending(f, 1);
        assert_int_equal(f->handled, i + 1);
        fixture_answer_pending(f, "later");
    }
    client_await_times(&c, "\r\n\r\nlater", 100);
    buf_free(&requests);
    client_close(&c);
}

/* More than the server takes in advance: it stops reading, and goes on when it has answered. */
static void test_pipelining_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    struct buf requests = {0};
    buf_append_string(&requests, GET("/later"));
    for (int i = 0; i < 4000; i++)
        buf_append_string(&requests, GET("/number"));
    client_send_bytes(&c, requests.data, requests.len);
    assert_int_equal(f->handled, 1);
    fixture_answer_pending(f, "later");
    client_await(&c, "<4000>");
    client_await_times(&c, "HTTP/1.1 200 OK", 4001);
    buf_free(&requests);
    client_close(&c);
}

static void test_answers_from_another_handler(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    for (size_t i = 0; i < 8; i++) {
        clients[i] = client_connect(f);
        client_send(&clients[i], GET("/later") GET("/others") GET("/number"));
    }
    struct client c = client_connect(f);
    fixture_await_pending(f, 8);
    client_send(&c, GET("/others"));
    for (size_t i = 0; i < 8; i++) {
        client_await(&clients[i], "by another");
        client_await_times(&clients[i], "HTTP/1.1 200 OK", 3);
        client_close(&clients[i]);
    }
    client_await(&c, "HTTP/1.1 200 OK");
    client_close(&c);
    fixture_await_open(f, 0);
}

/* --- clients that go away
 * ------------------------------------------------------------------------------------ */

static void test_client_resets_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    client_send(&c, POST("/later", "Content-Length: 5\r\n", "hello") GET("/later"));
    fixture_await_pending(f, 1);
    client_abort(&c);
    fixture_await_open(f, 0);
    assert_true(slice_is(buf_slice(&f->pending[0]->request.body), "hello"));
    fixture_answer_pending(f, "to nobody");
    assert_int_equal(f->handled, 1);
    c = client_connect(f);
    client_send(&c, GET("/number"));
    client_await(&c, "<1>");
    client_close(&c);
}

static void test_client_closes_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    client_send(&c, GET("/later") GET("/later"));
    fixture_await_pending(f, 1);
    client_close(&c);
    for (int i = 0; i < 20; i++) /* whether the server has noticed by then decides nothing */
        fixture_turn(f);
    fixture_answer_pending(f, "to nobody");
    for (int i = 0; i < 20; i++)
        fixture_turn(f);
    if (f->pending_count > 0)
        fixture_answer_pending(f, "to nobody");
    fixture_await_open(f, 0);
}

static void test_client_is_gone_within_another_handler(void **state)
{
    struct fixture *f = *state;
    struct client gone = client_connect(f);
    client_send(&gone, GET("/later"));
    fixture_await_pending(f, 1);
    struct client c = client_connect(f);
    client_send(&c, GET("/"));
    client_await(&c, "200 OK");
    client_abort(&gone);
    assert_true(send(c.fd, GET("/others"), strlen(GET("/others")), 0) > 0);
    client_await_times(&c, "200 OK", 2);
    client_close(&c);
    fixture_await_open(f, 0);
}

static void test_half_closed_client_gets_its_answers(void **state)
{
    struct fixture *f = *state;
    struct client c = client_connect(f);
    client_send(&c, GET("/later") GET("/number"));
    shutdown(c.fd, SHUT_WR);
    fixture_await_pending(f, 1);
    client_await_read(&c);
    fixture_answer_pending(f, "later");
    client_await(&c, "<1>");
    client_await_times(&c, "HTTP/1.1 200 OK", 2);
    client_await_end(&c);
    client_close(&c);
    fixture_await_open(f, 0);
}

static void test_half_closed_request_is_dropped(void **state)
{
    struct client c = client_connect(*state);
    client_send(&c, POST("/", "Content-Length: 5\r\n", "hell"));
    shutdown(c.fd, SHUT_WR);
    client_await_end(&c);
    assert_int_equal(c.fixture->handled, 0);
    client_close(&c);
    fixture_await_open(c.fixture, 0);
}

/* --- what is refused
 * -------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    struct buf long_head = {0};
    buf_append_string(&long_head, "GET / HTTP/1.1\r\n" HOST "X: ");
    for (int i = 0; i < 210; i++)
        buf_append_string(&long_head, "0123456789");
    buf_append_char(&long_head, '\0');
    const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {POST("/", "Content-Length: 1025\r\n", ""), "HTTP/1.1 413 Content Too Large\r\n"},
        {POST("/", "Transfer-Encoding: chunked\r\n", "401\r\n"), "HTTP/1.1 413 Content Too Large\r\n"},
        {long_head.data, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {GET("/number") "nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
    };
    struct fixture *f = *state;
    size_t n = sizeof(cases) / sizeof(cases[0]);
    for (size_t i = 0; i < n; i++) {
        struct client c = client_connect(f);
        client_send(&c, cases[i].request);
        client_await(&c, cases[i].answer);
        client_await(&c, "Connection: close\r\n");
        client_await_end(&c);
        client_close(&c);
    }
    assert_int_equal(fixture_count(&http_server_counters(f->server)->bad_requests), n);
    assert_int_equal(fixture_count(&http_server_counters(f->server)->requests), 1);
    buf_free(&long_head);
}

/* A client that sends first and reads then must find the answer, not a reset. */
static void test_refused_upload_gets_its_answer(void **state)
{
    struct client c = client_connect(*state);
    size_t len = (size_t)1 << 20;
    char *body = mem_zalloc(len);
    client_send(&c, POST("/", "Origin: https://a.example\r\nContent-Length: 1048576\r\n", ""));
    client_send_bytes(&c, body, len);
    client_await(&c, "HTTP/1.1 413 ");
    client_await(&c, "X-Origin: https://a.example\r\n");
    client_await_end(&c);
    client_close(&c);
    fixture_await_open(c.fixture, 0);
    free(body);
}

static void test_connection_limit(void **state)
{
    struct fixture *f = *state;
    f->limits.max_connections = 2;
    struct client a = client_connect(f);
    struct client b = client_connect(f);
    client_send(&a, GET("/number"));
    client_await(&a, "<0>");
    client_send(&b, GET("/number"));
    client_await(&b, "<1>");
    struct client c = client_connect(f);
    client_await(&c, "HTTP/1.1 503 Service Unavailable\r\n");
    client_await(&c, "Retry-After: 1\r\n");
    client_await_end(&c);
    client_close(&c);
    assert_int_equal(fixture_count(&http_server_counters(f->server)->refused_connections), 1);
    client_close(&a);
    fixture_await_open(f, 1);
    c = client_connect(f);
    client_send(&c, GET("/number"));
    client_await(&c, "<2>");
    client_close(&b);
    client_close(&c);
}

static void test_many_refused_connections(void **state)
{
    struct fixture *f = *state;
    f->limits.max_connections = 0;
    struct client clients[100]; /* more than are closed with care */
    for (size_t i = 0; i < 100; i++)
        clients[i] = client_connect(f);
    for (size_t i = 0; i < 100; i++) {
        client_await(&clients[i], "HTTP/1.1 503 ");
        client_close(&clients[i]);
    }
    fixture_await_open(f, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keep_alive),
        TEST(test_pieces),
        TEST(test_connection_header),
        TEST(test_answers_without_body),
        TEST(test_chunked_body),
        TEST(test_expect),
        TEST(test_nagle_is_off),
        TEST(test_pipelined_requests),
        TEST(test_later_answers_one_at_a_time),
        TEST(test_pipelining_is_bounded),
        TEST(test_answers_from_another_handler),
        TEST(test_client_resets_before_the_answer),
        TEST(test_client_closes_before_the_answer),
        TEST(test_client_is_gone_within_another_handler),
        TEST(test_half_closed_client_gets_its_answers),
        TEST(test_half_closed_request_is_dropped),
        TEST(test_refusals),
        TEST(test_refused_upload_gets_its_answer),
        TEST(test_connection_limit),
        TEST(test_many_refused_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
