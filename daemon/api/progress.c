/* GET /v1/progress. */
#include "api/progress.h"

#include <math.h>

#include "api/answer.h"
#include "api/bearer.h"
#include "api/codec.h"
#include "identity/jwt.h"
#include "store/values.h"

/* A question on its way to Redis. Lives in the exchange's arena. */
struct progress_question {
    struct api *api;
    struct http_exchange *x;
    const struct codec *codec; /* of the answer */
};

static double hours(const struct catalog *catalog, int64_t seconds)
{
    return (double)seconds / (60.0 * (double)catalog->minutes_per_hour);
}

/* Rounded to 4 decimals; negative where the length is not known. */
static double covered_ratio(const struct lesson *lesson, int64_t covered_seconds)
{
    if (lesson == NULL || lesson->length_seconds <= 0)
        return -1;
    double ratio = (double)covered_seconds / (double)lesson->length_seconds;
    return ratio > 1 ? 1 : round(ratio * 10000) / 10000;
}

/* Fills LESSONS and adds each to its course of COURSES; returns how many lessons have a watched second. */
static size_t add_lessons(const struct catalog *catalog, const struct lesson_total *totals, size_t n,
    struct progress_lesson *lessons, struct progress_course *courses)
{
    size_t n_lessons = 0;
    for (size_t i = 0; i < n; i++) {
        if (totals[i].watched_seconds <= 0)
            continue;
        /* A lesson that left the catalog is still shown, in the course that it was watched in. */
        const struct lesson *lesson = catalog_find_lesson(catalog, totals[i].lesson);
        const struct course *course =
            lesson != NULL ? lesson->course : catalog_find_course(catalog, totals[i].course);
        lessons[n_lessons++] = (struct progress_lesson){
            .lesson_id = totals[i].lesson,
            .course_id = lesson != NULL ? slice_of(lesson->course->id) : totals[i].course,
            .watched_seconds = totals[i].watched_seconds,
            .covered_seconds = totals[i].covered_seconds,
            .covered_ratio = covered_ratio(lesson, totals[i].covered_seconds),
        };
        if (course != NULL)
            courses[course - catalog->courses].watched_seconds += totals[i].watched_seconds;
    }
    return n_lessons;
}

static void on_totals(void *ctx, bool ok, const struct lesson_total *totals, size_t n)
{
    struct progress_question *q = ctx;
    struct api *api = q->api;
    if (!ok) {
        answer_unavailable(api, q->x);
        return;
    }
    answer_served(api);
    const struct catalog *catalog = api->policy->catalog;
    struct arena *arena = &q->x->arena;
    struct progress_lesson *lessons = arena_alloc(arena, n * sizeof(*lessons));
    struct progress_course *courses = arena_alloc(arena, catalog->n_courses * sizeof(*courses));
    for (size_t i = 0; i < catalog->n_courses; i++) {
        const struct course *course = &catalog->courses[i];
        courses[i] = (struct progress_course){
            .course_id = slice_of(course->id),
            .title = slice_of(course->title),
            .hours_max = course->hours,
            .opens = course->opens,
            .closes = course->closes,
        };
    }
    struct progress_answer answer = {
        .hours_max = catalog->hours_max,
        .courses = courses,
        .n_courses = catalog->n_courses,
        .lessons = lessons,
        .n_lessons = add_lessons(catalog, totals, n, lessons, courses),
    };
    /* A course's hours and the total follow from the seconds that its lessons, and all lessons, add up to. */
    for (size_t i = 0; i < answer.n_courses; i++)
        courses[i].hours_learned = hours(catalog, courses[i].watched_seconds);
    for (size_t i = 0; i < answer.n_lessons; i++)
        answer.watched_seconds += lessons[i].watched_seconds;
    answer.hours_learned = hours(catalog, answer.watched_seconds);
    buf_clear(&api->body);
    q->codec->encode_progress(&api->body, &answer);
    atomic_fetch_add_explicit(&api->counters.progress, 1, memory_order_relaxed);
    answer_body(api, q->x, 200, q->codec->content_type);
}

/* Who asks, by a session's token or a platform's; false when the exchange was answered with what is wrong. */
static bool identify(struct api *api, struct http_exchange *x, struct jwt_claims *claims)
{
    int64_t now_ms = clock_now_ms(api->settings.clock);
    struct slice token = bearer_token(x);
    const char *problem = "a platform or session token is required: Authorization: Bearer <token>";
    struct session session;
    if (!token_is_session(token)) {
        if (token.len > 0 && jwt_verify(api->policy->issuers, token, now_ms, &x->arena, claims, &problem))
            return true;
        answer_unauthorized(api, x, token.len > 0, problem);
        return false;
    }
    char *storage = arena_alloc(&x->arena, token.len <= TOKEN_MAX ? token.len : 0);
    int64_t horizon_ms = api->settings.config->heartbeats.horizon_ms;
    switch (token_judge(api->signer, token, now_ms, horizon_ms, &session, storage)) {
    case TOKEN_GOOD:
        if (slice_is(session.program, api->policy->catalog->program)) {
            *claims = (struct jwt_claims){session.portal, session.learner};
            return true;
        }
        if (api->settings.calls->has_ended(api->settings.store, session.program))
            answer_unauthorized(api, x, true, "the program of the session token has ended");
        else
            answer_problem(api, x, 503,
                "the session token is of a program that this daemon does not count for; ask again later",
                NULL);
        return false;
    case TOKEN_UNKNOWN:
        answer_problem(
            api, x, 503, "the session token's key is not known to this daemon yet; ask again later", NULL);
        return false;
    case TOKEN_EXPIRED:
        answer_unauthorized(api, x, true, "the session token has expired");
        return false;
    default:
        answer_unauthorized(api, x, true, "the session token was not issued here");
        return false;
    }
}

void progress_handle(struct api *api, struct http_exchange *x, const struct codec *codec)
{
    struct jwt_claims claims;
    if (!identify(api, x, &claims))
        return;
    if (!api->settings.calls->admits(api->settings.store)) {
        answer_unavailable(api, x);
        return;
    }
    struct progress_question *q = arena_alloc(&x->arena, sizeof(*q));
    *q = (struct progress_question){api, x, codec};
    http_release_body(x);
    api->settings.calls->progress(api->settings.store, claims.portal, claims.subject, on_totals, q);
}
