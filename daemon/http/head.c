/* A request's head under strict rules. */
#include "http/head.h"

#include <strings.h>

#include "http/field.h"
#include "http/parser.h"

/* Content-Length has at most 18 digits, so it cannot overflow; any limit refuses it long before. */
enum { LENGTH_DIGITS_MAX = 18 };

struct head_reader {
    struct head *head;
    int hosts;
    int lengths;
    bool close;
    bool keep_alive;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

bool head_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.ptr[i]) && !one_of(s.ptr[i], "-_!#$%&'*+.^`|~"))
            return false;
    }
    return s.len > 0;
}

/* Without branches: values are most of a request's bytes. */
static bool is_field_value(struct slice s)
{
    unsigned bad = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bad |= (unsigned)(c < ' ') & (unsigned)(c != '\t');
        bad |= (unsigned)(c == 0x7f);
    }
    return bad == 0;
}

static bool equals_ignoring_case(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* --- the fields that frame a request ------------------------------------------------------------ */

static bool is_port(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len <= 5;
}

static bool is_host_byte(char c, bool bracketed)
{
    if (bracketed)
        return one_of(c, "0123456789abcdefABCDEF:.");
    return is_alnum(c) || one_of(c, "-._~%!$&'()*+,;=");
}

/* `name`, `name:port`, `[v6]`, `[v6]:port` */
static bool is_host(struct slice s)
{
    bool bracketed = s.len > 0 && s.ptr[0] == '[';
    size_t begin = bracketed ? 1 : 0;
    size_t i = begin;
    while (i < s.len && is_host_byte(s.ptr[i], bracketed))
        i++;
    if (i == begin)
        return false;
    if (bracketed && (i == s.len || s.ptr[i++] != ']'))
        return false;
    if (i == s.len)
        return true;
    return s.ptr[i] == ':' && is_port((struct slice){s.ptr + i + 1, s.len - i - 1});
}

static const char *take_host(struct head_reader *r, struct slice value)
{
    if (++r->hosts > 1)
        return "more than one Host";
    r->head->headers[HTTP_HEADER_HOST] = value;
    return is_host(value) ? NULL : "Host is not a host";
}

static const char *take_length(struct head_reader *r, struct slice value)
{
    if (++r->lengths > 1)
        return "more than one Content-Length";
    if (value.len == 0 || value.len > LENGTH_DIGITS_MAX)
        return "Content-Length is not a number of bytes";
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return "Content-Length is not a number of bytes";
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    r->head->content_length = length;
    return NULL;
}

static const char *take_encoding(struct head_reader *r, struct slice value)
{
    if (r->head->chunked)
        return "more than one Transfer-Encoding";
    if (!equals_ignoring_case(value, SLICE_LITERAL("chunked")))
        return "Transfer-Encoding is not chunked";
    r->head->chunked = true;
    return NULL;
}

static const char *take_connection(struct head_reader *r, struct slice value)
{
    while (value.len > 0) {
        struct slice option = field_part(value, ',', &value);
        r->close = r->close || field_is(option, "close");
        r->keep_alive = r->keep_alive || field_is(option, "keep-alive");
    }
    return NULL;
}

static const char *take_expect(struct head_reader *r, struct slice value)
{
    if (equals_ignoring_case(value, SLICE_LITERAL("100-continue")))
        r->head->expects_continue = true;
    return NULL;
}

/* --- all fields --------------------------------------------------------------------------------- */

#define NAME(text)                                                                                           \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }

static const struct {
    struct slice name;
    const char *(*take)(struct head_reader *r, struct slice value);
} framing_fields[] = {
    {NAME("host"), take_host},
    {NAME("content-length"), take_length},
    {NAME("transfer-encoding"), take_encoding},
    {NAME("connection"), take_connection},
    {NAME("expect"), take_expect},
};

/* Host is among the framing fields, and is kept by take_host(). */
static const struct slice kept_fields[HTTP_HEADER_COUNT] = {
    [HTTP_HEADER_AUTHORIZATION] = NAME("authorization"),
    [HTTP_HEADER_CONTENT_TYPE] = NAME("content-type"),
    [HTTP_HEADER_ACCEPT] = NAME("accept"),
    [HTTP_HEADER_ORIGIN] = NAME("origin"),
    [HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD] = NAME("access-control-request-method"),
    [HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS] = NAME("access-control-request-headers"),
    [HTTP_HEADER_IF_NONE_MATCH] = NAME("if-none-match"),
    [HTTP_HEADER_ACCEPT_ENCODING] = NAME("accept-encoding"),
    [HTTP_HEADER_SEC_FETCH_SITE] = NAME("sec-fetch-site"),
};

static const char *take_field(void *ctx, struct slice name, struct slice value)
{
    struct head_reader *r = ctx;
    if (!head_is_token(name))
        return "header name is not a token";
    if (!is_field_value(value))
        return "control byte in a header";
    for (size_t i = 0; i < sizeof(framing_fields) / sizeof(framing_fields[0]); i++) {
        if (equals_ignoring_case(name, framing_fields[i].name))
            return framing_fields[i].take(r, value);
    }
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++) {
        if (!equals_ignoring_case(name, kept_fields[i]))
            continue;
        if (r->head->headers[i].ptr == NULL)
            r->head->headers[i] = value;
        break;
    }
    return NULL;
}

/* --- the request line --------------------------------------------------------------------------- */

static enum http_method method_of(struct slice name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"POST", HTTP_METHOD_POST}, {"GET", HTTP_METHOD_GET}, {"OPTIONS", HTTP_METHOD_OPTIONS},
        {"HEAD", HTTP_METHOD_HEAD}};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_is(name, methods[i].name))
            return methods[i].method;
    }
    return HTTP_METHOD_OTHER;
}

static bool is_target(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return false;
    }
    return s.len > 0;
}

/* `http://host/path` as proxies write it: without scheme and host. Others are returned as they are. */
static struct slice without_authority(struct slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (target.len <= len || strncasecmp(target.ptr, schemes[i], len) != 0)
            continue;
        while (len < target.len && !one_of(target.ptr[len], "/?"))
            len++;
        return (struct slice){target.ptr + len, target.len - len};
    }
    return target;
}

static const char *take_target(struct head *head, struct slice target)
{
    if (!is_target(target))
        return "malformed request target";
    struct slice rest = without_authority(target);
    bool absolute = rest.ptr != target.ptr;
    bool asterisk = slice_is(target, "*") && head->method == HTTP_METHOD_OPTIONS;
    if (!absolute && !asterisk && rest.ptr[0] != '/')
        return "malformed request target";
    const char *mark = rest.len == 0 ? NULL : memchr(rest.ptr, '?', rest.len);
    size_t path_len = mark == NULL ? rest.len : (size_t)(mark - rest.ptr);
    head->path = path_len == 0 ? SLICE_LITERAL("/") : (struct slice){rest.ptr, path_len};
    if (mark != NULL)
        head->query = (struct slice){mark + 1, rest.len - path_len - 1};
    return NULL;
}

static const char *check_framing(const struct head_reader *r)
{
    if (r->hosts == 0 && !r->head->http_1_0)
        return "Host is missing";
    if (r->head->chunked && r->lengths > 0)
        return "Transfer-Encoding beside Content-Length";
    if (r->head->chunked && r->head->http_1_0)
        return "Transfer-Encoding in HTTP/1.0";
    return NULL;
}

const char *head_read(struct slice bytes, struct head *out)
{
    struct parser_line line;
    struct head_reader r = {.head = out};
    *out = (struct head){0};
    const char *error = parser_read_head(bytes, &line, take_field, &r);
    if (error != NULL)
        return error;
    if (!head_is_token(line.method)) /* the library skips what it deems empty lines */
        return "malformed request line";
    if (slice_is(line.method, "CONNECT"))
        return "CONNECT is not served";
    out->method = method_of(line.method);
    out->http_1_0 = line.minor == 0;
    out->keep_alive = !r.close && (r.keep_alive || !out->http_1_0);
    out->expects_continue = out->expects_continue && !out->http_1_0;
    error = take_target(out, line.target);
    return error != NULL ? error : check_framing(&r);
}
