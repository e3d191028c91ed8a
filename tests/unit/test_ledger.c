/* The ledger: hours by the catalog's rules, and a database that reading again does not change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "ledger/database.h"
#include "ledger/hours.h"
#include "ledger/passes.h"

enum { COURSES = 5, HOUR = 45 * 60 };

static struct catalog *catalog;
static char folder[64];

static int setup(void **state)
{
    (void)state;
    char *error = NULL;
    catalog = catalog_load(SOURCE_DIR "/config/winter-2023.yaml", &error);
    if (catalog == NULL)
        fail_msg("%s", error);
    assert_int_equal(catalog->n_courses, COURSES);
    snprintf(folder, sizeof(folder), "/tmp/minuted-ledger-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog_free(catalog);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* ---- hours ---- */

/* The courses in the catalog's order: 1, 2, 1, 1 and 1 hours. */
static void test_hours(void **state)
{
    static const struct {
        const char *name;
        const char *portal;
        int64_t watched[COURSES];
        bool passed[COURSES];
        double certified;
        bool complete;
    } rows[] = {
        {"nothing", "higher", {0}, {0}, 0, false},
        {"one course and its test", "higher", {HOUR}, {true}, 1, false},
        {"one second short", "higher", {HOUR - 1}, {true}, 0, false},
        {"no test", "higher", {HOUR}, {false}, 0, false},
        {"a test alone", "higher", {0}, {true}, 0, false},
        {"two hours come whole", "vocational", {0, 2 * HOUR}, {true, true}, 2, false},
        {"or not at all", "vocational", {0, 2 * HOUR - 1}, {true, true}, 0, false},
        {"time beyond a course is not another's", "higher", {10 * HOUR}, {true, true, true, true, true}, 1,
            false},
        {"all", "higher", {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, {true, true, true, true, true}, 6, true},
        {"all but a test", "higher", {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, {true, true, true, true, false}, 5,
            false},
        {"all hours without tests", "basic", {HOUR, 2 * HOUR, HOUR, HOUR, HOUR}, {0}, 6, true},
        {"all hours or none", "basic", {HOUR, 2 * HOUR, HOUR, HOUR, HOUR - 1}, {0}, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hours_input inputs[COURSES];
        struct hours_course courses[COURSES];
        for (int k = 0; k < COURSES; k++)
            inputs[k] = (struct hours_input){rows[i].watched[k], rows[i].passed[k]};
        const struct portal *portal = catalog_find_portal(catalog, slice_of(rows[i].portal));
        struct hours_result result = hours_judge(catalog, portal, inputs, courses);
        if (result.certified != rows[i].certified || result.complete != rows[i].complete)
            fail_msg("%s: %g hours, complete %d", rows[i].name, result.certified, result.complete);
    }
}

static void test_what_is_missing(void **state)
{
    (void)state;
    struct hours_input inputs[COURSES] = {{HOUR - 1, true}, {3 * HOUR, false}};
    struct hours_course courses[COURSES];
    const struct portal *portal = catalog_find_portal(catalog, SLICE_LITERAL("higher"));
    struct hours_result result = hours_judge(catalog, portal, inputs, courses);
    assert_int_equal(courses[0].missing_seconds, 1);
    assert_false(courses[0].test_missing);
    assert_int_equal(courses[1].missing_seconds, 0);
    assert_true(courses[1].test_missing);
    assert_true(courses[1].learned == 3.0); /* recorded beyond the course's hours */
    assert_true(result.learned > 3.99 && result.learned < 4.0);
}

/* ---- passes ---- */

static struct passes *load_passes(const char *text, char **error)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/passes.csv", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return passes_load(path, catalog, error);
}

static void test_passes(void **state)
{
    (void)state;
    char *error = NULL;
    struct passes *p = load_passes("portal,learner,course,passed\nhigher,a b,teacher-ethics,1\r\n\n"
                                   "higher,c,teacher-ethics,0\nvocational, d ,teacher-ethics",
        &error);
    assert_non_null(p);
    assert_true(passes_has(p, SLICE_LITERAL("higher"), SLICE_LITERAL("a b"), "teacher-ethics"));
    assert_false(passes_has(p, SLICE_LITERAL("higher"), SLICE_LITERAL("a b"), "party-congress-20"));
    assert_false(passes_has(p, SLICE_LITERAL("higher"), SLICE_LITERAL("c"), "teacher-ethics"));
    assert_true(passes_has(p, SLICE_LITERAL("vocational"), SLICE_LITERAL("d"), "teacher-ethics"));
    passes_free(p);
    assert_null(load_passes("higher,a,teacher-ethics\nhigher,b,no-such\n", &error));
    assert_non_null(strstr(error, "passes.csv:2: the catalog has no such course: 'higher,b,no-such'"));
    free(error);
    assert_null(load_passes("higher,a\n", &error));
    assert_non_null(strstr(error, "passes.csv:1: portal,learner,course[,passed] is wanted"));
    free(error);
}

/* ---- the database ---- */

static struct database *open_database(const char *name, bool write)
{
    char path[128];
    char *error = NULL;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct database *db = database_open(path, write, &error);
    if (db == NULL)
        fail_msg("%s", error);
    return db;
}

static struct record minute_record(int64_t offset, uint64_t mask)
{
    return (struct record){.topic = TOPIC_LEARNER_MINUTES,
        .offset = offset,
        .portal = SLICE_LITERAL("basic"),
        .learner = SLICE_LITERAL("a"),
        .course = SLICE_LITERAL("c"),
        .lesson = SLICE_LITERAL("l"),
        .minute_start = 60,
        .mask = mask};
}

static struct record total_record(int64_t offset, int64_t watched)
{
    return (struct record){.topic = TOPIC_LEARNER_LESSONS,
        .offset = offset,
        .portal = SLICE_LITERAL("basic"),
        .learner = SLICE_LITERAL("a"),
        .course = SLICE_LITERAL("c"),
        .lesson = SLICE_LITERAL("l"),
        .minute_start = 60,
        .watched_seconds = watched,
        .covered_seconds = watched};
}

static void store_all(struct database *db, const struct record *records, size_t n)
{
    assert_true(database_begin(db));
    for (size_t i = 0; i < n; i++)
        assert_true(database_store(db, &records[i]));
    assert_true(database_commit(db));
}

static int64_t ask(struct database *db, const char *sql)
{
    sqlite3_stmt *s = database_query(db, sql);
    assert_non_null(s);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static void test_reading_again_changes_nothing(void **state)
{
    (void)state;
    struct database *db = open_database("again.db", true);
    const struct record records[] = {
        minute_record(0, 0x1), minute_record(1, 0x3), total_record(0, 1), total_record(1, 2)};
    for (int round = 0; round < 3; round++) {
        store_all(db, records, 4);
        assert_int_equal(ask(db, "SELECT seconds_mask FROM learner_minutes"), 0x3);
        assert_int_equal(ask(db, "SELECT last_mask FROM learner_minutes"), 0x3);
        assert_int_equal(ask(db, "SELECT watched_seconds FROM learner_lessons"), 2);
        assert_int_equal(ask(db, "SELECT last_watched FROM learner_lessons"), 2);
        assert_int_equal(
            ask(db,
                "SELECT (SELECT sum(falls) FROM learner_minutes) + (SELECT sum(falls) FROM learner_lessons)"),
            0);
    }
    int64_t next;
    assert_true(database_offset(db, TOPIC_LEARNER_LESSONS, 0, &next));
    assert_int_equal(next, 2);
    database_close(db);
}

static void test_a_record_that_fell_is_seen(void **state)
{
    (void)state;
    struct database *db = open_database("fell.db", true);
    const struct record records[] = {
        minute_record(0, 0x6), minute_record(1, 0x3), total_record(0, 5), total_record(1, 4)};
    store_all(db, records, 4);
    assert_int_equal(ask(db, "SELECT seconds_mask FROM learner_minutes"), 0x7); /* nothing is lost by it */
    assert_int_equal(ask(db, "SELECT last_mask FROM learner_minutes"), 0x3);
    assert_int_equal(ask(db, "SELECT falls FROM learner_minutes"), 1);
    assert_int_equal(ask(db, "SELECT watched_seconds FROM learner_lessons"), 5);
    assert_int_equal(ask(db, "SELECT last_watched FROM learner_lessons"), 4);
    assert_int_equal(ask(db, "SELECT falls FROM learner_lessons"), 1);
    database_close(db);
}

static void test_a_topic_made_anew(void **state)
{
    (void)state;
    struct database *db = open_database("anew.db", true);
    const struct record old = total_record(7, 5);
    const struct record fresh = total_record(0, 6);
    int64_t next;
    store_all(db, &old, 1);
    assert_true(database_forget_offsets(db, TOPIC_LEARNER_LESSONS, 0));
    assert_true(database_offset(db, TOPIC_LEARNER_LESSONS, 0, &next));
    assert_int_equal(next, 0);
    store_all(db, &fresh, 1);
    assert_int_equal(ask(db, "SELECT last_watched FROM learner_lessons"), 6);
    database_close(db);
}

static void test_a_database_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    char path[128];
    char *error = NULL;
    assert_null(database_open("/no/such/folder/x.db", true, &error));
    assert_non_null(strstr(error, "database /no/such/folder/x.db: "));
    free(error);
    snprintf(path, sizeof(path), "%s/missing.db", folder);
    assert_null(database_open(path, false, &error));
    assert_non_null(strstr(error, "missing.db: "));
    free(error);
    snprintf(path, sizeof(path), "%s/other.db", folder);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_null(database_open(path, true, &error));
    assert_non_null(strstr(error, "is not a ledger of this version"));
    free(error);
}

/* ---- records ---- */

static void test_records_in_json(void **state)
{
    static const struct {
        const char *value;
        bool good;
    } rows[] = {
        {"{\"portal\":\"p\",\"learner_id\":\"a\",\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":60,"
         "\"seconds_mask\":\"00000000000000f\",\"watched_seconds\":4}",
            true},
        {"{\"portal\":\"p\",\"learner_id\":\"a\",\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":60,"
         "\"seconds_mask\":\"f\",\"watched_seconds\":4}",
            false},
        {"{\"portal\":\"p\"}", false},
        {"[]", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct record r = {.topic = TOPIC_LEARNER_MINUTES};
        bool good = record_decode(
            SLICE_LITERAL("application/json"), SLICE_LITERAL("k"), slice_of(rows[i].value), &arena, &r);
        assert_int_equal(good, rows[i].good);
        if (good)
            assert_true(r.mask == 0xf && r.minute_start == 60 && r.watched_seconds == 4);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_reading_again_changes_nothing),
        cmocka_unit_test(test_a_record_that_fell_is_seen),
        cmocka_unit_test(test_a_topic_made_anew),
        cmocka_unit_test(test_a_database_that_cannot_be_used_is_named),
        cmocka_unit_test(test_records_in_json),
    };
    return cmocka_run_group_tests_name("ledger", tests, setup, teardown);
}
