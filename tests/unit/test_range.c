/* The Range header, in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/range.h"

enum { LENGTH = 1000 };

struct row {
    const char *header;
    enum range_verdict verdict;
    size_t first;
    size_t len;
};

static void check(const struct row *row, size_t length)
{
    struct range range;
    enum range_verdict verdict = range_read(slice_of(row->header), length, &range);
    if (verdict != row->verdict || range.first != row->first || range.len != row->len)
        fail_msg("\"%s\" of %zu: verdict %d, first %zu, len %zu", row->header, length, (int)verdict,
            range.first, range.len);
}

static void test_parts(void **state)
{
    static const struct row rows[] = {
        {"bytes=0-0", RANGE_PART, 0, 1},
        {"bytes=0-499", RANGE_PART, 0, 500},
        {"bytes=500-", RANGE_PART, 500, 500},
        {"bytes=0-", RANGE_PART, 0, LENGTH},
        {"bytes=999-", RANGE_PART, 999, 1},
        {"bytes=999-999", RANGE_PART, 999, 1},
        {"bytes=500-4000", RANGE_PART, 500, 500},
        {"bytes=0-999", RANGE_PART, 0, LENGTH},
        {"bytes=-1", RANGE_PART, 999, 1},
        {"bytes=-1000", RANGE_PART, 0, LENGTH},
        {"bytes=-1001", RANGE_PART, 0, LENGTH},
        {"Bytes=007-0010", RANGE_PART, 7, 4},
        {"bytes=1-99999999999999999999999999", RANGE_PART, 1, 999},
        {"bytes=-99999999999999999999999999", RANGE_PART, 0, LENGTH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], LENGTH);
}

static void test_behind_the_end(void **state)
{
    static const struct row rows[] = {
        {"bytes=1000-", RANGE_UNSATISFIABLE, 0, LENGTH},
        {"bytes=1000-1000", RANGE_UNSATISFIABLE, 0, LENGTH},
        {"bytes=18446744073709551616-", RANGE_UNSATISFIABLE, 0, LENGTH},
        {"bytes=99999999999999999999-99999999999999999999", RANGE_UNSATISFIABLE, 0, LENGTH},
        {"bytes=-0", RANGE_UNSATISFIABLE, 0, LENGTH},
    };
    static const struct row of_nothing[] = {
        {"bytes=0-", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", RANGE_UNSATISFIABLE, 0, 0},
        {"", RANGE_WHOLE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], LENGTH);
    for (size_t i = 0; i < sizeof(of_nothing) / sizeof(of_nothing[0]); i++)
        check(&of_nothing[i], 0);
}

static void test_everything(void **state)
{
    static const char *const headers[] = {"", "bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=a-b",
        "bytes=1", "bytes=1-b", "bytes=-b", "bytes=1-2b", "bytes=5-4", "bytes= 0-1", "bytes=0 -1",
        "bytes=0-1 ", "bytes=0-1,", "bytes=0-1,5-6", "bytes=0-,-1", "bytes=-1,-2", "bytes =0-1",
        "seconds=0-1", "octets=0-1", "bytes=+1-2", "bytes=0x1-2", "bytes=1.5-2", "bytes:0-1"};
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        check(&(struct row){headers[i], RANGE_WHOLE, 0, LENGTH}, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_behind_the_end),
        cmocka_unit_test(test_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
