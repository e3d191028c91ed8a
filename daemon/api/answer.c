/* Answering an exchange, and when players come again. */
#include "api/answer.h"

#include <assert.h>
#include <stdlib.h>

#include "api/problem.h"

static const struct string_list *origins(const struct api *api)
{
    return &api->settings.config->http.allowed_origins;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- origins ---------------------------------------------------------------------------------------------
 */

struct slice answer_path(const struct api *api, const struct http_exchange *x)
{
    const char *base = api->settings.config->http.base_path;
    struct slice path = x->request.head.path;
    size_t len = strlen(base);
    if (path.len < len || memcmp(path.ptr, base, len) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){path.ptr + len, path.len - len};
}

/* The origin that may be allowed to read the answer. Nothing under /dev/ is for pages of other origins. */
static struct slice foreign_origin(const struct api *api, const struct http_exchange *x)
{
    struct slice dev = SLICE_LITERAL("/dev/");
    struct slice path = answer_path(api, x);
    if (path.len >= dev.len && memcmp(path.ptr, dev.ptr, dev.len) == 0)
        return (struct slice){"", 0};
    return x->request.head.headers[HTTP_HEADER_ORIGIN];
}

/* Whether a page of ORIGIN may read answers; ALLOWED holds origins, or "*" for all. */
static bool allows(const struct string_list *allowed, struct slice origin)
{
    for (size_t i = 0; origin.len > 0 && i < allowed->n; i++)
        if (strcmp(allowed->items[i], "*") == 0 || slice_is(origin, allowed->items[i]))
            return true;
    return false;
}

/* The origin is echoed even for "*", so Vary keeps a cache from giving one page's answer to another. */
static void write_cors(const struct string_list *allowed, struct slice origin, struct buf *b)
{
    if (allowed->n > 0)
        buf_append_string(b, "Vary: Origin\r\n");
    if (!allows(allowed, origin))
        return;
    buf_append_string(b, "Access-Control-Allow-Origin: ");
    buf_append_slice(b, origin);
    buf_append_string(b, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
}

/* --- when players come again -----------------------------------------------------------------------------
 */

int64_t answer_interval_ms(const struct api *api)
{
    const struct config *config = api->settings.config;
    int64_t age_ms = api->settings.calls->age_ms(api->settings.store);
    int64_t refusals = pace_refusals(&api->pace, clock_steady_ms(api->settings.clock));
    return pace_interval_ms(
        config->heartbeats.interval_ms, config->heartbeats.max_interval_ms, age_ms, refusals);
}

void answer_served(struct api *api)
{
    pace_served(&api->pace, clock_steady_ms(api->settings.clock));
}

/* Players who are refused together do not come back together. */
static void write_retry_after(struct api *api, const struct pace *pace, struct buf *headers)
{
    int64_t limit_ms =
        pace_retry_limit_ms(pace, answer_interval_ms(api), clock_steady_ms(api->settings.clock));
    buf_printf(headers, "Retry-After: %d\r\n", pace_retry_after_s(limit_ms, rand_r(&api->jitter)));
}

/* --- answers ---------------------------------------------------------------------------------------------
 */

static void start_headers(struct api *api, const struct http_exchange *x)
{
    buf_clear(&api->headers);
    write_cors(origins(api), foreign_origin(api, x), &api->headers);
}

void answer_with(struct api *api, struct http_exchange *x, struct http_response *response)
{
    buf_append_char(&api->headers, '\0');
    response->headers = api->headers.data;
    assert(api->pending > 0);
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
    if (allows(origins(api), foreign_origin(api, x))) {
        buf_append_string(&api->headers, "Access-Control-Allow-Methods: ");
        buf_append_string(&api->headers, methods);
        buf_append_string(&api->headers, "\r\nAccess-Control-Allow-Headers: authorization, content-type\r\n"
                                         "Access-Control-Max-Age: 7200\r\n");
    }
    buf_printf(&api->headers, "Allow: %s, OPTIONS\r\n", methods);
    struct http_response response = {.status = 204};
    answer_with(api, x, &response);
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
    pace_refused(&api->pace, clock_steady_ms(api->settings.clock));
    respond(api, x, 503, detail, NULL);
}

void answer_unavailable(struct api *api, struct http_exchange *x)
{
    answer_shed(api, x, "minuted cannot store or read at present; send the same again later");
}

void answer_error(
    struct api *api, int status, const char *detail, struct slice origin, struct http_response *response)
{
    count(status == 503 ? &api->counters.requests_shed : &api->counters.requests_refused);
    buf_clear(&api->error_headers);
    write_cors(origins(api), origin, &api->error_headers);
    if (status == 503) {
        pace_refused(&api->door, clock_steady_ms(api->settings.clock));
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
