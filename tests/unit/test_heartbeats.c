/* POST /v1/heartbeats: every run its result, in its place, whatever travels with it and whatever Redis says.
 */
#include "api_fixture.h"

#include "proto/player.pb-c.h"

#define RUN(from, to) RUN_OF(#from, #to, #from, #to, "1")
#define RUN_OF(from, to, media_from, media_to, rate)                                                         \
    "{\"from_ms\":" from ",\"to_ms\":" to ",\"media_from_ms\":" media_from ",\"media_to_ms\":" media_to      \
    ",\"rate\":" rate "}"
#define ACCEPTED(seconds)                                                                                    \
    "{\"status\":\"accepted\",\"credited_seconds\":" #seconds                                                \
    ",\"duplicate_seconds\":0,\"contested_seconds\":0}"
#define REJECTED(reason) "{\"status\":\"rejected\",\"reason\":\"" reason "\"}"
#define RETRY(reason) "{\"status\":\"retry\",\"reason\":\"" reason "\"}"

/*
 * Sessions opened an hour ago; one that has expired, and one whose token is too old even to deliver. The same
 * of a key that is not ours, and one opened by a clock that is ahead of ours, as far as is believed and
 * further.
 */
struct tokens {
    char known[TOKEN_MAX + 1], endless[TOKEN_MAX + 1], winter[TOKEN_MAX + 1], past[TOKEN_MAX + 1],
        gone[TOKEN_MAX + 1], expired[TOKEN_MAX + 1], too_old[TOKEN_MAX + 1], foreign[TOKEN_MAX + 1],
        foreign_expired[TOKEN_MAX + 1], foreign_too_old[TOKEN_MAX + 1], foreign_next[TOKEN_MAX + 1],
        foreign_future[TOKEN_MAX + 1];
};

static void make_tokens(struct fixture *f, struct tokens *t)
{
    fixture_session(f, "ten-minutes", HOUR_MS, t->known);
    fixture_session(f, "endless", HOUR_MS, t->endless);
    fixture_session(f, "winter-1", HOUR_MS, t->winter);
    fixture_session(f, "past-1", HOUR_MS, t->past);
    fixture_session(f, "left-the-catalog", HOUR_MS, t->gone);
    fixture_session(f, "endless", 28 * HOUR_MS, t->expired);
    fixture_session(f, "endless", 28 * HOUR_MS + 1, t->too_old);
    fixture_session_of(f, OTHER_SECRET, "endless", HOUR_MS, t->foreign);
    fixture_session_of(f, OTHER_SECRET, "endless", 28 * HOUR_MS, t->foreign_expired);
    fixture_session_of(f, OTHER_SECRET, "endless", 28 * HOUR_MS + 1, t->foreign_too_old);
    fixture_session_of(f, OTHER_SECRET, "endless", -HOUR_MS, t->foreign_next);
    fixture_session_of(f, OTHER_SECRET, "endless", -HOUR_MS - 1, t->foreign_future);
}

/* ---- requests and results ---- */

static void append_heartbeat(struct buf *b, const char *token, const char *runs)
{
    buf_printf(b, "{\"session_token\":\"%s\",\"runs\":[%s]}", token, runs);
}

static void post(struct fixture *f)
{
    buf_append_char(&f->body, '\0');
    fixture_post(f, "/v1/heartbeats", NULL, f->body.data);
}

static void send_single(struct fixture *f, const char *token, const char *runs)
{
    buf_clear(&f->body);
    append_heartbeat(&f->body, token, runs);
    post(f);
}

static void send_batch(struct fixture *f, const char *const *tokens, const char *const *runs, size_t n)
{
    buf_clear(&f->body);
    buf_append_string(&f->body, "{\"heartbeats\":[");
    for (size_t i = 0; i < n; i++) {
        buf_append_string(&f->body, i > 0 ? "," : "");
        append_heartbeat(&f->body, tokens[i], runs[i]);
    }
    buf_append_string(&f->body, "]}");
    post(f);
}

static void assert_results_and_interval(const struct fixture *f, const char *results, int interval_ms)
{
    struct buf expected = {0};
    assert_answered(f, 200);
    assert_string_equal(f->x.content_type, "application/json");
    assert_true(has_header(f, "Cache-Control: no-store\r\n"));
    buf_printf(&expected, "{\"results\":[%s],\"server_time_ms\":1674187200500,\"heartbeat_interval_ms\":%d}",
        results, interval_ms);
    buf_append_char(&expected, '\0');
    assert_string_equal(f->x.out_body.data, expected.data);
    buf_free(&expected);
}

static void assert_results(const struct fixture *f, const char *results)
{
    assert_results_and_interval(f, results, 15000);
}

/* Where runs wait for the store, they are written. */
static void write_if_submitted(struct fixture *f)
{
    if (f->store.batch != NULL)
        fixture_store_answer(f, NULL);
}

/* ---- single heartbeats ---- */

static void test_every_reason(void **state)
{
    struct fixture *f = *state;
    struct tokens t;
    make_tokens(f, &t);
    const struct {
        const char *token, *run, *result;
    } rows[] = {
        {t.known, RUN(0, 10000), ACCEPTED(10)},
        {t.known, RUN(0, 600000), ACCEPTED(600)},
        {t.known, RUN(501, 1499), ACCEPTED(0)}, /* claims no second */
        {t.known, RUN_OF("0", "10000", "590000", "600000", "1"), ACCEPTED(10)},
        {t.winter, RUN(0, 10000), ACCEPTED(10)},
        {t.known, "{}", REJECTED("malformed")},
        {t.known, "7", REJECTED("malformed")},
        {t.known, RUN(10000, 10000), REJECTED("malformed")},
        {t.known, RUN_OF("0.4", "3000.4", "5.2", "3.0052e3", "1"), ACCEPTED(3)},
        {t.known, RUN_OF("3000.4", "3000.49", "7.1", "7.2", "1"), ACCEPTED(0)},
        {t.endless, RUN_OF("0", "10000", "1674187200500", "1674187210500", "1"), ACCEPTED(10)},
        {t.endless, RUN(0, 600001), REJECTED("too_long")},
        {t.known, RUN_OF("0", "10000", "0", "170000", "17"), REJECTED("rate_too_high")},
        {t.known, RUN_OF("0", "10000", "0", "2000", "0.2"), REJECTED("rate_too_high")},
        {t.known, RUN_OF("0", "10000", "0", "300000", "1"), REJECTED("media_mismatch")},
        {t.known, RUN_OF("0", "10000", "590001", "600001", "1"), REJECTED("outside_lesson")},
        {t.endless, RUN_OF("0", "10000", "4000000", "4010000", "1"), ACCEPTED(10)},
        {t.gone, RUN(0, 10000), RETRY("lesson_unknown")},
        {t.foreign, RUN(0, 10000), RETRY("token_unknown")},
        {t.foreign, RUN(0, 600001), RETRY("token_unknown")},
        {t.foreign, "{}", REJECTED("malformed")},
        {t.foreign_expired, RUN(0, 10000), RETRY("token_unknown")},
        {t.foreign_next, RUN(0, 10000), RETRY("token_unknown")},
        {t.past, RUN(0, 10000), REJECTED("lesson_closed")},
        {t.endless, RUN(3600000, 3605000), ACCEPTED(5)},
        {t.endless, RUN(3600000, 3605001), RETRY("ahead_of_clock")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t before = f->store.submitted;
        send_single(f, rows[i].token, rows[i].run);
        write_if_submitted(f);
        assert_results(f, rows[i].result);
        bool credited =
            strstr(rows[i].result, "accepted") != NULL && strstr(rows[i].result, ":0,\"dup") == NULL;
        assert_int_equal(f->store.submitted - before, credited);
    }
    const struct api_counters *counters = api_counters(f->api);
    assert_int_equal(counters->heartbeats, COUNT(rows));
    assert_int_equal(counters->runs_accepted, 10);
    assert_int_equal(counters->runs_refused[REASON_MALFORMED], 4);
    assert_int_equal(counters->runs_refused[REASON_TOKEN_UNKNOWN], 4);
    assert_int_equal(counters->runs_refused[REASON_AHEAD_OF_CLOCK], 1);
}

static void test_what_is_submitted(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "ten-minutes", HOUR_MS, token);
    send_single(f, token, RUN_OF("1000", "11000", "5000", "15000", "1"));
    const struct store_run *run = f->store.runs;
    int64_t opened_ms = NOW_MS - HOUR_MS;
    assert_int_equal(f->store.n, 1);
    assert_true(slice_is(run->portal, "higher"));
    assert_true(slice_is(run->learner, "teacher-1"));
    assert_true(slice_is(run->lesson, "ten-minutes"));
    assert_true(slice_is(run->course, "open")); /* the catalog's, not the token's */
    assert_int_equal(run->claim.first_second, (opened_ms + 1500) / 1000);
    assert_int_equal(run->claim.end_second, (opened_ms + 11500) / 1000);
    assert_int_equal(run->claim.media_from_ms, 5000);
    assert_int_equal(f->x.answers, 0);
    assert_int_equal(api_pending(f->api), 1);
    fixture_store_answer(f, NULL);
    assert_results(f, ACCEPTED(10));
}

/* What was submitted stays whole when catalog and keys are replaced meanwhile. */
static void test_reload_with_runs_under_way(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "ten-minutes", HOUR_MS, token);
    send_single(f, token, RUN(0, 10000));
    struct policy *policy = fixture_policy(&f->config, "");
    api_set_policy(f->api, policy);
    policy_unref(policy);
    assert_true(slice_is(f->store.runs->course, "open"));
    assert_true(slice_is(f->store.runs->lesson, "ten-minutes"));
    fixture_store_answer(f, NULL);
    assert_results(f, ACCEPTED(10));
}

static void test_a_single_session_refused_as_a_whole(void **state)
{
    struct fixture *f = *state;
    struct tokens t;
    make_tokens(f, &t);
    const struct {
        const char *token, *runs;
        int status; /* 200: with results */
    } rows[] = {
        {"", RUN(0, 1000), 401},
        {"m1.x.y.z", RUN(0, 1000), 401},
        {"m1.x.y.z", "", 401},
        {"m1.x.y.z", "{}", 401},
        {t.foreign_future, RUN(0, 1000), 401},
        {t.foreign_future, "", 401},
        {t.foreign_too_old, RUN(0, 1000), 410},
        {t.foreign, "", 200},
        {t.foreign, "{}", 200},
        {t.too_old, RUN(0, 1000), 410},
        {t.too_old, "", 410},
        {t.too_old, "{}", 410},
        {t.expired, RUN(0, 1000), 200},
        {t.expired, RUN(14400000, 14401000), 410},
        {t.expired, RUN(14400000, 14401000) "," RUN(14399000, 14400001), 410},
        {t.expired, RUN(14400000, 14401000) ",{}", 200},
        {t.expired, RUN(14400000, 14401000) "," RUN(14399000, 14400000), 200},
        {t.expired, "", 200},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        send_single(f, rows[i].token, rows[i].runs);
        write_if_submitted(f);
        assert_answered(f, rows[i].status);
        if (rows[i].status != 200)
            assert_problem(f, rows[i].status, rows[i].status == 401 ? "session_token" : "open a new one");
        assert_int_equal(
            has_header(f, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"), rows[i].status == 401);
    }
    fixture_post(f, "/v1/heartbeats", NULL, "{\"runs\":[{}]}");
    assert_problem(f, 401, "session_token is missing");
}

/* Such a clock may be ahead, and a run that is refused is lost for good. */
static void test_a_clock_that_is_not_settled_calls_no_token_too_old(void **state)
{
    static const enum clock_belief beliefs[] = {CLOCK_CREDIBLE, CLOCK_DOUBTED};
    struct fixture *f = *state;
    struct tokens t;
    make_tokens(f, &t);
    for (size_t i = 0; i < COUNT(beliefs); i++) {
        atomic_store(&f->clock.belief, beliefs[i]);
        send_single(f, t.too_old, RUN(0, 1000));
        assert_results(f, RETRY("unavailable"));
        send_single(f, t.foreign_too_old, RUN(0, 1000));
        assert_results(f, RETRY("unavailable"));
    }
    atomic_store(&f->clock.belief, CLOCK_SETTLED);
    send_single(f, t.too_old, RUN(0, 1000));
    assert_answered(f, 410);
}

/* ---- programs ---- */

/*
 * A token of another program may be of the next one, which a daemon that is newer counts for. Only where the
 * deployment has ended the program will no daemon ever take the run.
 */
static void test_a_session_of_another_program(void **state)
{
    static const struct {
        const char *program;
        const char *lesson;
        const char *runs;
        const char *results;
    } rows[] = {
        {"p", "endless", RUN(14400000, 14401000), NULL},
        {"next", "endless", RUN(0, 10000), RETRY("lesson_unknown")},
        {"next", "past-1", RUN(0, 10000), RETRY("lesson_unknown")},
        {"last", "endless", RUN(0, 10000), REJECTED("lesson_closed")},
        {"last", "gone-since", RUN(0, 10000), REJECTED("lesson_closed")},
        {"last", "endless", RUN(501, 1499), REJECTED("lesson_closed")},
        {"last", "endless", "{}," RUN(0, 600001) "," RUN(0, 1000),
            REJECTED("malformed") "," REJECTED("too_long") "," REJECTED("lesson_closed")},
        {"las", "endless", RUN(0, 10000), RETRY("lesson_unknown")},
    };
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    f->store.ended = "last";
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_session_of_program(f, SLICE_LITERAL(SECRET), rows[i].program, rows[i].lesson, HOUR_MS, token);
        send_single(f, token, rows[i].runs);
        if (rows[i].results == NULL)
            assert_answered(f, 410);
        else
            assert_results(f, rows[i].results);
    }
    assert_int_equal(f->store.submitted, 0);
}

/* ---- batches ---- */

static void test_batches(void **state)
{
    struct fixture *f = *state;
    struct tokens t;
    make_tokens(f, &t);
    const char *const tokens[] = {
        t.known, "m1.x.y.z", t.endless, t.too_old, t.gone, t.winter, t.expired, t.foreign};
    const char *const runs[] = {
        RUN(0, 10000) ",{}," RUN(501, 1499) "," RUN(20000, 25000),
        "{}," RUN(0, 1000) "," RUN(0, 600001),
        "",
        RUN(0, 1000) ",null",
        RUN_OF("0", "1000", "0", "1000", "99") "," RUN(0, 1000),
        RUN(0, 3000),
        RUN(14400000, 14401000),
        RUN(0, 1000) ",{}",
    };
    send_batch(f, tokens, runs, COUNT(tokens));
    assert_int_equal(f->store.n, 3);
    fixture_store_answer(f, (enum store_status[]){STORE_WRITTEN, STORE_TOO_LATE, STORE_WRITTEN});
    static const char first[] =
        ACCEPTED(10) "," REJECTED("malformed") "," ACCEPTED(0) "," REJECTED("too_late");
    static const char bad[] =
        REJECTED("malformed") "," REJECTED("token_invalid") "," REJECTED("token_invalid");
    static const char old[] = REJECTED("session_expired") "," REJECTED("malformed");
    static const char gone[] = REJECTED("rate_too_high") "," RETRY("lesson_unknown");
    static const char last[] = ACCEPTED(3) "," REJECTED("session_expired");
    static const char foreign[] = RETRY("token_unknown") "," REJECTED("malformed");
    char expected[4096];
    snprintf(expected, sizeof(expected), "%s,%s,%s,%s,%s,%s", first, bad, old, gone, last, foreign);
    assert_results(f, expected);
}

static void test_batches_that_need_no_store(void **state)
{
    struct fixture *f = *state;
    struct tokens t;
    make_tokens(f, &t);
    const char *const bad[] = {"m1.x.y.z"};
    const char *const runs[] = {RUN(0, 1000)};
    send_batch(f, bad, runs, 1);
    assert_results(f, REJECTED("token_invalid"));
    send_batch(f, bad, runs, 0);
    assert_results(f, "");
    const char *const expired[] = {t.expired, t.too_old};
    const char *const late_runs[] = {RUN(14400000, 14401000), RUN(0, 1000)};
    send_batch(f, expired, late_runs, 2);
    assert_results(f, REJECTED("session_expired") "," REJECTED("session_expired"));
    fixture_post(f, "/v1/heartbeats", NULL, "{\"heartbeats\":[{\"runs\":[" RUN(0, 1000) "]}]}");
    assert_results(f, REJECTED("token_invalid"));
    assert_int_equal(f->store.submitted, 0);
}

/* After the reload that brings the key and the lesson, what was to be sent again is credited. */
static void test_what_a_reload_makes_known(void **state)
{
    static const struct slice keys[] = {TEXT(SECRET), TEXT("a key that only another daemon has so far")};
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session_of(f, OTHER_SECRET, "left-the-catalog", HOUR_MS, token);
    send_single(f, token, RUN(0, 10000));
    assert_results(f, RETRY("token_unknown"));
    struct policy *policy = fixture_policy(&f->config, "");
    token_keys_free(policy->keys);
    policy->keys = token_keys_new(keys, COUNT(keys));
    api_set_policy(f->api, policy);
    policy_unref(policy);
    send_single(f, token, RUN(0, 10000));
    assert_results(f, RETRY("lesson_unknown"));
    policy = fixture_policy(&f->config, "  - {id: new, hours: 1, lessons: [{id: left-the-catalog}]}\n");
    token_keys_free(policy->keys);
    policy->keys = token_keys_new(keys, COUNT(keys));
    api_set_policy(f->api, policy);
    policy_unref(policy);
    send_single(f, token, RUN(0, 10000));
    write_if_submitted(f);
    assert_results(f, ACCEPTED(10));
}

/* ---- the store ---- */

static void test_what_the_store_says(void **state)
{
#define W STORE_WRITTEN
#define L STORE_TOO_LATE
#define U STORE_UNAVAILABLE
    static const struct {
        enum store_status statuses[3];
        const char *results; /* NULL: 503 */
    } rows[] = {
        {{W, W, W}, ACCEPTED(1) "," ACCEPTED(1) "," ACCEPTED(1)},
        {{W, U, U}, ACCEPTED(1) "," RETRY("unavailable") "," RETRY("unavailable")},
        {{U, W, L}, RETRY("unavailable") "," ACCEPTED(1) "," REJECTED("too_late")},
        {{L, L, L}, REJECTED("too_late") "," REJECTED("too_late") "," REJECTED("too_late")},
        {{U, U, U}, NULL},
        {{L, U, L}, NULL},
    };
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "endless", HOUR_MS, token);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf expected = {0};
        send_single(f, token, "{}," RUN(0, 1000) "," RUN(1000, 2000) "," RUN(2000, 3000));
        fixture_store_answer(f, rows[i].statuses);
        if (rows[i].results == NULL) {
            assert_problem(f, 503, "later");
            assert_true(has_header(f, "Retry-After: "));
            continue;
        }
        buf_append_string(&expected, REJECTED("malformed") ",");
        buf_append_string(&expected, rows[i].results);
        buf_append_char(&expected, '\0');
        assert_results(f, expected.data);
        buf_free(&expected);
    }
    assert_int_equal(api_counters(f->api)->requests_shed, 2);
    assert_int_equal(api_counters(f->api)->runs_refused[REASON_UNAVAILABLE], 3);
    assert_int_equal(api_counters(f->api)->runs_refused[REASON_TOO_LATE], 4);
}

static void test_counts_are_the_stores(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "endless", HOUR_MS, token);
    send_single(f, token, RUN(0, 9000));
    struct store_batch *batch = f->store.batch;
    f->store.batch = NULL;
    f->store.runs[0].status = STORE_WRITTEN;
    f->store.runs[0].credited_seconds = 2;
    f->store.runs[0].duplicate_seconds = 3;
    f->store.runs[0].contested_seconds = 4;
    batch->done(batch, batch->ctx);
    assert_results(f, "{\"status\":\"accepted\",\"credited_seconds\":2,\"duplicate_seconds\":3,"
                      "\"contested_seconds\":4}");
}

static void test_the_interval_grows_with_the_stores_age(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "endless", HOUR_MS, token);
    f->store.age_ms = 525;
    send_single(f, token, "");
    assert_results_and_interval(f, "", 37500);
    f->store.age_ms = 5000;
    send_single(f, token, "");
    assert_results_and_interval(f, "", 60000);
}

static void test_nothing_is_read_while_shedding(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    fixture_session(f, "endless", HOUR_MS, token);
    f->store.admits = false;
    send_single(f, token, RUN(0, 1000));
    assert_problem(f, 503, "later");
    assert_int_equal(f->store.submitted, 0);
    assert_int_equal(api_counters(f->api)->heartbeats, 0);
}

static void test_as_many_as_may_be(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    struct buf runs = {0};
    fixture_session(f, "endless", HOUR_MS, token);
    for (int i = 0; i < 257; i++) {
        buf_printf(&runs,
            "%s{\"from_ms\":%d,\"to_ms\":%d,\"media_from_ms\":0,\"media_to_ms\":1000,\"rate\":1}",
            i > 0 ? "," : "", i * 1000, i * 1000 + 1000);
        if (i != 255)
            continue;
        buf_append_char(&runs, '\0');
        send_single(f, token, runs.data);
        runs.len--;
        assert_int_equal(f->store.n, 256);
        fixture_store_answer(f, NULL);
        assert_answered(f, 200);
    }
    buf_append_char(&runs, '\0');
    send_single(f, token, runs.data);
    assert_problem(f, 413, "more than 256 runs");
    buf_free(&runs);
}

static void test_protobuf(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 1];
    uint8_t body[TOKEN_MAX + 64];
    Minuted__V1__Run run = MINUTED__V1__RUN__INIT;
    Minuted__V1__Run good = MINUTED__V1__RUN__INIT;
    Minuted__V1__Run *runs[] = {&run, &good};
    Minuted__V1__HeartbeatRequest message = MINUTED__V1__HEARTBEAT_REQUEST__INIT;
    fixture_session(f, "endless", HOUR_MS, token);
    good.has_from_ms = good.has_to_ms = good.has_media_from_ms = good.has_media_to_ms = good.has_rate = true;
    good.to_ms = good.media_to_ms = 7000;
    good.rate = 1;
    message.has_session_token = true;
    message.session_token = (ProtobufCBinaryData){strlen(token), (uint8_t *)token};
    message.n_runs = COUNT(runs);
    message.runs = runs;
    size_t len = minuted__v1__heartbeat_request__pack(&message, body);
    fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                       .path = "/v1/heartbeats",
                       .content_type = "application/x-protobuf",
                       .body = {(const char *)body, len}});
    fixture_store_answer(f, NULL);
    assert_answered(f, 200);
    assert_string_equal(f->x.content_type, "application/protobuf");
    Minuted__V1__HeartbeatResponse *answer =
        minuted__v1__heartbeat_response__unpack(NULL, f->x.out_body.len, (const uint8_t *)f->x.out_body.data);
    assert_non_null(answer);
    assert_int_equal(answer->n_results, 2);
    assert_int_equal(answer->results[0]->reason, MINUTED__V1__REASON__MALFORMED);
    assert_int_equal(answer->results[1]->credited_seconds, 7);
    minuted__v1__heartbeat_response__free_unpacked(answer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_every_reason),
        API_TEST(test_what_is_submitted),
        API_TEST(test_reload_with_runs_under_way),
        API_TEST(test_a_single_session_refused_as_a_whole),
        API_TEST(test_batches),
        API_TEST(test_a_clock_that_is_not_settled_calls_no_token_too_old),
        API_TEST(test_a_session_of_another_program),
        API_TEST(test_batches_that_need_no_store),
        API_TEST(test_what_a_reload_makes_known),
        API_TEST(test_what_the_store_says),
        API_TEST(test_counts_are_the_stores),
        API_TEST(test_the_interval_grows_with_the_stores_age),
        API_TEST(test_nothing_is_read_while_shedding),
        API_TEST(test_as_many_as_may_be),
        API_TEST(test_protobuf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
