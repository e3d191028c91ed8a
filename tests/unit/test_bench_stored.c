/* What Redis stores of a learner, as the load generator's verification decodes it: tables of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/stored.h"

enum { MASKS = 80 };

/* A value of w:<bucket> with two lessons: "l1" watched in minutes 0 and 9, "x" in minute 4. */
static struct slice two_lessons(unsigned char bytes[static 256])
{
    static const unsigned char first[] = {1, 2, 'l', '1'};
    static const unsigned char second[] = {1, 'x'};
    unsigned char *at = memset(bytes, 0, 256);
    memcpy(at, first, sizeof(first));
    at += sizeof(first);
    at[0] = 5;            /* seconds 0 and 2 of minute 0 */
    at[3] = 0x20;         /* and second 29, the last of the low word */
    at[9 * 8 + 4] = 1;    /* second 30 of minute 9 */
    at[9 * 8 + 7] = 0x20; /* and second 59 */
    at += MASKS;
    memcpy(at, second, sizeof(second));
    at += sizeof(second);
    at[4 * 8 + 1] = 0x80; /* second 15 of minute 4 */
    return (struct slice){(char *)bytes, (size_t)(at + MASKS - bytes)};
}

static void test_masks(void **state)
{
    unsigned char bytes[256];
    struct slice lessons;
    struct stored_lesson lesson;
    (void)state;
    assert_true(stored_masks(two_lessons(bytes), &lessons));
    assert_true(stored_next_lesson(&lessons, &lesson));
    assert_true(slice_is(lesson.id, "l1"));
    for (int i = 1; i < 9; i++)
        assert_int_equal(lesson.masks[i], 0);
    assert_int_equal(lesson.masks[0], UINT64_C(1) << 29 | 5);
    assert_int_equal(lesson.masks[9], UINT64_C(1) << 59 | UINT64_C(1) << 30);
    assert_true(stored_next_lesson(&lessons, &lesson));
    assert_true(slice_is(lesson.id, "x"));
    assert_int_equal(lesson.masks[4], 1 << 15);
    assert_int_equal(lessons.len, 0);
}

static bool reads_masks(struct slice value)
{
    struct slice lessons;
    struct stored_lesson lesson;
    bool good = stored_masks(value, &lessons);
    while (good && lessons.len > 0)
        good = stored_next_lesson(&lessons, &lesson);
    return good;
}

static void test_malformed_masks(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } cases[] = {
        {0, 0},           /* another format */
        {0, 2},           /* another format */
        {1, 250},         /* an id longer than the value */
        {4 + 3, 0x40},    /* second 30 in the low word */
        {4 + 7, 0x80},    /* second 61 in the high word */
        {4 + MASKS, 200}, /* the second lesson's id is longer than what is left */
    };
    unsigned char bytes[256];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice value = two_lessons(bytes);
        assert_true(reads_masks(value));
        bytes[cases[i].at] = cases[i].byte;
        assert_false(reads_masks(value));
    }
}

/* Only between two lessons may a value end. */
static void test_cut_masks(void **state)
{
    unsigned char bytes[256];
    struct slice value = two_lessons(bytes);
    (void)state;
    for (size_t len = 0; len < value.len; len++)
        assert_int_equal(reads_masks((struct slice){value.ptr, len}), len == 1 || len == 4 + MASKS);
}

static void test_totals(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int64_t seconds; /* negative: malformed */
    } cases[] = {
#define VALUE(text, seconds) {(text), sizeof(text) - 1, (seconds)}
        /* the format, watched seconds, the last minute, the course's length and id, then intervals */
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1", 45), VALUE("\1\xff\xff\xff\xff\1\2\3\4\2c1", INT64_C(4294967295)),
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\0\0\0\0\x10\0\0\0", 45),
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\0\0\0\0\x10\0\0\0\x20\0\0\0\x21\0\0\0", 45), VALUE("", -1),
        VALUE("\2\x2d\0\0\0\1\2\3\4\2c1", -1), VALUE("\1\x2d\0\0", -1), VALUE("\1\x2d\0\0\0\1\2\3\4", -1),
        VALUE("\1\x2d\0\0\0\1\2\3\4\3c1", -1),
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\0\0\0\0\x10\0\0", -1),                       /* half an interval */
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\x10\0\0\0\x10\0\0\0", -1),                   /* an empty one */
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\x20\0\0\0\x21\0\0\0\0\0\0\0\x10\0\0\0", -1), /* out of order */
        VALUE("\1\x2d\0\0\0\1\2\3\4\2c1\0\0\0\0\x10\0\0\0\x0f\0\0\0\x21\0\0\0", -1), /* overlapping */
#undef VALUE
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds = -1;
        struct slice value = {cases[i].bytes, cases[i].len};
        assert_int_equal(stored_total(value, &seconds), cases[i].seconds >= 0);
        if (cases[i].seconds >= 0)
            assert_int_equal(seconds, cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_malformed_masks),
        cmocka_unit_test(test_cut_masks),
        cmocka_unit_test(test_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
