/* The catalog. */
#include "config/catalog.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/civil_rule.h"
#include "config/civil_zone.h"
#include "config/yaml_reader.h"

enum { COURSES_MAX = 1000, LESSONS_MAX = 100000, PORTALS_MAX = 100 };

/* Something whose id must be unique. Entries are sorted by id, so that one can be found. */
struct entry {
    struct slice id;
    int line;
    const void *what;
};

struct entries {
    struct entry *items;
    size_t n;
};

struct catalog_index {
    struct arena arena; /* every string, portal, course and lesson */
    struct entries lessons;
    struct entries courses;
    struct entries portals;
};

struct catalog_reading {
    const char *source;
    struct catalog *catalog;
    struct arena *arena;
    struct problems *problems;
    struct civil_zone *zone;
};

/* ---- fields ---- */

static void problem(struct catalog_reading *r, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(struct catalog_reading *r, const struct yaml_node *node, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problems_add(r->problems, r->source, node->line, "%s", text);
}

static void check_keys(struct catalog_reading *r, const struct yaml_node *map, const char *where,
    const char *const *keys, size_t n)
{
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_pair *pair = &map->pairs[i];
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known = known || strcmp(pair->key, keys[k]) == 0;
        if (known)
            continue;
        char hint[NEAREST_HINT_MAX];
        problems_add(r->problems, r->source, pair->line, "unknown key '%s' in %s%s", pair->key, where,
            nearest_hint(hint, pair->key, keys, n));
    }
}

/* The text of KEY, in the arena; INITIAL where KEY is missing. Where INITIAL is NULL, a missing KEY is a
 * problem. */
static const char *text_of(
    struct catalog_reading *r, const struct yaml_node *map, const char *key, const char *initial)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node == NULL && initial == NULL)
        problem(r, map, "'%s' is missing", key);
    else if (node != NULL && (node->type != YAML_SCALAR || yaml_is_null(node)))
        problem(r, node, "'%s': expected one value", key);
    else if (node != NULL)
        return arena_strndup(r->arena, node->text, strlen(node->text));
    return initial == NULL ? "" : initial;
}

static const char *id_of(struct catalog_reading *r, const struct yaml_node *map, const char *key)
{
    const char *id = text_of(r, map, key, NULL);
    const struct yaml_node *node = yaml_get(map, key);
    if (node != NULL && !id_valid(slice_of(id)))
        problem(r, node, "%s '%s' is not [A-Za-z0-9._-]{1,64}", key, id);
    return id;
}

struct number {
    double initial; /* when missing */
    double min;
    double max;
    bool whole;
};

static double number_of(
    struct catalog_reading *r, const struct yaml_node *map, const char *key, struct number wanted)
{
    const struct yaml_node *node = yaml_get(map, key);
    const char *rest;
    if (node == NULL)
        return wanted.initial;
    double value = yaml_decimal(node->text, &rest);
    if (!isnan(value) && *rest == '\0' && value >= wanted.min && value <= wanted.max &&
        (!wanted.whole || value == floor(value)))
        return value;
    problem(r, node, "'%s': expected a %snumber from %.15g to %.15g, not '%s'", key,
        wanted.whole ? "whole " : "", wanted.min, wanted.max, node->text);
    return wanted.initial;
}

/* ---- days ---- */

static bool parse_day(const char *text, int *year, int *month, int *day)
{
    static const char form[] = "0000-00-00";
    for (size_t i = 0; i < sizeof(form); i++) /* up to the NUL, so that the length is checked too */
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return sscanf(text, "%4d-%2d-%2d", year, month, day) == 3 && *year >= 1970 && *month >= 1 &&
           *month <= 12 && *day >= 1 &&
           civil_rule_days(*year, *month, *day) < civil_rule_days(*year, *month + 1, 1);
}

/* Unix ms of the start of the day that KEY names, or of the next one; UNBOUNDED when the key is missing. */
static int64_t day_of(struct catalog_reading *r, const struct yaml_node *map, const char *key, int later,
    const char **text, int64_t unbounded)
{
    const struct yaml_node *node = yaml_get(map, key);
    int year;
    int month;
    int day;
    *text = NULL;
    if (node == NULL || yaml_is_null(node))
        return unbounded;
    if (node->type != YAML_SCALAR || !parse_day(node->text, &year, &month, &day)) {
        problem(r, node, "'%s': expected a day such as 2023-02-28, not '%s'", key, node->text);
        return unbounded;
    }
    *text = arena_strndup(r->arena, node->text, strlen(node->text));
    return r->zone == NULL ? unbounded : civil_zone_day_start_ms(r->zone, year, month, day + later);
}

/* ---- unique ids ---- */

static int compare_ids(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = compare_ids(x->id, y->id);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* An empty ID is left out: a problem was added for it already. */
static void add_entry(struct entries *entries, const char *id, int line, const void *what)
{
    if (id[0] == '\0')
        return;
    if ((entries->n & (entries->n - 1)) == 0)
        entries->items =
            mem_realloc(entries->items, (entries->n == 0 ? 1 : entries->n * 2) * sizeof(*entries->items));
    entries->items[entries->n++] = (struct entry){slice_of(id), line, what};
}

static void sort_entries(struct catalog_reading *r, struct entries *entries, const char *kind)
{
    if (entries->n > 1)
        qsort(entries->items, entries->n, sizeof(*entries->items), by_id);
    for (size_t i = 1; i < entries->n; i++) {
        const struct entry *a = &entries->items[i - 1];
        const struct entry *b = &entries->items[i];
        if (slice_equal(a->id, b->id))
            problems_add(r->problems, r->source, b->line, "%s '%s' is given twice, first in line %d", kind,
                b->id.ptr, a->line);
    }
}

static const void *find_entry(const struct entries *entries, struct slice id)
{
    size_t low = 0;
    size_t high = entries->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_ids(entries->items[middle].id, id);
        if (order == 0)
            return entries->items[middle].what;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- lessons, courses, portals ---- */

static void read_lessons(struct catalog_reading *r, const struct yaml_node *map, struct course *course)
{
    static const char *const keys[] = {"id", "title", "length"};
    const struct yaml_node *list = yaml_get(map, "lessons");
    if (list == NULL || list->type != YAML_LIST || list->n == 0) {
        problem(r, list == NULL ? map : list, "course '%s' needs a list of lessons", course->id);
        return;
    }
    if (r->catalog->index->lessons.n + list->n > LESSONS_MAX) {
        problem(r, list, "more than %d lessons", LESSONS_MAX);
        return;
    }
    course->n_lessons = list->n;
    course->lessons = arena_alloc(r->arena, list->n * sizeof(*course->lessons));
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *item = list->items[i];
        struct lesson *lesson = &course->lessons[i];
        if (item->type != YAML_MAP) {
            problem(r, item, "a lesson is a map with an id");
            continue;
        }
        check_keys(r, item, "a lesson", keys, 3);
        lesson->id = id_of(r, item, "id");
        lesson->title = text_of(r, item, "title", "");
        lesson->length_seconds = (int64_t)number_of(r, item, "length", (struct number){0, 1, 86400, true});
        lesson->course = course;
        lesson->allows =
            (struct claim_lesson){course->opens_ms, course->closes_ms, lesson->length_seconds * 1000};
        add_entry(&r->catalog->index->lessons, lesson->id, item->line, lesson);
    }
}

/* The list of KEY with 1 to MAX items; NULL after a problem. */
static const struct yaml_node *list_of(
    struct catalog_reading *r, const struct yaml_node *root, const char *key, size_t max)
{
    const struct yaml_node *list = yaml_get(root, key);
    if (list != NULL && list->type == YAML_LIST && list->n > 0 && list->n <= max)
        return list;
    problem(r, list == NULL ? root : list, "'%s': expected a list of 1 to %zu items", key, max);
    return NULL;
}

static void read_portals(struct catalog_reading *r, const struct yaml_node *root)
{
    static const char *const keys[] = {"id", "tests", "certificate"};
    const struct yaml_node *list = list_of(r, root, "portals", PORTALS_MAX);
    if (list == NULL)
        return;
    r->catalog->n_portals = list->n;
    r->catalog->portals = arena_alloc(r->arena, list->n * sizeof(*r->catalog->portals));
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *map = list->items[i];
        struct portal *portal = &r->catalog->portals[i];
        if (map->type != YAML_MAP) {
            problem(r, map, "a portal is a map with an id");
            continue;
        }
        check_keys(r, map, "a portal", keys, 3);
        portal->id = id_of(r, map, "id");
        const char *tests = text_of(r, map, "tests", "none");
        const char *certificate = text_of(r, map, "certificate", "by_course");
        portal->tests = strcmp(tests, "required") == 0 ? TESTS_REQUIRED : TESTS_NONE;
        portal->certificate =
            strcmp(certificate, "all_hours") == 0 ? CERTIFICATE_ALL_HOURS : CERTIFICATE_BY_COURSE;
        if (portal->tests == TESTS_NONE && strcmp(tests, "none") != 0)
            problem(r, yaml_get(map, "tests"), "'tests': expected required or none, not '%s'", tests);
        if (portal->certificate == CERTIFICATE_BY_COURSE && strcmp(certificate, "by_course") != 0)
            problem(r, yaml_get(map, "certificate"),
                "'certificate': expected by_course or all_hours, not '%s'", certificate);
        add_entry(&r->catalog->index->portals, portal->id, map->line, portal);
    }
}

static void read_courses(struct catalog_reading *r, const struct yaml_node *root)
{
    static const char *const keys[] = {"id", "title", "opens", "closes", "hours", "lessons"};
    const struct yaml_node *list = list_of(r, root, "courses", COURSES_MAX);
    if (list == NULL)
        return;
    r->catalog->n_courses = list->n;
    r->catalog->courses = arena_alloc(r->arena, list->n * sizeof(*r->catalog->courses));
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *map = list->items[i];
        struct course *course = &r->catalog->courses[i];
        if (map->type != YAML_MAP) {
            problem(r, map, "a course is a map with an id and lessons");
            continue;
        }
        check_keys(r, map, "a course", keys, 6);
        course->id = id_of(r, map, "id");
        course->title = text_of(r, map, "title", "");
        course->opens_ms = day_of(r, map, "opens", 0, &course->opens, INT64_MIN);
        course->closes_ms = day_of(r, map, "closes", 1, &course->closes, INT64_MAX);
        course->hours = number_of(r, map, "hours", (struct number){1, 0.25, 1000, false});
        if (course->opens_ms >= course->closes_ms)
            problem(r, yaml_get(map, "closes"), "course '%s' closes before it opens", course->id);
        add_entry(&r->catalog->index->courses, course->id, map->line, course);
        read_lessons(r, map, course);
    }
}

static void read_catalog(struct catalog_reading *r, const struct yaml_node *root)
{
    static const char *const keys[] = {
        "program", "timezone", "minutes_per_hour", "hours_max", "portals", "courses"};
    struct catalog_index *index = r->catalog->index;
    if (root->type != YAML_MAP) {
        problem(r, root, "expected a map with program, timezone, portals and courses");
        return;
    }
    check_keys(r, root, "the catalog", keys, 6);
    r->catalog->program = id_of(r, root, "program");
    r->catalog->minutes_per_hour =
        (int64_t)number_of(r, root, "minutes_per_hour", (struct number){45, 1, 1440, true});
    r->catalog->hours_max = number_of(r, root, "hours_max", (struct number){1e6, 0.25, 1e6, false});
    r->catalog->timezone = text_of(r, root, "timezone", NULL);
    const struct yaml_node *node = yaml_get(root, "timezone");
    if (node != NULL && (r->zone = civil_zone_load(r->catalog->timezone)) == NULL)
        problem(r, node, "'timezone': '%s' is not in the system's zoneinfo (package tzdata)",
            r->catalog->timezone);
    read_portals(r, root);
    read_courses(r, root);
    sort_entries(r, &index->portals, "portal");
    sort_entries(r, &index->courses, "course");
    sort_entries(r, &index->lessons, "lesson");
}

/* ---- the interface ---- */

static struct catalog *finish(struct catalog *catalog, struct problems *problems, char **error)
{
    *error = problems_take(problems);
    if (*error == NULL)
        return catalog;
    catalog_free(catalog);
    return NULL;
}

static struct catalog *new_catalog(void)
{
    struct catalog *catalog = mem_zalloc(sizeof(*catalog));
    catalog->index = mem_zalloc(sizeof(*catalog->index));
    return catalog;
}

static void read_root(
    const char *source, struct catalog *catalog, const struct yaml_node *root, struct problems *problems)
{
    struct catalog_reading r = {source, catalog, &catalog->index->arena, problems, NULL};
    if (root != NULL)
        read_catalog(&r, root);
    civil_zone_free(r.zone);
}

struct catalog *catalog_load(const char *path, char **error)
{
    struct catalog *catalog = new_catalog();
    struct problems problems = {0};
    struct arena nodes = {0};
    read_root(path, catalog, yaml_read_file(path, &nodes, &problems), &problems);
    arena_free(&nodes);
    return finish(catalog, &problems, error);
}

struct catalog *catalog_parse(const char *name, struct slice text, char **error)
{
    struct catalog *catalog = new_catalog();
    struct problems problems = {0};
    struct arena nodes = {0};
    read_root(name, catalog, yaml_read_text(name, text.ptr, text.len, &nodes, &problems), &problems);
    arena_free(&nodes);
    return finish(catalog, &problems, error);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    arena_free(&catalog->index->arena);
    free(catalog->index->lessons.items);
    free(catalog->index->courses.items);
    free(catalog->index->portals.items);
    free(catalog->index);
    free(catalog);
}

int64_t catalog_closes_ms(const struct catalog *catalog)
{
    int64_t closes_ms = INT64_MIN;
    for (size_t i = 0; i < catalog->n_courses; i++)
        if (catalog->courses[i].closes_ms > closes_ms)
            closes_ms = catalog->courses[i].closes_ms;
    return closes_ms;
}

const struct lesson *catalog_find_lesson(const struct catalog *catalog, struct slice id)
{
    return find_entry(&catalog->index->lessons, id);
}

const struct course *catalog_find_course(const struct catalog *catalog, struct slice id)
{
    return find_entry(&catalog->index->courses, id);
}

const struct portal *catalog_find_portal(const struct catalog *catalog, struct slice id)
{
    return find_entry(&catalog->index->portals, id);
}
