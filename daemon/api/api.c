/*
 * What one worker needs to answer players: the api's state, and the way from a request's method and path to
 * its handler.
 *
 *     unknown path 404 -> OPTIONS 204 -> method not there 405 -> body in no known encoding 415 -> the handler
 */
#include "api/api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/answer.h"
#include "api/assets.h"
#include "api/codec_json.h"
#include "api/codec_protobuf.h"
#include "api/dev.h"
#include "api/dev_minutes.h"
#include "api/heartbeats.h"
#include "api/progress.h"
#include "api/sessions.h"
#include "base/mem.h"

/* --- life ------------------------------------------------------------------------------------------------
 */

static const struct api_store_calls store_calls = {
    .admits = store_admits,
    .has_ended = store_has_ended,
    .age_ms = store_age_ms,
    .submit = store_submit,
    .progress = store_progress,
    .minutes = store_minutes,
};

struct api *api_new(const struct api_settings *settings, struct policy *policy)
{
    struct api *api = mem_zalloc(sizeof(*api));
    api->settings = *settings;
    if (api->settings.calls == NULL)
        api->settings.calls = &store_calls;
    api->policy = policy_ref(policy);
    api->signer = token_signer_new(policy->keys);
    api->jitter = settings->jitter;
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    assert(api->pending == 0);
    token_signer_free(api->signer);
    policy_unref(api->policy);
    buf_free(&api->body);
    buf_free(&api->headers);
    buf_free(&api->error_body);
    buf_free(&api->error_headers);
    free(api);
}

void api_set_policy(struct api *api, struct policy *policy)
{
    token_signer_free(api->signer);
    policy_unref(api->policy);
    api->policy = policy_ref(policy);
    api->signer = token_signer_new(policy->keys);
}

const struct api_counters *api_counters(const struct api *api)
{
    return &api->counters;
}

size_t api_pending(const struct api *api)
{
    return api->pending;
}

/* --- codecs ----------------------------------------------------------------------------------------------
 */

static const struct codec *codec_of_media_type(struct slice text)
{
    if (slice_is(text, codec_json.content_type)) /* as nearly every player writes it */
        return &codec_json;
    struct slice parameters;
    struct slice name = http_field_part(text, ';', &parameters);
    if (http_field_is(name, "application/json") || http_field_is(name, "text/plain"))
        return &codec_json;
    if (http_field_is(name, "application/protobuf") || http_field_is(name, "application/x-protobuf"))
        return &codec_protobuf;
    return NULL;
}

/*
 * The codec of a request of METHOD and of its answer; NULL when there is none. A POST's Content-Type tells
 * which, its parameters left aside. text/plain is JSON: a browser's beacon sends it without a preflight. An
 * empty body needs no header: it is for the JSON codec to refuse. A GET has no body, so Accept tells which:
 * protobuf where it is named, else JSON.
 */
static const struct codec *codec_of(const struct http_request *r, enum http_method method)
{
    struct slice type = r->head.headers[HTTP_HEADER_CONTENT_TYPE];
    struct slice accept = r->head.headers[HTTP_HEADER_ACCEPT];
    if (method == HTTP_METHOD_POST)
        return type.len == 0 && r->body.len == 0 ? &codec_json : codec_of_media_type(type);
    while (accept.len > 0)
        if (codec_of_media_type(http_field_part(accept, ',', &accept)) == &codec_protobuf)
            return &codec_protobuf;
    return &codec_json;
}

/* --- routes ----------------------------------------------------------------------------------------------
 */

struct route {
    const char *path; /* below http.base_path; rows of one path stand together */
    enum http_method method;
    bool dev; /* only with --dev */
    api_route_handler *handle;
    api_codec_handler *coded; /* instead; a POST's body must be in an encoding that is known */
};

static const struct route routes[] = {
    {"/v1/sessions", HTTP_METHOD_POST, false, .coded = sessions_handle},
    {"/v1/heartbeats", HTTP_METHOD_POST, false, .coded = heartbeats_handle},
    {"/v1/progress", HTTP_METHOD_GET, false, .coded = progress_handle},
    {"/v1/minuted.js", HTTP_METHOD_GET, false, .handle = assets_handle},
    {"/v1/minuted.mjs", HTTP_METHOD_GET, false, .handle = assets_handle},
    {"/v1/minuted.d.ts", HTTP_METHOD_GET, false, .handle = assets_handle},
    {"/dev/", HTTP_METHOD_GET, true, .handle = assets_handle},
    {"/dev/token", HTTP_METHOD_GET, true, .handle = dev_token_handle},
    {"/dev/clock", HTTP_METHOD_GET, true, .handle = dev_clock_read_handle},
    {"/dev/clock", HTTP_METHOD_POST, true, .handle = dev_clock_move_handle},
    {"/dev/kafka", HTTP_METHOD_GET, true, .handle = dev_kafka_handle},
    {"/dev/minutes", HTTP_METHOD_GET, true, .handle = dev_minutes_handle},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]), METHODS_MAX = 64 };

/* The methods of ROWS as Allow writes them. */
static const char *name_methods(const struct route *rows, size_t n, char out[static METHODS_MAX])
{
    int len = 0;
    for (size_t i = 0; i < n; i++)
        len += snprintf(out + len, METHODS_MAX - (size_t)len, "%s%s", i > 0 ? ", " : "",
            rows[i].method == HTTP_METHOD_GET ? "GET, HEAD" : "POST");
    return out;
}

/* Answers by the one of a path's N ROWS that has the request's method. */
static void follow(struct api *api, struct http_exchange *x, const struct route *rows, size_t n)
{
    char methods[METHODS_MAX];
    char headers[METHODS_MAX + 32];
    enum http_method method = x->request.head.method;
    if (method == HTTP_METHOD_OPTIONS) {
        answer_options(api, x, name_methods(rows, n, methods));
        return;
    }
    if (method == HTTP_METHOD_HEAD)
        method = HTTP_METHOD_GET; /* the server leaves the body out */
    const struct route *route = rows;
    while (route < rows + n && route->method != method)
        route++;
    if (route == rows + n) {
        snprintf(headers, sizeof(headers), "Allow: %s, OPTIONS\r\n", name_methods(rows, n, methods));
        answer_problem(api, x, 405, "the method is not one of those in Allow", headers);
        return;
    }
    if (route->handle != NULL) {
        route->handle(api, x);
        return;
    }
    const struct codec *codec = codec_of(&x->request, method);
    if (codec != NULL)
        route->coded(api, x, codec);
    else
        answer_problem(api, x, 415,
            "Content-Type must be application/json, text/plain (JSON too) or application/protobuf",
            "Accept-Post: application/json, text/plain, application/protobuf\r\n");
}

void api_handle(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    struct slice path = answer_path(api, x);
    const struct route *rows = NULL; /* the first of the path's N rows */
    size_t n = 0;
    for (size_t i = 0; i < ROUTES; i++)
        if ((api->settings.dev != NULL || !routes[i].dev) && slice_is(path, routes[i].path) && n++ == 0)
            rows = &routes[i];
    api->pending++;
    if (n == 0)
        answer_problem(api, x, 404, "there is nothing at this path", NULL);
    else if (!rows->dev || rows->handle == assets_handle || dev_admits(api, x)) /* files are no secret */
        follow(api, x, rows, n);
}

void api_write_error(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response)
{
    answer_error(ctx, status, detail, origin, response);
}
