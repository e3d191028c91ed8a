/* Writing JSON: what comes out can be read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "base/json.h"
#include "base/json_write.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }

static void test_write_string(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *written;
    } rows[] = {{TEXT(""), "\"\""}, {TEXT("abc"), "\"abc\""}, {TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {TEXT("\0\x1f\n"), "\"\\u0000\\u001f\\u000a\""}, {TEXT("/\x7f"), "\"/\x7f\""},
        {TEXT("\xe7\x8e\x8b"), "\"\xe7\x8e\x8b\""}, {TEXT("\"\""), "\"\\\"\\\"\""},
        {TEXT("a\xff"
              "b"),
            "\"a\xef\xbf\xbd"
            "b\""},
        {TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT("x\xc3"), "\"x\xef\xbf\xbd\""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = {0};
        json_write_string(&b, rows[i].text);
        if (!slice_is(buf_slice(&b), rows[i].written))
            fail_msg("row %zu: %.*s", i, (int)b.len, b.data);
        struct json_reader r;
        json_read(&r, buf_slice(&b), NULL);
        assert_true(json_skip(&r) && json_end(&r));
        buf_free(&b);
    }
}

static void test_write_number(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *written;
    } rows[] = {{0, 2, "0"}, {-0.0, 2, "0"}, {-0.001, 2, "0"}, {0.001, 2, "0"}, {1, 0, "1"}, {10, 0, "10"},
        {100, 3, "100"}, {1.5, 2, "1.5"}, {1.25, 2, "1.25"}, {1.255, 2, "1.25"}, {0.333333, 4, "0.3333"},
        {-2.50, 2, "-2.5"}, {1e6, 3, "1000000"}, {9007199254740992, 2, "9007199254740992"},
        {1e22, 2, "10000000000000000000000"}, {NAN, 2, "null"}, {INFINITY, 2, "null"},
        {-INFINITY, 0, "null"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = {0};
        json_write_number(&b, rows[i].value, rows[i].decimals);
        if (!slice_is(buf_slice(&b), rows[i].written))
            fail_msg("row %zu: %.*s", i, (int)b.len, b.data);
        buf_free(&b);
    }
    struct buf b = {0};
    json_write_number(&b, DBL_MAX, 9);
    assert_int_equal(b.len, 309);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_string),
        cmocka_unit_test(test_write_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
