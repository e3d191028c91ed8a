/* If-None-Match and If-Range against a tag, in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/entity_tag.h"

#define TAG "\"abc\""

struct row {
    const char *header;
    bool expected;
};

static void check(
    const struct row *rows, size_t n, bool (*judge)(struct slice header, const char *tag), const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (judge(slice_of(rows[i].header), TAG) != rows[i].expected)
            fail_msg("%s: %s", name, rows[i].header);
}

static void test_if_none_match(void **state)
{
    static const struct row rows[] = {
        {TAG, true},
        {"*", true},
        {"W/" TAG, true},
        {"\"x\", " TAG, true},
        {"\"x\"," TAG ",\"y\"", true},
        {"W/\"x\" ,\t, W/" TAG, true},
        {", " TAG, true},
        {"\"a,b\", " TAG, true},
        {"\"\", " TAG, true},
        {"", false},
        {"\"ab\"", false},
        {"\"abcd\"", false},
        {"\"ABC\"", false},
        {"abc", false},
        {"\"abc", false},
        {"\"", false},
        {"W/", false},
        {"W/*", false},
        {"*, " TAG, false},
        {"x, " TAG, false},
        {"w/" TAG, false},
        {"\"x, " TAG, false},
        {"\"a\"b\"c\"", false},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(rows[0]), entity_tag_listed, "If-None-Match");
}

static void test_if_range(void **state)
{
    static const struct row rows[] = {
        {"", true},
        {TAG, true},
        {"W/" TAG, false},
        {"\"x\"", false},
        {TAG ", \"x\"", false},
        {"*", false},
        {"Wed, 21 Oct 2026 07:28:00 GMT", false},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(rows[0]), entity_tag_unchanged, "If-Range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_if_none_match),
        cmocka_unit_test(test_if_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
