/* Passed tests from CSV: quotes, headers and endings as programs write them, and lines that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/passes.h"

static char path[] = "/tmp/passes-XXXXXX";
static struct catalog *catalog;

static int prepare(void **state)
{
    char *error = NULL;
    int fd = mkstemp(path);
    (void)state;
    catalog = catalog_load(SOURCE_DIR "/config/winter-2023.yaml", &error);
    return fd < 0 || close(fd) != 0 || catalog == NULL;
}

static int clean(void **state)
{
    (void)state;
    catalog_free(catalog);
    return unlink(path);
}

static struct passes *load(const char *text, char **error)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return passes_load(path, catalog, error);
}

static void test_good_lines(void **state)
{
    static const struct {
        const char *text;
        const char *learner; /* asked for: higher, teacher-ethics */
        bool passed;
    } rows[] = {
        {"", "t", false},
        {"higher,t,teacher-ethics", "t", true},
        {"higher,t,teacher-ethics\n", "t", true},
        {"higher,t,teacher-ethics\r\n\r\n", "t", true},
        {"portal,learner,course\nhigher,t,teacher-ethics\n", "t", true},
        {"\xef\xbb\xbfportal,learner,course,passed\nhigher,t,teacher-ethics,1\n", "t", true},
        {"\"portal\",\"learner\",\"course\"\n\"higher\",\"t\",\"teacher-ethics\"\r\n", "t", true},
        {" higher , t , teacher-ethics , yes \n", "t", true},
        {"higher,\"a,b \"\"c\"\"\",teacher-ethics\n", "a,b \"c\"", true},
        {"higher,t,teacher-ethics,0\n", "t", false},
        {"higher,t,teacher-ethics,\n", "t", false},
        {"higher,t,teacher-ethics,0\nhigher,t,teacher-ethics,passed\nhigher,t,teacher-ethics,failed\n", "t",
            true},
        {"basic,t,teacher-ethics\n", "t", false},
        {"higher,t,teacher-care-forum\n", "t", false},
        {"higher,tt,teacher-ethics\n", "t", false},
        {"higher,t,teacher-care-forum\nhigher,z,teacher-ethics\nhigher,t,teacher-ethics\nbasic,a,party-"
         "congress-20"
         "\n",
            "t", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *error = NULL;
        struct passes *p = load(rows[i].text, &error);
        if (p == NULL)
            fail_msg("row %zu: %s", i, error);
        if (passes_has(p, slice_of("higher"), slice_of(rows[i].learner), "teacher-ethics") != rows[i].passed)
            fail_msg("row %zu: %s", i, rows[i].text);
        passes_free(p);
    }
}

static void test_wrong_lines(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* after the file's name */
    } rows[] = {
        {"higher,t\n", ":1: expected portal,learner,course[,passed]: 'higher,t'"},
        {"higher,t,teacher-ethics,1,2\n", ":1: expected portal,learner,course[,passed]"},
        {"higher,t,teacher-ethics\nhigher,t,nothing\n",
            ":2: the catalog has no such course: 'higher,t,nothing'"},
        {"lower,t,teacher-ethics\n", ":1: the catalog has no such portal"},
        {"higher,,teacher-ethics\n", ":1: the learner is missing"},
        {"higher,\"t,teacher-ethics\n", ":1: expected portal,learner,course[,passed]"},
        {"higher,\"t\"x,teacher-ethics\n", ":1: expected portal,learner,course[,passed]"},
        {"\n\nhigher,t,teacher-ethics,maybe\n", ":3: 'passed' must be"},
        {"higher,t,teacher-ethics\nportal,learner,course\n", ":2: the catalog has no such portal"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *error = NULL;
        assert_null(load(rows[i].text, &error));
        bool named = strncmp(error, path, strlen(path)) == 0;
        if (!named || strncmp(error + strlen(path), rows[i].expected, strlen(rows[i].expected)) != 0)
            fail_msg("row %zu: %s", i, error);
        free(error);
    }
}

static void test_a_file_that_is_missing(void **state)
{
    char *error = NULL;
    (void)state;
    assert_null(passes_load("/nowhere/passes.csv", catalog, &error));
    assert_non_null(strstr(error, "/nowhere/passes.csv"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_a_file_that_is_missing),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
