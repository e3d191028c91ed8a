/*
 * POST /v1/heartbeats: every run is judged alone, credited in one batch, and answered in its place.
 *
 *     decode -> verify each token once -> judge each run -> submit what claims a second -> answer
 */
#include "api/answer.h"

/* One request. Lives in the exchange's arena until it is answered. */
struct crediting {
    struct api *api;
    struct http_exchange *x;
    enum media_type type;
    bool single;
    struct run_result *results; /* one a run, in order */
    size_t n;
    struct store_run *runs; /* those that claim a second */
    size_t *places;         /* of runs[] among results[] */
    size_t n_runs;
    struct store_batch batch;
};

/* ---- answering ---- */

static void count_results(struct api *api, const struct crediting *c)
{
    for (size_t i = 0; i < c->n; i++) {
        _Atomic uint64_t *counter = c->results[i].status == RUN_ACCEPTED
                                        ? &api->counters.runs_accepted
                                        : &api->counters.runs_refused[c->results[i].reason];
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    }
}

static bool all_expired(const struct crediting *c)
{
    size_t n = 0;
    while (n < c->n && c->results[n].reason == REASON_SESSION_EXPIRED)
        n++;
    return n > 0 && n == c->n;
}

static void answer_results(struct crediting *c)
{
    struct api *api = c->api;
    count_results(api, c);
    if (c->single && all_expired(c)) {
        answer_problem(api, c->x, 410, "the session has expired: open a new one", NULL);
        return;
    }
    struct heartbeat_answer answer = {
        .results = c->results,
        .n = c->n,
        .server_time_ms = clock_now_ms(api->settings.clock),
        .heartbeat_interval_ms = api_interval_ms(api),
    };
    buf_clear(&api->body);
    encode_heartbeats(c->type, &api->body, &answer);
    answer_body(api, c->x, 200, media_type_name(c->type));
}

static struct run_result refused(enum run_reason reason)
{
    return (struct run_result){.status = run_reason_status(reason), .reason = reason};
}

static struct run_result result_of(const struct store_run *run)
{
    if (run->status == STORE_UNAVAILABLE)
        return refused(REASON_UNAVAILABLE);
    if (run->status == STORE_TOO_LATE)
        return refused(REASON_TOO_LATE);
    return (struct run_result){
        .status = RUN_ACCEPTED,
        .credited_seconds = run->credited_seconds,
        .duplicate_seconds = run->duplicate_seconds,
        .contested_seconds = run->contested_seconds,
    };
}

static void on_credited(struct store_batch *batch, void *ctx)
{
    struct crediting *c = ctx;
    size_t unavailable = 0;
    (void)batch;
    for (size_t i = 0; i < c->n_runs; i++) {
        c->results[c->places[i]] = result_of(&c->runs[i]);
        unavailable += c->runs[i].status == STORE_UNAVAILABLE;
    }
    /* nothing at all was stored: the whole request may as well be sent again */
    if (unavailable == c->n_runs)
        answer_unavailable(c->api, c->x);
    else
        answer_results(c);
}

/* ---- judging ---- */

static struct claim_rules rules_of(const struct config *config)
{
    return (struct claim_rules){
        config->heartbeats.max_run_ms, config->heartbeats.clock_slack_ms, config->heartbeats.max_rate};
}

/* What a heartbeat's runs have in common. */
struct speaker {
    enum run_reason reason; /* why none of its runs can be accepted; REASON_NONE: they can */
    struct session session;
    const struct lesson *lesson; /* NULL: not in the catalog any more */
};

static void identify(
    struct api *api, struct http_exchange *x, struct slice token, int64_t now_ms, struct speaker *speaker)
{
    char *storage = arena_alloc(http_arena(x), TOKEN_MAX);
    *speaker = (struct speaker){.reason = REASON_NONE};
    if (storage == NULL || token.ptr == NULL ||
        !token_verify(api->signer, token, &speaker->session, storage)) {
        speaker->reason = REASON_TOKEN_INVALID;
        return;
    }
    if (now_ms > speaker->session.time.expiry_ms + api->settings.config->heartbeats.horizon_ms)
        speaker->reason = REASON_SESSION_EXPIRED;
    speaker->lesson = catalog_find_lesson(api->policy->catalog, speaker->session.lesson);
}

static void judge(struct crediting *c, const struct speaker *speaker, const struct run *run, int64_t now_ms)
{
    struct claim_rules rules = rules_of(c->api->settings.config);
    struct claim claim;
    size_t place = c->n++;
    enum run_reason reason = claim_judge(&rules, &speaker->session.time,
        speaker->lesson == NULL ? NULL : &speaker->lesson->allows, now_ms, run, &claim);
    if (speaker->reason != REASON_NONE && reason != REASON_MALFORMED)
        reason = speaker->reason;
    c->results[place] = refused(reason);
    if (reason != REASON_NONE || claim.first_second >= claim.end_second)
        return;
    c->places[c->n_runs] = place;
    c->runs[c->n_runs++] = (struct store_run){
        .claim = claim,
        .portal = speaker->session.portal,
        .learner = speaker->session.learner,
        .lesson = speaker->session.lesson,
        .course = slice_of(speaker->lesson->course->id),
    };
}

static struct crediting *new_crediting(
    struct api *api, struct http_exchange *x, enum media_type type, const struct heartbeat_request *request)
{
    struct arena *arena = http_arena(x);
    struct crediting *c = arena_alloc(arena, sizeof(*c));
    c->api = api;
    c->x = x;
    c->type = type;
    c->single = request->single;
    c->results = arena_alloc(arena, request->n_runs * sizeof(*c->results));
    c->runs = arena_alloc(arena, request->n_runs * sizeof(*c->runs));
    c->places = arena_alloc(arena, request->n_runs * sizeof(*c->places));
    c->batch = (struct store_batch){.done = on_credited, .ctx = c};
    return c;
}

/* The one session of a single heartbeat is refused as a whole; true when it was answered so. */
static bool refuse_single(struct crediting *c, const struct speaker *speaker)
{
    if (!c->single || speaker->reason == REASON_NONE)
        return false;
    if (speaker->reason == REASON_TOKEN_INVALID)
        answer_problem(c->api, c->x, 401, "the session token is not valid here",
            "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    else
        answer_problem(c->api, c->x, 410, "the session has expired: open a new one", NULL);
    return true;
}

static void credit(
    struct api *api, struct http_exchange *x, enum media_type type, const struct heartbeat_request *request)
{
    struct crediting *c = new_crediting(api, x, type, request);
    int64_t now_ms = clock_now_ms(api->settings.clock);
    for (size_t i = 0; i < request->n; i++) {
        const struct heartbeat *heartbeat = &request->heartbeats[i];
        struct speaker speaker;
        identify(api, x, heartbeat->token, now_ms, &speaker);
        if (refuse_single(c, &speaker))
            return;
        for (size_t k = 0; k < heartbeat->n_runs; k++)
            judge(c, &speaker, &heartbeat->runs[k], now_ms);
    }
    if (c->n_runs == 0)
        answer_results(c);
    else
        store_submit(api->settings.store, &c->batch, c->runs, c->n_runs);
}

void heartbeats_handle(struct api *api, struct http_exchange *x)
{
    enum media_type type = media_type_of(http_header(x, HTTP_HEADER_CONTENT_TYPE));
    struct heartbeat_request request;
    char detail[DETAIL_MAX];
    if (!store_admits(api->settings.store)) {
        answer_unavailable(api, x);
        return;
    }
    int status = decode_heartbeats(type, http_body(x), http_arena(x), &request, detail);
    if (status != 0) {
        answer_problem(api, x, status, detail, NULL);
        return;
    }
    atomic_fetch_add_explicit(&api->counters.heartbeats, 1, memory_order_relaxed);
    credit(api, x, type, &request);
}
