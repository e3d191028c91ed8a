/* The catalog: windows to the millisecond, look-ups, and problems that name the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "config/catalog.h"

static struct catalog *load_shipped(const char *name)
{
    char path[512];
    char *error = NULL;
    snprintf(path, sizeof(path), "%s/config/%s", SOURCE_DIR, name);
    struct catalog *catalog = catalog_load(path, &error);
    if (catalog == NULL)
        fail_msg("%s", error);
    return catalog;
}

static void test_winter_2023(void **state)
{
    (void)state;
    struct catalog *catalog = load_shipped("winter-2023.yaml");
    assert_string_equal(catalog->program, "winter-2023");
    assert_int_equal(catalog->minutes_per_hour, 45);
    assert_true(catalog->hours_max == 6);
    assert_int_equal(catalog->n_courses, 5);
    assert_int_equal(catalog->n_portals, 3);
    double hours = 0;
    for (size_t i = 0; i < catalog->n_courses; i++)
        hours += catalog->courses[i].hours;
    assert_true(hours == 6);

    const struct lesson *lesson = catalog_find_lesson(catalog, SLICE_LITERAL("lts-1-1"));
    assert_non_null(lesson);
    assert_int_equal(lesson->length_seconds, 15 * 60 + 10);
    assert_string_equal(lesson->course->id, "live-teaching-safety");
    assert_true(lesson->allows.opens_ms == INT64_C(1669910400000));
    assert_true(lesson->allows.closes_ms == INT64_C(1677600000000)); /* February 28th is still open */
    assert_int_equal(lesson->allows.length_ms, 910000);
    assert_string_equal(lesson->course->closes, "2023-02-28");

    const struct portal *basic = catalog_find_portal(catalog, SLICE_LITERAL("basic"));
    assert_int_equal(basic->tests, TESTS_NONE);
    assert_int_equal(basic->certificate, CERTIFICATE_ALL_HOURS);
    assert_int_equal(catalog_find_portal(catalog, SLICE_LITERAL("higher"))->tests, TESTS_REQUIRED);
    catalog_free(catalog);
}

static void test_look_ups(void **state)
{
    static const char *const missing[] = {"", "lts", "lts-1-", "lts-1-11", "zzz", "LTS-1-1", "a"};
    (void)state;
    struct catalog *catalog = load_shipped("winter-2023.yaml");
    for (size_t i = 0; i < catalog->n_courses; i++)
        for (size_t k = 0; k < catalog->courses[i].n_lessons; k++)
            assert_ptr_equal(catalog_find_lesson(catalog, slice_of(catalog->courses[i].lessons[k].id)),
                &catalog->courses[i].lessons[k]);
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        assert_null(catalog_find_lesson(catalog, slice_of(missing[i])));
    /* Bytes of a request, not a C string. */
    assert_null(catalog_find_lesson(catalog, (struct slice){NULL, 0}));
    assert_null(catalog_find_lesson(catalog, SLICE_LITERAL("te-1\0and more than any id is long")));
    assert_non_null(catalog_find_lesson(catalog, (struct slice){"te-1x", 4}));
    catalog_free(catalog);
}

static void test_demo_is_always_open(void **state)
{
    (void)state;
    struct catalog *catalog = load_shipped("demo.yaml");
    const struct lesson *lesson = catalog_find_lesson(catalog, SLICE_LITERAL("demo-1"));
    assert_true(lesson->allows.opens_ms == INT64_MIN && lesson->allows.closes_ms == INT64_MAX);
    assert_null(lesson->course->opens);
    catalog_free(catalog);
}

/* All of it where MESSAGE names the file, else a part. */
static bool says(const char *error, const char *message)
{
    return strncmp(message, "c.yaml:", 7) == 0 ? strcmp(error, message) == 0 : strstr(error, message) != NULL;
}

#define HEAD "program: p\ntimezone: UTC\nportals: [{id: a}]\n"
#define COURSE(fields) HEAD "courses:\n  - {id: c, lessons: [{id: l}]" fields "}\n"

static void test_problems(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"", "'program' is missing"},
        {"timezone: UTC\nprogram: winter 2023\nportals: [{id: a}]\ncourses: [{id: c, lessons: [{id: l}]}]",
            "c.yaml:2: program 'winter 2023' is not [A-Za-z0-9._-]{1,64}"},
        {"timezone: UTC\nprogram: a/b\nportals: [{id: a}]\ncourses: [{id: c, lessons: [{id: l}]}]",
            "c.yaml:2: program 'a/b' is not [A-Za-z0-9._-]{1,64}"},
        {"[]", "c.yaml:1: expected a map with program, timezone, portals and courses"},
        {HEAD, "'courses': expected a list of 1 to 1000 items"},
        {"program: p\ntimezone: Mars/Base\nportals: [{id: a}]\ncourses: [{id: c, lessons: [{id: l}]}]",
            "c.yaml:2: 'timezone': 'Mars/Base' is not in the system's zoneinfo (package tzdata)"},
        {COURSE(", opens: 2023-02-30"),
            "c.yaml:5: 'opens': expected a day such as 2023-02-28, not '2023-02-30'"},
        {COURSE(", opens: 2023-2-3"), "c.yaml:5: 'opens': expected a day such as 2023-02-28, not '2023-2-3'"},
        {COURSE(", opens: 2023-02-02, closes: 2023-02-01"), "c.yaml:5: course 'c' closes before it opens"},
        {COURSE(", opens: '2023- 1- 5'"),
            "c.yaml:5: 'opens': expected a day such as 2023-02-28, not '2023- 1- 5'"},
        {COURSE(", closes: 2100-02-29"),
            "c.yaml:5: 'closes': expected a day such as 2023-02-28, not '2100-02-29'"},
        {COURSE(", hours: 0x2"), "c.yaml:5: 'hours': expected a number from 0.25 to 1000, not '0x2'"},
        {COURSE(", hours: [1]"), "c.yaml:5: 'hours': expected a number from 0.25 to 1000, not ''"},
        {COURSE("") "minutes_per_hour: 45.5\n",
            "c.yaml:6: 'minutes_per_hour': expected a whole number from 1 to 1440, not '45.5'"},
        {HEAD "courses:\n  - {id: c, lessons: [{id: l}, {title: t}, {title: u}]}\n",
            "c.yaml:5: 'id' is missing\nc.yaml:5: 'id' is missing"},
        {HEAD "courses:\n  - {id: c, lessons: l}\n", "c.yaml:5: course 'c' needs a list of lessons"},
        {"program: p\ntimezone: UTC\nportals:\n  - {id: a}\n  - {id: a}\ncourses: [{id: c, lessons: "
         "[{id: l}]}]",
            "c.yaml:5: portal 'a' is given twice, first in line 4"},
        {COURSE(", hours: -1"), "c.yaml:5: 'hours': expected a number from 0.25 to 1000, not '-1'"},
        {COURSE(", hour: 1"), "c.yaml:5: unknown key 'hour' in a course; did you mean 'hours'?"},
        {HEAD "courses:\n  - {id: c d, lessons: [{id: l}]}\n",
            "c.yaml:5: id 'c d' is not [A-Za-z0-9._-]{1,64}"},
        {HEAD "courses:\n  - {id: c}\n", "c.yaml:5: course 'c' needs a list of lessons"},
        {HEAD "courses:\n  - id: c\n    lessons:\n      - {id: l, length: 0}\n",
            "c.yaml:7: 'length': expected a whole number from 1 to 86400, not '0'"},
        {HEAD "courses:\n  - id: c\n    lessons: [{id: l}]\n  - id: c\n    lessons: [{id: m}]\n",
            "c.yaml:7: course 'c' is given twice, first in line 5"},
        {HEAD
            "courses:\n  - id: c\n    lessons:\n      - {id: l}\n  - id: d\n    lessons:\n      - {id: l}\n",
            "c.yaml:10: lesson 'l' is given twice, first in line 7"},
        {"program: p\ntimezone: UTC\nportals: [{id: a, tests: maybe}]\ncourses: [{id: c, lessons: [{id: "
         "l}]}]",
            "c.yaml:3: 'tests': expected required or none, not 'maybe'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *error = NULL;
        struct catalog *catalog = catalog_parse("c.yaml", slice_of(rows[i].text), &error);
        if (catalog != NULL || !says(error, rows[i].message))
            fail_msg("for %s: %s", rows[i].text, catalog != NULL ? "no problem" : error);
        free(error);
    }
}

static void test_last_day_is_included(void **state)
{
    (void)state;
    char *error = NULL;
    struct catalog *catalog =
        catalog_parse("c.yaml", slice_of(COURSE(", opens: 2023-02-28, closes: 2023-02-28")), &error);
    assert_non_null(catalog);
    assert_int_equal(catalog->courses[0].closes_ms - catalog->courses[0].opens_ms, 86400000);
    catalog_free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winter_2023),
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_demo_is_always_open),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_last_day_is_included),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
