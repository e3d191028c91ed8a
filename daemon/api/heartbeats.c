/*
 * POST /v1/heartbeats.
 *
 *     decode -> verify each token once -> judge each run -> submit what claims a second -> answer
 */
#include "api/heartbeats.h"

#include <assert.h>

#include "api/answer.h"
#include "api/codec.h"

/* One request. Lives in the exchange's arena until it is answered. */
struct crediting {
    struct api *api;
    struct http_exchange *x;
    const struct codec *codec;
    bool single;
    int64_t now_ms;
    struct claim_rules rules;
    struct run_result *results; /* one a run, in order */
    size_t n;
    struct store_run *runs; /* those that claim a second */
    size_t *places;         /* of runs[] among results[] */
    size_t n_runs;
    struct store_batch batch;
};

/* ---- answering ---- */

static void count_refused(struct api *api, enum run_reason reason, size_t n)
{
    atomic_fetch_add_explicit(&api->counters.runs_refused[reason], n, memory_order_relaxed);
}

static void answer_expired(struct api *api, struct http_exchange *x)
{
    answer_problem(api, x, 410, "the session has expired: open a new one", NULL);
}

static void answer_results(struct crediting *c)
{
    struct api *api = c->api;
    size_t expired = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->results[i].status == RUN_ACCEPTED)
            atomic_fetch_add_explicit(&api->counters.runs_accepted, 1, memory_order_relaxed);
        else
            count_refused(api, c->results[i].reason, 1);
        expired += c->results[i].reason == REASON_SESSION_EXPIRED;
    }
    if (c->single && c->n > 0 && expired == c->n) {
        answer_expired(api, c->x);
        return;
    }
    struct heartbeat_answer answer = {
        .results = c->results,
        .n = c->n,
        .server_time_ms = clock_now_ms(api->settings.clock),
        .heartbeat_interval_ms = answer_interval_ms(api),
    };
    buf_clear(&api->body);
    c->codec->encode_heartbeats(&api->body, &answer);
    answer_body(api, c->x, 200, c->codec->content_type);
}

static struct run_result result_of(enum run_reason reason)
{
    return (struct run_result){.status = claim_reason_status(reason), .reason = reason};
}

static struct run_result result_of_stored(const struct store_run *run)
{
    if (run->status == STORE_UNAVAILABLE)
        return result_of(REASON_UNAVAILABLE);
    if (run->status == STORE_TOO_LATE)
        return result_of(REASON_TOO_LATE);
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
    size_t written = 0;
    size_t unavailable = 0;
    (void)batch;
    for (size_t i = 0; i < c->n_runs; i++) {
        c->results[c->places[i]] = result_of_stored(&c->runs[i]);
        written += c->runs[i].status == STORE_WRITTEN;
        unavailable += c->runs[i].status == STORE_UNAVAILABLE;
    }
    if (written > 0)
        answer_served(c->api);
    /* nothing is lost by sending all of it again, and Retry-After says when */
    if (written == 0 && unavailable > 0)
        answer_unavailable(c->api, c->x);
    else
        answer_results(c);
}

/* ---- judging ---- */

/* What the runs of a heartbeat have in common. */
struct speaker {
    enum run_reason reason;            /* why none of its runs can be accepted; REASON_NONE: they can */
    struct session session;            /* zeros when the token is not valid */
    const struct claim_lesson *lesson; /* NULL: not in this daemon's catalog */
    struct slice course;               /* that the lesson belongs to now */
    bool program_ended;                /* the session's, so that no daemon will ever know the lesson */
};

static struct speaker identify(struct crediting *c, struct slice token)
{
    static const enum run_reason reasons[] = {
        [TOKEN_GOOD] = REASON_NONE,
        [TOKEN_INVALID] = REASON_TOKEN_INVALID,
        [TOKEN_EXPIRED] = REASON_SESSION_EXPIRED,
        [TOKEN_UNKNOWN] = REASON_TOKEN_UNKNOWN,
    };
    struct speaker speaker = {0};
    struct session session;
    char *storage = arena_alloc(&c->x->arena, token.len <= TOKEN_MAX ? token.len : 0);
    enum token_verdict verdict = token_judge(
        c->api->signer, token, c->now_ms, c->api->settings.config->heartbeats.horizon_ms, &session, storage);
    speaker.reason = reasons[verdict];
    /* A clock that is not settled may be ahead, and a run that is rejected is lost for good. */
    if (verdict == TOKEN_EXPIRED && clock_belief(c->api->settings.clock) != CLOCK_SETTLED)
        speaker.reason = REASON_UNAVAILABLE;
    if (verdict != TOKEN_GOOD)
        return speaker;
    speaker.session = session;
    if (!slice_is(session.program, c->api->policy->catalog->program)) {
        /* A program that is not known to have ended may be the next one, of which this daemon is not. */
        speaker.program_ended = c->api->settings.calls->has_ended(c->api->settings.store, session.program);
        return speaker;
    }
    const struct lesson *lesson = catalog_find_lesson(c->api->policy->catalog, session.lesson);
    if (lesson != NULL) {
        /* The catalog may be replaced while runs are under way, so the course's id is copied. */
        struct slice course = slice_of(lesson->course->id);
        speaker.lesson = &lesson->allows;
        speaker.course = (struct slice){arena_strndup(&c->x->arena, course.ptr, course.len), course.len};
    }
    return speaker;
}

/* A malformed run is told so whatever its token is; the token is judged after that. */
static void judge(struct crediting *c, const struct speaker *speaker, const struct run *run)
{
    struct claim claim;
    enum run_reason reason =
        claim_judge(&c->rules, &speaker->session.time, speaker->lesson, c->now_ms, run, &claim);
    if (reason == REASON_LESSON_UNKNOWN && speaker->program_ended)
        reason = REASON_LESSON_CLOSED;
    if (speaker->reason != REASON_NONE && reason != REASON_MALFORMED)
        reason = speaker->reason;
    if (reason == REASON_NONE && claim.first_second < claim.end_second) {
        c->places[c->n_runs] = c->n; /* the result follows when the store has answered */
        c->runs[c->n_runs++] = (struct store_run){
            .claim = claim,
            .portal = speaker->session.portal,
            .learner = speaker->session.learner,
            .lesson = speaker->session.lesson,
            .course = speaker->course,
        };
    } else {
        c->results[c->n] = result_of(reason);
    }
    c->n++;
}

/*
 * The one session of a single heartbeat is refused as a whole where no daemon would take it; true when it was
 * answered so.
 */
static bool refuse_single(struct crediting *c, const struct speaker *speaker, const struct heartbeat *h)
{
    if (!c->single || speaker->reason == REASON_NONE || claim_reason_status(speaker->reason) != RUN_REJECTED)
        return false;
    count_refused(c->api, speaker->reason, h->n_runs);
    if (speaker->reason == REASON_SESSION_EXPIRED)
        answer_expired(c->api, c->x);
    else
        answer_unauthorized(c->api, c->x, true,
            h->token.ptr == NULL ? "session_token is missing or is not a string"
                                 : "session_token was not issued here");
    return true;
}

static struct crediting *new_crediting(struct api *api, struct http_exchange *x, const struct codec *codec,
    const struct heartbeat_request *request)
{
    const struct config *config = api->settings.config;
    struct arena *arena = &x->arena;
    struct crediting *c = arena_alloc(arena, sizeof(*c));
    *c = (struct crediting){
        .api = api,
        .x = x,
        .codec = codec,
        .single = request->single,
        .now_ms = clock_now_ms(api->settings.clock),
        .rules = {.max_run_ms = config->heartbeats.max_run_ms,
            .clock_slack_ms = config->heartbeats.clock_slack_ms,
            .max_rate = config->heartbeats.max_rate},
        .results = arena_alloc(arena, request->n_runs * sizeof(*c->results)),
        .runs = arena_alloc(arena, request->n_runs * sizeof(*c->runs)),
        .places = arena_alloc(arena, request->n_runs * sizeof(*c->places)),
        .batch = {.done = on_credited, .ctx = c},
    };
    return c;
}

void heartbeats_handle(struct api *api, struct http_exchange *x, const struct codec *codec)
{
    struct heartbeat_request request;
    char detail[DETAIL_MAX];
    if (!api->settings.calls->admits(api->settings.store)) {
        answer_unavailable(api, x);
        return;
    }
    int status = codec->decode_heartbeats(buf_slice(&x->request.body), &x->arena, &request, detail);
    if (status != 0) {
        answer_problem(api, x, status, detail, NULL);
        return;
    }
    atomic_fetch_add_explicit(&api->counters.heartbeats, 1, memory_order_relaxed);
    struct crediting *c = new_crediting(api, x, codec, &request);
    for (size_t i = 0; i < request.n; i++) {
        const struct heartbeat *h = &request.heartbeats[i];
        struct speaker speaker = identify(c, h->token);
        if (refuse_single(c, &speaker, h))
            return;
        for (size_t k = 0; k < h->n_runs; k++)
            judge(c, &speaker, &h->runs[k]);
    }
    if (c->n_runs == 0) {
        answer_results(c);
        return;
    }
    http_release_body(x); /* what the answer needs was copied to the arena */
    assert(c->n_runs <= c->n);
    api->settings.calls->submit(api->settings.store, &c->batch, c->runs, c->n_runs);
}
