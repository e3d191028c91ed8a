/* A request's head, taken apart by the HTTP library and checked for gaps. */
#include "http/parser.h"

#include <stdbool.h>

#ifdef MINUTED_HAVE_LLHTTP
#include <llhttp.h>
typedef llhttp_t library_parser;
typedef llhttp_settings_t library_settings;
#else
#include <http_parser.h>
typedef http_parser library_parser;
typedef http_parser_settings library_settings;
#endif

#define VERSION "HTTP/1."
enum { VERSION_LINE = sizeof(" " VERSION "x\r\n") - 1 };

struct reading {
    struct slice head;
    parser_field *field;
    void *ctx;
    struct parser_line line;
    struct slice name; /* of the field being read; empty between fields */
    const char *at;    /* where the next line must begin; NULL until the first field */
    const char *error;
    bool complete;
};

static struct reading *reading_of(library_parser *p)
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

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static const char *value_end(const char *begin, const char *line_end)
{
    while (line_end > begin && (line_end[-1] == ' ' || line_end[-1] == '\t'))
        line_end--;
    return line_end;
}

/* Only the name's place is the library's; the value is the rest of the line. */
static const char *emit_field(struct reading *r)
{
    struct slice name = r->name;
    r->name = (struct slice){0};
    if (name.ptr != r->at || name.len == 0 || name.ptr[name.len] != ':')
        return "malformed header line";
    const char *begin = skip_space(name.ptr + name.len + 1);
    const char *line_end = memchr(begin, '\r', (size_t)(r->head.ptr + r->head.len - begin));
    if (line_end == NULL || line_end[1] != '\n')
        return "bare CR in a header";
    r->at = line_end + 2;
    struct slice value = {begin, (size_t)(value_end(begin, line_end) - begin)};
    return r->field(r->ctx, name, value);
}

static const char *read_line(struct reading *r)
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

static int flush_field(struct reading *r)
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
    struct reading *r = reading_of(p);
    bool continued = r->name.ptr != NULL && r->name.ptr + r->name.len == at;
    if (!continued && flush_field(r) != 0)
        return -1;
    extend(&r->name, at, len);
    return 0;
}

static int on_headers_complete(library_parser *p)
{
    struct reading *r = reading_of(p);
    r->complete = flush_field(r) == 0;
    return r->complete ? 0 : -1;
}

static const library_settings settings = {
    .on_url = on_url, .on_header_field = on_header_field, .on_headers_complete = on_headers_complete};

/* What the library makes of the end of the head (a body to come, an upgrade) is not asked for. */
static const char *run_library(struct reading *r)
{
    library_parser p;
#ifdef MINUTED_HAVE_LLHTTP
    llhttp_init(&p, HTTP_REQUEST, &settings);
    p.data = r;
    llhttp_execute(&p, r->head.ptr, r->head.len);
    const char *reason = llhttp_get_errno(&p) == HPE_OK ? NULL : llhttp_get_error_reason(&p);
#else
    http_parser_init(&p, HTTP_REQUEST);
    p.data = r;
    http_parser_execute(&p, &settings, r->head.ptr, r->head.len);
    enum http_errno code = HTTP_PARSER_ERRNO(&p);
    const char *reason = code == HPE_OK ? NULL : http_errno_description(code);
#endif
    if (r->complete)
        return NULL;
    if (r->error != NULL)
        return r->error;
    return reason != NULL && *reason != '\0' ? reason : "malformed request";
}

const char *parser_read_head(struct slice head, struct parser_line *line, parser_field *field, void *ctx)
{
    struct reading r = {.head = head, .field = field, .ctx = ctx};
    const char *error = run_library(&r);
    *line = r.line;
    if (error == NULL && r.at != head.ptr + head.len - 2)
        error = "malformed header line";
    return error;
}
