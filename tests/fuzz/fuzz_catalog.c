/*
 * Any text as a catalog: refused with problems that can be read, or a catalog that keeps its promises (each
 * id found where it stands, windows that open before they close, values within their limits) and that,
 * written as YAML and read again, is the same.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "budget.h"
#include "config/catalog.h"
#include "yaml_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A node of a list is 64 bytes for two of its text; twice, since the catalog is written and read again. */
static const struct budget budget = {512 * 1024, 256, 50000, 1000};

/* ---- promises ---- */

static bool is_day(const char *text)
{
    return text == NULL || (strlen(text) == 10 && strspn(text, "0123456789-") == 10);
}

static void check_lesson(const struct catalog *c, const struct course *course, const struct lesson *lesson)
{
    assert(id_valid(slice_of(lesson->id)) && lesson->title != NULL && lesson->course == course);
    assert(catalog_find_lesson(c, slice_of(lesson->id)) == lesson);
    assert(lesson->length_seconds >= 0 && lesson->length_seconds <= 86400);
    assert(lesson->allows.length_ms == lesson->length_seconds * 1000);
    assert(lesson->allows.opens_ms == course->opens_ms && lesson->allows.closes_ms == course->closes_ms);
}

static void check_course(const struct catalog *c, const struct course *course)
{
    assert(id_valid(slice_of(course->id)) && course->title != NULL && course->n_lessons > 0);
    assert(catalog_find_course(c, slice_of(course->id)) == course);
    assert(is_day(course->opens) && is_day(course->closes));
    assert((course->opens == NULL) == (course->opens_ms == INT64_MIN));
    assert((course->closes == NULL) == (course->closes_ms == INT64_MAX));
    assert(course->opens_ms < course->closes_ms);
    assert(course->hours >= 0.25 && course->hours <= 1000);
    for (size_t i = 0; i < course->n_lessons; i++)
        check_lesson(c, course, &course->lessons[i]);
}

static void check_catalog(const struct catalog *c)
{
    assert(c->n_portals > 0 && c->n_courses > 0 && c->program != NULL && c->timezone != NULL);
    assert(c->minutes_per_hour >= 1 && c->minutes_per_hour <= 1440);
    assert(c->hours_max >= 0.25 && c->hours_max <= 1e6);
    for (size_t i = 0; i < c->n_portals; i++) {
        assert(id_valid(slice_of(c->portals[i].id)));
        assert(catalog_find_portal(c, slice_of(c->portals[i].id)) == &c->portals[i]);
    }
    for (size_t i = 0; i < c->n_courses; i++)
        check_course(c, &c->courses[i]);
    assert(catalog_find_lesson(c, SLICE_LITERAL("")) == NULL);
}

/* ---- written as YAML ---- */

static void write_member(struct buf *b, const char *name, const char *text)
{
    if (text == NULL)
        return;
    buf_append_string(b, name);
    yaml_write_text(b, text);
}

static void write_course(struct buf *b, const struct course *course)
{
    buf_append_string(b, "{");
    write_member(b, "id: ", course->id);
    write_member(b, ", title: ", course->title);
    write_member(b, ", opens: ", course->opens);
    write_member(b, ", closes: ", course->closes);
    buf_printf(b, ", hours: %.25f, lessons: [", course->hours);
    for (size_t i = 0; i < course->n_lessons; i++) {
        write_member(b, i == 0 ? "{id: " : ", {id: ", course->lessons[i].id);
        write_member(b, ", title: ", course->lessons[i].title);
        if (course->lessons[i].length_seconds > 0)
            buf_printf(b, ", length: %lld", (long long)course->lessons[i].length_seconds);
        buf_append_string(b, "}");
    }
    buf_append_string(b, "]}");
}

static void write_catalog(struct buf *b, const struct catalog *c)
{
    write_member(b, "program: ", c->program);
    write_member(b, "\ntimezone: ", c->timezone);
    buf_printf(b, "\nminutes_per_hour: %lld\nhours_max: %.25f\nportals:\n", (long long)c->minutes_per_hour,
        c->hours_max);
    for (size_t i = 0; i < c->n_portals; i++)
        buf_printf(b, "  - {id: \"%s\", tests: %s, certificate: %s}\n", c->portals[i].id,
            c->portals[i].tests == TESTS_REQUIRED ? "required" : "none",
            c->portals[i].certificate == CERTIFICATE_ALL_HOURS ? "all_hours" : "by_course");
    buf_append_string(b, "courses:\n");
    for (size_t i = 0; i < c->n_courses; i++) {
        buf_append_string(b, "  - ");
        write_course(b, &c->courses[i]);
        buf_append_char(b, '\n');
    }
}

/* ---- and read again ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same_course(const struct course *a, const struct course *b)
{
    assert(same_text(a->id, b->id) && same_text(a->title, b->title));
    assert(same_text(a->opens, b->opens) && same_text(a->closes, b->closes));
    assert(a->opens_ms == b->opens_ms && a->closes_ms == b->closes_ms);
    assert(a->hours == b->hours && a->n_lessons == b->n_lessons);
    for (size_t i = 0; i < a->n_lessons; i++) {
        assert(same_text(a->lessons[i].id, b->lessons[i].id));
        assert(same_text(a->lessons[i].title, b->lessons[i].title));
        assert(a->lessons[i].length_seconds == b->lessons[i].length_seconds);
    }
}

static void check_same(const struct catalog *a, const struct catalog *b)
{
    assert(same_text(a->program, b->program) && same_text(a->timezone, b->timezone));
    assert(a->minutes_per_hour == b->minutes_per_hour && a->hours_max == b->hours_max);
    assert(a->n_portals == b->n_portals && a->n_courses == b->n_courses);
    for (size_t i = 0; i < a->n_portals; i++) {
        assert(same_text(a->portals[i].id, b->portals[i].id));
        assert(a->portals[i].tests == b->portals[i].tests);
        assert(a->portals[i].certificate == b->portals[i].certificate);
    }
    for (size_t i = 0; i < a->n_courses; i++)
        check_same_course(&a->courses[i], &b->courses[i]);
}

static void check_rewritten(const struct catalog *c)
{
    struct buf text = {0};
    char *error;
    write_catalog(&text, c);
    if (text.len <= YAML_BYTES_MAX) {
        struct catalog *again = catalog_parse("again", buf_slice(&text), &error);
        assert(again != NULL && error == NULL);
        check_same(c, again);
        catalog_free(again);
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *error = NULL;
    budget_begin();
    struct catalog *c = catalog_parse("fuzz.yaml", (struct slice){(const char *)data, size}, &error);
    if (c != NULL) {
        assert(error == NULL);
        check_catalog(c);
        check_rewritten(c);
    } else {
        check_problems(error);
    }
    catalog_free(c);
    budget_end(&budget, size);
    return 0;
}
