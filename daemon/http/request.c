/* One request, piece by piece. */
#include "http/request.h"

/* What a request's buffer may keep for the next one. */
enum { REQUEST_KEEP = 4 * 1024 };

static enum request_status refuse(struct request *r, int status, const char *detail)
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

static enum request_status feed_length(struct request *r, struct slice *input)
{
    size_t left = (size_t)r->head.content_length - r->body.len;
    size_t n = input->len < left ? input->len : left;
    buf_append(&r->body, input->ptr, n);
    skip(input, n);
    return n == left ? REQUEST_DONE : REQUEST_MORE;
}

static enum request_status feed_chunked(
    struct request *r, const struct http_limits *limits, struct slice *input)
{
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

static enum request_status feed_body(struct request *r, const struct http_limits *limits, struct slice *input)
{
    return r->stage == REQUEST_STAGE_CHUNKED ? feed_chunked(r, limits, input) : feed_length(r, input);
}

/* --- head --------------------------------------------------------------------------------------- */

static enum request_status finish_head(
    struct request *r, const struct http_limits *limits, struct slice *input)
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
static bool take_line(struct request *r, size_t max, struct slice *input)
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

static bool is_blank(struct request *r)
{
    if (r->blank_seen || r->head_bytes.len != 2)
        return false;
    r->blank_seen = true;
    buf_clear(&r->head_bytes);
    return true;
}

static enum request_status feed_head(struct request *r, const struct http_limits *limits, struct slice *input)
{
    while (input->len > 0) {
        if (!take_line(r, limits->max_headers, input)) {
            if (input->len > 0)
                return refuse(r, 431, "the request's head is too large");
            return REQUEST_MORE;
        }
        if (!ends_with(&r->head_bytes, "\r\n"))
            return refuse(r, 400, "a line ends without CR");
        if (is_blank(r))
            continue;
        if (r->head_bytes.len == 2 || ends_with(&r->head_bytes, "\r\n\r\n"))
            return finish_head(r, limits, input);
    }
    return REQUEST_MORE;
}

enum request_status request_feed(struct request *r, const struct http_limits *limits, struct slice *input)
{
    return r->stage == REQUEST_STAGE_HEAD ? feed_head(r, limits, input) : feed_body(r, limits, input);
}

/* --- life ---------------------------------------------------------------------------------------- */

static void recycle(struct buf *b)
{
    if (b->cap > REQUEST_KEEP)
        buf_free(b);
    buf_clear(b);
}

void request_release_body(struct request *r)
{
    recycle(&r->body);
}

void request_reset(struct request *r)
{
    struct buf head_bytes = r->head_bytes;
    struct buf body = r->body;
    recycle(&head_bytes);
    recycle(&body);
    *r = (struct request){.head_bytes = head_bytes, .body = body};
}

void request_free(struct request *r)
{
    buf_free(&r->head_bytes);
    buf_free(&r->body);
}
