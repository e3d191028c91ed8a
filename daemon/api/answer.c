/* Answering an exchange. */
#include "api/answer.h"

#include <stdlib.h>

#include "api/cors.h"
#include "api/problem.h"

static const struct string_list *origins(const struct api *api)
{
    return &api->settings.config->http.allowed_origins;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The origin that may be allowed to read the answer. Nothing under /dev/ is for pages of other origins. */
static struct slice foreign_origin(const struct api *api, const struct http_exchange *x)
{
    return api_path_is_dev(api, x) ? (struct slice){"", 0} : http_header(x, HTTP_HEADER_ORIGIN);
}

static void start_headers(struct api *api, const struct http_exchange *x)
{
    buf_clear(&api->headers);
    cors_write(origins(api), foreign_origin(api, x), &api->headers);
}

void answer_with(struct api *api, struct http_exchange *x, struct http_response *response)
{
    buf_append_char(&api->headers, '\0');
    response->headers = api->headers.data;
    api->pending--;
    http_respond(x, response);
}

void answer_body(struct api *api, struct http_exchange *x, int status, const char *type)
{
    start_headers(api, x);
    buf_append_string(&api->headers, "Cache-Control: no-store\r\n");
    struct http_response response = {.status = status, .content_type = type, .body = buf_slice(&api->body)};
    answer_with(api, x, &response);
}

void answer_options(struct api *api, struct http_exchange *x, const char *methods)
{
    start_headers(api, x);
    cors_write_preflight(origins(api), foreign_origin(api, x), methods, &api->headers);
    buf_printf(&api->headers, "Allow: %s, OPTIONS\r\n", methods);
    struct http_response response = {.status = 204};
    answer_with(api, x, &response);
}

/* Those who are refused together do not come back together. */
static void write_retry_after(struct api *api, const struct pace *pace, struct buf *headers)
{
    int64_t limit_ms = pace_retry_limit_ms(pace, api_interval_ms(api), clock_monotonic_ms());
    buf_printf(headers, "Retry-After: %d\r\n", pace_retry_after_s(limit_ms, rand_r(&api->jitter)));
}

static void respond(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *headers)
{
    start_headers(api, x);
    if (status == 503)
        write_retry_after(api, &api->pace, &api->headers);
    buf_append_string(&api->headers, "Cache-Control: no-store\r\n");
    if (headers != NULL)
        buf_append_string(&api->headers, headers);
    buf_clear(&api->body);
    problem_write(&api->body, status, detail);
    struct http_response response = {
        .status = status, .content_type = PROBLEM_TYPE, .body = buf_slice(&api->body)};
    answer_with(api, x, &response);
}

void answer_problem(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *headers)
{
    count(&api->counters.requests_refused);
    respond(api, x, status, detail, headers);
}

void answer_unauthorized(struct api *api, struct http_exchange *x, bool given, const char *detail)
{
    answer_problem(api, x, 401, detail,
        given ? "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n" : "WWW-Authenticate: Bearer\r\n");
}

void answer_shed(struct api *api, struct http_exchange *x, const char *detail)
{
    count(&api->counters.requests_shed);
    pace_refused(&api->pace, clock_monotonic_ms());
    respond(api, x, 503, detail, NULL);
}

void answer_unavailable(struct api *api, struct http_exchange *x)
{
    answer_shed(api, x, "minuted cannot store or read now: send the same again later");
}

void api_write_error(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response)
{
    struct api *api = ctx;
    count(status == 503 ? &api->counters.requests_shed : &api->counters.requests_refused);
    buf_clear(&api->error_headers);
    cors_write(origins(api), origin, &api->error_headers);
    if (status == 503) {
        pace_refused(&api->door, clock_monotonic_ms());
        write_retry_after(api, &api->door, &api->error_headers);
    }
    buf_append_char(&api->error_headers, '\0');
    buf_clear(&api->error_body);
    problem_write(&api->error_body, status, detail);
    *response = (struct http_response){
        .status = status,
        .content_type = PROBLEM_TYPE,
        .headers = api->error_headers.data,
        .body = buf_slice(&api->error_body),
        .close = true,
    };
}
