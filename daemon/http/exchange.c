/* A request and the answer owed to it. */
#include "http/exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* What a request's buffer may keep for the next one. */
enum { REQUEST_KEEP = 4 * 1024 };

static enum request_status refuse(struct http_request *r, int status, const char *detail)
{
    r->status = status;
    r->detail = detail;
    return REQUEST_REFUSED;
}

static void skip(struct slice *input, size_t n)
{
    *input = (struct slice){input->ptr + n, input->len - n};
}

/* --- body --------------------------------------------------------------------------------------- */

static enum request_status feed_body(
    struct http_request *r, const struct http_limits *limits, struct slice *input)
{
    if (r->stage == REQUEST_STAGE_LENGTH) {
        size_t left = (size_t)r->head.content_length - r->body.len;
        size_t n = input->len < left ? input->len : left;
        buf_append(&r->body, input->ptr, n);
        skip(input, n);
        return n == left ? REQUEST_DONE : REQUEST_MORE;
    }
    switch (chunked_feed(&r->chunked, input, &r->body, limits->max_body, limits->max_headers)) {
    case CHUNKED_DONE:
        return REQUEST_DONE;
    case CHUNKED_MALFORMED:
        return refuse(r, 400, "malformed chunked body");
    case CHUNKED_TOO_LARGE:
        return refuse(r, 413, "the body is too large");
    case CHUNKED_LONG_TRAILER:
        return refuse(r, 431, "the trailer is too large");
    case CHUNKED_MORE:
        break;
    }
    return REQUEST_MORE;
}

/* --- head --------------------------------------------------------------------------------------- */

static enum request_status finish_head(
    struct http_request *r, const struct http_limits *limits, struct slice *input)
{
    const char *error = head_read(buf_slice(&r->head_bytes), &r->head);
    if (error != NULL)
        return refuse(r, 400, error);
    if (r->head.content_length > limits->max_body)
        return refuse(r, 413, "the body is too large");
    r->stage = r->head.chunked ? REQUEST_STAGE_CHUNKED : REQUEST_STAGE_LENGTH;
    bool has_body = r->head.chunked || r->head.content_length > 0;
    r->wants_continue = r->head.expects_continue && has_body && input->len == 0;
    buf_reserve(
        &r->body, (size_t)r->head.content_length); /* at once: growing would leave pieces of every size */
    return feed_body(r, limits, input);
}

/* Moves input up to and including the next LF; false when there is none or the head has grown too large. */
static bool take_line(struct http_request *r, size_t max, struct slice *input)
{
    const char *lf = memchr(input->ptr, '\n', input->len);
    size_t n = lf == NULL ? input->len : (size_t)(lf - input->ptr) + 1;
    size_t room = max - r->head_bytes.len;
    bool fits = n <= room;
    if (!fits)
        n = room;
    buf_append(&r->head_bytes, input->ptr, n);
    skip(input, n);
    return fits && lf != NULL;
}

static bool ends_with(const struct buf *b, const char *text)
{
    size_t len = strlen(text);
    return b->len >= len && memcmp(b->data + b->len - len, text, len) == 0;
}

enum request_status http_request_feed(
    struct http_request *r, const struct http_limits *limits, struct slice *input)
{
    if (r->stage != REQUEST_STAGE_HEAD)
        return feed_body(r, limits, input);
    while (input->len > 0) {
        if (!take_line(r, limits->max_headers, input)) {
            if (input->len > 0)
                return refuse(r, 431, "the request's head is too large");
            return REQUEST_MORE;
        }
        if (!ends_with(&r->head_bytes, "\r\n"))
            return refuse(r, 400, "a line ends without CR");
        if (r->head_bytes.len == 2 && !r->blank_seen) {
            /* Old clients send one empty line after a body; it is no request line. */
            r->blank_seen = true;
            buf_clear(&r->head_bytes);
            continue;
        }
        if (r->head_bytes.len == 2 || ends_with(&r->head_bytes, "\r\n\r\n"))
            return finish_head(r, limits, input);
    }
    return REQUEST_MORE;
}

static void recycle(struct buf *b)
{
    if (b->cap > REQUEST_KEEP)
        buf_free(b);
    buf_clear(b);
}

void http_request_reset(struct http_request *r)
{
    struct buf head_bytes = r->head_bytes;
    struct buf body = r->body;
    recycle(&head_bytes);
    recycle(&body);
    *r = (struct http_request){.head_bytes = head_bytes, .body = body};
}

void http_request_free(struct http_request *r)
{
    buf_free(&r->head_bytes);
    buf_free(&r->body);
}

/* --- what a handler asks and answers ---------------------------------------------------------------------
 */

void http_release_body(struct http_exchange *x)
{
    assert(x->handed);
    recycle(&x->request.body);
}

void http_respond(struct http_exchange *x, const struct http_response *response)
{
    assert(x->handed && response->status >= 100);
    x->respond(x, response);
}

/* --- an answer as bytes ----------------------------------------------------------------------------------
 */

const char *http_phrase(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown"; /* the phrase may be anything */
}

static const char *date_text(struct http_date *date)
{
    time_t now = time(NULL);
    if (now != date->second || date->text[0] == '\0') {
        struct tm utc;
        gmtime_r(&now, &utc);
        strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        date->second = now;
    }
    return date->text;
}

static void write_line(struct buf *out, const char *name, const char *value)
{
    buf_append_string(out, name);
    buf_append_string(out, value);
    buf_append(out, "\r\n", 2);
}

void http_response_write(struct buf *out, const struct http_response *response,
    const struct http_frame *frame, struct http_date *date)
{
    static const char *const connection[] = {[HTTP_KEEP] = "",
        [HTTP_KEEP_1_0] = "Connection: keep-alive\r\n",
        [HTTP_CLOSE] = "Connection: close\r\n"};
    bool content = response->status != 204 && response->status != 304;
    buf_append_string(out, "HTTP/1.1 ");
    buf_append_int(out, response->status);
    buf_append_char(out, ' ');
    write_line(out, http_phrase(response->status), "");
    write_line(out, "Date: ", date_text(date));
    if (content) {
        if (response->content_type != NULL)
            write_line(out, "Content-Type: ", response->content_type);
        buf_append_string(out, "Content-Length: ");
        buf_append_int(out, (int64_t)response->body.len);
        buf_append(out, "\r\n", 2);
    }
    if (response->headers != NULL)
        buf_append_string(out, response->headers);
    buf_append_string(out, connection[frame->connection]);
    buf_append(out, "\r\n", 2);
    if (content && !frame->without_body)
        buf_append_slice(out, response->body);
}

/* --- spare exchanges -------------------------------------------------------------------------------------
 */

/* About what is in flight in one loop turn; more are made and freed as needed. */
enum { EXCHANGES_SPARE = 256 };

struct http_exchange *exchange_take(struct exchange_pool *pool)
{
    struct http_exchange *x = pool->spare;
    if (x == NULL)
        return mem_zalloc(sizeof(*x));
    pool->spare = x->next;
    pool->count--;
    x->next = NULL;
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    http_request_free(&x->request);
    arena_free(&x->arena);
    free(x);
}

void exchange_give(struct exchange_pool *pool, struct http_exchange *x)
{
    if (pool->count >= EXCHANGES_SPARE) {
        exchange_free(x);
        return;
    }
    http_request_reset(&x->request);
    arena_reset(&x->arena);
    x->arena.limit = 0;
    x->connection = NULL;
    x->respond = NULL;
    x->handed = false;
    x->next = pool->spare;
    pool->spare = x;
    pool->count++;
}

void exchange_pool_free(struct exchange_pool *pool)
{
    while (pool->spare != NULL) {
        struct http_exchange *x = pool->spare;
        pool->spare = x->next;
        exchange_free(x);
    }
    pool->count = 0;
}
