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
    .clock_trusted = store_clock_trusted,
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
 * The codec of a request with that Content-Type, whose parameters are left aside; NULL when there is none.
 * text/plain is JSON: a browser's beacon sends it without a preflight. An empty body needs no header: it is
 * for the JSON codec to refuse.
 */
static const struct codec *codec_of_request(struct slice content_type, struct slice body)
{
    if (content_type.len == 0 && body.len == 0)
        return &codec_json;
    return codec_of_media_type(content_type);
}

/* The codec of an answer, by the header Accept: protobuf where it is named, else JSON. */
static const struct codec *codec_of_accept(struct slice accept)
{
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

/* The rows of PATH: their first and how many; 0 when nothing is there. */
static size_t find_rows(struct slice path, bool dev, const struct route **first)
{
    size_t n = 0;
    for (size_t i = 0; i < ROUTES; i++)
        if ((dev || !routes[i].dev) && slice_is(path, routes[i].path) && n++ == 0)
            *first = &routes[i];
    return n;
}

/* HEAD is GET; the server leaves the body out. */
static const struct route *find_method(const struct route *rows, size_t n, enum http_method method)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].method == (method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method))
            return &rows[i];
    return NULL;
}

/* The methods of ROWS as Allow writes them. */
static const char *name_methods(const struct route *rows, size_t n, char out[static METHODS_MAX])
{
    int len = 0;
    for (size_t i = 0; i < n; i++)
        len += snprintf(out + len, METHODS_MAX - (size_t)len, "%s%s", i > 0 ? ", " : "",
            rows[i].method == HTTP_METHOD_GET ? "GET, HEAD" : "POST");
    return out;
}

static void answer_method(struct api *api, struct http_exchange *x, const char *methods)
{
    char headers[METHODS_MAX + 32];
    snprintf(headers, sizeof(headers), "Allow: %s, OPTIONS\r\n", methods);
    answer_problem(api, x, 405, "the method is none of those that Allow names", headers);
}

static void answer_media_type(struct api *api, struct http_exchange *x)
{
    answer_problem(api, x, 415,
        "Content-Type must be application/json, text/plain (JSON too) or application/protobuf",
        "Accept-Post: application/json, text/plain, application/protobuf\r\n");
}

static void follow(struct api *api, struct http_exchange *x, const struct route *rows, size_t n)
{
    char methods[METHODS_MAX];
    const struct route *route = find_method(rows, n, x->request.head.method);
    if (x->request.head.method == HTTP_METHOD_OPTIONS) {
        answer_options(api, x, name_methods(rows, n, methods));
    } else if (route == NULL) {
        answer_method(api, x, name_methods(rows, n, methods));
    } else if (route->handle != NULL) {
        route->handle(api, x);
    } else {
        const struct codec *codec = route->method == HTTP_METHOD_POST
                                        ? codec_of_request(x->request.head.headers[HTTP_HEADER_CONTENT_TYPE],
                                              buf_slice(&x->request.body))
                                        : codec_of_accept(x->request.head.headers[HTTP_HEADER_ACCEPT]);
        if (codec != NULL)
            route->coded(api, x, codec);
        else
            answer_media_type(api, x);
    }
}

void api_handle(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    const struct route *rows = NULL;
    struct slice path = answer_path(api, x);
    size_t n = find_rows(path, api->settings.dev != NULL, &rows);
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
