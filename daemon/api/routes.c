/*
 * From a request's method and path to its handler.
 *
 *     unknown path 404 -> OPTIONS 204 -> method not there 405 -> body in no known encoding 415 -> the handler
 */
#include <stdio.h>

#include "api/answer.h"
#include "api/assets.h"
#include "api/codec.h"

struct route {
    const char *path; /* below http.base_path; rows of one path stand together */
    enum http_method method;
    bool encoded; /* the body is read by a codec, so its media type must be known */
    bool dev;     /* only with --dev */
    api_route_handler *handle;
};

static const struct route routes[] = {
    {"/v1/sessions", HTTP_METHOD_POST, true, false, sessions_handle},
    {"/v1/heartbeats", HTTP_METHOD_POST, true, false, heartbeats_handle},
    {"/v1/progress", HTTP_METHOD_GET, false, false, progress_handle},
    {"/v1/minuted.js", HTTP_METHOD_GET, false, false, assets_handle},
    {"/v1/minuted.mjs", HTTP_METHOD_GET, false, false, assets_handle},
    {"/v1/minuted.d.ts", HTTP_METHOD_GET, false, false, assets_handle},
    {"/dev/", HTTP_METHOD_GET, false, true, assets_handle},
    {"/dev/token", HTTP_METHOD_GET, false, true, dev_token_handle},
    {"/dev/clock", HTTP_METHOD_GET, false, true, dev_clock_read_handle},
    {"/dev/clock", HTTP_METHOD_POST, false, true, dev_clock_move_handle},
    {"/dev/kafka", HTTP_METHOD_GET, false, true, dev_kafka_handle},
    {"/dev/minutes", HTTP_METHOD_GET, false, true, dev_minutes_handle},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]), METHODS_MAX = 64 };

static bool path_below(const char *base, struct slice path, struct slice *below)
{
    size_t len = strlen(base);
    if (path.len < len || memcmp(path.ptr, base, len) != 0)
        return false;
    *below = (struct slice){path.ptr + len, path.len - len};
    return true;
}

bool api_path_is_dev(const struct api *api, const struct http_exchange *x)
{
    static const char dev[] = "/dev/";
    struct slice path;
    return path_below(api->settings.config->http.base_path, http_path(x), &path) &&
           path.len >= sizeof(dev) - 1 && memcmp(path.ptr, dev, sizeof(dev) - 1) == 0;
}

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

static bool readable(const struct route *route, const struct http_exchange *x)
{
    return !route->encoded ||
           codec_of_request(http_header(x, HTTP_HEADER_CONTENT_TYPE), http_body(x)) != NULL;
}

static void follow(struct api *api, struct http_exchange *x, const struct route *rows, size_t n)
{
    char methods[METHODS_MAX];
    const struct route *route = find_method(rows, n, http_method(x));
    if (http_method(x) == HTTP_METHOD_OPTIONS)
        answer_options(api, x, name_methods(rows, n, methods));
    else if (route == NULL)
        answer_method(api, x, name_methods(rows, n, methods));
    else if (!readable(route, x))
        answer_problem(api, x, 415,
            "Content-Type must be application/json, text/plain (JSON too) or application/protobuf",
            "Accept-Post: application/json, text/plain, application/protobuf\r\n");
    else
        route->handle(api, x);
}

void api_handle(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    const struct route *rows = NULL;
    struct slice path;
    size_t n = 0;
    api->pending++;
    if (path_below(api->settings.config->http.base_path, http_path(x), &path))
        n = find_rows(path, api->settings.dev != NULL, &rows);
    if (n == 0)
        answer_problem(api, x, 404, "there is nothing at this path", NULL);
    else if (!rows->dev || rows->handle == assets_handle || dev_admits(api, x)) /* files are no secret */
        follow(api, x, rows, n);
}
