/*
 * A result as one HTML page that needs nothing else: page.html with three places filled in. Titles, commands
 * and names are strangers' text: where they stand between tags they are escaped as HTML, and in the JSON as
 * \u….
 */
#include "load/report_html.h"

#include <assert.h>

#include "embedded/page_html.h"
#include "load/report_json.h"
#include "load/report_text.h"

static void append_escaped(struct buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (bytes[i]) {
        case '<':
            buf_append_string(out, "&lt;");
            break;
        case '>':
            buf_append_string(out, "&gt;");
            break;
        case '&':
            buf_append_string(out, "&amp;");
            break;
        case '"':
            buf_append_string(out, "&quot;");
            break;
        default:
            buf_append_char(out, bytes[i]);
        }
    }
}

static void fill_title(const struct result *r, struct buf *out)
{
    const char *title = r->title[0] ? r->title : "minuted-bench";
    append_escaped(out, title, strlen(title));
}

static void fill_text(const struct result *r, struct buf *out)
{
    struct buf text = {0};
    report_text(r, &text);
    append_escaped(out, text.data, text.len);
    buf_free(&text);
}

/* JSON in which no tag can begin or end; outside strings it holds none of these characters. */
static void fill_json(const struct result *r, struct buf *out)
{
    static const char line_separator[] = "\xe2\x80\xa8";
    static const char paragraph_separator[] = "\xe2\x80\xa9";
    struct buf json = {0};
    report_json(r, &json);
    for (size_t i = 0; i < json.len; i++) {
        const char *at = json.data + i;
        bool separator = json.len - i >= 3 &&
                         (memcmp(at, line_separator, 3) == 0 || memcmp(at, paragraph_separator, 3) == 0);
        if (separator) {
            buf_printf(out, "\\u202%c", at[2] == line_separator[2] ? '8' : '9');
            i += 2;
        } else if (*at == '<' || *at == '>' || *at == '&') {
            buf_printf(out, "\\u%04x", (unsigned)*at);
        } else {
            buf_append_char(out, *at);
        }
    }
    buf_free(&json);
}

/* The page is searched for the places one after the other: what was filled in is never searched. */
void report_html(const struct result *r, struct buf *out)
{
    static const struct {
        const char *place;
        void (*fill)(const struct result *r, struct buf *out);
    } places[] = {{"{{title}}", fill_title}, {"{{text}}", fill_text}, {"{{json}}", fill_json}};
    const char *page = (const char *)page_html;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *at = strstr(page, places[i].place);
        assert(at);
        buf_append(out, page, (size_t)(at - page));
        places[i].fill(r, out);
        page = at + strlen(places[i].place);
    }
    buf_append_string(out, page);
}
