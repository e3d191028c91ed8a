/* From a request's method and path to its handler. */
#include <stdio.h>
#include <stdlib.h>

#include "api/answer.h"
#include "base/mem.h"

struct route {
    const char *path;    /* below http.base_path */
    const char *methods; /* for Allow */
    enum http_method method;
    bool has_body;
    void (*handle)(struct api *api, struct http_exchange *x);
};

static const struct route routes[] = {
    {"/v1/sessions", "POST", HTTP_METHOD_POST, true, sessions_handle},
    {"/v1/heartbeats", "POST", HTTP_METHOD_POST, true, heartbeats_handle},
    {"/v1/progress", "GET, HEAD", HTTP_METHOD_GET, false, progress_handle},
};

static bool path_below(const char *base, struct slice path, struct slice *below)
{
    size_t len = strlen(base);
    if (path.len < len || memcmp(path.ptr, base, len) != 0)
        return false;
    *below = (struct slice){path.ptr + len, path.len - len};
    return true;
}

static const struct route *find_route(struct slice path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (slice_is(path, routes[i].path))
            return &routes[i];
    return NULL;
}

static bool method_fits(const struct route *route, enum http_method method)
{
    return method == route->method || (method == HTTP_METHOD_HEAD && route->method == HTTP_METHOD_GET);
}

static void follow(struct api *api, struct http_exchange *x, const struct route *route)
{
    enum http_method method = http_method(x);
    if (method == HTTP_METHOD_OPTIONS) {
        answer_preflight(api, x, route->methods);
    } else if (!method_fits(route, method)) {
        char allow[64];
        snprintf(allow, sizeof(allow), "Allow: %s, OPTIONS\r\n", route->methods);
        answer_problem(api, x, 405, "the method is not one of those that Allow names", allow);
    } else if (route->has_body && media_type_of(http_header(x, HTTP_HEADER_CONTENT_TYPE)) == MEDIA_UNKNOWN) {
        answer_problem(api, x, 415, "application/json, text/plain or application/protobuf is wanted",
            "Accept-Post: application/json, application/protobuf\r\n");
    } else {
        route->handle(api, x);
    }
}

void api_handle(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    struct slice path;
    api->pending++;
    bool ours = path_below(api->settings.config->http.base_path, http_path(x), &path);
    const struct route *route = ours ? find_route(path) : NULL;
    if (route != NULL)
        follow(api, x, route);
    else if (!ours || api->settings.dev == NULL || !dev_handle(api, x, path))
        answer_problem(api, x, 404, "there is nothing at this path", NULL);
}

struct api *api_new(const struct api_settings *settings, struct policy *policy)
{
    struct api *api = mem_zalloc(sizeof(*api));
    api->settings = *settings;
    api->policy = policy_ref(policy);
    api->signer = token_signer_new(policy->keys);
    api->jitter = (unsigned)clock_monotonic_us();
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
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
