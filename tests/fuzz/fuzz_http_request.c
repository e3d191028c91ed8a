/*
 * A request's bytes, whole, cut where the input says, and byte by byte (longer ones by 61 bytes): the outcome
 * is the same. What is accepted keeps the framing rules, restated here line by line, and written plainly it
 * reads the same again.
 *
 *     [n cuts][cut]...[cut] the bytes of one or more requests
 */
#include <assert.h>
#include <stdint.h>
#include <strings.h>

#include "budget.h"
#include "http/accept_encoding.h"
#include "http/entity_tag.h"
#include "http/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS_MAX = 16, REQUESTS_MAX = 4, SINGLE_MAX = 1024 };

static const struct http_limits limits = {.max_body = 8192, .max_headers = 4096};
static const struct budget budget = {96 * 1024, 8, 5000, 500};

/* ---- reading in pieces ---- */

/* Feeds the next LEN bytes of INPUT; what the request leaves of them stays there. */
static enum request_status feed(struct http_request *r, struct slice *input, size_t len)
{
    struct slice piece = {input->ptr, len < input->len ? len : input->len};
    size_t given = piece.len;
    enum request_status status = http_request_feed(r, &limits, &piece);
    size_t taken = given - piece.len;
    assert(piece.ptr == input->ptr + taken);
    assert(status != REQUEST_MORE || taken == given);
    assert(r->head_bytes.len <= limits.max_headers && r->body.len <= limits.max_body);
    *input = (struct slice){input->ptr + taken, input->len - taken};
    return status;
}

/* CUTS holds N lengths of pieces, used in turn; none: all at once. */
static enum request_status read_request(
    struct http_request *r, struct slice *input, const uint8_t *cuts, size_t n)
{
    enum request_status status = REQUEST_MORE;
    for (size_t i = 0; status == REQUEST_MORE && input->len > 0; i++)
        status = feed(r, input, n == 0 ? input->len : (size_t)cuts[i % n] + 1);
    return status;
}

/* ---- what two readings must agree on ---- */

static bool same_heads(const struct head *a, const struct head *b)
{
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        if (!slice_equal(a->headers[i], b->headers[i]))
            return false;
    return a->method == b->method && slice_equal(a->path, b->path) && slice_equal(a->query, b->query) &&
           a->expects_continue == b->expects_continue && a->keep_alive == b->keep_alive &&
           a->http_1_0 == b->http_1_0;
}

static void check_same(const struct http_request *a, const struct http_request *b)
{
    assert(a->status == b->status && a->detail == b->detail);
    assert(slice_equal(buf_slice(&a->head_bytes), buf_slice(&b->head_bytes)));
    assert(slice_equal(buf_slice(&a->body), buf_slice(&b->body)));
    assert(a->stage == b->stage && a->head.chunked == b->head.chunked);
    assert(a->head.content_length == b->head.content_length);
    if (a->stage != REQUEST_STAGE_HEAD)
        assert(same_heads(&a->head, &b->head));
}

static void check_pieces(struct slice input, const struct http_request *whole, enum request_status status,
    size_t rest, const uint8_t *cuts, size_t n)
{
    struct http_request parts = {0};
    enum request_status parts_status = read_request(&parts, &input, cuts, n);
    assert(parts_status == status && input.len == rest);
    check_same(whole, &parts);
    http_request_free(&parts);
}

/* ---- the framing rules once more ---- */

struct framing {
    int hosts, lengths, encodings;
};

static bool name_is(struct slice line, const char *name)
{
    size_t len = strlen(name);
    return line.len > len && line.ptr[len] == ':' && strncasecmp(line.ptr, name, len) == 0;
}

static void check_line(struct slice line, struct framing *f)
{
    for (size_t i = 0; i < line.len; i++)
        assert(((unsigned char)line.ptr[i] >= ' ' && line.ptr[i] != 0x7f) || line.ptr[i] == '\t');
    f->hosts += name_is(line, "host");
    f->lengths += name_is(line, "content-length");
    f->encodings += name_is(line, "transfer-encoding");
}

/* The line before the next CR LF, taken off REST. */
static struct slice take_line(struct slice *rest)
{
    const char *lf = memchr(rest->ptr, '\n', rest->len);
    assert(lf != NULL && lf > rest->ptr && lf[-1] == '\r');
    struct slice line = {rest->ptr, (size_t)(lf - rest->ptr) - 1};
    *rest = (struct slice){lf + 1, rest->len - line.len - 2};
    return line;
}

static void check_framing(const struct http_request *r)
{
    struct framing f = {0};
    struct slice rest = buf_slice(&r->head_bytes);
    struct slice line = take_line(&rest);
    assert(memchr(line.ptr, '\t', line.len) == NULL);
    check_line(line, &f);
    for (line = take_line(&rest); line.len > 0; line = take_line(&rest)) {
        assert(line.ptr[0] != ' ' && line.ptr[0] != '\t' && memchr(line.ptr, ':', line.len) != NULL);
        check_line(line, &f);
    }
    assert(rest.len == 0);
    assert(f.hosts == 1 || (f.hosts == 0 && r->head.http_1_0));
    assert(f.lengths <= 1 && f.encodings <= 1 && f.lengths + f.encodings <= 1);
    assert(r->head.chunked == (f.encodings == 1));
    assert(r->head.chunked || r->body.len == r->head.content_length);
}

/* ---- written plainly ---- */

static void write_field(struct buf *b, const char *name, struct slice value)
{
    if (value.ptr == NULL)
        return;
    buf_append_string(b, name);
    buf_append_slice(b, value);
    buf_append_string(b, "\r\n");
}

static void write_request(struct buf *b, const struct http_request *r)
{
    static const char *const methods[] = {"GET ", "HEAD ", "POST ", "OPTIONS ", "PUT "};
    static const char *const names[HTTP_HEADER_COUNT] = {"Authorization:", "content-type: ", "ACCEPT:\t",
        "Origin: ", "Access-Control-Request-Method: ", "Access-Control-Request-Headers: ", "If-None-Match:  ",
        "Accept-Encoding: ", "Host: ", "Sec-Fetch-Site: "};
    buf_append_string(b, methods[r->head.method]);
    buf_append_slice(b, r->head.path);
    if (r->head.query.ptr != NULL)
        buf_append_char(b, '?');
    buf_append_slice(b, r->head.query);
    buf_append_string(b, r->head.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    write_field(b, "Connection: ", r->head.keep_alive ? SLICE_LITERAL("keep-alive") : SLICE_LITERAL("close"));
    if (r->head.expects_continue)
        write_field(b, "Expect: ", SLICE_LITERAL("100-continue"));
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        write_field(b, names[i], r->head.headers[i]);
    buf_printf(b, "Content-Length: %zu\r\n\r\n", r->body.len);
    buf_append_slice(b, buf_slice(&r->body));
}

static void check_rewritten(const struct http_request *r)
{
    struct buf text = {0};
    struct http_request again = {0};
    write_request(&text, r);
    if (text.len - r->body.len <= limits.max_headers) {
        struct slice input = buf_slice(&text);
        enum request_status status = http_request_feed(&again, &limits, &input);
        assert(status == REQUEST_DONE && input.len == 0);
        assert(same_heads(&r->head, &again.head));
        assert(slice_equal(buf_slice(&r->body), buf_slice(&again.body)));
    }
    http_request_free(&again);
    buf_free(&text);
}

/* ---- its conditions ---- */

static void check_conditions(const struct http_request *r)
{
    bool listed = entity_tag_listed(r->head.headers[HTTP_HEADER_IF_NONE_MATCH], "\"x\"");
    bool packed = accept_encoding_takes_gzip(r->head.headers[HTTP_HEADER_ACCEPT_ENCODING]);
    assert(!listed || r->head.headers[HTTP_HEADER_IF_NONE_MATCH].len > 0);
    assert(!packed || r->head.headers[HTTP_HEADER_ACCEPT_ENCODING].len > 0);
}

/* ---- one request after the other, as on a connection ---- */

static bool check_next(struct http_request *r, struct slice *input, const uint8_t *cuts, size_t n)
{
    uint8_t small = input->len <= SINGLE_MAX ? 0 : 60;
    struct slice start = *input;
    enum request_status status = read_request(r, input, NULL, 0);
    check_pieces(start, r, status, input->len, &small, 1);
    check_pieces(start, r, status, input->len, cuts, n);
    assert((status == REQUEST_REFUSED) == (r->status != 0) && (r->status == 0) == (r->detail == NULL));
    if (status == REQUEST_DONE) {
        check_framing(r);
        check_rewritten(r);
        check_conditions(r);
    }
    return status == REQUEST_DONE && r->head.keep_alive;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = size == 0 ? 0 : data[0] % CUTS_MAX;
    if (size < n + 2)
        return 0;
    struct slice input = {(const char *)data + 1 + n, size - 1 - n};
    struct http_request r = {0};
    budget_begin();
    for (int i = 0; i < REQUESTS_MAX && check_next(&r, &input, data + 1, n); i++)
        http_request_reset(&r);
    http_request_free(&r);
    budget_end(&budget, size);
    return 0;
}
