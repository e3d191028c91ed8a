/* Protobuf's wire format: what is given, what is passed over, what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/wire.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }

/* How many fields MESSAGE has, -1 when it is malformed; *LAST is the last one. Its block ends where it ends.
 */
static int read_all(struct slice message, struct wire_field *last)
{
    struct wire_field field;
    int n = 0;
    char *block = malloc(message.len + 1);
    assert_non_null(block);
    if (message.len > 0)
        memcpy(block + 1, message.ptr, message.len);
    struct cursor c = cursor_of((struct slice){block + 1, message.len});
    while (wire_next(&c, &field)) {
        n++;
        *last = field;
        last->bytes.ptr = field.bytes.len > 0 ? message.ptr + (field.bytes.ptr - (block + 1)) : NULL;
    }
    assert_false(wire_next(&c, &field));
    free(block);
    return c.ok ? n : -1;
}

static void test_fields(void **state)
{
    static const struct {
        struct slice message;
        uint32_t number;
        enum wire_type type;
        uint64_t value;
        const char *bytes;
    } rows[] = {
        {TEXT("\x08\x00"), 1, WIRE_VARINT, 0, ""},
        {TEXT("\x08\x7f"), 1, WIRE_VARINT, 127, ""},
        {TEXT("\x10\x80\x01"), 2, WIRE_VARINT, 128, ""},
        {TEXT("\x08\x80\x80\x00"), 1, WIRE_VARINT, 0, ""}, /* longer than it need be */
        {TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1, WIRE_VARINT, UINT64_MAX, ""},
        {TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 1, WIRE_VARINT, UINT64_MAX, ""},
        {TEXT("\x09\x01\x02\x03\x04\x05\x06\x07\x88"), 1, WIRE_FIXED64, UINT64_C(0x8807060504030201), ""},
        {TEXT("\x0d\x01\x02\x03\x84"), 1, WIRE_FIXED32, 0x84030201, ""},
        {TEXT("\x0a\x00"), 1, WIRE_BYTES, 0, ""},
        {TEXT("\x0a\x03"
              "abc"),
            1, WIRE_BYTES, 0, "abc"},
        {TEXT("\xf8\xff\xff\xff\x0f\x01"), (1 << 29) - 1, WIRE_VARINT, 1, ""},
        {TEXT("\x88\x80\x80\x80\x00\x01"), 1, WIRE_VARINT, 1, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wire_field field;
        assert_int_equal(read_all(rows[i].message, &field), 1);
        assert_int_equal(field.number, rows[i].number);
        assert_int_equal(field.type, rows[i].type);
        assert_true(field.value == rows[i].value);
        assert_true(slice_is(field.bytes, rows[i].bytes));
    }
}

static void test_groups_are_passed_over(void **state)
{
    static const struct {
        struct slice message;
        int n;
    } rows[] = {
        {TEXT(""), 0},
        {TEXT("\x0b\x0c"), 0},
        {TEXT("\x0b\x0c\x08\x01"), 1},
        {TEXT("\x08\x01\x0b\x08\x01\x0a\x01x\x13\x08\x01\x14\x0c\x08\x01"), 2},
        {TEXT("\x0b\x0b\x0c\x0c"), 0},
        {TEXT("\x0b"), -1},     /* without an end */
        {TEXT("\x0c"), -1},     /* without a beginning */
        {TEXT("\x0b\x14"), -1}, /* another's end */
        {TEXT("\x0b\x13\x0c\x14"), -1},
        {TEXT("\x0b\x0c\x0c"), -1},
        {TEXT("\x0b\x08"), -1},
    };
    struct wire_field field;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(read_all(rows[i].message, &field), rows[i].n);
    for (size_t depth = WIRE_DEPTH_MAX; depth <= WIRE_DEPTH_MAX + 1; depth++) {
        struct buf b = {0};
        for (size_t i = 0; i < 2 * depth; i++)
            buf_append_u8(&b, i < depth ? 0x0b : 0x0c);
        assert_int_equal(read_all(buf_slice(&b), &field), depth > WIRE_DEPTH_MAX ? -1 : 0);
        buf_free(&b);
    }
}

static void test_malformed(void **state)
{
    static const struct slice rows[] = {TEXT("\x08"), TEXT("\xff"), TEXT("\x08\x80"),
        TEXT("\x00\x01"),                 /* number 0 */
        TEXT("\x80\x80\x80\x80\x10\x01"), /* number 2^29 */
        TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), TEXT("\x09\x01\x02\x03\x04\x05\x06\x07"),
        TEXT("\x0d\x01\x02\x03"), TEXT("\x0a"), TEXT("\x0a\x01"), TEXT("\x0a\x05hi"),
        TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), TEXT("\x0e\x00"), TEXT("\x0f\x00")};
    struct wire_field field;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(read_all(rows[i], &field), -1);
}

/* Cut anywhere, a message ends between two fields or is malformed. */
static void test_cut_off(void **state)
{
    static const struct slice whole = TEXT("\x08\xe8\x07\x0b\x0a\x01x\x0c\x0a\x03"
                                           "abc\x11"
                                           "12345678\x1d"
                                           "1234");
    static const int expected[] = {0, -1, -1, 1, -1, -1, -1, -1, 1, -1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1,
        -1, -1, 3, -1, -1, -1, -1, 4};
    struct wire_field field;
    (void)state;
    assert_int_equal(COUNT(expected), whole.len + 1);
    for (size_t len = 0; len <= whole.len; len++)
        assert_int_equal(read_all((struct slice){whole.ptr, len}, &field), expected[len]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_groups_are_passed_over),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
