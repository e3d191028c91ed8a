/* Which request gets which answer before anything is judged: paths, methods, encodings, origins, problems. */
#include "api_fixture.h"

#define HEARTBEATS "/v1/heartbeats"

static void test_paths_and_methods(void **state)
{
    static const struct {
        enum http_method method;
        int status;
        const char *path;
        const char *allow; /* NULL: none */
    } rows[] = {
        {HTTP_METHOD_GET, 404, "/", NULL},
        {HTTP_METHOD_GET, 404, "", NULL},
        {HTTP_METHOD_GET, 404, "/v1", NULL},
        {HTTP_METHOD_POST, 404, "/v1/heartbeat", NULL},
        {HTTP_METHOD_POST, 404, "/v1/heartbeats/", NULL},
        {HTTP_METHOD_POST, 404, "/v1/Heartbeats", NULL},
        {HTTP_METHOD_OPTIONS, 404, "/v2/heartbeats", NULL},
        {HTTP_METHOD_GET, 405, HEARTBEATS, "Allow: POST, OPTIONS\r\n"},
        {HTTP_METHOD_HEAD, 405, HEARTBEATS, "Allow: POST, OPTIONS\r\n"},
        {HTTP_METHOD_OTHER, 405, HEARTBEATS, "Allow: POST, OPTIONS\r\n"},
        {HTTP_METHOD_GET, 405, "/v1/sessions", "Allow: POST, OPTIONS\r\n"},
        {HTTP_METHOD_POST, 405, "/v1/progress", "Allow: GET, HEAD, OPTIONS\r\n"},
        {HTTP_METHOD_OTHER, 405, "/dev/clock", "Allow: GET, HEAD, POST, OPTIONS\r\n"},
        {HTTP_METHOD_OPTIONS, 204, HEARTBEATS, "Allow: POST, OPTIONS\r\n"},
        {HTTP_METHOD_OPTIONS, 204, "/v1/progress", "Allow: GET, HEAD, OPTIONS\r\n"},
        {HTTP_METHOD_GET, 401, "/v1/progress", NULL},
        {HTTP_METHOD_HEAD, 401, "/v1/progress", NULL},
        {HTTP_METHOD_POST, 400, HEARTBEATS, NULL},
        {HTTP_METHOD_POST, 400, HEARTBEATS "?x=1", NULL},
        {HTTP_METHOD_POST, 401, "/v1/sessions", NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ask(f, &(struct request){.method = rows[i].method, .path = rows[i].path});
        assert_answered(f, rows[i].status);
        assert_int_equal(has_header(f, "Allow: "), rows[i].allow != NULL);
        assert_true(rows[i].allow == NULL || has_header(f, rows[i].allow));
        if (rows[i].status >= 400)
            assert_problem(f, rows[i].status, "");
    }
}

static void test_base_path(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/x/v1/progress", 401}, {"/v1/progress", 404}, {"/x", 404}, {"/xv1/progress", 404},
        {"/x//v1/progress", 404}, {"/x/v1/progress/x", 404}};
    struct fixture *f = *state;
    snprintf(f->base_path, sizeof(f->base_path), "/x");
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ask(f, &(struct request){.path = rows[i].path});
        assert_answered(f, rows[i].status);
    }
}

static void test_content_types(void **state)
{
    static const struct {
        const char *type;
        int status; /* 400: was decoded, and the body is none */
    } rows[] = {
        {"application/json", 400},
        {"Application/JSON ; charset=utf-8", 400},
        {"text/plain;charset=UTF-8", 400},
        {"application/protobuf", 400},
        {"application/x-protobuf;messageType=x", 400},
        {"application/xml", 415},
        {"application/x-www-form-urlencoded", 415},
        {"application/jsonx", 415},
        {"; application/json", 415},
        {"", 415},
        {NULL, 415},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                           .path = HEARTBEATS,
                           .content_type = rows[i].type,
                           .body = TEXT("\xff")});
        assert_problem(f, rows[i].status, "");
        assert_int_equal(has_header(f, "Accept-Post: application/json"), rows[i].status == 415);
    }
}

static void test_origins(void **state)
{
    static const struct {
        const char *allowed; /* NULL: none is */
        const char *origin;
        bool expected;
    } rows[] = {
        {ORIGIN, ORIGIN, true},
        {ORIGIN, "https://elsewhere.example", false},
        {ORIGIN, "https://player.example.evil", false},
        {ORIGIN, "", false},
        {ORIGIN, "null", false},
        {"*", "https://elsewhere.example", true},
        {"*", "", false},
        {NULL, ORIGIN, false},
    };
    static const enum http_method methods[] = {HTTP_METHOD_OPTIONS, HTTP_METHOD_POST, HTTP_METHOD_GET};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(methods); i++) {
        const char *origin = rows[i / COUNT(methods)].origin;
        const char *allowed = rows[i / COUNT(methods)].allowed;
        bool expected = rows[i / COUNT(methods)].expected;
        enum http_method method = methods[i % COUNT(methods)];
        char line[128];
        snprintf(f->origin, sizeof(f->origin), "%s", allowed != NULL ? allowed : "");
        snprintf(line, sizeof(line), "Access-Control-Allow-Origin: %s\r\n", origin);
        f->config.http.allowed_origins.n = allowed != NULL;
        fixture_ask(f, &(struct request){.method = method, .path = HEARTBEATS, .origin = origin});
        bool preflight = expected && method == HTTP_METHOD_OPTIONS;
        assert_int_equal(has_header(f, "Access-Control-Allow-Origin"), expected);
        assert_int_equal(has_header(f, line), expected);
        assert_int_equal(has_header(f, "Access-Control-Expose-Headers: Retry-After\r\n"), expected);
        assert_int_equal(has_header(f, "Vary: Origin\r\n"), allowed != NULL);
        assert_int_equal(has_header(f, "Access-Control-Allow-Methods: POST\r\n"), preflight);
        assert_int_equal(
            has_header(f, "Access-Control-Allow-Headers: authorization, content-type\r\n"), preflight);
        assert_int_equal(has_header(f, "Access-Control-Max-Age: 7200\r\n"), preflight);
    }
}

static int retry_after(const struct fixture *f)
{
    const char *line = strstr(f->x.out_headers.data, "Retry-After: ");
    return line == NULL ? 0 : atoi(line + strlen("Retry-After: "));
}

/* The greatest Retry-After of N refused requests, EVERY_MS apart. */
static int greatest_retry_after(struct fixture *f, int n, int64_t every_ms)
{
    int greatest = 0;
    f->store.admits = false;
    for (int i = 0; i < n; i++) {
        f->clock.steady_ms += every_ms;
        fixture_post(f, HEARTBEATS, NULL, "{not even read");
        assert_problem(f, 503, "later");
        int seconds = retry_after(f);
        assert_in_range(seconds, 1, 60);
        greatest = seconds > greatest ? seconds : greatest;
    }
    return greatest;
}

/* A short outage is over quickly for everybody; a long one, or many refusals, are spread over the interval.
 */
static void test_retry_after_grows_and_falls_back(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(greatest_retry_after(f, 20, 10), 3);
    f->clock.steady_ms += 5000;
    assert_int_equal(greatest_retry_after(f, 50, 20), 9);
    f->clock.steady_ms += 60000;
    assert_int_equal(greatest_retry_after(f, 200, 100), 15); /* the interval */
    assert_int_equal(greatest_retry_after(f, 4000, 1), 60);  /* the interval, stretched */
    assert_int_equal(api_counters(f->api)->requests_shed, 4270);
    assert_int_equal(api_counters(f->api)->requests_refused, 0);

    /* A moment later all is well: who is served is not slowed down, and the next outage begins as the first
     * did. */
    char token[TOKEN_MAX + 1];
    char body[TOKEN_MAX + 200];
    f->store.admits = true;
    f->clock.steady_ms += 5000;
    snprintf(body, sizeof(body),
        "{\"session_token\":\"%s\",\"runs\":[{\"from_ms\":0,\"to_ms\":1000,\"media_from_ms\":0,"
        "\"media_to_ms\":1000,\"rate\":1}]}",
        fixture_session(f, "endless", HOUR_MS, token));
    fixture_post(f, HEARTBEATS, NULL, body);
    fixture_store_answer(f, NULL);
    assert_answered(f, 200);
    assert_non_null(strstr(f->x.out_body.data, "\"heartbeat_interval_ms\":15000"));
    assert_int_equal(greatest_retry_after(f, 20, 10), 3);
}

/* What is refused at the door says nothing about Redis: players who are in are not slowed down. */
static void test_connections_refused_slow_down_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct http_response response;
    int greatest = 0;
    for (int i = 0; i < 2000; i++) {
        f->clock.steady_ms++;
        api_write_error(f->api, 503, "too many connections", (struct slice){"", 0}, &response);
        int seconds = atoi(strstr(response.headers, "Retry-After: ") + strlen("Retry-After: "));
        greatest = seconds > greatest ? seconds : greatest;
    }
    assert_int_equal(greatest, 15);
    assert_int_equal(greatest_retry_after(f, 20, 10), 3);
}

static void test_the_servers_own_errors(void **state)
{
    struct fixture *f = *state;
    struct http_response response;
    api_write_error(f->api, 400, "two \"Host\" headers", slice_of(ORIGIN), &response);
    assert_int_equal(response.status, 400);
    assert_string_equal(response.content_type, PROBLEM);
    assert_true(response.close);
    assert_non_null(strstr(response.headers, "Access-Control-Allow-Origin: " ORIGIN "\r\n"));
    assert_null(strstr(response.headers, "Retry-After: "));
    assert_true(slice_is(response.body, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                                        "\"detail\":\"two \\\"Host\\\" headers\"}"));
    api_write_error(f->api, 503, "too many connections", (struct slice){"", 0}, &response);
    assert_non_null(strstr(response.headers, "Retry-After: "));
    assert_null(strstr(response.headers, "Access-Control-Allow-Origin"));
    assert_int_equal(api_counters(f->api)->requests_refused, 1);
    assert_int_equal(api_counters(f->api)->requests_shed, 1);
}

/* ---- with --dev ---- */

static void test_dev_routes(void **state)
{
    static const struct {
        enum http_method method;
        int status;
        const char *path;
        const char *body;
        const char *expected; /* the body, or a part of it */
    } rows[] = {
        {HTTP_METHOD_GET, 200, "/dev/", "", "<!doctype html>"},
        {HTTP_METHOD_GET, 200, "/dev/kafka", "", "{\"brokers\":\"127.0.0.1:9092\"}"},
        {HTTP_METHOD_GET, 200, "/dev/clock", "", "{\"now_ms\":1674187200500}"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"advance_ms\": 1500}", "{\"now_ms\":1674187202000}"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"advance_ms\": -500}", "{\"now_ms\":1674187201500}"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"now_ms\": 1e12}", "{\"now_ms\":1000000000000}"},
        {HTTP_METHOD_GET, 200, "/dev/clock", "", "{\"now_ms\":1000000000000}"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "", "advance_ms"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{}", "advance_ms"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 1674187200500.5}", "whole number"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": null}", "whole number"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": \"1674187200500\"}", "whole number"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 1e300}", "whole number"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 9223372036854775808}", "whole number"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": -5000000}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 0}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 946684799999}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 253402300800000}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 9007199254740992}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"advance_ms\": -53315200001}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"advance_ms\": 9007199254740992}", "2000 to 9999"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"advance_ms\": -9007199254740992}", "2000 to 9999"},
        {HTTP_METHOD_GET, 200, "/dev/clock", "", "{\"now_ms\":1000000000000}"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"now_ms\": 253402300799999}",
            "{\"now_ms\":253402300799999}"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"advance_ms\": 1}", "2000 to 9999"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"now_ms\": 946684800000}", "{\"now_ms\":946684800000}"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"advance_ms\": -1}", "2000 to 9999"},
        {HTTP_METHOD_POST, 200, "/dev/clock", "{\"now_ms\": 1e12}", "{\"now_ms\":1000000000000}"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 5", "advance_ms"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"then_ms\": 5}", "advance_ms"},
        {HTTP_METHOD_POST, 400, "/dev/clock", "{\"now_ms\": 5, \"advance_ms\": 5}", "advance_ms"},
        {HTTP_METHOD_GET, 200, "/dev/token?sub=a&portal=higher", "", "{\"token\":\"ey"},
        {HTTP_METHOD_GET, 200, "/dev/token?portal=higher&sub=%E7%8E%8B+1", "", "{\"token\":\"ey"},
        {HTTP_METHOD_GET, 400, "/dev/token?sub=a", "", "portal"},
        {HTTP_METHOD_GET, 400, "/dev/token?sub=&portal=higher", "", "sub"},
        {HTTP_METHOD_GET, 400, "/dev/token?sub=%0A&portal=higher", "", "sub"},
        {HTTP_METHOD_GET, 400, "/dev/token", "", "sub"},
        {HTTP_METHOD_GET, 200, "/dev/clock", "", "{\"now_ms\":1000000000000}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ask(f, &(struct request){.method = rows[i].method,
                           .path = rows[i].path,
                           .content_type = rows[i].method == HTTP_METHOD_POST ? "application/json" : NULL,
                           .body = slice_of(rows[i].body)});
        assert_answered(f, rows[i].status);
        if (strstr(f->x.out_body.data, rows[i].expected) == NULL)
            fail_msg("%s: %s", rows[i].body, f->x.out_body.data);
    }
}

/* What browsers send: each page is of another origin, of a name that was made to mean 127.0.0.1, or our own.
 */
static void test_no_browser_moves_the_clock(void **state)
{
    static const struct {
        int status;
        const char *content_type;
        const char *origin;
        const char *sec_fetch_site;
        const char *host;
    } rows[] = {
        {403, "text/plain;charset=UTF-8", "https://elsewhere.example", "cross-site", "127.0.0.1:8080"},
        {403, "text/plain;charset=UTF-8", "https://elsewhere.example", NULL, "127.0.0.1:8080"},
        {403, "application/x-www-form-urlencoded", "null", "cross-site", "127.0.0.1:8080"},
        {403, "text/plain", NULL, "cross-site", "127.0.0.1:8080"},
        {403, "application/json", "https://elsewhere.example", "cross-site", "127.0.0.1:8080"},
        {403, "application/json", ORIGIN, "same-site", "127.0.0.1:8080"},
        {403, "application/json", "http://127.0.0.1:8080", "same-origin", "127.0.0.1:8080"},
        {403, "application/json", NULL, "same-origin", "127.0.0.1:8080"},
        {403, "application/json", NULL, "none", "127.0.0.1:8080"},
        {403, "application/json", "http://evil.example:8080", "same-origin", "evil.example:8080"},
        {403, "application/json", NULL, NULL, "evil.example:8080"},
        {415, "text/plain", NULL, NULL, "127.0.0.1:8080"},
        {415, "application/x-www-form-urlencoded", NULL, NULL, "127.0.0.1:8080"},
        {415, "multipart/form-data; boundary=application/json", NULL, NULL, "127.0.0.1:8080"},
        {415, NULL, NULL, NULL, "127.0.0.1:8080"},
        {200, "application/json", NULL, NULL, "127.0.0.1:8080"},
        {200, "Application/JSON; charset=utf-8", NULL, NULL, "localhost:8080"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->clock.offset_ms = 0;
        fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                           .path = "/dev/clock",
                           .content_type = rows[i].content_type,
                           .origin = rows[i].origin,
                           .sec_fetch_site = rows[i].sec_fetch_site,
                           .host = rows[i].host,
                           .body = TEXT("{\"advance_ms\": 1}")});
        assert_answered(f, rows[i].status);
        assert_false(has_header(f, "Access-Control"));
        assert_int_equal(f->clock.offset_ms, rows[i].status == 200);
    }
}

static void test_no_other_origin_reads_what_dev_hands_out(void **state)
{
    static const char *const paths[] = {
        "/dev/token?sub=a&portal=higher", "/dev/clock", "/dev/kafka", "/dev/", "/dev/none"};
    static const enum http_method methods[] = {HTTP_METHOD_GET, HTTP_METHOD_OPTIONS, HTTP_METHOD_OTHER};
    static const char *const origins[] = {ORIGIN, "*"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(paths) * COUNT(methods) * COUNT(origins); i++) {
        snprintf(f->origin, sizeof(f->origin), "%s", origins[i % COUNT(origins)]);
        fixture_ask(f, &(struct request){.method = methods[i / COUNT(origins) % COUNT(methods)],
                           .path = paths[i / COUNT(origins) / COUNT(methods)],
                           .origin = ORIGIN});
        assert_false(has_header(f, "Access-Control"));
    }
}

static void test_dev_is_asked_by_address(void **state)
{
    static const struct {
        const char *host; /* NULL: none, as HTTP/1.0 allows */
        bool admitted;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:8080", true},
        {"[::1]", true},
        {"[::1]:8080", true},
        {"localhost", true},
        {"LocalHost:8080", true},
        {NULL, true},
        {"evil.example", false},
        {"evil.example:8080", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"127.0.0.1x", false},
        {"1.2.3", false},
        {"[127.0.0.1]", false},
        {"[fe80:]", false},
        {"a-name-that-is-longer-than-any-address-is-in-any-family", false},
    };
    static const char *const paths[] = {"/dev/token?sub=a&portal=higher", "/dev/clock", "/dev/kafka"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(paths); i++) {
        const char *host = rows[i / COUNT(paths)].host;
        bool admitted = rows[i / COUNT(paths)].admitted;
        fixture_ask(f, &(struct request){.path = paths[i % COUNT(paths)], .host = host});
        if (f->x.status != (admitted ? 200 : 403))
            fail_msg("%s: %d", host, f->x.status);
        assert_true(admitted || strstr(f->x.out_body.data, "localhost") != NULL);
        fixture_ask(f, &(struct request){.path = "/v1/progress", .host = host});
        assert_answered(f, 401); /* the players' interface may have any name */
        fixture_ask(f, &(struct request){.path = "/dev/", .host = host});
        assert_answered(f, 200); /* so may what is no secret */
    }
}

/* The token of /dev/token is one that opens a session for an hour, for the learner that was asked for. */
static void test_dev_token(void **state)
{
    struct fixture *f = *state;
    struct jwt_claims claims;
    const char *problem;
    struct arena arena = {0};
    struct policy *policy = fixture_policy(&f->config, "");
    fixture_ask(f, &(struct request){.path = "/dev/token?portal=higher&sub=%e7%8e%8b+%261%"});
    assert_answered(f, 200);
    struct slice token = {
        f->x.out_body.data + strlen("{\"token\":\""), f->x.out_body.len - strlen("{\"token\":\"\"}")};
    assert_true(jwt_verify(policy->issuers, token, NOW_MS + HOUR_MS - 1000, &arena, &claims, &problem));
    assert_true(slice_is(claims.portal, "higher"));
    assert_true(slice_is(claims.subject, "王 &1%"));
    assert_false(jwt_verify(policy->issuers, token, NOW_MS + HOUR_MS + 31000, &arena, &claims, &problem));
    policy_unref(policy);
    arena_free(&arena);
}

static void test_nothing_of_dev_without_it(void **state)
{
    static const char *const paths[] = {
        "/dev/", "/dev/token?sub=a&portal=higher", "/dev/clock", "/dev/kafka"};
    struct fixture *f = *state;
    struct policy *policy = fixture_policy(&f->config, "");
    api_free(f->api);
    f->api = api_new(
        &(struct api_settings){
            .config = &f->config, .clock = &f->clock, .store = &f->store, .calls = &fixture_store_calls},
        policy);
    policy_unref(policy);
    for (size_t i = 0; i < COUNT(paths); i++) {
        fixture_ask(f, &(struct request){.path = paths[i]});
        assert_problem(f, 404, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_paths_and_methods),
        API_TEST(test_base_path),
        API_TEST(test_content_types),
        API_TEST(test_origins),
        API_TEST(test_retry_after_grows_and_falls_back),
        API_TEST(test_connections_refused_slow_down_nobody_else),
        API_TEST(test_the_servers_own_errors),
        API_TEST(test_dev_routes),
        API_TEST(test_no_browser_moves_the_clock),
        API_TEST(test_no_other_origin_reads_what_dev_hands_out),
        API_TEST(test_dev_is_asked_by_address),
        API_TEST(test_dev_token),
        API_TEST(test_nothing_of_dev_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
