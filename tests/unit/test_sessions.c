/* POST /v1/sessions: who may open one, for what, and what the answer promises. */
#include "api_fixture.h"

#include "base/json.h"

#define BODY(lesson) "{\"lesson_id\":\"" lesson "\",\"device_id\":\"phone\"}"
#define BYTES_16 "0123456789abcdef"
#define BYTES_64 BYTES_16 BYTES_16 BYTES_16 BYTES_16

static void test_who_may_open_what(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *detail;
    } rows[] = {
        {BODY("ten-minutes"), 201, ""},
        {BODY("winter-1"), 201, ""},
        {"{\"device_id\":\"王老师的手机\",\"lesson_id\":\"endless\",\"app\":[1]}", 201, ""},
        {"{\"lesson_id\":\"endless\",\"device_id\":\"" BYTES_64 BYTES_64 "\"}", 201, ""},
        {"{\"lesson_id\":\"endless\"}", 201, ""},
        {"\xef\xbb\xbf{\"device_id\":null,\"lesson_id\":\"endless\",\"app\":null}\n", 201, ""},
        {BODY("nowhere"), 404, "no such lesson"},
        {BODY("open"), 404, "no such lesson"},
        {BODY("past-1"), 403, "the course past opens on 2022-01-01 and closes at the end of 2022-01-31"},
        {BODY("future-1"), 403, "the course future opens on 2024-01-01\""},
        {BODY(""), 400, "lesson_id is not"},
        {BODY("a/b"), 400, "lesson_id is not"},
        {BODY("课"), 400, "lesson_id is not"},
        {BODY("endless\\u0000"), 400, "lesson_id is not"},
        {BODY(BYTES_64 "x"), 400, "lesson_id is not"},
        {"{\"device_id\":\"d\"}", 400, "lesson_id is missing"},
        {"{\"lesson_id\":5,\"device_id\":\"d\"}", 400, "lesson_id is missing"},
        {"{\"lesson_id\":\"endless\",\"device_id\":7}", 400, "device_id is not"},
        {"{\"lesson_id\":null,\"device_id\":\"d\"}", 400, "lesson_id is missing"},
        {"{\"lesson_id\":\"endless\",\"device_id\":\"\"}", 400, "device_id is not"},
        {"{\"lesson_id\":\"endless\",\"device_id\":\"a\\u0007\"}", 400, "device_id is not"},
        {"{\"lesson_id\":\"endless\",\"device_id\":\"" BYTES_64 BYTES_64 "x\"}", 400, "device_id is not"},
        {"{\"lesson_id\":\"a\",\"lesson_id\":\"a\",\"device_id\":\"d\"}", 400, "lesson_id is given twice"},
        {"[]", 400, "at byte 0"},
        {"", 400, "at byte 0"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_post(f, "/v1/sessions", fixture_jwt(f, "teacher-1", HOUR_MS), rows[i].body);
        if (rows[i].status == 201)
            assert_answered(f, 201);
        else
            assert_problem(f, rows[i].status, rows[i].detail);
        assert_true(has_header(f, "Cache-Control: no-store\r\n"));
    }
    assert_int_equal(api_counters(f->api)->sessions, 6);
    assert_int_equal(api_counters(f->api)->requests_refused, COUNT(rows) - 6);
}

static void test_the_window_is_half_open(void **state)
{
    static const struct {
        int64_t now_ms;
        int status;
    } rows[] = {
        {INT64_C(1672876799999), 403}, {INT64_C(1672876800000), 201}, /* 2023-01-05 */
        {INT64_C(1677628799999), 201}, {INT64_C(1677628800000), 403}, /* 2023-03-01 */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->clock.offset_ms = rows[i].now_ms - NOW_MS;
        fixture_post(f, "/v1/sessions", fixture_jwt(f, "teacher-1", HOUR_MS), BODY("winter-1"));
        assert_answered(f, rows[i].status);
    }
}

static void test_platform_tokens(void **state)
{
    struct fixture *f = *state;
    char expired[JWT_MAX + 16];
    char session[TOKEN_MAX + 16] = "Bearer ";
    char lower[JWT_MAX + 16];
    snprintf(expired, sizeof(expired), "%s", fixture_jwt(f, "teacher-1", -31000));
    fixture_session(f, "endless", 0, session + strlen(session));
    snprintf(lower, sizeof(lower), "bearer   %s", fixture_jwt(f, "teacher-1", HOUR_MS) + strlen("Bearer "));
    const struct {
        const char *authorization;
        int status;
        const char *challenge;
    } rows[] = {
        {NULL, 401, "WWW-Authenticate: Bearer\r\n"},
        {"", 401, "WWW-Authenticate: Bearer\r\n"},
        {"Bearer", 401, "WWW-Authenticate: Bearer\r\n"},
        {"Bearer ", 401, "WWW-Authenticate: Bearer\r\n"},
        {"Basic eDp5", 401, "WWW-Authenticate: Bearer\r\n"},
        {"Bearer x", 401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"},
        {expired, 401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"},
        {session, 401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"},
        {lower, 201, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_post(f, "/v1/sessions", rows[i].authorization, BODY("endless"));
        if (rows[i].status == 401)
            assert_problem(f, 401, "");
        assert_answered(f, rows[i].status);
        assert_true(has_header(f, rows[i].challenge));
    }
}

/* The members of an answer. */
struct opened {
    struct slice id, token;
    int64_t server_time_ms, expires_at_ms, heartbeat_interval_ms;
};

static struct opened read_opened(const struct fixture *f, struct arena *arena)
{
    struct opened opened = {0};
    struct json_reader r;
    struct json_number number;
    struct slice name;
    json_read(&r, (struct slice){f->x.out_body.data, f->x.out_body.len}, arena);
    assert_true(json_object(&r));
    while (json_member(&r, &name)) {
        if (json_next_type(&r) == JSON_STRING) {
            assert_true(json_string(&r, slice_is(name, "session_id") ? &opened.id : &opened.token));
            continue;
        }
        assert_true(json_number(&r, &number));
        *(slice_is(name, "server_time_ms")    ? &opened.server_time_ms
            : slice_is(name, "expires_at_ms") ? &opened.expires_at_ms
                                              : &opened.heartbeat_interval_ms) = number.integer;
    }
    assert_true(json_end(&r));
    return opened;
}

static void test_the_answer(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct policy *policy = fixture_policy(&f->config, "");
    struct token_signer *signer = token_signer_new(policy->keys);
    struct session session;
    char storage[TOKEN_MAX];
    char first_id[32];
    f->clock.offset_ms = 77;
    f->store.age_ms = 525;
    fixture_post(f, "/v1/sessions", fixture_jwt(f, "王老师", HOUR_MS), BODY("winter-1"));
    assert_answered(f, 201);
    struct opened opened = read_opened(f, &arena);
    assert_int_equal(opened.server_time_ms, NOW_MS + 77);
    assert_int_equal(opened.expires_at_ms, NOW_MS + 77 + 4 * HOUR_MS);
    assert_int_equal(opened.heartbeat_interval_ms, 37500);
    assert_int_equal(opened.id.len, 22); /* 16 bytes in base64url */
    assert_int_equal(token_verify(signer, opened.token, &session, storage), TOKEN_GOOD);
    assert_int_equal(session.time.anchor_ms, opened.server_time_ms);
    assert_int_equal(session.time.expiry_ms, opened.expires_at_ms);
    assert_true(slice_is(session.portal, "higher"));
    assert_true(slice_is(session.learner, "王老师"));
    assert_true(slice_is(session.lesson, "winter-1"));
    assert_true(slice_is(session.course, "winter"));
    snprintf(first_id, sizeof(first_id), "%.*s", SLICE_ARG(opened.id));
    fixture_post(f, "/v1/sessions", f->header, BODY("winter-1"));
    opened = read_opened(f, &arena);
    assert_false(slice_is(opened.id, first_id));
    token_signer_free(signer);
    policy_unref(policy);
    arena_free(&arena);
}

/* Nothing is stored for a session, so one can be opened while Redis is away. */
static void test_no_store_is_needed(void **state)
{
    struct fixture *f = *state;
    f->store.admits = false;
    fixture_post(f, "/v1/sessions", fixture_jwt(f, "teacher-1", HOUR_MS), BODY("endless"));
    assert_answered(f, 201);
}

/* A session anchored in the past would let its player claim time that has not been watched. */
static void test_a_clock_in_doubt_anchors_nothing(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->clock.belief, CLOCK_DOUBTED);
    fixture_post(f, "/v1/sessions", fixture_jwt(f, "teacher-1", HOUR_MS), BODY("endless"));
    assert_answered(f, 503);
}

static void test_protobuf(void **state)
{
    struct fixture *f = *state;
    fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                       .path = "/v1/sessions",
                       .content_type = "application/protobuf",
                       .authorization = fixture_jwt(f, "teacher-1", HOUR_MS),
                       .body = TEXT("\x0a\x07"
                                    "endless"
                                    "\x12\x01"
                                    "d")});
    assert_answered(f, 201);
    assert_string_equal(f->x.content_type, "application/protobuf");
    fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                       .path = "/v1/sessions",
                       .content_type = "application/protobuf",
                       .authorization = f->header,
                       .body = TEXT("\x0a\x07"
                                    "endless")});
    assert_answered(f, 201);
    fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                       .path = "/v1/sessions",
                       .content_type = "application/protobuf",
                       .authorization = f->header,
                       .body = TEXT("\x12\x01"
                                    "d")});
    assert_problem(f, 400, "lesson_id is missing");
}

/* A reload changes keys and catalog for what comes next. */
static void test_reload(void **state)
{
    struct fixture *f = *state;
    struct policy *policy = fixture_policy(&f->config, "  - {id: new, hours: 1, lessons: [{id: new-1}]}\n");
    fixture_post(f, "/v1/sessions", fixture_jwt(f, "teacher-1", HOUR_MS), BODY("new-1"));
    assert_answered(f, 404);
    api_set_policy(f->api, policy);
    policy_unref(policy);
    fixture_post(f, "/v1/sessions", f->header, BODY("new-1"));
    assert_answered(f, 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_who_may_open_what),
        API_TEST(test_the_window_is_half_open),
        API_TEST(test_platform_tokens),
        API_TEST(test_the_answer),
        API_TEST(test_no_store_is_needed),
        API_TEST(test_a_clock_in_doubt_anchors_nothing),
        API_TEST(test_protobuf),
        API_TEST(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
