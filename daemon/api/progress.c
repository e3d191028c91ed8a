/* GET /v1/progress: what a learner has watched, live, and what that makes in hours. */
#include "api/answer.h"
#include "api/jwt.h"

struct question {
    struct api *api;
    struct http_exchange *x;
    enum media_type type;
};

static double hours(const struct catalog *catalog, int64_t seconds)
{
    return (double)seconds / (60.0 * (double)catalog->minutes_per_hour);
}

static struct progress_lesson lesson_of(const struct catalog *catalog, const struct store_lesson *total)
{
    const struct lesson *lesson = catalog_find_lesson(catalog, total->lesson);
    double ratio = -1;
    if (lesson != NULL && lesson->length_seconds > 0) {
        ratio = (double)total->covered_seconds / (double)lesson->length_seconds;
        ratio = ratio > 1 ? 1 : ratio;
    }
    return (struct progress_lesson){
        .lesson_id = total->lesson,
        .course_id = lesson == NULL ? total->course : slice_of(lesson->course->id),
        .watched_seconds = total->watched_seconds,
        .covered_seconds = total->covered_seconds,
        .covered_ratio = ratio,
    };
}

static struct progress_course course_of(const struct catalog *catalog, const struct course *course,
    const struct progress_lesson *lessons, size_t n)
{
    int64_t watched = 0;
    for (size_t i = 0; i < n; i++)
        if (slice_is(lessons[i].course_id, course->id))
            watched += lessons[i].watched_seconds;
    return (struct progress_course){
        .course_id = slice_of(course->id),
        .title = slice_of(course->title),
        .watched_seconds = watched,
        .hours_learned = hours(catalog, watched),
        .hours_max = course->hours,
        .opens = course->opens,
        .closes = course->closes,
    };
}

static void answer_progress(struct question *q, const struct store_lesson *totals, size_t n)
{
    const struct catalog *catalog = q->api->policy->catalog;
    struct arena *arena = http_arena(q->x);
    struct progress_lesson *lessons = arena_alloc(arena, n * sizeof(*lessons));
    struct progress_course *courses = arena_alloc(arena, catalog->n_courses * sizeof(*courses));
    struct progress_answer answer = {
        .hours_max = catalog->hours_max,
        .courses = courses,
        .n_courses = catalog->n_courses,
        .lessons = lessons,
        .n_lessons = n,
    };
    for (size_t i = 0; i < n; i++) {
        lessons[i] = lesson_of(catalog, &totals[i]);
        answer.watched_seconds += lessons[i].watched_seconds;
    }
    for (size_t i = 0; i < catalog->n_courses; i++)
        courses[i] = course_of(catalog, &catalog->courses[i], lessons, n);
    answer.hours_learned = hours(catalog, answer.watched_seconds);
    buf_clear(&q->api->body);
    encode_progress(q->type, &q->api->body, &answer);
    atomic_fetch_add_explicit(&q->api->counters.progress, 1, memory_order_relaxed);
    answer_body(q->api, q->x, 200, media_type_name(q->type));
}

static void on_totals(void *ctx, bool ok, const struct store_lesson *totals, size_t n)
{
    struct question *q = ctx;
    if (ok)
        answer_progress(q, totals, n);
    else
        answer_unavailable(q->api, q->x);
}

/* Who asks, by a session token or a platform's. NULL when it is known, else what is wrong. */
static const char *identify(struct api *api, struct http_exchange *x, struct jwt_claims *claims)
{
    struct slice token = bearer_token(x);
    int64_t now_ms = clock_now_ms(api->settings.clock);
    const char *problem = "a platform or session token is wanted: Authorization: Bearer …";
    if (token.len == 0)
        return problem;
    if (token.len < 3 || memcmp(token.ptr, "m1.", 3) != 0)
        return jwt_verify(api->policy->issuers, token, now_ms, http_arena(x), claims, &problem) ? NULL
                                                                                                : problem;
    struct session session;
    char *storage = arena_alloc(http_arena(x), TOKEN_MAX);
    if (storage == NULL || !token_verify(api->signer, token, &session, storage))
        return "the session token is not valid here";
    if (now_ms > session.time.expiry_ms + api->settings.config->heartbeats.horizon_ms)
        return "the session token has expired";
    *claims = (struct jwt_claims){session.portal, session.learner};
    return NULL;
}

void progress_handle(struct api *api, struct http_exchange *x)
{
    struct jwt_claims claims;
    const char *problem = identify(api, x, &claims);
    if (problem != NULL) {
        answer_problem(api, x, 401, problem, "WWW-Authenticate: Bearer\r\n");
        return;
    }
    struct question *q = arena_alloc(http_arena(x), sizeof(*q));
    *q = (struct question){api, x, media_type_accepted(http_header(x, HTTP_HEADER_ACCEPT))};
    store_progress(api->settings.store, claims.portal, claims.subject, on_totals, q);
}
