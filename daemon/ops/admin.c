/* The operators' listener. */
#include "ops/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "embedded/live_html.h"
#include "http/exchange.h"
#include "http/listen.h"
#include "http/server.h"
#include "ops/metrics.h"
#include "ops/metrics_text.h"
#include "ops/readiness.h"
#include "ops/status.h"

#define NO_STORE "Cache-Control: no-store\r\n"
/* The page is one file: it may talk to its own server and load nothing. */
#define PAGE_HEADERS                                                                                         \
    NO_STORE "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "                      \
             "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'\r\n"     \
             "X-Content-Type-Options: nosniff\r\n"

struct admin {
    const struct ops_sources *sources;
    struct http_server *server;
    struct buf error_body;                 /* of the last error that the server itself found */
    char unix_path[ENDPOINT_PATH_MAX + 1]; /* "" on TCP */
};

static void respond(
    struct http_exchange *x, int status, const char *content_type, const char *headers, struct slice body)
{
    http_respond(x, &(struct http_response){
                        .status = status, .content_type = content_type, .headers = headers, .body = body});
}

static void respond_text(struct http_exchange *x, int status, struct slice text)
{
    respond(x, status, "text/plain; charset=utf-8", NO_STORE, text);
}

static void serve_page(const struct admin *admin, struct http_exchange *x)
{
    (void)admin;
    respond(x, 200, "text/html; charset=utf-8", PAGE_HEADERS,
        (struct slice){(const char *)live_html, live_html_len});
}

static void serve_live(const struct admin *admin, struct http_exchange *x)
{
    (void)admin;
    respond_text(x, 200, SLICE_LITERAL("alive\n"));
}

static void serve_ready(const struct admin *admin, struct http_exchange *x)
{
    struct buf text = {0};
    bool verbose = slice_is(x->request.head.query, "verbose");
    bool ready = readiness_check(admin->sources, verbose, &text);
    buf_append_string(&text, ready ? "ready\n" : "not ready\n");
    respond_text(x, ready ? 200 : 503, buf_slice(&text));
    buf_free(&text);
}

static void serve_metrics(const struct admin *admin, struct http_exchange *x)
{
    struct buf text = {0};
    struct metrics *m = metrics_collect(admin->sources);
    metrics_text_write(m, &text);
    metrics_free(m);
    respond(x, 200, "text/plain; version=0.0.4; charset=utf-8", NO_STORE, buf_slice(&text));
    buf_free(&text);
}

static void serve_status(const struct admin *admin, struct http_exchange *x)
{
    struct buf json = {0};
    status_write(admin->sources, &json);
    respond(x, 200, "application/json", NO_STORE, buf_slice(&json));
    buf_free(&json);
}

static const struct {
    const char *path;
    void (*serve)(const struct admin *admin, struct http_exchange *x);
} routes[] = {
    {"/", serve_page},
    {"/livez", serve_live},
    {"/metrics", serve_metrics},
    {"/readyz", serve_ready},
    {"/status.json", serve_status},
};

static void handle(void *ctx, struct http_exchange *x)
{
    const struct admin *admin = ctx;
    struct slice path = x->request.head.path;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!slice_is(path, routes[i].path))
            continue;
        if (x->request.head.method == HTTP_METHOD_GET || x->request.head.method == HTTP_METHOD_HEAD)
            routes[i].serve(admin, x);
        else
            respond(x, 405, "text/plain; charset=utf-8", "Allow: GET, HEAD\r\n",
                SLICE_LITERAL("only GET and HEAD are supported\n"));
        return;
    }
    respond_text(
        x, 404, SLICE_LITERAL("there is nothing here; see /, /metrics, /livez, /readyz, /status.json\n"));
}

static void write_error(
    void *ctx, int status, const char *detail, struct slice origin, struct http_response *response)
{
    (void)origin;
    struct admin *admin = ctx;
    buf_clear(&admin->error_body);
    buf_printf(&admin->error_body, "%s\n", detail);
    *response = (struct http_response){.status = status,
        .content_type = "text/plain; charset=utf-8",
        .headers = status == 503 ? "Retry-After: 1\r\n" : NULL,
        .body = buf_slice(&admin->error_body),
        .close = true};
}

struct admin *admin_start(struct event_base *base, const struct endpoint *endpoint,
    const struct ops_sources *sources, struct log *log, char **error)
{
    struct endpoint bound = *endpoint;
    char text[300];
    int fd = http_listen_socket(&bound, false);
    if (fd < 0) {
        struct buf message = {0};
        buf_printf(&message, "admin.listen: %s: %s", endpoint_format(endpoint, text), strerror(errno));
        buf_append_char(&message, '\0');
        *error = message.data;
        return NULL;
    }
    static const struct http_limits limits = {
        .max_connections = 64,
        .max_body = 1024,
        .max_headers = 8192,
        .header_timeout_ms = 10000,
        .request_timeout_ms = 10000,
        .idle_timeout_ms = 75000,
        .idle_yields_ms = 5000,
    };
    struct admin *admin = mem_zalloc(sizeof(*admin));
    admin->sources = sources;
    if (endpoint->is_unix)
        memcpy(admin->unix_path, endpoint->host, sizeof(admin->unix_path));
    log_event(log, LOG_INFO, "admin_listening", "address=%s", endpoint_format(&bound, text));
    admin->server = http_server_new(base, &limits, handle, write_error, admin, sources->clock, log);
    http_server_listen(admin->server, fd);
    return admin;
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    http_server_free(admin->server);
    if (admin->unix_path[0] != '\0')
        unlink(admin->unix_path);
    buf_free(&admin->error_body);
    free(admin);
}
