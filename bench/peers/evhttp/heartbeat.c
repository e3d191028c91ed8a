/* POST /v1/heartbeats with one run. */
#include "evhttp/heartbeat.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>

#include "api/codec_json.h"
#include "api/problem.h"
#include "base/clock.h"
#include "base/mem.h"

enum { INTERVAL_MS = 15000, HORIZON_MS = 86400000 };

/* The rules that minuted has where nothing is configured. */
static const struct claim_rules rules = {.max_run_ms = 600000, .clock_slack_ms = 5000, .max_rate = 2.0};

/* A run on its way to Redis, with the token's strings that it points to. */
struct peer_crediting {
    struct peer *peer;
    struct evhttp_request *request;
    struct store_run run;
    char token[TOKEN_MAX];
};

/* ---- answering ---- */

static void send_body(struct peer *peer, struct evhttp_request *request, int status, const char *type)
{
    struct evbuffer *out = evbuffer_new();
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
    evbuffer_add(out, peer->body.data, peer->body.len);
    evhttp_send_reply(request, status, NULL, out);
    evbuffer_free(out);
}

static void send_problem(struct peer *peer, struct evhttp_request *request, int status, const char *detail)
{
    buf_clear(&peer->body);
    problem_write(&peer->body, status, detail);
    if (status == 503)
        evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After", "2");
    send_body(peer, request, status, PROBLEM_TYPE);
}

static void send_result(struct peer *peer, struct evhttp_request *request, const struct run_result *result)
{
    struct heartbeat_answer answer = {result, 1, clock_system_ms(), INTERVAL_MS};
    buf_clear(&peer->body);
    codec_json.encode_heartbeats(&peer->body, &answer);
    send_body(peer, request, 200, codec_json.content_type);
}

static void send_reason(struct peer *peer, struct evhttp_request *request, enum run_reason reason)
{
    struct run_result result = {.status = claim_reason_status(reason), .reason = reason};
    if (reason == REASON_SESSION_EXPIRED)
        send_problem(peer, request, 410, "the session has expired");
    else
        send_result(peer, request, &result);
}

static void on_credited(struct store_run *run, void *ctx)
{
    struct peer_crediting *c = ctx;
    struct run_result result = {.status = RUN_ACCEPTED,
        .credited_seconds = run->credited_seconds,
        .duplicate_seconds = run->duplicate_seconds,
        .contested_seconds = run->contested_seconds};
    if (run->status == STORE_UNAVAILABLE)
        send_problem(c->peer, c->request, 503, "Redis does not answer");
    else if (run->status == STORE_TOO_LATE)
        send_reason(c->peer, c->request, REASON_TOO_LATE);
    else
        send_result(c->peer, c->request, &result);
    free(c);
}

/* ---- judging ---- */

/* Takes C over. */
static void judge(
    struct peer_crediting *c, const struct session *session, const struct run *given, int64_t now_ms)
{
    const struct lesson *lesson = catalog_find_lesson(c->peer->catalog, session->lesson);
    struct run_result nothing = {.status = RUN_ACCEPTED};
    struct claim *claim = &c->run.claim;
    enum run_reason reason =
        claim_judge(&rules, &session->time, lesson == NULL ? NULL : &lesson->allows, now_ms, given, claim);
    if (reason == REASON_NONE && lesson != NULL && claim->first_second < claim->end_second) {
        c->run.portal = session->portal;
        c->run.learner = session->learner;
        c->run.lesson = session->lesson;
        c->run.course = slice_of(lesson->course->id);
        redis_calls_credit(c->peer->redis, &c->run, now_ms, on_credited, c);
        return;
    }
    if (reason == REASON_NONE)
        send_result(c->peer, c->request, &nothing);
    else
        send_reason(c->peer, c->request, reason);
    free(c);
}

static void credit(struct peer *peer, struct evhttp_request *request, const struct heartbeat *heartbeat)
{
    struct session session;
    int64_t now_ms = clock_system_ms();
    struct peer_crediting *c = mem_zalloc(sizeof(*c));
    c->peer = peer;
    c->request = request;
    bool known = heartbeat->token.len <= TOKEN_MAX &&
                 token_verify(peer->signer, heartbeat->token, &session, c->token) == TOKEN_GOOD;
    if (known && now_ms <= session.time.expiry_ms + HORIZON_MS) {
        judge(c, &session, heartbeat->runs, now_ms);
        return;
    }
    if (known)
        send_reason(peer, request, REASON_SESSION_EXPIRED);
    else
        send_problem(peer, request, 401, "session_token is none that was given out here");
    free(c);
}

void heartbeat_handle(struct evhttp_request *request, void *ctx)
{
    struct peer *peer = ctx;
    struct evbuffer *in = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(in);
    struct slice body = {len > 0 ? (const char *)evbuffer_pullup(in, -1) : "", len};
    struct heartbeat_request read;
    char detail[DETAIL_MAX];
    arena_reset(&peer->arena);
    int status = codec_json.decode_heartbeats(body, &peer->arena, &read, detail);
    if (status != 0)
        send_problem(peer, request, status, detail);
    else if (!read.single || read.n_runs != 1)
        send_problem(peer, request, 400, "this peer takes one heartbeat with one run");
    else
        credit(peer, request, read.heartbeats);
}
