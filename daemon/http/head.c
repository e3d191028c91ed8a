/* A request's head: taken apart by the HTTP library, checked for gaps, and read under strict rules. */
#include "http/head.h"

#include <strings.h>

#ifdef MINUTED_HAVE_LLHTTP
#include <llhttp.h>
typedef llhttp_t library_parser;
typedef llhttp_settings_t library_settings;
#else
/* The library has an enum of this name, too. */
#define http_method library_method
#include <http_parser.h>
#undef http_method
typedef http_parser library_parser;
typedef http_parser_settings library_settings;
#endif

/* --- the parts of a field's value --------------------------------------------------------------- */

struct slice http_field_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct slice http_field_part(struct slice s, char separator, struct slice *rest)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, separator, s.len);
    size_t len = at == NULL ? s.len : (size_t)(at - s.ptr);
    *rest = at == NULL ? (struct slice){"", 0} : (struct slice){at + 1, s.len - len - 1};
    return http_field_trim((struct slice){s.ptr, len});
}

static bool equals_ignoring_case(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

bool http_field_is(struct slice s, const char *name)
{
    return equals_ignoring_case(s, slice_of(name));
}

/* --- lines and fields, as the library finds them ------------------------------------------------- */

#define VERSION "HTTP/1."
enum { VERSION_LINE = sizeof(" " VERSION "x\r\n") - 1 };

struct head_reading {
    struct slice head;
    head_field *field;
    void *ctx;
    struct head_line line;
    struct slice name; /* of the field being read; empty between fields */
    const char *at;    /* where the next line must begin; NULL until the first field */
    const char *error;
    bool complete;
};

static struct head_reading *reading_of(library_parser *p)
{
    return p->data;
}

/* The library may report one part in pieces; the head is in one piece, so they join. */
static void extend(struct slice *part, const char *at, size_t len)
{
    if (part->ptr == NULL)
        part->ptr = at;
    part->len = (size_t)(at + len - part->ptr);
}

/* Only the name's place is the library's; the value is the rest of the line. */
static const char *emit_field(struct head_reading *r)
{
    struct slice name = r->name;
    r->name = (struct slice){0};
    if (name.ptr != r->at || name.len == 0 || name.ptr[name.len] != ':')
        return "malformed header line";
    const char *begin = name.ptr + name.len + 1;
    const char *line_end = memchr(begin, '\r', (size_t)(r->head.ptr + r->head.len - begin));
    if (line_end == NULL || line_end[1] != '\n')
        return "bare CR in a header";
    r->at = line_end + 2;
    struct slice value = {begin, (size_t)(line_end - begin)};
    return r->field(r->ctx, name, http_field_trim(value));
}

static const char *read_line(struct head_reading *r)
{
    const char *end = r->head.ptr + r->head.len;
    const char *version = r->line.target.ptr + r->line.target.len;
    if (r->line.target.ptr == NULL || r->line.target.ptr - r->head.ptr < 2 || r->line.target.ptr[-1] != ' ')
        return "malformed request line";
    r->line.method = (struct slice){r->head.ptr, (size_t)(r->line.target.ptr - 1 - r->head.ptr)};
    if (end - version < VERSION_LINE + 2 || memcmp(version, " " VERSION, sizeof(VERSION)) != 0)
        return "not HTTP/1.0 or HTTP/1.1";
    char minor = version[sizeof(VERSION)];
    if ((minor != '0' && minor != '1') || memcmp(version + VERSION_LINE - 2, "\r\n", 2) != 0)
        return "not HTTP/1.0 or HTTP/1.1";
    r->line.minor = minor - '0';
    return NULL;
}

static int flush_field(struct head_reading *r)
{
    if (r->at == NULL && r->error == NULL) {
        r->error = read_line(r);
        r->at = r->line.target.ptr + r->line.target.len + VERSION_LINE;
    }
    if (r->name.ptr != NULL && r->error == NULL)
        r->error = emit_field(r);
    return r->error == NULL ? 0 : -1;
}

static int on_url(library_parser *p, const char *at, size_t len)
{
    extend(&reading_of(p)->line.target, at, len);
    return 0;
}

static int on_header_field(library_parser *p, const char *at, size_t len)
{
    struct head_reading *r = reading_of(p);
    bool continued = r->name.ptr != NULL && r->name.ptr + r->name.len == at;
    if (!continued && flush_field(r) != 0)
        return -1;
    extend(&r->name, at, len);
    return 0;
}

static int on_headers_complete(library_parser *p)
{
    struct head_reading *r = reading_of(p);
    r->complete = flush_field(r) == 0;
    return r->complete ? 0 : -1;
}

static const library_settings settings = {
    .on_url = on_url, .on_header_field = on_header_field, .on_headers_complete = on_headers_complete};

const char *head_parse(struct slice head, struct head_line *line, head_field *field, void *ctx)
{
    struct head_reading r = {.head = head, .field = field, .ctx = ctx};
    library_parser p;
#ifdef MINUTED_HAVE_LLHTTP
    llhttp_init(&p, HTTP_REQUEST, &settings);
    p.data = &r;
    llhttp_execute(&p, head.ptr, head.len);
    const char *reason = llhttp_get_errno(&p) == HPE_OK ? NULL : llhttp_get_error_reason(&p);
#else
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &r;
    http_parser_execute(&p, &settings, head.ptr, head.len);
    enum http_errno code = HTTP_PARSER_ERRNO(&p);
    const char *reason = code == HPE_OK ? NULL : http_errno_description(code);
#endif
    *line = r.line;
    /* A complete head counts, whatever the library makes of its end (a body to come, an upgrade). */
    if (r.complete)
        return r.at == head.ptr + head.len - 2 ? NULL : "malformed header line";
    if (r.error != NULL)
        return r.error;
    return reason != NULL && *reason != '\0' ? reason : "malformed request";
}

/* --- the rules ---------------------------------------------------------------------------------- */

/* Content-Length has at most 18 digits, so it cannot overflow; any limit refuses it long before. */
enum { LENGTH_DIGITS_MAX = 18 };
enum { PORT_DIGITS_MAX = 5 };

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

/* The loop has no branches, since values are most of a request's bytes. */
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

/* --- the fields that frame a request ------------------------------------------------------------ */

/* `name`, `name:port`, `[v6]`, `[v6]:port` */
static bool is_host(struct slice s)
{
    bool bracketed = s.len > 0 && s.ptr[0] == '[';
    size_t begin = bracketed ? 1 : 0;
    size_t i = begin;
    while (i < s.len && (bracketed ? one_of(s.ptr[i], "0123456789abcdefABCDEF:.")
                                   : is_alnum(s.ptr[i]) || one_of(s.ptr[i], "-._~%!$&'()*+,;=")))
        i++;
    if (i == begin)
        return false;
    if (bracketed && (i == s.len || s.ptr[i++] != ']'))
        return false;
    if (i == s.len)
        return true;
    if (s.ptr[i++] != ':' || s.len - i > PORT_DIGITS_MAX)
        return false;
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i == s.len;
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
    if (!http_field_is(value, "chunked"))
        return "Transfer-Encoding is not chunked";
    r->head->chunked = true;
    return NULL;
}

static const char *take_connection(struct head_reader *r, struct slice value)
{
    while (value.len > 0) {
        struct slice option = http_field_part(value, ',', &value);
        r->close = r->close || http_field_is(option, "close");
        r->keep_alive = r->keep_alive || http_field_is(option, "keep-alive");
    }
    return NULL;
}

static const char *take_expect(struct head_reader *r, struct slice value)
{
    if (http_field_is(value, "100-continue"))
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
    if (target.len == 0)
        return "malformed request target";
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return "malformed request target";
    }
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

const char *head_read(struct slice bytes, struct head *out)
{
    struct head_line line;
    struct head_reader r = {.head = out};
    *out = (struct head){0};
    const char *error = head_parse(bytes, &line, take_field, &r);
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
    if (error != NULL)
        return error;
    if (r.hosts == 0 && !out->http_1_0)
        return "Host is missing";
    if (out->chunked && r.lengths > 0)
        return "Transfer-Encoding beside Content-Length";
    if (out->chunked && out->http_1_0)
        return "Transfer-Encoding in HTTP/1.0";
    return NULL;
}
