/* Passed tests, from a CSV file. */
#include "ledger/passes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILE_MAX = 256 << 20, FIELDS_NEEDED = 3, FIELDS_MAX = 4, SHOWN_MAX = 200 };

/* Slices of the file's text. */
struct pass {
    struct slice portal;
    struct slice learner;
    struct slice course;
};

struct passes {
    struct buf text;
    struct pass *rows; /* sorted */
    size_t n;
    size_t cap;
};

/* ---- a line ---- */

struct line {
    struct slice fields[FIELDS_MAX];
    size_t n;
};

static struct slice trim(struct slice s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && strchr(" \r", s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

/* A field in quotes: `""` becomes `"`, in place. Returns where it goes on, NULL when it never ends. */
static char *unquote(char *at, const char *end, struct slice *field)
{
    char *out = ++at;
    *field = (struct slice){out, 0};
    for (; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"')) {
            field->len = (size_t)(out - field->ptr);
            return at + 1;
        }
        if (*at == '"')
            at++;
        *out++ = *at;
    }
    return NULL;
}

static bool split(char *at, const char *end, struct line *line)
{
    for (line->n = 0; line->n < FIELDS_MAX;) {
        struct slice *field = &line->fields[line->n++];
        while (at < end && *at == ' ')
            at++;
        if (at < end && *at == '"') {
            at = unquote(at, end, field);
            while (at != NULL && at < end && (*at == ' ' || *at == '\r'))
                at++;
        } else {
            char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
            char *stop = comma == NULL ? at + (end - at) : comma;
            *field = trim((struct slice){at, (size_t)(stop - at)});
            at = stop;
        }
        if (at == NULL || (at < end && *at != ','))
            return false;
        if (at == end)
            return line->n >= FIELDS_NEEDED;
        at++;
    }
    return false;
}

static bool is_one_of(struct slice s, const char *const *words)
{
    while (*words != NULL && !slice_is(s, *words))
        words++;
    return *words != NULL;
}

/* ---- the file ---- */

/* Takes a line; returns what is wrong with it, or NULL. */
static const char *take(
    struct passes *p, char *at, const char *end, bool first, const struct catalog *catalog)
{
    static const char *const yes[] = {"1", "true", "yes", "passed", NULL};
    static const char *const no[] = {"", "0", "false", "no", "failed", NULL};
    struct line line;
    if (trim((struct slice){at, (size_t)(end - at)}).len == 0)
        return NULL;
    if (!split(at, end, &line))
        return "expected portal,learner,course[,passed]";
    if (first && slice_is(line.fields[0], "portal"))
        return NULL;
    struct pass pass = {line.fields[0], line.fields[1], line.fields[2]};
    if (catalog_find_portal(catalog, pass.portal) == NULL)
        return "the catalog has no such portal";
    if (pass.learner.len == 0)
        return "the learner is missing";
    if (catalog_find_course(catalog, pass.course) == NULL)
        return "the catalog has no such course";
    bool passed = line.n == FIELDS_NEEDED || is_one_of(line.fields[3], yes);
    if (!passed && !is_one_of(line.fields[3], no))
        return "'passed' must be 1, true, yes, passed, 0, false, no or failed";
    if (!passed)
        return NULL;
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 256 : p->cap * 2;
        p->rows = mem_realloc(p->rows, p->cap * sizeof(*p->rows));
    }
    p->rows[p->n++] = pass;
    return NULL;
}

/* Shorter slices come first. Any order will do for searching, and this one is fast. */
static int compare_slices(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.ptr, b.ptr, a.len);
}

static int compare(const void *a, const void *b)
{
    const struct pass *x = a;
    const struct pass *y = b;
    int order = compare_slices(x->learner, y->learner);
    if (order == 0)
        order = compare_slices(x->course, y->course);
    return order != 0 ? order : compare_slices(x->portal, y->portal);
}

/* Takes all lines, or writes into WRONG what is wrong with the first bad one. */
static void take_all(struct passes *p, const char *path, const struct catalog *catalog, struct buf *wrong)
{
    char shown[SHOWN_MAX]; /* the line as it was before it was read, since reading moves quoted fields */
    char *at = p->text.data;
    const char *end = at + p->text.len;
    if (p->text.len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, as spreadsheets write */
        at += 3;
    for (int number = 1; at < end; number++) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = p->text.data + p->text.len;
        struct slice line = trim((struct slice){at, (size_t)(stop - at)});
        size_t n = line.len < SHOWN_MAX ? line.len : SHOWN_MAX;
        memcpy(shown, line.ptr, n);
        const char *problem = take(p, at, stop, number == 1, catalog);
        if (problem != NULL) {
            buf_printf(wrong, "%s:%d: %s: '%.*s'", path, number, problem, (int)n, shown);
            return;
        }
        at = stop + 1;
    }
}

struct passes *passes_load(const char *path, const struct catalog *catalog, char **error)
{
    struct passes *p = mem_zalloc(sizeof(*p));
    struct buf wrong = {0};
    *error = NULL;
    if (!file_read(path, FILE_MAX, &p->text))
        buf_printf(&wrong, "%s: cannot be read: %s", path, strerror(errno));
    else if (p->text.len > 0)
        take_all(p, path, catalog, &wrong);
    if (wrong.len > 0) {
        buf_append_char(&wrong, '\0');
        *error = wrong.data;
        passes_free(p);
        return NULL;
    }
    if (p->n > 1)
        qsort(p->rows, p->n, sizeof(*p->rows), compare);
    return p;
}

void passes_free(struct passes *p)
{
    if (p == NULL)
        return;
    buf_free(&p->text);
    free(p->rows);
    free(p);
}

bool passes_has(const struct passes *p, struct slice portal, struct slice learner, const char *course)
{
    struct pass key = {portal, learner, slice_of(course)};
    return p->n > 0 && bsearch(&key, p->rows, p->n, sizeof(*p->rows), compare) != NULL;
}
