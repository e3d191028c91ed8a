/* What players say and what they are told: requests byte by byte, replies cut at every byte, and what is no
 * reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/message.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void assert_text(const struct buf *b, const char *text)
{
    if (!slice_is(buf_slice(b), text))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(buf_slice(b)), text);
}

/* ---- requests ---- */

static const struct run two_runs[] = {
    {.from_ms = 0, .to_ms = 15000, .media_from_ms = 100, .media_to_ms = 15100, .rate = 1},
    {.from_ms = 4294967294, .to_ms = 4294967295, .media_from_ms = 7, .media_to_ms = 8, .rate = 1.25},
};

static void test_a_heartbeat_alone(void **state)
{
    (void)state;
    struct buf body = {0};
    for (int i = 0; i < 2; i++) { /* the buffer is used again and again */
        message_body_begin(&body, true);
        message_body_add(&body, SLICE_LITERAL("abc"), two_runs, 2);
        message_body_end(&body, true);
        assert_text(&body,
            "{\"session_token\":\"abc\",\"runs\":["
            "{\"from_ms\":0,\"to_ms\":15000,\"media_from_ms\":100,\"media_to_ms\":15100,\"rate\":1},"
            "{\"from_ms\":4294967294,\"to_ms\":4294967295,\"media_from_ms\":7,\"media_to_ms\":8,"
            "\"rate\":1.25}]}");
    }
    buf_free(&body);
}

static void test_several_heartbeats(void **state)
{
    (void)state;
    struct buf body = {0};
    message_body_begin(&body, false);
    message_body_add(&body, SLICE_LITERAL("a"), two_runs, 1);
    message_body_add(&body, SLICE_LITERAL("b"), two_runs, 1);
    message_body_end(&body, false);
#define RUN                                                                                                  \
    "\"runs\":[{\"from_ms\":0,\"to_ms\":15000,\"media_from_ms\":100,\"media_to_ms\":15100,\"rate\":1}]}"
    assert_text(
        &body, "{\"heartbeats\":[{\"session_token\":\"a\"," RUN ",{\"session_token\":\"b\"," RUN "]}");
    buf_free(&body);
}

static void test_rates_have_two_decimals(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *text;
    } rows[] = {{1, "1"}, {0.75, "0.75"}, {1.5, "1.50"}, {2, "2"}, {0.25, "0.25"}, {1.05, "1.05"},
        {1.999, "2"}, {16, "16"}};
    struct buf body = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct run run = {.rate = rows[i].rate};
        message_body_begin(&body, true);
        message_body_add(&body, SLICE_LITERAL(""), &run, 1);
        buf_append_char(&body, '\0');
        const char *rate = strstr(body.data, "\"rate\":") + strlen("\"rate\":");
        assert_memory_equal(rate, rows[i].text, strlen(rows[i].text));
        assert_string_equal(rate + strlen(rows[i].text), "}]}");
    }
    buf_free(&body);
}

static void test_whole_requests(void **state)
{
    (void)state;
    const struct message_place kept = {.host = "127.0.0.1:8080", .base_path = ""};
    const struct message_place closed = {.host = "h", .base_path = "/watch", .close = true};
    struct buf out = {0};
    message_heartbeats(&out, &kept, SLICE_LITERAL("{}"));
    assert_text(&out, "POST /v1/heartbeats HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
                      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    buf_clear(&out);
    message_session(&out, &closed, SLICE_LITERAL("j.w.t"), SLICE_LITERAL("lesson\""), SLICE_LITERAL("d"));
    assert_text(&out,
        "POST /watch/v1/sessions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer j.w.t\r\n"
        "Content-Type: application/json\r\nContent-Length: 40\r\n\r\n"
        "{\"lesson_id\":\"lesson\\\"\",\"device_id\":\"d\"}");
    buf_clear(&out);
    message_nothing(&out, &kept);
    assert_text(&out, "OPTIONS /v1/heartbeats HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    buf_free(&out);
}

/* ---- replies ---- */

/* From memory of its own, so that a sanitizer sees who reads behind it. */
static enum reply_state read_copy(const char *bytes, size_t len, struct reply *r)
{
    char *copy = mem_alloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    enum reply_state state = message_read_reply((struct slice){copy, len}, r);
    free(copy);
    return state;
}

static void test_replies_cut_at_every_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        bool close;
        int64_t retry_after_s;
        size_t body_len;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, false, -1, 2},
        {"HTTP/1.1 200 OK\r\ncontent-length:2\r\nX: y\r\n\r\n{}", 200, false, -1, 2},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2  \r\n\r\n{}", 200, false, -1, 2},
        {"HTTP/1.1 200 OK\r\nX:\r\nContent-Length: 0\r\n\r\n", 200, false, -1, 0},
        {"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n", 204, false, -1, 0},
        {"HTTP/1.1 204\r\nX: y\r\n\r\n", 204, false, -1, 0},
        {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 1\r\n\r\nx", 503, false, 7,
            1},
        {"HTTP/1.1 429 \r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", 429, true, 0,
            0},
        {"HTTP/1.1 503 x\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", 503,
            false, -1, 0},
        {"HTTP/1.1 503 x\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n", 503, false, -1, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, true, -1, 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, false, -1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply r;
        size_t len = strlen(rows[i].text);
        for (size_t n = 0; n < len; n++)
            if (read_copy(rows[i].text, n, &r) != REPLY_PARTIAL)
                fail_msg("%zu bytes of '%s' are a reply", n, rows[i].text);
        assert_int_equal(message_read_reply((struct slice){rows[i].text, len}, &r), REPLY_WHOLE);
        assert_int_equal(r.status, rows[i].status);
        assert_int_equal(r.close, rows[i].close);
        assert_int_equal(r.retry_after_s, rows[i].retry_after_s);
        assert_int_equal(r.body.len, rows[i].body_len);
        assert_ptr_equal(r.body.ptr + r.body.len, rows[i].text + len);
        assert_int_equal(r.len, len);
    }
}

static void test_what_comes_behind_a_reply_is_not_its_own(void **state)
{
    (void)state;
    struct reply r;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
    assert_int_equal(message_read_reply(slice_of(text), &r), REPLY_WHOLE);
    assert_true(slice_is(r.body, "x"));
    assert_int_equal(r.len, strlen("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
}

static void test_what_is_no_reply(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\r\n\r\n",
        "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", /* until when? */
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
    };
    struct reply r;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (read_copy(rows[i], strlen(rows[i]), &r) != REPLY_BROKEN)
            fail_msg("'%s' is a reply", rows[i]);
}

static void test_a_head_without_end(void **state)
{
    (void)state;
    char bytes[10000];
    struct reply r;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(message_read_reply((struct slice){bytes, 8192}, &r), REPLY_PARTIAL);
    assert_int_equal(message_read_reply((struct slice){bytes, 8193}, &r), REPLY_BROKEN);
}

/* ---- results ---- */

static size_t results_of(const char *text, struct run_answer *answers)
{
    struct arena arena = {0};
    struct buf copy = {0}; /* without the NUL behind it */
    buf_append_string(&copy, text);
    size_t n = message_read_results(buf_slice(&copy), &arena, answers);
    buf_free(&copy);
    arena_free(&arena);
    return n;
}

static void test_results(void **state)
{
    (void)state;
    struct run_answer answers[MESSAGE_RUNS_MAX];
    size_t n = results_of("{\"results\":["
                          "{\"status\":\"accepted\",\"credited_seconds\":15,\"duplicate_seconds\":0},"
                          "{\"status\":\"retry\",\"reason\":\"unavailable\"},"
                          "{\"reason\":\"too_late\",\"status\":\"rejected\"},"
                          "{\"credited_seconds\":0,\"status\":\"accepted\",\"more\":[{\"deep\":null}]}],"
                          "\"server_time_ms\":1,\"heartbeat_interval_ms\":15000}",
        answers);
    static const struct run_answer wanted[] = {
        {RUN_ACCEPTED, 15}, {RUN_RETRY, 0}, {RUN_REJECTED, 0}, {RUN_ACCEPTED, 0}};
    assert_int_equal(n, COUNT(wanted));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(answers[i].status, wanted[i].status);
        assert_int_equal(answers[i].credited, wanted[i].credited);
    }
}

static void test_what_are_no_results(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"results\":[]}",
        "{\"results\":{}}",
        "{\"results\":[1]}",
        "{\"results\":[{}]}", /* a run that nobody knows anything of */
        "{\"results\":[{\"status\":1}]}",
        "{\"results\":[{\"status\":\"perhaps\"}]}",
        "{\"results\":[{\"status\":\"accepted\",\"credited_seconds\":\"1\"}]}",
        "{\"results\":[{\"status\":\"accepted\",\"credited_seconds\":-1}]}",
        "{\"results\":[{\"status\":\"accepted\",\"credited_seconds\":1.5}]}",
        "{\"results\":[{\"status\":\"accepted\",\"credited_seconds\":4294967297}]}",
        "{\"results\":[{\"status\":\"accepted\"}]",
        "{\"results\":[{\"status\":\"accepted\"},]}",
        "{\"results\":[{\"status\":\"accepted\"}]} x",
        "{\"x\":,\"results\":[{\"status\":\"accepted\"}]}",
    };
    struct run_answer answers[MESSAGE_RUNS_MAX];
    for (size_t i = 0; i < COUNT(rows); i++)
        if (results_of(rows[i], answers) != 0)
            fail_msg("%s are results", rows[i]);
}

static void test_as_many_results_as_a_request_has_runs(void **state)
{
    (void)state;
    struct run_answer answers[MESSAGE_RUNS_MAX];
    for (size_t n = MESSAGE_RUNS_MAX - 1; n <= MESSAGE_RUNS_MAX + 1; n++) {
        struct buf text = {0};
        buf_append_string(&text, "{\"results\":[");
        for (size_t i = 0; i < n; i++)
            buf_append_string(&text, i > 0 ? ",{\"status\":\"retry\"}" : "{\"status\":\"retry\"}");
        buf_append(&text, "]}", 3);
        assert_int_equal(results_of(text.data, answers), n <= MESSAGE_RUNS_MAX ? n : 0);
        buf_free(&text);
    }
}

/* ---- sessions ---- */

static void test_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *token; /* "": it is no session's answer */
        int64_t anchor_ms;
    } rows[] = {
        {"{\"session_id\":\"x\",\"session_token\":\"a.b\",\"server_time_ms\":1700000000000,\"expires_at_ms\":"
         "1}",
            "a.b", 1700000000000},
        {"{\"server_time_ms\":1,\"session_token\":\"\\u0061\"}", "a", 1},
        {"{\"session_token\":\"a\"}", "", 0},
        {"{\"server_time_ms\":1}", "", 0},
        {"{\"session_token\":\"\",\"server_time_ms\":1}", "", 0},
        {"{\"session_token\":1,\"server_time_ms\":1}", "", 0},
        {"{\"session_token\":\"a\",\"server_time_ms\":\"1\"}", "", 0},
        {"{\"session_token\":\"a\",\"server_time_ms\":1.5}", "", 0},
        {"{\"session_token\":\"a\",\"server_time_ms\":0}", "", 0},
        {"{\"session_token\":\"a\",\"server_time_ms\":1", "", 0},
        {"[]", "", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = {0};
        struct slice token;
        int64_t anchor_ms;
        bool good = message_read_session(slice_of(rows[i].text), &arena, &token, &anchor_ms);
        if (good != (rows[i].token[0] != '\0'))
            fail_msg("%s", rows[i].text);
        if (good) {
            assert_true(slice_is(token, rows[i].token));
            assert_int_equal(anchor_ms, rows[i].anchor_ms);
        }
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_heartbeat_alone),
        cmocka_unit_test(test_several_heartbeats),
        cmocka_unit_test(test_rates_have_two_decimals),
        cmocka_unit_test(test_whole_requests),
        cmocka_unit_test(test_replies_cut_at_every_byte),
        cmocka_unit_test(test_what_comes_behind_a_reply_is_not_its_own),
        cmocka_unit_test(test_what_is_no_reply),
        cmocka_unit_test(test_a_head_without_end),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_what_are_no_results),
        cmocka_unit_test(test_as_many_results_as_a_request_has_runs),
        cmocka_unit_test(test_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
