/* POST /v1/sessions. */
#include "api/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "api/answer.h"
#include "api/bearer.h"
#include "api/codec.h"
#include "base/base64url.h"
#include "base/id.h"
#include "identity/jwt.h"

static void open_session(struct api *api, struct http_exchange *x, const struct codec *codec,
    const struct jwt_claims *claims, const struct lesson *lesson, int64_t now_ms)
{
    struct session session = {
        .time = {.anchor_ms = now_ms, .expiry_ms = now_ms + SESSION_MS},
        .program = slice_of(api->policy->catalog->program),
        .portal = claims->portal,
        .learner = claims->subject,
        .course = slice_of(lesson->course->id),
        .lesson = slice_of(lesson->id),
    };
    if (getrandom(session.id, sizeof(session.id), 0) != sizeof(session.id))
        abort();
    char token[TOKEN_MAX + 1];
    char id[BASE64URL_LEN(SESSION_ID_BYTES)];
    struct session_answer answer = {
        .session_id = {id, base64url_encode(session.id, SESSION_ID_BYTES, id)},
        .session_token = {token, token_sign(api->signer, &session, token)},
        .server_time_ms = session.time.anchor_ms,
        .expires_at_ms = session.time.expiry_ms,
        .heartbeat_interval_ms = answer_interval_ms(api),
    };
    atomic_fetch_add_explicit(&api->counters.sessions, 1, memory_order_relaxed);
    buf_clear(&api->body);
    codec->encode_session(&api->body, &answer);
    answer_body(api, x, 201, codec->content_type);
}

static void answer_closed(struct api *api, struct http_exchange *x, const struct course *course)
{
    char detail[DETAIL_MAX];
    int len = snprintf(detail, sizeof(detail), "the course %s", course->id);
    if (course->opens != NULL)
        len += snprintf(detail + len, sizeof(detail) - (size_t)len, " opens on %s", course->opens);
    if (course->closes != NULL)
        snprintf(detail + len, sizeof(detail) - (size_t)len, "%s closes at the end of %s",
            course->opens != NULL ? " and" : "", course->closes);
    answer_problem(api, x, 403, detail, NULL);
}

/* False when the exchange was answered with what is wrong. */
static bool decode(
    struct api *api, struct http_exchange *x, const struct codec *codec, struct session_request *request)
{
    char detail[DETAIL_MAX];
    const char *bad = NULL;
    int status = codec->decode_session(buf_slice(&x->request.body), &x->arena, request, detail);
    if (status != 0)
        bad = detail;
    else if (request->lesson_id.ptr == NULL)
        bad = "lesson_id is missing or is not a string";
    else if (!id_valid(request->lesson_id))
        bad = "lesson_id is not [A-Za-z0-9._-]{1,64}";
    else if (request->device_id.ptr != NULL && !id_name_valid(request->device_id))
        bad = "device_id is not 1 to 128 bytes of UTF-8 without control characters";
    if (bad != NULL)
        answer_problem(api, x, status != 0 ? status : 400, bad, NULL);
    return bad == NULL;
}

void sessions_handle(struct api *api, struct http_exchange *x, const struct codec *codec)
{
    int64_t now_ms = clock_now_ms(api->settings.clock);
    struct session_request request;
    struct jwt_claims claims;
    const char *problem = "a platform token is required: Authorization: Bearer <token>";
    struct slice token = bearer_token(x);
    if (token.len == 0 || !jwt_verify(api->policy->issuers, token, now_ms, &x->arena, &claims, &problem)) {
        answer_unauthorized(api, x, token.len > 0, problem);
        return;
    }
    if (!decode(api, x, codec, &request))
        return;
    const struct lesson *lesson = catalog_find_lesson(api->policy->catalog, request.lesson_id);
    if (lesson == NULL)
        answer_problem(api, x, 404, "there is no such lesson", NULL);
    else if (clock_belief(api->settings.clock) == CLOCK_DOUBTED)
        answer_shed(api, x, "this server's clock is in doubt; try another server, or try again later");
    else if (now_ms < lesson->allows.opens_ms || now_ms >= lesson->allows.closes_ms)
        answer_closed(api, x, lesson->course);
    else
        open_session(api, x, codec, &claims, lesson, now_ms);
}
