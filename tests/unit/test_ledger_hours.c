/* From seconds to hours: which seconds count, and what a learner may be certified for, by the 2023 catalog.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "credit/mask.h"
#include "ledger/hours.h"

enum { COURSES = 5, HOUR = 45 * 60, MINUTE_A = 1672900800, MINUTE_B = MINUTE_A + 60 };

static int load_catalog(void **state)
{
    char *error = NULL;
    *state = catalog_load(SOURCE_DIR "/config/winter-2023.yaml", &error);
    if (*state == NULL)
        print_error("%s\n", error);
    return *state == NULL;
}

static int free_catalog(void **state)
{
    catalog_free(*state);
    return 0;
}

/* ---- what seconds give ---- */

#define ALL                                                                                                  \
    {                                                                                                        \
        HOUR, 2 * HOUR, HOUR, HOUR, HOUR                                                                     \
    }

static void test_judge(void **state)
{
    static const struct {
        const char *what;
        const char *portal;
        int64_t seconds[COURSES];
        const char *passed; /* a '1' for each test passed */
        double certified;
        int64_t missing[COURSES];
        bool complete;
        bool certificate;
    } rows[] = {
        {"nothing watched", "higher", {0}, "11111", 0, {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, false, false},
        {"45 minutes and the test", "higher", {HOUR}, "10000", 1, {0, 2 * HOUR, HOUR, HOUR, HOUR}, false,
            true},
        {"one second short", "higher", {HOUR - 1}, "11111", 0, {1, 2 * HOUR, HOUR, HOUR, HOUR}, false, false},
        {"one second more", "higher", {HOUR + 1}, "10000", 1, {0, 2 * HOUR, HOUR, HOUR, HOUR}, false, true},
        {"without the test", "higher", {HOUR}, "01111", 0, {0, 2 * HOUR, HOUR, HOUR, HOUR}, false, false},
        {"vocational asks for tests too", "vocational", {HOUR}, "00000", 0, {0, 2 * HOUR, HOUR, HOUR, HOUR},
            false, false},
        {"the test without the minutes", "higher", {0}, "10000", 0, {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, false,
            false},
        {"90 minutes are two hours", "higher", {0, 2 * HOUR}, "01000", 2, {HOUR, 0, HOUR, HOUR, HOUR}, false,
            true},
        {"45 of 90 minutes are none", "higher", {0, HOUR}, "01000", 0, {HOUR, HOUR, HOUR, HOUR, HOUR}, false,
            false},
        {"90 minutes, a second short", "higher", {0, 2 * HOUR - 1}, "01000", 0, {HOUR, 1, HOUR, HOUR, HOUR},
            false, false},
        {"more than a course's hours", "higher", {10 * HOUR}, "10000", 1, {0, 2 * HOUR, HOUR, HOUR, HOUR},
            false, true},
        {"everything", "higher", ALL, "11111", 6, {0}, true, true},
        {"everything and more", "higher", {9 * HOUR, 9 * HOUR, 9 * HOUR, 9 * HOUR, 9 * HOUR}, "11111", 6, {0},
            true, true},
        {"everything but one test", "higher", ALL, "10111", 4, {0}, false, true},
        {"basic: everything, no tests", "basic", ALL, "00000", 6, {0}, true, true},
        {"basic: everything and more", "basic", {9 * HOUR, 9 * HOUR, 9 * HOUR, 9 * HOUR, 9 * HOUR}, "00000",
            6, {0}, true, true},
        {"basic: nothing watched", "basic", {0}, "11111", 0, {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, false,
            false},
        {"basic: a second short of one", "basic", {HOUR, 2 * HOUR, HOUR, HOUR, HOUR - 1}, "11111", 5,
            {0, 0, 0, 0, 1}, false, false},
        {"basic: a second short of the two hours", "basic", {HOUR, 2 * HOUR - 1, HOUR, HOUR, HOUR}, "00000",
            4, {0, 1, 0, 0, 0}, false, false},
        {"basic: all minutes in one course", "basic", {60 * HOUR}, "11111", 1,
            {0, 2 * HOUR, HOUR, HOUR, HOUR}, false, false},
    };
    const struct catalog *catalog = *state;
    assert_int_equal(catalog->n_courses, COURSES);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hours_input inputs[COURSES];
        struct hours_course courses[COURSES];
        const struct portal *portal = catalog_find_portal(catalog, slice_of(rows[i].portal));
        double learned = 0;
        for (int c = 0; c < COURSES; c++) {
            inputs[c] = (struct hours_input){rows[i].seconds[c], rows[i].passed[c] == '1'};
            learned += (double)rows[i].seconds[c] / HOUR;
        }
        struct hours_result result = hours_judge(catalog, portal, inputs, courses);
        bool good = result.certified == rows[i].certified && result.complete == rows[i].complete &&
                    result.certificate == rows[i].certificate;
        for (int c = 0; c < COURSES; c++) {
            good = good && courses[c].missing_seconds == rows[i].missing[c];
            good = good &&
                   courses[c].test_missing == (portal->tests == TESTS_REQUIRED && rows[i].passed[c] != '1');
        }
        if (!good)
            fail_msg("%s: %g hours, %s certificate", rows[i].what, result.certified,
                result.certificate ? "a" : "no");
        assert_float_equal(result.learned, learned, 1e-9); /* uncapped */
    }
}

static struct catalog *parse(const char *text)
{
    char *error = NULL;
    struct catalog *catalog = catalog_parse("test", slice_of(text), &error);
    if (catalog == NULL)
        fail_msg("%s", error);
    return catalog;
}

/* A maximum below the sum of the courses, and hours that are no whole number. */
static void test_judge_caps_and_fractions(void **state)
{
    struct catalog *catalog = parse("program: p\n"
                                    "timezone: UTC\n"
                                    "minutes_per_hour: 45\n"
                                    "hours_max: 1.5\n"
                                    "portals: [{id: any, tests: none}]\n"
                                    "courses:\n"
                                    "  - {id: a, title: A, hours: 1.1, lessons: [{id: a-1}]}\n"
                                    "  - {id: b, title: B, hours: 0.5, lessons: [{id: b-1}]}\n");
    struct hours_course courses[2];
    struct hours_input both[] = {{2970, false}, {1350, false}};
    struct hours_input one[] = {{2970, false}, {1349, false}};
    (void)state;
    struct hours_result result = hours_judge(catalog, catalog->portals, both, courses);
    assert_int_equal(courses[0].needed_seconds, 2970);
    assert_true(result.certified == 1.5 && result.complete);
    result = hours_judge(catalog, catalog->portals, one, courses);
    assert_true(result.certified == 1.1 && !result.complete);
    assert_int_equal(courses[1].missing_seconds, 1);
    catalog_free(catalog);
}

/* ---- which seconds count ---- */

#define SECONDS(n) ((UINT64_C(1) << (n)) - 1)

static void test_tally(void **state)
{
    static const struct {
        const char *what;
        struct {
            const char *lesson;
            int64_t total;
        } totals[2];
        struct {
            const char *lesson;
            int64_t minute;
            uint64_t mask;
        } evidence[4];
        int64_t expected[2]; /* of the first two courses */
    } rows[] = {
        {"a total whose evidence is gone", {{"lts-1-1", 100}}, {{0}}, {100, 0}},
        {"a total and all its evidence", {{"lts-1-1", 15}}, {{"lts-1-1", MINUTE_A, SECONDS(15)}}, {15, 0}},
        {"some of the evidence is gone", {{"lts-1-1", 75}}, {{"lts-1-1", MINUTE_B, SECONDS(15)}}, {75, 0}},
        {"totals began anew in another epoch", {{"lts-1-1", 5}},
            {{"lts-1-1", MINUTE_A, SECONDS(60)}, {"lts-1-1", MINUTE_B, SECONDS(5)}}, {65, 0}},
        {"a failover lost what was published", {{"lts-1-1", 70}},
            {{"lts-1-1", MINUTE_A, SECONDS(60)}, {"lts-1-1", MINUTE_B, SECONDS(20)}}, {80, 0}},
        {"two lessons share no second", {{"lts-1-1", 20}, {"lts-1-2", 10}},
            {{"lts-1-1", MINUTE_A, SECONDS(20)}, {"lts-1-2", MINUTE_A, SECONDS(30) & ~SECONDS(20)}}, {30, 0}},
        {"a second in two lessons of a course", {{"lts-1-1", 20}, {"lts-1-2", 20}},
            {{"lts-1-1", MINUTE_A, SECONDS(20)}, {"lts-1-2", MINUTE_A, SECONDS(20)}}, {20, 0}},
        {"a second in two courses goes to the first", {{"lts-1-1", 20}, {"pc20-1", 30}},
            {{"lts-1-1", MINUTE_A, SECONDS(20)}, {"pc20-1", MINUTE_A, SECONDS(30)}}, {20, 10}},
        {"the same seconds of two minutes are not doubled", {{"lts-1-1", 20}, {"lts-1-2", 20}},
            {{"lts-1-1", MINUTE_A, SECONDS(20)}, {"lts-1-2", MINUTE_B, SECONDS(20)}}, {40, 0}},
        {"evidence without a total", {{NULL, 0}}, {{"pc20-2", MINUTE_A, SECONDS(7)}}, {0, 7}},
    };
    const struct catalog *catalog = *state;
    struct hours_tally tally = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t seconds[COURSES];
        for (int k = 0; k < 2 && rows[i].totals[k].lesson != NULL; k++)
            hours_tally_add_total(&tally, catalog_find_lesson(catalog, slice_of(rows[i].totals[k].lesson)),
                rows[i].totals[k].total);
        for (int k = 0; k < 4 && rows[i].evidence[k].lesson != NULL; k++)
            hours_tally_add_evidence(&tally,
                catalog_find_lesson(catalog, slice_of(rows[i].evidence[k].lesson)),
                rows[i].evidence[k].minute, rows[i].evidence[k].mask);
        hours_tally_courses(&tally, catalog, seconds);
        if (seconds[0] != rows[i].expected[0] || seconds[1] != rows[i].expected[1])
            fail_msg("%s: %lld and %lld", rows[i].what, (long long)seconds[0], (long long)seconds[1]);
        assert_int_equal(seconds[2] + seconds[3] + seconds[4], 0);
        hours_tally_clear(&tally);
    }
    hours_tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_judge_caps_and_fractions),
        cmocka_unit_test(test_tally),
    };
    return cmocka_run_group_tests(tests, load_catalog, free_catalog);
}
