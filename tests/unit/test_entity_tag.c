/* If-None-Match against a tag, in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/entity_tag.h"

#define TAG "\"abc\""

static void test_if_none_match(void **state)
{
    static const struct {
        const char *header;
        bool expected;
    } rows[] = {
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
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (entity_tag_listed(slice_of(rows[i].header), TAG) != rows[i].expected)
            fail_msg("If-None-Match: %s", rows[i].header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_if_none_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
