/* POST /v1/sessions: a platform's token becomes a session of one lesson on one device. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "api/answer.h"
#include "api/jwt.h"
#include "base/base64url.h"

enum { SESSION_MS = 4 * 3600 * 1000 };

static void answer_session(
    struct api *api, struct http_exchange *x, enum media_type type, const struct session *session)
{
    char token[TOKEN_MAX + 1];
    char id[BASE64URL_LEN(SESSION_ID_BYTES)];
    struct session_answer answer = {
        .session_token = {token, token_sign(api->signer, session, token)},
        .session_id = {id, base64url_encode(session->id, SESSION_ID_BYTES, id)},
        .server_time_ms = session->time.anchor_ms,
        .expires_at_ms = session->time.expiry_ms,
        .heartbeat_interval_ms = api_interval_ms(api),
    };
    atomic_fetch_add_explicit(&api->counters.sessions, 1, memory_order_relaxed);
    buf_clear(&api->body);
    encode_session(type, &api->body, &answer);
    answer_body(api, x, 201, media_type_name(type));
}

static void open_session(struct api *api, struct http_exchange *x, enum media_type type,
    const struct jwt_claims *claims, const struct lesson *lesson, int64_t now_ms)
{
    struct session session = {
        .time = {now_ms, now_ms + SESSION_MS},
        .portal = claims->portal,
        .learner = claims->subject,
        .course = slice_of(lesson->course->id),
        .lesson = slice_of(lesson->id),
    };
    if (getrandom(session.id, sizeof(session.id), 0) != sizeof(session.id))
        abort();
    answer_session(api, x, type, &session);
}

static const char *bad_id(const struct session_request *request)
{
    if (request->lesson_id.ptr == NULL)
        return "lesson_id is missing";
    if (!id_valid(request->lesson_id))
        return "lesson_id is not [A-Za-z0-9._-]{1,64}";
    if (request->device_id.ptr == NULL)
        return "device_id is missing";
    if (!name_valid(request->device_id))
        return "device_id is not 1 to 128 bytes of UTF-8 without control characters";
    return NULL;
}

static void answer_closed(struct api *api, struct http_exchange *x, const struct course *course)
{
    char detail[DETAIL_MAX];
    snprintf(detail, sizeof(detail), "course %s is open from %s to %s", course->id,
        course->opens == NULL ? "ever" : course->opens, course->closes == NULL ? "ever" : course->closes);
    answer_problem(api, x, 403, detail, NULL);
}

static bool authenticate(struct api *api, struct http_exchange *x, int64_t now_ms, struct jwt_claims *claims)
{
    const char *problem = "a platform token is wanted: Authorization: Bearer …";
    struct slice token = bearer_token(x);
    if (token.len > 0 && jwt_verify(api->policy->issuers, token, now_ms, http_arena(x), claims, &problem))
        return true;
    answer_problem(api, x, 401, problem,
        token.len == 0 ? "WWW-Authenticate: Bearer\r\n"
                       : "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    return false;
}

void sessions_handle(struct api *api, struct http_exchange *x)
{
    enum media_type type = media_type_of(http_header(x, HTTP_HEADER_CONTENT_TYPE));
    int64_t now_ms = clock_now_ms(api->settings.clock);
    struct session_request request;
    struct jwt_claims claims;
    char detail[DETAIL_MAX];
    if (!authenticate(api, x, now_ms, &claims))
        return;
    int status = decode_session(type, http_body(x), http_arena(x), &request, detail);
    const char *bad = status != 0 ? detail : bad_id(&request);
    if (bad != NULL) {
        answer_problem(api, x, status != 0 ? status : 400, bad, NULL);
        return;
    }
    const struct lesson *lesson = catalog_find_lesson(api->policy->catalog, request.lesson_id);
    if (lesson == NULL)
        answer_problem(api, x, 404, "there is no such lesson", NULL);
    else if (now_ms < lesson->allows.opens_ms || now_ms >= lesson->allows.closes_ms)
        answer_closed(api, x, lesson->course);
    else
        open_session(api, x, type, &claims, lesson, now_ms);
}
