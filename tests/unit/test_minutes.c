/* What a learner's ten minutes hold, from the stored form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "credit/mask.h"
#include "store/values.h"

enum { BUCKET = 2790311 };

static void append_mask(struct buf *value, uint64_t mask)
{
    buf_append_u32(value, (uint32_t)(mask & 0x3fffffff));
    buf_append_u32(value, (uint32_t)(mask >> 30));
}

/* A lesson with FIRST in the first of ten minutes and LAST in the last. */
static void append_lesson(struct buf *value, const char *lesson, uint64_t first, uint64_t last)
{
    buf_append_u8(value, (uint8_t)strlen(lesson));
    buf_append_string(value, lesson);
    append_mask(value, first);
    for (int i = 1; i < BUCKET_MINUTES - 1; i++)
        append_mask(value, 0);
    append_mask(value, last);
}

static void assert_minute(const struct store_minute *m, int64_t minute, const char *lesson, uint64_t mask)
{
    assert_int_equal(m->minute, minute);
    assert_true(slice_is(m->lesson, lesson));
    assert_true(m->mask == mask);
}

static void test_oldest_first(void **state)
{
    struct buf value = {0};
    struct arena arena = {0};
    struct minutes minutes;
    (void)state;
    buf_append_u8(&value, 1);
    append_lesson(&value, "a", 1, MASK_FULL);
    append_lesson(&value, "long-name", 0, UINT64_C(1) << 59);
    append_lesson(&value, "c", MASK_FULL - 1, 0);
    assert_true(values_decode_minutes(buf_slice(&value), BUCKET, &arena, &minutes));
    assert_int_equal(minutes.n, 4);
    assert_minute(&minutes.items[0], BUCKET * 10L, "a", 1);
    assert_minute(&minutes.items[1], BUCKET * 10L, "c", MASK_FULL - 1);
    assert_minute(&minutes.items[2], BUCKET * 10L + 9, "a", MASK_FULL);
    assert_minute(&minutes.items[3], BUCKET * 10L + 9, "long-name", UINT64_C(1) << 59);
    arena_free(&arena);
    buf_free(&value);
}

static void test_every_cut_is_malformed(void **state)
{
    struct buf value = {0};
    (void)state;
    buf_append_u8(&value, 1);
    append_lesson(&value, "a", 1, 2);
    for (size_t len = 0; len < value.len; len++) {
        struct arena arena = {0};
        struct minutes minutes;
        bool good = values_decode_minutes((struct slice){value.data, len}, BUCKET, &arena, &minutes);
        assert_int_equal(good, len == 1); /* no lesson at all */
        assert_int_equal(minutes.n, 0);
        arena_free(&arena);
    }
    buf_free(&value);
}

static void test_other_formats_are_malformed(void **state)
{
    struct arena arena = {0};
    struct minutes minutes;
    (void)state;
    assert_false(values_decode_minutes(SLICE_LITERAL("\2"), BUCKET, &arena, &minutes));
    assert_false(values_decode_minutes(SLICE_LITERAL("text"), BUCKET, &arena, &minutes));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_every_cut_is_malformed),
        cmocka_unit_test(test_other_formats_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
