/* What is served from the program itself: forms, tags and conditions; and /dev/minutes. */
#include "api_fixture.h"
#include "embedded/dev_html.h"
#include "embedded/minuted_d_ts.h"
#include "embedded/minuted_d_ts_gz.h"
#include "embedded/minuted_js.h"
#include "embedded/minuted_js_gz.h"
#include "embedded/minuted_mjs.h"
#include "embedded/minuted_mjs_gz.h"
#include "store/values.h"

#define SCRIPT "/v1/minuted.js"
#define EMBEDDED(symbol) (symbol), sizeof(symbol) - 1, (symbol##_sha256)

static void assert_sent(const struct fixture *f, const unsigned char *bytes, size_t len)
{
    assert_int_equal(f->x.out_body.len, len);
    assert_memory_equal(f->x.out_body.data, bytes, len);
}

static void assert_tag(const struct fixture *f, const char *sha256)
{
    char line[128];
    snprintf(line, sizeof(line), "ETag: \"%s\"\r\n", sha256);
    assert_true(has_header(f, line));
}

static void test_what_is_where(void **state)
{
    static const struct {
        const char *path;
        const char *accept_encoding;
        const char *content_type;
        const char *cache;
        const unsigned char *bytes;
        size_t len;
        const char *sha256;
        bool packed;
    } rows[] = {
        {SCRIPT, "", "text/javascript; charset=utf-8", "public, max-age=3600", EMBEDDED(minuted_js), false},
        {SCRIPT, "gzip", "text/javascript; charset=utf-8", "public, max-age=3600", EMBEDDED(minuted_js_gz),
            true},
        {SCRIPT "?v=2", "br", "text/javascript; charset=utf-8", "public, max-age=3600", EMBEDDED(minuted_js),
            false},
        {"/v1/minuted.mjs", "", "text/javascript; charset=utf-8", "public, max-age=3600",
            EMBEDDED(minuted_mjs), false},
        {"/v1/minuted.mjs", "*", "text/javascript; charset=utf-8", "public, max-age=3600",
            EMBEDDED(minuted_mjs_gz), true},
        {"/v1/minuted.d.ts", "gzip;q=0", "text/plain; charset=utf-8", "public, max-age=3600",
            EMBEDDED(minuted_d_ts), false},
        {"/v1/minuted.d.ts", "gzip", "text/plain; charset=utf-8", "public, max-age=3600",
            EMBEDDED(minuted_d_ts_gz), true},
        {"/dev/", "gzip", "text/html; charset=utf-8", "no-cache", EMBEDDED(dev_html), false},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char cache[64];
        snprintf(cache, sizeof(cache), "Cache-Control: %s\r\n", rows[i].cache);
        fixture_ask(f, &(struct request){.path = rows[i].path, .accept_encoding = rows[i].accept_encoding});
        assert_answered(f, 200);
        assert_sent(f, rows[i].bytes, rows[i].len);
        assert_tag(f, rows[i].sha256);
        assert_string_equal(f->x.content_type, rows[i].content_type);
        assert_true(has_header(f, cache));
        assert_true(has_header(f, "X-Content-Type-Options: nosniff\r\n"));
        assert_int_equal(has_header(f, "Content-Encoding: gzip\r\n"), rows[i].packed);
        assert_int_equal(has_header(f, "Vary: Accept-Encoding\r\n"), rows[i].path[1] == 'v');
    }
}

/* Whoever asks, the answer is the same: a cache may give it to anybody. */
static void test_every_origin_may_read_the_library(void **state)
{
    static const char *const origins[] = {"", ORIGIN, "https://elsewhere.example", "null"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(origins); i++) {
        fixture_ask(f, &(struct request){.path = SCRIPT, .origin = origins[i]});
        assert_answered(f, 200);
        assert_true(has_header(f, "Access-Control-Allow-Origin: *\r\n"));
        assert_true(has_header(f, "Cross-Origin-Resource-Policy: cross-origin\r\n"));
        assert_false(has_header(f, "Origin\r\n"));
    }
    fixture_ask(f, &(struct request){.path = "/dev/", .origin = ORIGIN});
    assert_false(has_header(f, "Access-Control"));
    assert_true(has_header(f, "Content-Security-Policy: default-src 'self'"));
}

static void test_methods(void **state)
{
    static const char *const paths[] = {SCRIPT, "/v1/minuted.mjs", "/v1/minuted.d.ts", "/dev/"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        fixture_ask(f, &(struct request){.method = HTTP_METHOD_HEAD, .path = paths[i]});
        assert_answered(f, 200);
        fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST, .path = paths[i]});
        assert_problem(f, 405, "");
        assert_true(has_header(f, "Allow: GET, HEAD, OPTIONS\r\n"));
        fixture_ask(f, &(struct request){.method = HTTP_METHOD_OPTIONS, .path = paths[i], .origin = ORIGIN});
        assert_answered(f, 204);
        assert_int_equal(has_header(f, "Access-Control-Allow-Methods: GET, HEAD\r\n"),
            strncmp(paths[i], "/dev/", strlen("/dev/")) != 0);
    }
}

static void test_not_modified(void **state)
{
    static const struct {
        const char *path;
        const char *accept_encoding;
        const char *tags;
        int status;
    } rows[] = {
        {SCRIPT, "", "\"" minuted_js_sha256 "\"", 304},
        {SCRIPT, "gzip", "\"" minuted_js_gz_sha256 "\"", 304},
        {SCRIPT, "gzip", "W/\"x\", W/\"" minuted_js_gz_sha256 "\"", 304},
        {SCRIPT, "", "*", 304},
        {SCRIPT, "gzip", "\"" minuted_js_sha256 "\"", 200},
        {SCRIPT, "", "\"" minuted_js_gz_sha256 "\"", 200},
        {SCRIPT, "", "\"x\"", 200},
        {SCRIPT, "", minuted_js_sha256, 200},
        {"/dev/", "", "\"" dev_html_sha256 "\"", 304},
    };
    static const enum http_method methods[] = {HTTP_METHOD_GET, HTTP_METHOD_HEAD};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(methods); i++) {
        size_t row = i / COUNT(methods);
        fixture_ask(f, &(struct request){.method = methods[i % COUNT(methods)],
                           .path = rows[row].path,
                           .accept_encoding = rows[row].accept_encoding,
                           .if_none_match = rows[row].tags});
        assert_answered(f, rows[row].status);
        assert_true(has_header(f, "ETag: \""));
        assert_true(has_header(f, "Cache-Control: "));
        assert_int_equal(has_header(f, "Vary: Accept-Encoding\r\n"), rows[row].path[1] == 'v');
        if (rows[row].status == 304)
            assert_int_equal(f->x.out_body.len, 0);
    }
}

static void test_base_path(void **state)
{
    struct fixture *f = *state;
    snprintf(f->base_path, sizeof(f->base_path), "/x");
    fixture_ask(f, &(struct request){.path = "/x" SCRIPT});
    assert_answered(f, 200);
    assert_sent(f, minuted_js, sizeof(minuted_js) - 1);
    fixture_ask(f, &(struct request){.path = SCRIPT});
    assert_answered(f, 404);
}

static void test_without_dev(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{SCRIPT, 200}, {"/v1/minuted.mjs", 200}, {"/v1/minuted.d.ts", 200}, {"/dev/", 404},
        {"/dev/minutes?portal=higher&sub=a", 404}};
    struct fixture *f = *state;
    struct policy *policy = fixture_policy(&f->config, "");
    api_free(f->api);
    f->api = api_new(
        &(struct api_settings){
            .config = &f->config, .clock = &f->clock, .store = &f->store, .calls = &fixture_store_calls},
        policy);
    policy_unref(policy);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ask(f, &(struct request){.path = rows[i].path});
        assert_answered(f, rows[i].status);
    }
}

/* ---- /dev/minutes ---- */

#define MINUTES "/dev/minutes?portal=higher&sub=%E7%8E%8B+1"

enum { NOW_BUCKET = NOW_MS / 600000 };

static void test_minutes(void **state)
{
    static const struct store_minute earlier[] = {
        {NOW_BUCKET * 10 - 3, TEXT("a"), 1},
        {NOW_BUCKET * 10 - 1, TEXT("b"), UINT64_C(0x0fffffffffffffff)},
    };
    static const struct store_minute current[] = {{NOW_BUCKET * 10, TEXT("a"), UINT64_C(0x0800000000000000)}};
    struct fixture *f = *state;
    fixture_ask(f, &(struct request){.path = MINUTES});
    assert_string_equal(f->store.portal, "higher");
    assert_string_equal(f->store.learner, "王 1");
    assert_int_equal(f->store.bucket, NOW_BUCKET - 1);
    fixture_minutes_answer(f, true, earlier, COUNT(earlier));
    assert_int_equal(f->store.bucket, NOW_BUCKET);
    fixture_minutes_answer(f, true, current, COUNT(current));
    assert_answered(f, 200);
    assert_string_equal(f->x.content_type, "application/json");
    assert_true(has_header(f, "Cache-Control: no-store\r\n"));
    assert_string_equal(f->x.out_body.data,
        "{\"now_ms\":1674187200500,\"minutes\":["
        "{\"minute_start\":1674187020,\"lesson_id\":\"a\",\"seconds_mask\":\"000000000000001\"},"
        "{\"minute_start\":1674187140,\"lesson_id\":\"b\",\"seconds_mask\":\"fffffffffffffff\"},"
        "{\"minute_start\":1674187200,\"lesson_id\":\"a\",\"seconds_mask\":\"800000000000000\"}]}");
}

static void test_minutes_of_nobody(void **state)
{
    struct fixture *f = *state;
    fixture_ask(f, &(struct request){.path = MINUTES});
    fixture_minutes_answer(f, true, NULL, 0);
    fixture_minutes_answer(f, true, NULL, 0);
    assert_answered(f, 200);
    assert_string_equal(f->x.out_body.data, "{\"now_ms\":1674187200500,\"minutes\":[]}");
}

static void test_minutes_without_redis(void **state)
{
    struct fixture *f = *state;
    fixture_ask(f, &(struct request){.path = MINUTES});
    fixture_minutes_answer(f, false, NULL, 0);
    assert_problem(f, 503, "");
    fixture_ask(f, &(struct request){.path = MINUTES});
    fixture_minutes_answer(f, true, NULL, 0);
    fixture_minutes_answer(f, false, NULL, 0);
    assert_problem(f, 503, "");
    f->store.admits = false;
    fixture_ask(f, &(struct request){.path = MINUTES});
    assert_problem(f, 503, "");
}

static void test_minutes_of_whom(void **state)
{
    static const char *const paths[] = {"/dev/minutes", "/dev/minutes?portal=higher", "/dev/minutes?sub=a",
        "/dev/minutes?portal=high+er&sub=a", "/dev/minutes?portal=higher&sub=%0A"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        fixture_ask(f, &(struct request){.path = paths[i]});
        assert_problem(f, 400, "/dev/minutes?sub=");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_what_is_where),
        API_TEST(test_every_origin_may_read_the_library),
        API_TEST(test_methods),
        API_TEST(test_not_modified),
        API_TEST(test_base_path),
        API_TEST(test_without_dev),
        API_TEST(test_minutes),
        API_TEST(test_minutes_of_nobody),
        API_TEST(test_minutes_without_redis),
        API_TEST(test_minutes_of_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
