/* Packed bytes: what a buffer writes a cursor reads, and nothing is read that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"

static void append_all(struct buf *b)
{
    buf_append_u8(b, 0xfe);
    buf_append_u16(b, 0xfedc);
    buf_append_u32(b, 0xfedcba98);
    buf_append_u64(b, UINT64_C(0xfedcba9876543210));
    buf_append_counted(b, (struct slice){"", 0});
    buf_append_counted(b, (struct slice){"seven b", 7});
    buf_append(b, "rest", 4);
}

/* How many of the seven fields are as they were written. */
static int take_all(struct cursor *c)
{
    int good = cursor_take_u8(c) == 0xfe;
    good += cursor_take_u16(c) == 0xfedc;
    good += cursor_take_u32(c) == 0xfedcba98;
    good += cursor_take_u64(c) == UINT64_C(0xfedcba9876543210);
    good += cursor_take_counted(c).len == 0 && c->ok;
    good += slice_is(cursor_take_counted(c), "seven b");
    good += slice_is(cursor_take(c, 4), "rest");
    return good;
}

static void test_what_was_written_is_read(void **state)
{
    static const unsigned char first[] = {0xfe, 0xdc, 0xfe, 0x98, 0xba, 0xdc, 0xfe, 0x10, 0x32};
    struct buf b = {0};
    (void)state;
    append_all(&b);
    assert_memory_equal(b.data, first, sizeof(first));
    struct cursor c = cursor_of(buf_slice(&b));
    assert_int_equal(cursor_left(&c), b.len);
    assert_int_equal(take_all(&c), 7);
    assert_true(cursor_is_done(&c));
    assert_int_equal(cursor_take(&c, 0).len, 0);
    assert_true(cursor_is_done(&c));
    buf_free(&b);
}

/* The block ends where the bytes end, so that a sanitizer sees a read beyond them. */
static void test_cut_off_anywhere(void **state)
{
    struct buf b = {0};
    (void)state;
    append_all(&b);
    for (size_t len = 0; len < b.len; len++) {
        char *block = malloc(len + 1);
        assert_non_null(block);
        memcpy(block + 1, b.data, len);
        struct cursor c = cursor_of((struct slice){block + 1, len});
        assert_true(take_all(&c) < 7);
        assert_false(c.ok);
        assert_false(cursor_is_done(&c));
        assert_int_equal(cursor_left(&c), 0);
        free(block);
    }
    buf_free(&b);
}

static void test_a_failed_cursor_gives_nothing(void **state)
{
    struct cursor c = cursor_of((struct slice){"\x02z", 2});
    (void)state;
    struct slice missing = cursor_take_counted(&c);
    assert_true(missing.ptr != NULL && missing.len == 0 && !c.ok);
    assert_int_equal(cursor_take_u8(&c), 0);
    assert_int_equal(cursor_take(&c, SIZE_MAX).len, 0);
    c = cursor_of((struct slice){NULL, 0});
    assert_true(cursor_is_done(&c));
    assert_int_equal(cursor_take_u64(&c), 0);
    assert_false(c.ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_a_failed_cursor_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
