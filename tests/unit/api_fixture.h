/*
 * An api between a server and a store that the tests make up, under a clock that stands still: the api is
 * given a clock that is held, the store's functions and the exchange's responder, so neither sockets nor
 * Redis are near.
 *
 *     fixture_ask() -> api_handle() -> fixture_respond(): what was answered
 *                            |-> fixture_store_submit(), …_progress(), …_minutes(): kept until
 *                                fixture_store_answer(), …_progress_answer() or …_minutes_answer()
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "identity/jwt.h"
#include "store/values.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }

#define NOW_MS INT64_C(1674187200500) /* 2023-01-20 04:00:00.5 UTC */
#define HOUR_MS INT64_C(3600000)
#define ORIGIN "https://player.example"
#define SECRET "a secret of at least thirty-two bytes"
#define OTHER_SECRET SLICE_LITERAL("a key that only another daemon has so far")
#define PROBLEM "application/problem+json"

/* ---- the server ---- */

/* A request and what was answered to it. */
struct asked {
    struct http_exchange http; /* the first member: the responder finds the rest by it */
    int answers;
    int status;
    const char *content_type; /* a literal */
    struct buf out_headers;   /* NUL-terminated */
    struct buf out_body;      /* NUL-terminated, the NUL not counted */
};

/* Keeps the answer. The arena's memory goes, so that a use after the answer is seen. */
static inline void fixture_respond(struct http_exchange *http, const struct http_response *response)
{
    struct asked *x = (struct asked *)http;
    x->answers++;
    x->status = response->status;
    x->content_type = response->content_type;
    buf_append_string(&x->out_headers, response->headers != NULL ? response->headers : "");
    buf_append_char(&x->out_headers, '\0');
    buf_append_slice(&x->out_body, response->body);
    buf_append_char(&x->out_body, '\0');
    x->out_body.len--;
    arena_free(&http->arena);
}

/* ---- the store ---- */

struct store {
    bool admits;
    const char *ended; /* a program; NULL: none */
    int64_t age_ms;
    struct store_batch *batch; /* submitted and not yet done */
    struct store_run *runs;
    size_t n;
    size_t submitted; /* runs, ever */
    store_progress_done *asked;
    store_minutes_done *minutes_asked;
    int minutes_unanswered;
    int64_t bucket;
    void *ask_ctx;
    char portal[ID_MAX + 1]; /* of whom is asked */
    char learner[ID_NAME_MAX + 1];
};

static inline bool fixture_store_admits(struct store *s)
{
    return s->admits;
}

static inline bool fixture_store_has_ended(struct store *s, struct slice program)
{
    return s->ended != NULL && slice_is(program, s->ended);
}

static inline int64_t fixture_store_age_ms(struct store *s)
{
    return s->age_ms;
}

static inline void fixture_store_submit(
    struct store *s, struct store_batch *batch, struct store_run *runs, size_t n)
{
    assert_null(s->batch);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_true(runs[i].claim.first_second < runs[i].claim.end_second);
    s->batch = batch;
    s->runs = runs;
    s->n = n;
    s->submitted += n;
}

static inline void fixture_store_progress(
    struct store *s, struct slice portal, struct slice learner, store_progress_done *done, void *ctx)
{
    memcpy(s->portal, portal.ptr, portal.len);
    memcpy(s->learner, learner.ptr, learner.len);
    s->asked = done;
    s->ask_ctx = ctx;
}

static inline void fixture_store_minutes(struct store *s, struct slice portal, struct slice learner,
    int64_t bucket, store_minutes_done *done, void *ctx)
{
    memcpy(s->portal, portal.ptr, portal.len);
    memcpy(s->learner, learner.ptr, learner.len);
    s->bucket = bucket;
    s->minutes_asked = done;
    s->minutes_unanswered++;
    s->ask_ctx = ctx;
}

static const struct api_store_calls fixture_store_calls = {
    .admits = fixture_store_admits,
    .has_ended = fixture_store_has_ended,
    .age_ms = fixture_store_age_ms,
    .submit = fixture_store_submit,
    .progress = fixture_store_progress,
    .minutes = fixture_store_minutes,
};

/* ---- all of it ---- */

struct fixture {
    struct config config;
    char base_path[8];
    char origin[64];
    char *origins[1];
    struct clock clock;
    struct store store;
    struct api_dev dev;
    struct api *api;
    struct asked x;  /* the newest */
    struct buf body; /* of the request, where a test writes it piece by piece */
    char jwt[JWT_MAX];
    char header[JWT_MAX + 16]; /* `Bearer …` */
};

/* The catalog that the tests know, with FURTHER courses, YAML as well. */
static inline struct policy *fixture_policy(const struct config *config, const char *further)
{
    static const char text[] =
        "program: p\ntimezone: UTC\nminutes_per_hour: 45\nhours_max: 6\n"
        "portals:\n  - {id: higher, tests: none}\n"
        "courses:\n"
        "  - {id: open, title: Open, hours: 1, lessons: [{id: ten-minutes, length: 600}, "
        "{id: endless}]}\n"
        "  - {id: winter, title: \"Winter \\\"1\\\"\", opens: 2023-01-05, closes: 2023-02-28, "
        "hours: 2, lessons: [{id: winter-1}]}\n"
        "  - {id: past, hours: 1, opens: 2022-01-01, closes: 2022-01-31, lessons: [{id: past-1}]}\n"
        "  - {id: future, hours: 1, opens: 2024-01-01, lessons: [{id: future-1}]}\n";
    static const struct slice secret = TEXT(SECRET);
    struct policy *policy = mem_zalloc(sizeof(*policy));
    struct buf yaml = {0};
    char *error = NULL;
    atomic_init(&policy->references, 1);
    buf_append_string(&yaml, text);
    buf_append_string(&yaml, further);
    policy->catalog = catalog_parse("test", buf_slice(&yaml), &error);
    assert_null(error);
    policy->issuers = jwt_issuers_load_dev(config, secret, &error);
    assert_null(error);
    policy->keys = token_keys_new(&secret, 1);
    buf_free(&yaml);
    return policy;
}

/* A token of the platform for LEARNER, EXPIRES_MS after now, as an Authorization header. */
static inline const char *fixture_jwt(struct fixture *f, const char *learner, int64_t expires_ms)
{
    int64_t at_ms = clock_now_ms(&f->clock) + expires_ms;
    size_t len = jwt_sign_dev(f->dev.secret, SLICE_LITERAL("higher"), slice_of(learner), at_ms, f->jwt);
    f->jwt[len] = '\0';
    snprintf(f->header, sizeof(f->header), "Bearer %s", f->jwt);
    return f->header;
}

/*
 * A session's token of PROGRAM with a lesson, opened AGO_MS before now and signed with KEY, into TOKEN
 * (TOKEN_MAX + 1 bytes).
 */
static inline char *fixture_session_of_program(
    struct fixture *f, struct slice key, const char *program, const char *lesson, int64_t ago_ms, char *token)
{
    struct token_keys *keys = token_keys_new(&key, 1);
    struct token_signer *signer = token_signer_new(keys);
    int64_t anchor_ms = clock_now_ms(&f->clock) - ago_ms;
    struct session session = {
        .time = {anchor_ms, anchor_ms + 4 * HOUR_MS},
        .program = slice_of(program),
        .portal = SLICE_LITERAL("higher"),
        .learner = SLICE_LITERAL("teacher-1"),
        .course = SLICE_LITERAL("of-old"),
        .lesson = slice_of(lesson),
    };
    token_sign(signer, &session, token);
    token_signer_free(signer);
    token_keys_free(keys);
    return token;
}

/* The same of the fixture's own program. */
static inline char *fixture_session_of(
    struct fixture *f, struct slice key, const char *lesson, int64_t ago_ms, char *token)
{
    return fixture_session_of_program(f, key, "p", lesson, ago_ms, token);
}

static inline char *fixture_session(struct fixture *f, const char *lesson, int64_t ago_ms, char *token)
{
    return fixture_session_of(f, SLICE_LITERAL(SECRET), lesson, ago_ms, token);
}

static inline int fixture_start(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    snprintf(f->origin, sizeof(f->origin), "%s", ORIGIN);
    f->origins[0] = f->origin;
    f->config.http.base_path = f->base_path;
    f->config.http.allowed_origins = (struct string_list){f->origins, 1};
    f->config.heartbeats.interval_ms = 15000;
    f->config.heartbeats.max_interval_ms = 60000;
    f->config.heartbeats.max_run_ms = 600000;
    f->config.heartbeats.horizon_ms = 24 * HOUR_MS;
    f->config.heartbeats.clock_slack_ms = 5000;
    f->config.heartbeats.max_rate = 16;
    f->store.admits = true;
    f->dev = (struct api_dev){&f->clock, TEXT(SECRET), "127.0.0.1:9092"};
    f->clock.system_ms = NOW_MS;
    f->clock.steady_ms = 1;
    struct api_settings settings = {.config = &f->config,
        .clock = &f->clock,
        .store = &f->store,
        .calls = &fixture_store_calls,
        .dev = &f->dev,
        .jitter = 1000};
    struct policy *policy = fixture_policy(&f->config, "");
    f->api = api_new(&settings, policy);
    policy_unref(policy);
    *state = f;
    return 0;
}

static inline void fixture_forget(struct fixture *f)
{
    arena_free(&f->x.http.arena);
    http_request_free(&f->x.http.request);
    buf_free(&f->x.out_headers);
    buf_free(&f->x.out_body);
    f->x = (struct asked){.http = {.respond = fixture_respond, .handed = true}};
}

static inline int fixture_stop(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(api_pending(f->api), 0);
    fixture_forget(f);
    api_free(f->api);
    buf_free(&f->body);
    free(f);
    return 0;
}

#define API_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_start, fixture_stop)

/* A request to be handled; what its headers name must live until it is answered. */
struct request {
    enum http_method method;
    const char *path;
    const char *content_type;
    const char *authorization;
    const char *accept;
    const char *origin;
    const char *accept_encoding;
    const char *if_none_match;
    const char *host;
    const char *sec_fetch_site;
    struct slice body; /* is copied */
};

static inline struct slice header_of(const char *value)
{
    return slice_of(value != NULL ? value : "");
}

/* Hands a request to the api; its answer is in f->x, now or later. */
static inline void fixture_ask(struct fixture *f, const struct request *request)
{
    fixture_forget(f);
    struct head *head = &f->x.http.request.head;
    head->method = request->method;
    head->path = slice_of(request->path);
    char *query = strchr(request->path, '?');
    if (query != NULL) {
        head->path.len = (size_t)(query - request->path);
        head->query = slice_of(query + 1);
    }
    buf_append_slice(&f->x.http.request.body, request->body);
    head->headers[HTTP_HEADER_CONTENT_TYPE] = header_of(request->content_type);
    head->headers[HTTP_HEADER_AUTHORIZATION] = header_of(request->authorization);
    head->headers[HTTP_HEADER_ACCEPT] = header_of(request->accept);
    head->headers[HTTP_HEADER_ORIGIN] = header_of(request->origin);
    head->headers[HTTP_HEADER_ACCEPT_ENCODING] = header_of(request->accept_encoding);
    head->headers[HTTP_HEADER_IF_NONE_MATCH] = header_of(request->if_none_match);
    head->headers[HTTP_HEADER_HOST] = header_of(request->host);
    head->headers[HTTP_HEADER_SEC_FETCH_SITE] = header_of(request->sec_fetch_site);
    api_handle(f->api, &f->x.http);
}

static inline void fixture_post(
    struct fixture *f, const char *path, const char *authorization, const char *json)
{
    fixture_ask(f, &(struct request){.method = HTTP_METHOD_POST,
                       .path = path,
                       .content_type = "application/json",
                       .authorization = authorization,
                       .body = slice_of(json)});
}

static inline void assert_answered(const struct fixture *f, int status)
{
    if (f->x.answers == 1 && f->x.status != status)
        print_error("%s\n", f->x.out_body.data);
    assert_int_equal(f->x.answers, 1);
    assert_int_equal(f->x.status, status);
    assert_int_equal(api_pending(f->api), 0);
}

static inline bool has_header(const struct fixture *f, const char *line)
{
    return strstr(f->x.out_headers.data, line) != NULL;
}

/* A problem whose detail holds WANTED. */
static inline void assert_problem(const struct fixture *f, int status, const char *wanted)
{
    char member[32];
    assert_answered(f, status);
    assert_string_equal(f->x.content_type, PROBLEM);
    snprintf(member, sizeof(member), "\"status\":%d,", status);
    assert_non_null(strstr(f->x.out_body.data, member));
    const char *detail = strstr(f->x.out_body.data, "\"detail\":");
    if (detail == NULL || strstr(detail, wanted) == NULL)
        fail_msg("%s is not in %s", wanted, f->x.out_body.data);
}

/* Ends the batch; STATUSES has one for each submitted run, NULL means that all were written. */
static inline void fixture_store_answer(struct fixture *f, const enum store_status *statuses)
{
    struct store_batch *batch = f->store.batch;
    assert_non_null(batch);
    for (size_t i = 0; i < f->store.n; i++) {
        struct store_run *run = &f->store.runs[i];
        run->status = statuses != NULL ? statuses[i] : STORE_WRITTEN;
        if (run->status == STORE_WRITTEN)
            run->credited_seconds = (uint32_t)(run->claim.end_second - run->claim.first_second);
    }
    f->store.batch = NULL;
    batch->done(batch, batch->ctx);
}

static inline void fixture_progress_answer(
    struct fixture *f, bool ok, const struct lesson_total *lessons, size_t n)
{
    assert_non_null(f->store.asked);
    f->store.asked(f->store.ask_ctx, ok, lessons, n);
    f->store.asked = NULL;
}

/* It may ask again. */
static inline void fixture_minutes_answer(
    struct fixture *f, bool ok, const struct store_minute *minutes, size_t n)
{
    assert_int_equal(f->store.minutes_unanswered--, 1);
    f->store.minutes_asked(f->store.ask_ctx, ok, minutes, n);
}
