/* GET /v1/progress: who is asked for, and what is made of what Redis holds. */
#include "api_fixture.h"

#include "proto/player.pb-c.h"
#include "store/values.h"

static void ask(struct fixture *f, const char *authorization, const char *accept)
{
    fixture_ask(
        f, &(struct request){.path = "/v1/progress", .authorization = authorization, .accept = accept});
}

/* ---- who asks ---- */

static void test_who_asks(void **state)
{
    struct fixture *f = *state;
    char fresh[TOKEN_MAX + 16] = "Bearer ", expired[TOKEN_MAX + 16] = "Bearer ",
                           too_old[TOKEN_MAX + 16] = "Bearer ";
    char stale[JWT_MAX + 16];
    fixture_session(f, "endless", HOUR_MS, fresh + strlen(fresh));
    fixture_session(f, "endless", 28 * HOUR_MS, expired + strlen(expired));
    fixture_session(f, "endless", 28 * HOUR_MS + 1, too_old + strlen(too_old));
    snprintf(stale, sizeof(stale), "%s", fixture_jwt(f, "teacher-2", -HOUR_MS));
    const struct {
        const char *authorization;
        const char *learner; /* NULL: 401 */
        const char *detail;
    } rows[] = {
        {fixture_jwt(f, "teacher-2", HOUR_MS), "teacher-2", NULL},
        {fresh, "teacher-1", NULL},
        {expired, "teacher-1", NULL},
        {too_old, NULL, "the session token has expired"},
        {stale, NULL, ""},
        {"Bearer m1.x.y.z", NULL, "not issued here"},
        {"Bearer m1.", NULL, "not issued here"},
        {"Bearer x", NULL, ""},
        {NULL, NULL, "Authorization: Bearer"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(f, rows[i].authorization, NULL);
        if (rows[i].learner == NULL) {
            assert_problem(f, 401, rows[i].detail);
            assert_int_equal(has_header(f, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"),
                rows[i].authorization != NULL);
            continue;
        }
        assert_int_equal(api_pending(f->api), 1);
        assert_string_equal(f->store.portal, "higher");
        assert_string_equal(f->store.learner, rows[i].learner);
        fixture_progress_answer(f, true, NULL, 0);
        assert_answered(f, 200);
    }
}

/* The fault may be this daemon's own, so the page must not take its learner for one who is not logged in. */
static void test_a_key_of_another_daemon(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 16] = "Bearer ";
    fixture_session_of(f, OTHER_SECRET, "endless", HOUR_MS, token + strlen(token));
    ask(f, token, NULL);
    assert_problem(f, 503, "not known to this daemon");
    assert_true(has_header(f, "Retry-After: "));
    assert_int_equal(
        api_counters(f->api)->requests_shed, 0); /* anybody can write such a token: it slows down nobody */
    fixture_session_of(f, OTHER_SECRET, "endless", 28 * HOUR_MS + 1, token + strlen("Bearer "));
    ask(f, token, NULL);
    assert_problem(f, 401, "has expired");
    fixture_session_of(f, OTHER_SECRET, "endless", -2 * HOUR_MS, token + strlen("Bearer "));
    ask(f, token, NULL);
    assert_problem(f, 401, "not issued here");
}

static void test_a_session_of_another_program(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_MAX + 16] = "Bearer ";
    char *at = token + strlen(token);
    f->store.ended = "last";
    fixture_session_of_program(f, SLICE_LITERAL(SECRET), "next", "endless", HOUR_MS, at);
    ask(f, token, NULL);
    assert_problem(f, 503, "does not count for");
    assert_true(has_header(f, "Retry-After: "));
    fixture_session_of_program(f, SLICE_LITERAL(SECRET), "last", "endless", HOUR_MS, at);
    ask(f, token, NULL);
    assert_problem(f, 401, "has ended");
}

static void test_redis_away(void **state)
{
    struct fixture *f = *state;
    f->store.admits = false;
    ask(f, fixture_jwt(f, "teacher-1", HOUR_MS), NULL);
    assert_problem(f, 503, "later");
    ask(f, NULL, NULL);
    assert_problem(f, 401, "");
    f->store.admits = true;
    ask(f, f->header, NULL);
    fixture_progress_answer(f, false, NULL, 0);
    assert_problem(f, 503, "later");
    assert_true(has_header(f, "Retry-After: "));
    assert_int_equal(api_counters(f->api)->progress, 0);
}

/* ---- what is answered ---- */

#define COURSES(open_s, open_h, winter_s, winter_h)                                                          \
    "\"courses\":[{\"course_id\":\"open\",\"title\":\"Open\",\"watched_seconds\":" open_s                    \
    ",\"hours_learned\":" open_h ",\"hours_max\":1,\"opens\":null,\"closes\":null},"                         \
    "{\"course_id\":\"winter\",\"title\":\"Winter \\\"1\\\"\",\"watched_seconds\":" winter_s                 \
    ",\"hours_learned\":" winter_h ",\"hours_max\":2,\"opens\":\"2023-01-05\",\"closes\":\"2023-02-28\"},"   \
    "{\"course_id\":\"past\",\"title\":\"\",\"watched_seconds\":0,\"hours_learned\":0,\"hours_max\":1,"      \
    "\"opens\":\"2022-01-01\",\"closes\":\"2022-01-31\"},"                                                   \
    "{\"course_id\":\"future\",\"title\":\"\",\"watched_seconds\":0,\"hours_learned\":0,\"hours_max\":1,"    \
    "\"opens\":\"2024-01-01\",\"closes\":null}]"

#define LESSON(lesson, course, watched, covered, ratio)                                                      \
    "{\"lesson_id\":\"" lesson "\",\"course_id\":\"" course "\",\"watched_seconds\":" watched                \
    ",\"covered_seconds\":" covered ",\"covered_ratio\":" ratio "}"

static void test_answers(void **state)
{
    static const struct {
        struct lesson_total totals[4];
        size_t n;
        const char *body;
    } rows[] = {
        {{{.lesson = TEXT("")}}, 0,
            "{\"total\":{\"watched_seconds\":0,\"hours_learned\":0,\"hours_max\":6}," COURSES(
                "0", "0", "0", "0") ",\"lessons\":[]}"},
        {{{.lesson = TEXT("ten-minutes"),
              .course = TEXT("open"),
              .watched_seconds = 5400,
              .covered_seconds = 200,
              .last_minute = 1},
             {.lesson = TEXT("winter-1"),
                 .course = TEXT("winter"),
                 .watched_seconds = 1,
                 .covered_seconds = 1,
                 .last_minute = 1}},
            2,
            "{\"total\":{\"watched_seconds\":5401,\"hours_learned\":2.0003703704,\"hours_max\":6}," COURSES(
                "5400", "2", "1", "0.0003703704") ",\"lessons\":[" LESSON("ten-minutes", "open", "5400",
                "200", "0.3333") "," LESSON("winter-1", "winter", "1", "1", "null") "]}"},
        /* more covered than the catalog says now; a lesson moved, one left, one left with its course; one not
           watched */
        {{{.lesson = TEXT("ten-minutes"),
              .course = TEXT("winter"),
              .watched_seconds = 2700,
              .covered_seconds = 700,
              .last_minute = 1},
             {.lesson = TEXT("left"),
                 .course = TEXT("winter"),
                 .watched_seconds = 1350,
                 .covered_seconds = 9,
                 .last_minute = 1},
             {.lesson = TEXT("left-2"),
                 .course = TEXT("gone"),
                 .watched_seconds = 2700,
                 .covered_seconds = 0,
                 .last_minute = 1},
             {.lesson = TEXT("endless"),
                 .course = TEXT("open"),
                 .watched_seconds = 0,
                 .covered_seconds = 0,
                 .last_minute = 1}},
            4,
            "{\"total\":{\"watched_seconds\":6750,\"hours_learned\":2.5,\"hours_max\":6}," COURSES("2700",
                "1", "1350",
                "0.5") ",\"lessons\":[" LESSON("ten-minutes", "open", "2700", "700", "1") "," LESSON("left",
                "winter", "1350", "9", "null") "," LESSON("left-2", "gone", "2700", "0", "null") "]}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(f, fixture_jwt(f, "teacher-1", HOUR_MS), "application/json");
        fixture_progress_answer(f, true, rows[i].totals, rows[i].n);
        assert_answered(f, 200);
        assert_string_equal(f->x.out_body.data, rows[i].body);
        assert_string_equal(f->x.content_type, "application/json");
        assert_true(has_header(f, "Cache-Control: no-store\r\n"));
    }
    assert_int_equal(api_counters(f->api)->progress, COUNT(rows));
}

static void test_protobuf(void **state)
{
    static const struct lesson_total totals[] = {{.lesson = TEXT("ten-minutes"),
                                                     .course = TEXT("open"),
                                                     .watched_seconds = 5400,
                                                     .covered_seconds = 200,
                                                     .last_minute = 1},
        {.lesson = TEXT("winter-1"),
            .course = TEXT("winter"),
            .watched_seconds = 1,
            .covered_seconds = 1,
            .last_minute = 1}};
    struct fixture *f = *state;
    ask(f, fixture_jwt(f, "teacher-1", HOUR_MS), "application/protobuf");
    fixture_progress_answer(f, true, totals, COUNT(totals));
    assert_answered(f, 200);
    assert_string_equal(f->x.content_type, "application/protobuf");
    Minuted__V1__Progress *p =
        minuted__v1__progress__unpack(NULL, f->x.out_body.len, (const uint8_t *)f->x.out_body.data);
    assert_non_null(p);
    assert_int_equal(p->total->watched_seconds, 5401);
    assert_true(p->total->hours_max == 6);
    assert_int_equal(p->n_courses, 4);
    assert_true(p->courses[0]->hours_learned == 2);
    assert_false(p->courses[0]->has_opens || p->courses[0]->has_closes);
    assert_int_equal(p->courses[1]->closes.len, strlen("2023-02-28"));
    assert_true(p->courses[3]->has_opens && !p->courses[3]->has_closes);
    assert_int_equal(p->n_lessons, 2);
    assert_int_equal(p->lessons[0]->covered_seconds, 200);
    assert_true(p->lessons[0]->covered_ratio == 0.3333);
    assert_false(p->lessons[1]->has_covered_ratio);
    minuted__v1__progress__free_unpacked(p, NULL);
}

/* The catalog in force when Redis answers is the one that is shown. */
static void test_reload_while_redis_is_asked(void **state)
{
    static const struct lesson_total total = {.lesson = TEXT("new-1"),
        .course = TEXT("new"),
        .watched_seconds = 2700,
        .covered_seconds = 0,
        .last_minute = 1};
    struct fixture *f = *state;
    struct policy *policy = fixture_policy(&f->config, "  - {id: new, hours: 1, lessons: [{id: new-1}]}\n");
    ask(f, fixture_jwt(f, "teacher-1", HOUR_MS), NULL);
    api_set_policy(f->api, policy);
    policy_unref(policy);
    fixture_progress_answer(f, true, &total, 1);
    assert_answered(f, 200);
    assert_non_null(
        strstr(f->x.out_body.data, "{\"course_id\":\"new\",\"title\":\"\",\"watched_seconds\":2700,"));
}

/* Protobuf is answered where Accept names it, JSON else. */
static void test_accept(void **state)
{
    static const struct {
        const char *accept;
        const char *type;
    } rows[] = {
        {"", "application/json"},
        {"*/*", "application/json"},
        {"application/json", "application/json"},
        {"application/protobuf", "application/protobuf"},
        {"application/x-protobuf;q=0.9", "application/protobuf"},
        {"text/html, application/protobuf", "application/protobuf"},
        {",,", "application/json"},
    };
    struct fixture *f = *state;
    fixture_jwt(f, "teacher-1", HOUR_MS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(f, f->header, rows[i].accept);
        fixture_progress_answer(f, true, NULL, 0);
        assert_answered(f, 200);
        assert_string_equal(f->x.content_type, rows[i].type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_who_asks),
        API_TEST(test_a_key_of_another_daemon),
        API_TEST(test_a_session_of_another_program),
        API_TEST(test_redis_away),
        API_TEST(test_answers),
        API_TEST(test_protobuf),
        API_TEST(test_accept),
        API_TEST(test_reload_while_redis_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
