/* Passed tests, from a CSV file. */
#include "ledger/passes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "yaml_reader.h"

enum { FILE_MAX = 256 << 20, FIELDS = 4 };

/* Sorted "portal,learner,course". */
struct passes {
    char **rows;
    size_t n;
};

struct line {
    struct slice fields[FIELDS];
    size_t n;
};

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '"'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && strchr(" \"\r", s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

static bool split(struct slice text, struct line *line)
{
    line->n = 0;
    for (;;) {
        const char *comma = text.len == 0 ? NULL : memchr(text.ptr, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.ptr);
        if (line->n == FIELDS)
            return false;
        line->fields[line->n++] = trim((struct slice){text.ptr, len});
        if (comma == NULL)
            return line->n >= 3;
        text = (struct slice){comma + 1, text.len - len - 1};
    }
}

static bool says_yes(struct slice s)
{
    return slice_is(s, "1") || slice_is(s, "true") || slice_is(s, "yes") || slice_is(s, "passed");
}

static bool says_no(struct slice s)
{
    return slice_is(s, "0") || slice_is(s, "false") || slice_is(s, "no") || slice_is(s, "failed") ||
           s.len == 0;
}

static void add(struct passes *p, const struct line *line)
{
    p->rows = mem_realloc(p->rows, (p->n + 1) * sizeof(*p->rows));
    struct buf row = {0};
    buf_printf(&row, "%.*s,%.*s,%.*s", SLICE_ARG(line->fields[0]), SLICE_ARG(line->fields[1]),
        SLICE_ARG(line->fields[2]));
    buf_append_char(&row, '\0');
    p->rows[p->n++] = row.data;
}

/* What is wrong with a line, NULL when it is good. */
static const char *take(struct passes *p, struct slice text, bool first, const struct catalog *catalog)
{
    struct line line;
    if (trim(text).len == 0)
        return NULL;
    if (!split(text, &line))
        return "portal,learner,course[,passed] is wanted";
    if (first && slice_is(line.fields[0], "portal"))
        return NULL;
    if (catalog_find_course(catalog, line.fields[2]) == NULL)
        return "the catalog has no such course";
    if (line.n == FIELDS && !says_yes(line.fields[3]) && !says_no(line.fields[3]))
        return "'passed' is none of 1, true, yes, passed, 0, false, no, failed";
    if (line.n < FIELDS || says_yes(line.fields[3]))
        add(p, &line);
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *describe_line(const char *path, int number, const char *what, struct slice line)
{
    struct buf text = {0};
    buf_printf(&text, "%s:%d: %s: '%.*s'", path, number, what, SLICE_ARG(line));
    buf_append_char(&text, '\0');
    return text.data;
}

static char *describe_file(const char *path, const char *what)
{
    struct buf text = {0};
    buf_printf(&text, "%s: cannot be read: %s", path, what);
    buf_append_char(&text, '\0');
    return text.data;
}

static char *take_all(struct passes *p, const char *path, struct slice rest, const struct catalog *catalog)
{
    for (int number = 1; rest.len > 0; number++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        struct slice line = {rest.ptr, len < 200 ? len : 200};
        const char *problem = take(p, (struct slice){rest.ptr, len}, number == 1, catalog);
        if (problem != NULL)
            return describe_line(path, number, problem, line);
        rest = (struct slice){rest.ptr + len, rest.len - len};
        if (end != NULL)
            rest = (struct slice){rest.ptr + 1, rest.len - 1};
    }
    return NULL;
}

struct passes *passes_load(const char *path, const struct catalog *catalog, char **error)
{
    struct passes *p = mem_zalloc(sizeof(*p));
    struct buf text = {0};
    if (!file_read(path, FILE_MAX, &text))
        *error = describe_file(path, strerror(errno));
    else
        *error = take_all(p, path, buf_slice(&text), catalog);
    buf_free(&text);
    if (*error != NULL) {
        passes_free(p);
        return NULL;
    }
    if (p->n > 1)
        qsort(p->rows, p->n, sizeof(*p->rows), by_text);
    return p;
}

void passes_free(struct passes *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->rows[i]);
    free(p->rows);
    free(p);
}

bool passes_has(const struct passes *p, struct slice portal, struct slice learner, const char *course)
{
    struct buf key = {0};
    if (p == NULL || p->n == 0)
        return false;
    buf_printf(&key, "%.*s,%.*s,%s", SLICE_ARG(portal), SLICE_ARG(learner), course);
    buf_append_char(&key, '\0');
    bool found = bsearch(&key.data, p->rows, p->n, sizeof(*p->rows), by_text) != NULL;
    buf_free(&key);
    return found;
}
