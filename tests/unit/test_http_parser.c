/*
 * What the players' port takes for a request and what it refuses: a table of each. Every entry is fed whole,
 * byte by byte, and cut in two at every place: where a packet ends must never matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/exchange.h"

enum { MAX_BODY = 32, MAX_HEADERS = 400 };

static const struct http_limits limits = {.max_body = MAX_BODY, .max_headers = MAX_HEADERS};

/* A text with the length that its NUL bytes would hide. */
#define BYTES(text)                                                                                          \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
#define HOST "Host: tv.example\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /p HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
/* The head of GET is 16 bytes, of HOST 18: with this field and the empty line it is MAX_HEADERS. */
#define PADDING_350 FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY

/* --- feeding -------------------------------------------------------------------------------------- */

struct outcome {
    enum request_status status;
    int refusal;
    size_t used;
};

/* A copy of exactly N bytes, so that reading beyond them is seen. */
static enum request_status feed_piece(struct http_request *r, const char *bytes, size_t n, size_t *used)
{
    char *copy = mem_alloc(n);
    memcpy(copy, bytes, n);
    struct slice input = {copy, n};
    enum request_status status = http_request_feed(r, &limits, &input);
    *used += n - input.len;
    free(copy);
    return status;
}

static struct outcome feed(struct http_request *r, struct slice bytes, size_t first, size_t step)
{
    struct outcome outcome = {.status = REQUEST_MORE};
    size_t at = 0;
    size_t n = first;
    while (at < bytes.len && outcome.status == REQUEST_MORE) {
        if (n > bytes.len - at)
            n = bytes.len - at;
        outcome.status = feed_piece(r, bytes.ptr + at, n, &outcome.used);
        at += n;
        n = step;
    }
    outcome.refusal = r->status;
    return outcome;
}

typedef void check_request(const struct http_request *r, struct outcome outcome, const void *expected);

static void feed_in_every_way(struct slice bytes, check_request *check, const void *expected)
{
    struct http_request r = {0};
    check(&r, feed(&r, bytes, bytes.len, 1), expected);
    http_request_reset(&r);
    check(&r, feed(&r, bytes, 1, 1), expected);
    for (size_t cut = 1; cut < bytes.len; cut++) {
        http_request_reset(&r);
        check(&r, feed(&r, bytes, cut, bytes.len), expected);
    }
    http_request_free(&r);
}

/* --- what must be taken --------------------------------------------------------------------------- */

struct good {
    const char *name;
    struct slice bytes;
    int following; /* bytes at the end that belong to the next request */
    enum http_method method;
    const char *path;
    const char *query;
    const char *body;
    bool close;
    const char *origin;
};

static const struct good good[] = {
    {"plain", BYTES(GET HOST "\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"query", BYTES("GET /a/b?c=d?e HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_GET, "/a/b", "c=d?e", "",
        false, ""},
    {"empty query", BYTES("GET /a? HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_GET, "/a", "", "", false, ""},
    {"head", BYTES("HEAD /h HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_HEAD, "/h", "", "", false, ""},
    {"options", BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_OPTIONS, "*", "", "", false, ""},
    {"put", BYTES("PUT /p HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_OTHER, "/p", "", "", false, ""},
    {"delete", BYTES("DELETE /p HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_OTHER, "/p", "", "", false, ""},
    {"absolute target", BYTES("GET http://tv.example:8080/a?b HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_GET,
        "/a", "b", "", false, ""},
    {"absolute without path", BYTES("GET http://tv.example HTTP/1.1\r\n" HOST "\r\n"), 0, HTTP_METHOD_GET,
        "/", "", "", false, ""},
    {"host with port", BYTES(GET "Host: tv.example:8080\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false,
        ""},
    {"host v4", BYTES(GET "Host: 127.0.0.1:1\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"host v6", BYTES(GET "Host: [::1]:8080\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"host v6 alone", BYTES(GET "host:[fe80::1]\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"host in odd case", BYTES(GET "hOsT: tv.example\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"white space around values", BYTES(GET "Host:\t tv.example \t\r\nOrigin:  o \r\n\r\n"), 0,
        HTTP_METHOD_GET, "/", "", "", false, "o"},
    {"empty value", BYTES(GET HOST "X-Empty:\r\nOrigin: o\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false,
        "o"},
    {"blank value", BYTES(GET HOST "X-Blank:   \r\nOrigin: o\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "",
        false, "o"},
    {"value with colon and tab", BYTES(GET HOST "X: a:\tb\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false,
        ""},
    {"bytes beyond ASCII in a value", BYTES(GET HOST "X: \xe6\x95\x99\xff\r\n\r\n"), 0, HTTP_METHOD_GET, "/",
        "", "", false, ""},
    {"odd token as name", BYTES(GET HOST "!#$%&'*+-.^_`|~0aZ: v\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "",
        false, ""},
    {"origin", BYTES(GET HOST "Origin: https://a.example\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false,
        "https://a.example"},
    {"first of two origins", BYTES(GET HOST "Origin: a\r\nORIGIN: b\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "",
        "", false, "a"},
    {"1.0 closes", BYTES("GET / HTTP/1.0\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", true, ""},
    {"1.0 kept alive", BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "",
        "", false, ""},
    {"1.1 closes", BYTES(GET HOST "Connection: close\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "", true, ""},
    {"close among options", BYTES(GET HOST "Connection: TE ,\tClose\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "",
        "", true, ""},
    {"close wins", BYTES(GET HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n"), 0, HTTP_METHOD_GET,
        "/", "", "", true, ""},
    {"closed is not close", BYTES(GET HOST "Connection: closed\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "", "",
        false, ""},
    {"upgrade is not taken", BYTES(GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET"), 3,
        HTTP_METHOD_GET, "/", "", "", false, ""},
    {"upgrade with body",
        BYTES(
            "POST / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab"),
        0, HTTP_METHOD_POST, "/", "", "ab", false, ""},
    {"one empty line before", BYTES("\r\n" GET HOST "\r\n"), 0, HTTP_METHOD_GET, "/", "", "", false, ""},
    {"length", BYTES(POST "Content-Length: 5\r\n\r\nhello"), 0, HTTP_METHOD_POST, "/p", "", "hello", false,
        ""},
    {"length 0", BYTES(POST "Content-Length: 0\r\n\r\nG"), 1, HTTP_METHOD_POST, "/p", "", "", false, ""},
    {"leading zeros", BYTES(POST "Content-Length: 005\r\n\r\nhello"), 0, HTTP_METHOD_POST, "/p", "", "hello",
        false, ""},
    {"length at the limit", BYTES(POST "Content-Length: 32\r\n\r\n" TEN TEN TEN "ab"), 0, HTTP_METHOD_POST,
        "/p", "", TEN TEN TEN "ab", false, ""},
    {"no length, no body", BYTES(POST "\r\nG"), 1, HTTP_METHOD_POST, "/p", "", "", false, ""},
    {"pipelined", BYTES(POST "Content-Length: 1\r\n\r\nx" GET HOST "\r\n"), 36, HTTP_METHOD_POST, "/p", "",
        "x", false, ""},
    {"1.0 with length", BYTES("POST /p HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), 0, HTTP_METHOD_POST, "/p",
        "", "x", true, ""},
    {"expect", BYTES(POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx"), 0, HTTP_METHOD_POST, "/p",
        "", "x", false, ""},
    {"chunked", BYTES(CHUNKED "5\r\nhello\r\n0\r\n\r\nG"), 1, HTTP_METHOD_POST, "/p", "", "hello", false, ""},
    {"no chunk", BYTES(CHUNKED "0\r\n\r\n"), 0, HTTP_METHOD_POST, "/p", "", "", false, ""},
    {"two chunks", BYTES(CHUNKED "1\r\na\r\n00A\r\n" TEN "\r\n0\r\n\r\n"), 0, HTTP_METHOD_POST, "/p", "",
        "a" TEN, false, ""},
    {"chunks at the limit", BYTES(CHUNKED "1e\r\n" TEN TEN TEN "\r\n2\r\nab\r\n0\r\n\r\n"), 0,
        HTTP_METHOD_POST, "/p", "", TEN TEN TEN "ab", false, ""},
    {"chunk with CR LF inside", BYTES(CHUNKED "4\r\n\r\n0\r\r\n0\r\n\r\n"), 0, HTTP_METHOD_POST, "/p", "",
        "\r\n0\r", false, ""},
    {"chunk extension", BYTES(CHUNKED "1;a=\"b\"\r\nx\r\n0;c\r\n\r\n"), 0, HTTP_METHOD_POST, "/p", "", "x",
        false, ""},
    {"trailer", BYTES(CHUNKED "1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n"), 0, HTTP_METHOD_POST, "/p", "", "x",
        false, ""},
    {"chunked in odd case", BYTES(POST "transfer-encoding:CHUNKED\r\n\r\n0\r\n\r\n"), 0, HTTP_METHOD_POST,
        "/p", "", "", false, ""},
    {"head at the limit", BYTES(GET HOST "X-Padding: " PADDING_350 "a\r\n\r\n"), 0, HTTP_METHOD_GET, "/", "",
        "", false, ""},
};

static void check_good(const struct http_request *r, struct outcome outcome, const void *expected)
{
    const struct good *want = expected;
    if (outcome.status != REQUEST_DONE)
        fail_msg("%s: %s", want->name, outcome.status == REQUEST_MORE ? "incomplete" : r->detail);
    bool equal = outcome.used == want->bytes.len - (size_t)want->following &&
                 r->head.method == want->method && slice_is(r->head.path, want->path) &&
                 slice_is(r->head.query, want->query) && slice_is(buf_slice(&r->body), want->body) &&
                 r->head.keep_alive == !want->close &&
                 slice_is(r->head.headers[HTTP_HEADER_ORIGIN], want->origin);
    if (!equal)
        fail_msg("%s: method=%d path=%.*s query=%.*s body=%.*s keep_alive=%d used=%zu", want->name,
            (int)r->head.method, SLICE_ARG(r->head.path), SLICE_ARG(r->head.query),
            SLICE_ARG(buf_slice(&r->body)), r->head.keep_alive, outcome.used);
}

static void test_good_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        feed_in_every_way(good[i].bytes, check_good, &good[i]);
}

/* --- what must be refused ------------------------------------------------------------------------------ */

struct bad {
    const char *name;
    struct slice bytes;
    int status;
};

static const struct bad bad[] = {
    /* request line */
    {"empty lines", BYTES("\r\n\r\n" GET HOST "\r\n"), 400},
    {"bare LF first", BYTES("\n" GET HOST "\r\n"), 400},
    {"bare CR first", BYTES("\r" GET HOST "\r\n"), 400},
    {"blank first", BYTES(" " GET HOST "\r\n"), 400},
    {"no version", BYTES("GET /\r\n" HOST "\r\n"), 400},
    {"no target", BYTES("GET HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"two blanks after the method", BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"two blanks after the target", BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"tab after the method", BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"blank after the version", BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400},
    {"HTTP/0.9", BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), 400},
    {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"), 400},
    {"HTTP/1.10", BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), 400},
    {"HTTP/01.1", BYTES("GET / HTTP/01.1\r\n" HOST "\r\n"), 400},
    {"HTTP/2.0", BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"), 400},
    {"HTTP/2 preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400},
    {"http/1.1", BYTES("GET / http/1.1\r\n" HOST "\r\n"), 400},
    {"no HTTP", BYTES("GET / FTP/1.1\r\n" HOST "\r\n"), 400},
    {"unknown method", BYTES("FETCH / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"method in small letters", BYTES("get / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"connect", BYTES("CONNECT tv.example:443 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"relative target", BYTES("GET a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"asterisk", BYTES("GET * HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"scheme without host", BYTES("GET http:// HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"other scheme", BYTES("GET ftp://tv.example/ HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"fragment", BYTES("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"NUL in the target", BYTES("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"tab in the target", BYTES("GET /a\tb HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"DEL in the target", BYTES("GET /a\x7f HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"bytes beyond ASCII in the target", BYTES("GET /\xe6\x95\x99 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a response", BYTES("HTTP/1.1 200 OK\r\n" HOST "\r\n"), 400},
    {"TLS", BYTES("\x16\x03\x01\x02\x00\x01\n\x00"), 400},
    /* lines */
    {"LF after the request line", BYTES("GET / HTTP/1.1\n" HOST "\r\n"), 400},
    {"LF after a header", BYTES(GET "Host: a\n\r\n"), 400},
    {"LF as the empty line", BYTES(GET HOST "\n"), 400},
    {"LF inside", BYTES(GET HOST "X: a\nY: b\r\n\r\n"), 400},
    {"CR inside a value", BYTES(GET HOST "X: a\rb\r\n\r\n"), 400},
    {"CR as line end", BYTES(GET HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"CR CR LF", BYTES(GET HOST "X: a\r\r\n\r\n"), 400},
    {"CR after the request line", BYTES("GET / HTTP/1.1\r\r\n" HOST "\r\n"), 400},
    {"folded line", BYTES(GET HOST "X: a\r\n b\r\n\r\n"), 400},
    {"line folded by a tab", BYTES(GET HOST "X: a\r\n\tb\r\n\r\n"), 400},
    {"folded line before another", BYTES(GET "X: a\r\n b\r\n" HOST "\r\n"), 400},
    {"folded empty value", BYTES(GET HOST "X:\r\n b\r\n\r\n"), 400},
    {"folded first line", BYTES(GET " X: a\r\n" HOST "\r\n"), 400},
    {"folded last line", BYTES(GET HOST " \r\n\r\n"), 400},
    /* names and values */
    {"blank before the colon", BYTES(GET HOST "X : a\r\n\r\n"), 400},
    {"tab before the colon", BYTES(GET HOST "X\t: a\r\n\r\n"), 400},
    {"blank in the Host's name", BYTES(GET "Host : tv.example\r\n\r\n"), 400},
    {"blank in a length's name", BYTES(POST "Content-Length : 1\r\n\r\nx"), 400},
    {"no colon", BYTES(GET HOST "X\r\n\r\n"), 400},
    {"no name", BYTES(GET HOST ": a\r\n\r\n"), 400},
    {"blank within a name", BYTES(GET HOST "X Y: a\r\n\r\n"), 400},
    {"bracket in a name", BYTES(GET HOST "X[]: a\r\n\r\n"), 400},
    {"quote in a name", BYTES(GET HOST "\"X\": a\r\n\r\n"), 400},
    {"NUL in a name", BYTES(GET HOST "X\0: a\r\n\r\n"), 400},
    {"bytes beyond ASCII in a name", BYTES(GET HOST "X\xe6: a\r\n\r\n"), 400},
    {"NUL in a value", BYTES(GET HOST "X: a\0b\r\n\r\n"), 400},
    {"control byte in a value", BYTES(GET HOST "X: a\x01\r\n\r\n"), 400},
    {"DEL in a value", BYTES(GET HOST "X: a\x7f\r\n\r\n"), 400},
    {"escape in a value", BYTES(GET HOST "X: \x1b[1m\r\n\r\n"), 400},
    /* Host */
    {"no Host", BYTES(GET "\r\n"), 400},
    {"empty Host", BYTES(GET "Host:\r\n\r\n"), 400},
    {"blank Host", BYTES(GET "Host: \t\r\n\r\n"), 400},
    {"two Hosts", BYTES(GET HOST HOST "\r\n"), 400},
    {"two different Hosts", BYTES(GET HOST "hOst: b\r\n\r\n"), 400},
    {"two Hosts in 1.0", BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400},
    {"two Hosts in one", BYTES(GET "Host: a, b/c\r\n\r\n"), 400},
    {"blank in Host", BYTES(GET "Host: a b\r\n\r\n"), 400},
    {"Host with user", BYTES(GET "Host: u@a\r\n\r\n"), 400},
    {"Host with path", BYTES(GET "Host: a/b\r\n\r\n"), 400},
    {"Host with scheme", BYTES(GET "Host: http://a\r\n\r\n"), 400},
    {"port alone", BYTES(GET "Host: :80\r\n\r\n"), 400},
    {"port not a number", BYTES(GET "Host: a:b\r\n\r\n"), 400},
    {"port too long", BYTES(GET "Host: a:123456\r\n\r\n"), 400},
    {"bracket not closed", BYTES(GET "Host: [::1\r\n\r\n"), 400},
    {"empty brackets", BYTES(GET "Host: []\r\n\r\n"), 400},
    {"v6 without brackets", BYTES(GET "Host: fe80::1\r\n\r\n"), 400},
    {"text after brackets", BYTES(GET "Host: [::1]a\r\n\r\n"), 400},
    /* Content-Length */
    {"empty length", BYTES(POST "Content-Length:\r\n\r\n"), 400},
    {"negative length", BYTES(POST "Content-Length: -1\r\n\r\n"), 400},
    {"length with a plus", BYTES(POST "Content-Length: +1\r\n\r\nx"), 400},
    {"hexadecimal length", BYTES(POST "Content-Length: 0x1\r\n\r\nx"), 400},
    {"length with a fraction", BYTES(POST "Content-Length: 1.0\r\n\r\nx"), 400},
    {"length with text", BYTES(POST "Content-Length: 1x\r\n\r\nx"), 400},
    {"length of two numbers", BYTES(POST "Content-Length: 1 1\r\n\r\nx"), 400},
    {"list of lengths", BYTES(POST "Content-Length: 1, 1\r\n\r\nx"), 400},
    {"two equal lengths", BYTES(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 400},
    {"two different lengths", BYTES(POST "Content-Length: 1\r\ncontent-length: 2\r\n\r\nxy"), 400},
    {"length beyond 64 bits", BYTES(POST "Content-Length: 18446744073709551617\r\n\r\nx"), 400},
    {"length above the limit", BYTES(POST "Content-Length: 33\r\n\r\n"), 413},
    {"huge length", BYTES(POST "Content-Length: 999999999999999999\r\n\r\n"), 413},
    /* Transfer-Encoding */
    {"both framings", BYTES(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"both framings, turned", BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
        400},
    {"chunked and length 0", BYTES(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        400},
    {"chunked in 1.0", BYTES("POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked twice", BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        400},
    {"chunked, chunked", BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 400},
    {"xchunked", BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunkedx", BYTES(POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"), 400},
    {"gzip, chunked", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400},
    {"identity", BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), 400},
    {"empty coding", BYTES(POST "Transfer-Encoding:\r\n\r\n"), 400},
    {"coding in quotes", BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400},
    {"vertical tab before the coding",
        BYTES(POST "Transfer-Encoding: \x0b"
                   "chunked\r\n\r\n0\r\n\r\n"),
        400},
    /* chunks */
    {"no size", BYTES(CHUNKED "\r\n"), 400},
    {"size with a plus", BYTES(CHUNKED "+1\r\nx\r\n0\r\n\r\n"), 400},
    {"negative size", BYTES(CHUNKED "-1\r\nx\r\n0\r\n\r\n"), 400},
    {"size with 0x", BYTES(CHUNKED "0x1\r\nx\r\n0\r\n\r\n"), 400},
    {"blank before the size", BYTES(CHUNKED " 1\r\nx\r\n0\r\n\r\n"), 400},
    {"blank after the size", BYTES(CHUNKED "1 \r\nx\r\n0\r\n\r\n"), 400},
    {"size of nine digits", BYTES(CHUNKED "000000001\r\nx\r\n0\r\n\r\n"), 400},
    {"size beyond 64 bits", BYTES(CHUNKED "10000000000000001\r\nx\r\n0\r\n\r\n"), 400},
    {"LF after the size", BYTES(CHUNKED "1\nx\r\n0\r\n\r\n"), 400},
    {"CR without LF after the size", BYTES(CHUNKED "1\rXx\r\n0\r\n\r\n"), 400},
    {"LF in an extension", BYTES(CHUNKED "1;a\nx\r\n0\r\n\r\n"), 400},
    {"NUL in an extension", BYTES(CHUNKED "1;a\0\r\nx\r\n0\r\n\r\n"), 400},
    {"endless extension", BYTES(CHUNKED "1;" FIFTY FIFTY FIFTY FIFTY FIFTY TEN "\r\nx\r\n0\r\n\r\n"), 400},
    {"no CR LF after a chunk", BYTES(CHUNKED "1\r\nxQQ0\r\n\r\n"), 400},
    {"LF after a chunk", BYTES(CHUNKED "1\r\nx\n0\r\n\r\n"), 400},
    {"CR and another byte after a chunk", BYTES(CHUNKED "1\r\nx\rQ0\r\n\r\n"), 400},
    {"CR alone after a chunk", BYTES(CHUNKED "1\r\nx\r0\r\n\r\n"), 400},
    {"chunk longer than its size", BYTES(CHUNKED "1\r\nxy\r\n0\r\n\r\n"), 400},
    {"chunk above the limit", BYTES(CHUNKED "21\r\n"), 413},
    {"chunks above the limit", BYTES(CHUNKED "1e\r\n" TEN TEN TEN "\r\n3\r\n"), 413},
    {"chunk of 4 GiB", BYTES(CHUNKED "ffffffff\r\n"), 413},
    {"LF ends the trailer", BYTES(CHUNKED "0\r\n\n"), 400},
    {"CR without LF ends the trailer", BYTES(CHUNKED "0\r\n\rX"), 400},
    {"folded trailer", BYTES(CHUNKED "0\r\nX: a\r\n b\r\n\r\n"), 400},
    {"trailer without colon", BYTES(CHUNKED "0\r\nX\r\n\r\n"), 400},
    {"trailer without name", BYTES(CHUNKED "0\r\n: a\r\n\r\n"), 400},
    {"blank in a trailer's name", BYTES(CHUNKED "0\r\nX : a\r\n\r\n"), 400},
    {"NUL in a trailer", BYTES(CHUNKED "0\r\nX: \0\r\n\r\n"), 400},
    {"trailer above the limit", BYTES(CHUNKED "0\r\nX: " PADDING_350 FIFTY "\r\n\r\n"), 431},
    /* size of the head */
    {"head above the limit", BYTES(GET HOST "X-Padding: " PADDING_350 "ab\r\n\r\n"), 431},
    {"endless header", BYTES(GET HOST "X: " PADDING_350 FIFTY), 431},
    {"endless target", BYTES("GET /" PADDING_350 FIFTY FIFTY), 431},
    {"endless lines",
        BYTES(GET HOST "A:" TEN "\r\n" FIFTY ":\r\n" FIFTY ":\r\n" FIFTY ":\r\n" FIFTY ":\r\n" FIFTY
                       ":\r\n" FIFTY ":\r\n" FIFTY ":\r\n"),
        431},
};

static void check_bad(const struct http_request *r, struct outcome outcome, const void *expected)
{
    const struct bad *want = expected;
    (void)r;
    if (outcome.status != REQUEST_REFUSED || outcome.refusal != want->status)
        fail_msg("%s: status=%d refusal=%d", want->name, (int)outcome.status, outcome.refusal);
    if (r->detail == NULL || r->detail[0] == '\0')
        fail_msg("%s: refused without a reason", want->name);
}

static void test_bad_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        feed_in_every_way(bad[i].bytes, check_bad, &bad[i]);
}

/* --- what is asked for before it is whole --------------------------------------------------------------- */

static void test_every_beginning_is_incomplete(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct slice bytes = {good[i].bytes.ptr, good[i].bytes.len - (size_t)good[i].following};
        for (size_t len = 1; len < bytes.len; len++) {
            struct http_request r = {0};
            struct outcome outcome = feed(&r, (struct slice){bytes.ptr, len}, len, 1);
            if (outcome.status != REQUEST_MORE || outcome.used != len)
                fail_msg("%s: %zu bytes: status=%d", good[i].name, len, (int)outcome.status);
            http_request_free(&r);
        }
    }
}

static bool wants_continue(struct slice bytes)
{
    struct http_request r = {0};
    assert_int_equal(feed(&r, bytes, bytes.len, 1).status == REQUEST_REFUSED, false);
    bool wanted = r.wants_continue;
    http_request_free(&r);
    return wanted;
}

static void test_continue_is_wanted_before_a_body_only(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        bool wanted;
    } cases[] = {
        {BYTES(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"), true},
        {BYTES(POST "expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"), true},
        {BYTES(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na"), false},
        {BYTES(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"), false},
        {BYTES(POST "Expect: 100-continue\r\n\r\n"), false},
        {BYTES(POST "Expect: something\r\nContent-Length: 2\r\n\r\n"), false},
        {BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"), false},
        {BYTES(POST "Expect: 100-continue\r\nContent-Length: 2\r\n"), false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (wants_continue(cases[i].bytes) != cases[i].wanted)
            fail_msg("case %zu", i);
    }
}

static void test_origin_is_known_when_the_body_is_refused(void **state)
{
    (void)state;
    struct slice bytes = BYTES(POST "Origin: https://a.example\r\nContent-Length: 33\r\n\r\n");
    struct http_request r = {0};
    assert_int_equal(feed(&r, bytes, bytes.len, 1).refusal, 413);
    assert_true(slice_is(r.head.headers[HTTP_HEADER_ORIGIN], "https://a.example"));
    http_request_free(&r);
}

static void test_headers_that_are_kept(void **state)
{
    (void)state;
    struct slice bytes = BYTES("GET / HTTP/1.1\r\nhOST: a.example:80 \r\nSec-Fetch-Site: cross-site\r\n\r\n");
    struct http_request r = {0};
    assert_int_equal(feed(&r, bytes, bytes.len, 1).status, REQUEST_DONE);
    assert_true(slice_is(r.head.headers[HTTP_HEADER_HOST], "a.example:80"));
    assert_true(slice_is(r.head.headers[HTTP_HEADER_SEC_FETCH_SITE], "cross-site"));
    http_request_free(&r);
}

/* --- the library behind
 * -------------------------------------------------------------------------------------- */

static const char *collect(void *ctx, struct slice name, struct slice value)
{
    struct buf *fields = ctx;
    buf_printf(fields, "%.*s=%.*s;", SLICE_ARG(name), SLICE_ARG(value));
    return slice_is(name, "Stop") ? "stopped" : NULL;
}

static void test_parser_reports_fields_in_order(void **state)
{
    (void)state;
    struct head_line line;
    struct buf fields = {0};
    struct slice head = BYTES("PUT /x?y HTTP/1.0\r\nA: 1\r\nB:\r\nA:  2 \r\n\r\n");
    assert_null(head_parse(head, &line, collect, &fields));
    assert_true(slice_is(line.method, "PUT"));
    assert_true(slice_is(line.target, "/x?y"));
    assert_int_equal(line.minor, 0);
    assert_true(slice_is(buf_slice(&fields), "A=1;B=;A=2;"));
    buf_free(&fields);
}

static void test_parser_stops_at_a_refused_field(void **state)
{
    (void)state;
    struct head_line line;
    struct buf fields = {0};
    struct slice head = BYTES("GET / HTTP/1.1\r\nA: 1\r\nStop: 2\r\nB: 3\r\n\r\n");
    assert_string_equal(head_parse(head, &line, collect, &fields), "stopped");
    assert_true(slice_is(buf_slice(&fields), "A=1;Stop=2;"));
    buf_free(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_every_beginning_is_incomplete),
        cmocka_unit_test(test_continue_is_wanted_before_a_body_only),
        cmocka_unit_test(test_origin_is_known_when_the_body_is_refused),
        cmocka_unit_test(test_headers_that_are_kept),
        cmocka_unit_test(test_parser_reports_fields_in_order),
        cmocka_unit_test(test_parser_stops_at_a_refused_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
