/* Answering. */
#include "api/answer.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"

enum { RETRY_FIRST_S = 2, RETRY_SPREAD_S = 4 };

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {408, "Request Timeout"}, {410, "Gone"}, {413, "Content Too Large"},
        {415, "Unsupported Media Type"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"}, {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

static void write_problem(struct buf *b, int status, const char *detail)
{
    buf_append_string(b, "{\"type\":\"about:blank\",\"title\":\"");
    buf_append_string(b, title_of(status));
    buf_append_string(b, "\",\"status\":");
    buf_append_int(b, status);
    buf_append_string(b, ",\"detail\":");
    json_write_string(b, slice_of(detail));
    buf_append_char(b, '}');
}

/* Players that were refused together must not come back together. */
static void retry_header(struct api *api, int status, struct buf *b)
{
    if (status == 503 || status == 429)
        buf_printf(b, "Retry-After: %d\r\n", RETRY_FIRST_S + rand_r(&api->jitter) % RETRY_SPREAD_S);
}

static void count_problem(struct api *api, int status)
{
    _Atomic uint64_t *counter = status == 503 ? &api->counters.shed : &api->counters.problems;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void respond(struct api *api, struct http_exchange *x, struct http_response *response)
{
    buf_append_char(&api->headers, '\0');
    response->headers = api->headers.data;
    api->pending--;
    http_respond(x, response);
}

static void start_headers(struct api *api, const struct http_exchange *x)
{
    buf_clear(&api->headers);
    cors_headers(api->settings.config, http_header(x, HTTP_HEADER_ORIGIN), &api->headers);
}

void answer_body(struct api *api, struct http_exchange *x, int status, const char *type)
{
    start_headers(api, x);
    buf_append_string(&api->headers, "Cache-Control: no-store\r\n");
    struct http_response response = {.status = status, .content_type = type, .body = buf_slice(&api->body)};
    respond(api, x, &response);
}

void answer_empty(struct api *api, struct http_exchange *x, int status, const char *extra)
{
    start_headers(api, x);
    buf_append_string(&api->headers, extra);
    struct http_response response = {.status = status};
    respond(api, x, &response);
}

void answer_problem(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *extra)
{
    count_problem(api, status);
    start_headers(api, x);
    retry_header(api, status, &api->headers);
    buf_append_string(&api->headers, "Cache-Control: no-store\r\n");
    if (extra != NULL)
        buf_append_string(&api->headers, extra);
    buf_clear(&api->body);
    write_problem(&api->body, status, detail);
    struct http_response response = {
        .status = status, .content_type = "application/problem+json", .body = buf_slice(&api->body)};
    respond(api, x, &response);
}

void answer_unavailable(struct api *api, struct http_exchange *x)
{
    answer_problem(api, x, 503, "what was sent could not be stored now; send it again", NULL);
}

void api_write_error(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response)
{
    struct api *api = ctx;
    count_problem(api, status);
    buf_clear(&api->error_headers);
    cors_headers(api->settings.config, origin, &api->error_headers);
    retry_header(api, status, &api->error_headers);
    buf_append_char(&api->error_headers, '\0');
    buf_clear(&api->error_body);
    write_problem(&api->error_body, status, detail);
    *response = (struct http_response){
        .status = status,
        .content_type = "application/problem+json",
        .headers = api->error_headers.data,
        .body = buf_slice(&api->error_body),
        .close = true,
    };
}

/* ---- CORS ---- */

static bool origin_allowed(const struct config *config, struct slice origin)
{
    const struct string_list *allowed = &config->http.allowed_origins;
    for (size_t i = 0; i < allowed->n; i++)
        if (strcmp(allowed->items[i], "*") == 0 || slice_is(origin, allowed->items[i]))
            return true;
    return false;
}

void cors_headers(const struct config *config, struct slice origin, struct buf *b)
{
    if (config->http.allowed_origins.n > 0)
        buf_append_string(b, "Vary: Origin\r\n");
    if (origin.len == 0 || !origin_allowed(config, origin))
        return;
    buf_append_string(b, "Access-Control-Allow-Origin: ");
    buf_append_slice(b, origin);
    buf_append_string(b, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
}

void answer_preflight(struct api *api, struct http_exchange *x, const char *methods)
{
    struct buf extra = {0};
    buf_printf(&extra, "Allow: %s, OPTIONS\r\n", methods);
    if (origin_allowed(api->settings.config, http_header(x, HTTP_HEADER_ORIGIN)))
        buf_printf(&extra,
            "Access-Control-Allow-Methods: %s\r\n"
            "Access-Control-Allow-Headers: authorization, content-type\r\n"
            "Access-Control-Max-Age: 7200\r\n",
            methods);
    buf_append_char(&extra, '\0');
    answer_empty(api, x, 204, extra.data);
    buf_free(&extra);
}

/* ---- requests ---- */

struct slice bearer_token(const struct http_exchange *x)
{
    static const char scheme[] = "Bearer ";
    struct slice value = http_header(x, HTTP_HEADER_AUTHORIZATION);
    size_t n = sizeof(scheme) - 1;
    if (value.len <= n || strncasecmp(value.ptr, scheme, n) != 0)
        return (struct slice){"", 0};
    while (n < value.len && value.ptr[n] == ' ')
        n++;
    return (struct slice){value.ptr + n, value.len - n};
}

int64_t paced_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms)
{
    enum { CALM_MS = 50, BUSY_MS = 1000 };
    if (age_ms <= CALM_MS)
        return interval_ms;
    if (age_ms >= BUSY_MS)
        return max_interval_ms;
    return interval_ms + (max_interval_ms - interval_ms) * (age_ms - CALM_MS) / (BUSY_MS - CALM_MS);
}

int64_t api_interval_ms(struct api *api)
{
    const struct config *config = api->settings.config;
    return paced_interval_ms(config->heartbeats.interval_ms, config->heartbeats.max_interval_ms,
        store_age_ms(api->settings.store));
}
