/* JSON: what must be read, what must be refused, and where the limits are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }

#define OPEN_4 "[[[["
#define OPEN_32 OPEN_4 OPEN_4 OPEN_4 OPEN_4 OPEN_4 OPEN_4 OPEN_4 OPEN_4
#define CLOSE_4 "]]]]"
#define CLOSE_32 CLOSE_4 CLOSE_4 CLOSE_4 CLOSE_4 CLOSE_4 CLOSE_4 CLOSE_4 CLOSE_4
#define OBJECT_4 "{\"a\":{\"a\":{\"a\":{\"a\":"
#define OBJECT_32 OBJECT_4 OBJECT_4 OBJECT_4 OBJECT_4 OBJECT_4 OBJECT_4 OBJECT_4 OBJECT_4
#define END_4 "}}}}"
#define END_32 END_4 END_4 END_4 END_4 END_4 END_4 END_4 END_4

/* ---- reading everything, as a codec would ---- */

static bool read_value(struct json_reader *r);

static bool read_members(struct json_reader *r)
{
    struct slice key;
    if (!json_object(r))
        return false;
    while (json_member(r, &key))
        if (!read_value(r))
            return false;
    return r->error == NULL;
}

static bool read_elements(struct json_reader *r)
{
    if (!json_array(r))
        return false;
    while (json_element(r))
        if (!read_value(r))
            return false;
    return r->error == NULL;
}

static bool read_value(struct json_reader *r)
{
    struct slice string;
    struct json_number number;
    switch (json_next_type(r)) {
    case JSON_OBJECT:
        return read_members(r);
    case JSON_ARRAY:
        return read_elements(r);
    case JSON_STRING:
        return json_string(r, &string);
    case JSON_NUMBER:
        return json_number(r, &number);
    default:
        return json_skip(r);
    }
}

/*
 * Whether TEXT is good. Read and skipped it must be judged alike, at the same byte. The text ends where its
 * block ends, so that a read beyond it is seen.
 */
static bool good(struct slice text, size_t *error_offset)
{
    struct arena arena = {0};
    struct json_reader read;
    struct json_reader skipped;
    char *block = malloc(text.len + 1);
    assert_non_null(block);
    char *copy = memcpy(block + 1, text.ptr, text.len);
    json_read(&read, (struct slice){copy, text.len}, &arena);
    json_read(&skipped, (struct slice){copy, text.len}, NULL);
    (void)read_value(&read);
    json_skip(&skipped);
    bool result = json_end(&read);
    assert_int_equal(json_end(&skipped), result);
    assert_int_equal(skipped.error_offset, read.error_offset);
    assert_ptr_equal(skipped.error, read.error);
    assert_int_equal(read.error == NULL, result);
    assert_true(read.error_offset <= text.len);
    *error_offset = read.error_offset;
    arena_free(&arena);
    free(block);
    return result;
}

/* ---- must parse, must not parse ---- */

static const struct slice must_parse[] = {TEXT("{}"), TEXT("[]"), TEXT("\"\""), TEXT("0"), TEXT("-0"),
    TEXT("true"), TEXT("false"), TEXT("null"), TEXT(" \t\r\n{ \t\r\n} \t\r\n"), TEXT("[1,2,3]"),
    TEXT("[ 1 , 2 ]"), TEXT("[[],[[]],{}]"), TEXT("[[1],2]"), TEXT("{\"\":0}"), TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{\"a\":{\"b\":[{\"c\":null}]}}"), TEXT("{ \"a\" : [ ] }"), TEXT("[true,false,null]"),
    TEXT("[\"a\",\"b\"]"), TEXT(OPEN_32 CLOSE_32), TEXT(OBJECT_32 "0" END_32),
    TEXT("[" OPEN_4 CLOSE_4 "," OPEN_4 CLOSE_4 "]"), TEXT("1"), TEXT("-1"), TEXT("1.5"), TEXT("-0.0"),
    TEXT("0.0000"), TEXT("1e3"), TEXT("1E3"), TEXT("1e+3"), TEXT("1e-3"), TEXT("0e0"), TEXT("0E-0"),
    TEXT("1.5e300"), TEXT("1e999"), TEXT("1e-999"), TEXT("1e99999999999999999999"),
    TEXT("123456789012345678901234567890"),
    TEXT("0.1234567890123456789012345678901234567890123456789012345678901234567890"),
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\u0000\""), TEXT("\"\\u00e9\\u00E9\""),
    TEXT("\"\\ud83d\\ude00\""), TEXT("\"\\uD800\\uDC00\""), TEXT("\"\\udbff\\udfff\""), TEXT("\"\\uffff\""),
    TEXT("\"\x7f\""), TEXT("\"\xc2\x80\""), TEXT("\"\xdf\xbf\""), TEXT("\"\xe0\xa0\x80\""),
    TEXT("\"\xed\x9f\xbf\""), TEXT("\"\xee\x80\x80\""), TEXT("\"\xef\xbf\xbf\""),
    TEXT("\"\xf0\x90\x80\x80\""), TEXT("\"\xf4\x8f\xbf\xbf\""),
    TEXT("\"\xe7\x8e\x8b\xe8\x80\x81\xe5\xb8\x88\""), TEXT("{\"\xe7\x8e\x8b\":\"\xe5\xb8\x88\"}"),
    TEXT("\"1234567\""), TEXT("\"12345678\""), TEXT("\"123456789\""), TEXT("\"1234567\\n12345678\\n\""),
    TEXT("\"1234567\xc3\xa9"
         "1234567\xc3\xa9\""),
    TEXT("\"[]{}:,\""), TEXT("\xef\xbb\xbf{}"), TEXT("\xef\xbb\xbf [1]\n")};

/* What is wrong with it, and the byte where that shows. */
static const struct {
    struct slice text;
    size_t at;
} must_not_parse[] = {
    /* no value, more than a value */
    {TEXT(""), 0}, {TEXT(" "), 1}, {TEXT("\xef\xbb\xbf"), 3}, {TEXT("\xef\xbb"), 0},
    {TEXT("\xef\xbb\xbf\xef\xbb\xbf{}"), 3}, {TEXT(" \xef\xbb\xbf{}"), 1}, {TEXT("{}\xef\xbb\xbf"), 2},
    {TEXT("\xff\xfe{}"), 0}, {TEXT("\xef\xbb\xbf{"), 4}, {TEXT("{}{}"), 2}, {TEXT("{} x"), 3},
    {TEXT("1 2"), 2}, {TEXT("{},"), 2}, {TEXT("]"), 0}, {TEXT("}"), 0}, {TEXT("{}\0"), 2}, {TEXT("\0{}"), 0},
    {TEXT("1\f"), 1}, {TEXT("\v1"), 0},
    {TEXT("\xc2\xa0"
          "1"),
        0},
    {TEXT("/**/1"), 0}, {TEXT("1//"), 1}, {TEXT("#"), 0},
    /* containers */
    {TEXT("["), 1}, {TEXT("{"), 1}, {TEXT("[1"), 2}, {TEXT("[1,"), 3}, {TEXT("[1,]"), 3}, {TEXT("[,1]"), 1},
    {TEXT("[,]"), 1}, {TEXT("[1,,2]"), 3}, {TEXT("[1 2]"), 3}, {TEXT("[1}"), 2}, {TEXT("[}"), 1},
    {TEXT("{]"), 1}, {TEXT("[1:2]"), 2}, {TEXT("{\"a\"}"), 4}, {TEXT("{\"a\":}"), 5}, {TEXT("{\"a\":1"), 6},
    {TEXT("{\"a\":1,"), 7}, {TEXT("{\"a\":1,}"), 7}, {TEXT("{,}"), 1}, {TEXT("{\"a\":1]"), 6},
    {TEXT("{\"a\" 1}"), 5}, {TEXT("{\"a\"::1}"), 5}, {TEXT("{\"a\",1}"), 4}, {TEXT("{a:1}"), 1},
    {TEXT("{'a':1}"), 1}, {TEXT("{1:1}"), 1}, {TEXT("{null:1}"), 1}, {TEXT("{\"a\":1 \"b\":2}"), 7},
    {TEXT("{\"a\":1;\"b\":2}"), 6}, {TEXT("[[]"), 3}, {TEXT("[]]"), 2}, {TEXT("{\"a\":[}"), 6},
    {TEXT("[" OPEN_32 CLOSE_32 "]"), 33}, {TEXT("{\"a\":" OBJECT_32 "0" END_32 "}"), 161},
    {TEXT(OPEN_32 OPEN_32 OPEN_32), 33},
    /* words */
    {TEXT("tru"), 0}, {TEXT("truE"), 0}, {TEXT("True"), 0}, {TEXT("TRUE"), 0}, {TEXT("truee"), 4},
    {TEXT("fals"), 0}, {TEXT("nul"), 0}, {TEXT("nulll"), 4}, {TEXT("None"), 0}, {TEXT("undefined"), 0},
    {TEXT("NaN"), 0}, {TEXT("Infinity"), 0}, {TEXT("-Infinity"), 1}, {TEXT("-NaN"), 1}, {TEXT("inf"), 0},
    {TEXT("[nan]"), 1}, {TEXT("[true false]"), 6},
    /* numbers */
    {TEXT("-"), 1}, {TEXT("+1"), 0}, {TEXT("--1"), 1}, {TEXT("- 1"), 1}, {TEXT("01"), 2}, {TEXT("-01"), 3},
    {TEXT("00"), 2}, {TEXT(".5"), 0}, {TEXT("-.5"), 1}, {TEXT("1."), 2}, {TEXT("1.e3"), 2}, {TEXT("1e"), 2},
    {TEXT("1e+"), 3}, {TEXT("1e+-3"), 3}, {TEXT("1e3.5"), 3}, {TEXT("1.5.5"), 3}, {TEXT("0x10"), 1},
    {TEXT("1_000"), 1}, {TEXT("1,000"), 1}, {TEXT("1 000"), 2}, {TEXT("10f"), 2}, {TEXT("1e3e3"), 3},
    {TEXT("\xd9\xa1"), 0}, {TEXT("-a"), 1}, {TEXT("[1.]"), 3}, {TEXT("[-]"), 2}, {TEXT("[01]"), 3},
    /* strings */
    {TEXT("\""), 1}, {TEXT("\"a"), 2}, {TEXT("'a'"), 0}, {TEXT("\"a\n\""), 2}, {TEXT("\"\t\""), 1},
    {TEXT("\"\0\""), 1}, {TEXT("\"\x1f\""), 1}, {TEXT("\"12345678\x1f\""), 9}, {TEXT("\"\\\""), 3},
    {TEXT("\"\\"), 2}, {TEXT("\"\\a\""), 2}, {TEXT("\"\\'\""), 2}, {TEXT("\"\\x41\""), 2},
    {TEXT("\"\\0\""), 2}, {TEXT("\"\\U0041\""), 2}, {TEXT("\"\\\n\""), 2}, {TEXT("\"\\\0\""), 2},
    {TEXT("\"\\u\""), 3}, {TEXT("\"\\u12\""), 5}, {TEXT("\"\\u123\""), 6}, {TEXT("\"\\u123g\""), 6},
    {TEXT("\"\\u 123\""), 3}, {TEXT("\"\\u+123\""), 3}, {TEXT("\"\\u0x12\""), 4}, {TEXT("\"\\u"), 3},
    {TEXT("\"\\u00e9"), 7}, {TEXT("\"a\"b\""), 3},
    /* surrogates */
    {TEXT("\"\\ud83d\""), 7}, {TEXT("\"\\ude00\""), 7}, {TEXT("\"\\ud83dx\""), 7},
    {TEXT("\"\\ud83d\\n\""), 7}, {TEXT("\"\\ud83d\\ud83d\""), 13}, {TEXT("\"\\ud83d\\u0041\""), 13},
    {TEXT("\"\\ude00\\ud83d\""), 7}, {TEXT("\"\\ud83d\\ude0\""), 12}, {TEXT("\"\\ud83d\\"), 7},
    {TEXT("\"\\ud83d"), 7}, {TEXT("\"\\udfff\""), 7}, {TEXT("\"\\udbff\\ue000\""), 13},
    /* UTF-8: overlong, surrogates, too large, cut off, stray */
    {TEXT("\"\xc0\x80\""), 1}, {TEXT("\"\xc0\xaf\""), 1}, {TEXT("\"\xc1\xbf\""), 1},
    {TEXT("\"\xe0\x80\xaf\""), 1}, {TEXT("\"\xe0\x9f\xbf\""), 1}, {TEXT("\"\xf0\x80\x80\xaf\""), 1},
    {TEXT("\"\xf0\x8f\xbf\xbf\""), 1}, {TEXT("\"\xed\xa0\x80\""), 1}, {TEXT("\"\xed\xbf\xbf\""), 1},
    {TEXT("\"\xed\xa0\xbd\xed\xb8\x80\""), 1}, {TEXT("\"\xf4\x90\x80\x80\""), 1},
    {TEXT("\"\xf5\x80\x80\x80\""), 1}, {TEXT("\"\xf8\x88\x80\x80\x80\""), 1}, {TEXT("\"\xff\""), 1},
    {TEXT("\"\xfe\""), 1}, {TEXT("\"\x80\""), 1}, {TEXT("\"\xbf\""), 1}, {TEXT("\"\xc3\""), 1},
    {TEXT("\"\xc3"), 1}, {TEXT("\"\xe2\x82\""), 1}, {TEXT("\"\xe2\x82"), 1}, {TEXT("\"\xf0\x9f\x98\""), 1},
    {TEXT("\"\xc3\xc3\xa9\""), 1}, {TEXT("\"\xe2\x28\xa1\""), 1}, {TEXT("\"a\xc3(\""), 2},
    {TEXT("\"12345678\xff\""), 9}, {TEXT("{\"\xff\":1}"), 2}, {TEXT("\"\\n\xff\""), 3},
    {TEXT("[\"a\",\xff]"), 5}};

static void test_must_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(must_parse); i++) {
        size_t at;
        if (!good(must_parse[i], &at))
            fail_msg("row %zu, refused at byte %zu: %.*s", i, at, SLICE_ARG(must_parse[i]));
    }
}

static void test_must_not_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(must_not_parse); i++) {
        size_t at;
        struct slice text = must_not_parse[i].text;
        if (good(text, &at))
            fail_msg("row %zu, accepted: %.*s", i, SLICE_ARG(text));
        if (at != must_not_parse[i].at)
            fail_msg(
                "row %zu, refused at byte %zu, not %zu: %.*s", i, at, must_not_parse[i].at, SLICE_ARG(text));
    }
}

/* ---- every prefix, every damaged byte ---- */

static const char heartbeat[] = "{\"session_token\":\"m1.q83vEg.AQAAAAAAAAAA\",\"runs\":[{\"from_ms\":0,\"to_"
                                "ms\":15000,\"media_from_ms\":1.5e3,"
                                "\"media_to_ms\":16500.0,\"rate\":1.25,\"note\":"
                                "\"\\u00e9\\ud83d\\ude00\xe7\x8e\x8b\\n\"}],\"x\":[true,false,null,{}]}";

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    size_t at;
    size_t len = sizeof(heartbeat) - 1;
    assert_true(good((struct slice){heartbeat, len}, &at));
    for (size_t n = 0; n < len; n++)
        if (good((struct slice){heartbeat, n}, &at))
            fail_msg("accepted: %.*s", (int)n, heartbeat);
}

/* Strings are read eight bytes at a time: each place of three such words, with all that a string may not
 * hold. */
static void test_a_bad_byte_in_any_place_of_a_string(void **state)
{
    (void)state;
    for (size_t place = 1; place < 24; place++) {
        for (int c = 0; c < 256; c++) {
            char text[] = "\"zzzzzzzzzzzzzzzzzzzzzzzz\"";
            size_t at;
            text[place] = (char)c;
            bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            if (good((struct slice){text, sizeof(text) - 1}, &at) != plain)
                fail_msg("byte 0x%02x in place %zu", (unsigned)c, place);
            assert_true(plain || at == place || at == place + 1);
        }
    }
}

/* Whatever stands in a byte's place, both ways to read agree, and nothing is read beyond the end. */
static void test_any_byte_in_any_place(void **state)
{
    (void)state;
    char text[sizeof(heartbeat)];
    size_t accepted = 0;
    memcpy(text, heartbeat, sizeof(text));
    for (size_t i = 0; i < sizeof(heartbeat) - 1; i++) {
        for (int c = 0; c < 256; c++) {
            size_t at;
            text[i] = (char)c;
            accepted += good((struct slice){text, sizeof(heartbeat) - 1}, &at);
        }
        text[i] = heartbeat[i];
    }
    assert_true(accepted > sizeof(heartbeat)); /* other letters and digits are good */
}

/* ---- strings ---- */

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        struct slice value;
    } rows[] = {{TEXT("\"\""), TEXT("")}, {TEXT("\"abc\""), TEXT("abc")},
        {TEXT("\"a\\u0000b\""), TEXT("a\0b")},
        {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\/\b\f\n\r\t")},
        {TEXT("\"\\u0041\\u007f\""), TEXT("A\x7f")}, {TEXT("\"\\u0080\\u07ff\""), TEXT("\xc2\x80\xdf\xbf")},
        {TEXT("\"\\u0800\\uffff\""), TEXT("\xe0\xa0\x80\xef\xbf\xbf")},
        {TEXT("\"\\ud83d\\ude00\""), TEXT("\xf0\x9f\x98\x80")},
        {TEXT("\"\\uD800\\uDC00\""), TEXT("\xf0\x90\x80\x80")},
        {TEXT("\"\\uDBFF\\uDFFF\""), TEXT("\xf4\x8f\xbf\xbf")}, {TEXT("\"x\\ny\\n\""), TEXT("x\ny\n")},
        {TEXT("\"12345678\\t12345678\xc3\xa9\\\\\""), TEXT("12345678\t12345678\xc3\xa9\\")},
        {TEXT("\"\xe7\x8e\x8b\""), TEXT("\xe7\x8e\x8b")}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = {0};
        struct json_reader r;
        struct slice value;
        json_read(&r, rows[i].text, &arena);
        assert_true(json_string(&r, &value) && json_end(&r));
        if (!slice_equal(value, rows[i].value))
            fail_msg("%.*s: %.*s", SLICE_ARG(rows[i].text), SLICE_ARG(value));
        arena_free(&arena);
    }
}

/* A text full of escapes takes no more memory than its own size, rounded up: what an attacker can ask for. */
static void test_memory_of_escapes_is_bounded(void **state)
{
    (void)state;
    enum { STRINGS = 5000 };
    struct buf text = {0};
    buf_append_string(&text, "[\"\\n\"");
    for (int i = 1; i < STRINGS; i++)
        buf_append_string(&text, ",\"\\n\"");
    buf_append_char(&text, ']');
    struct arena arena = {.limit = (size_t)STRINGS * 16};
    struct json_reader r;
    json_read(&r, buf_slice(&text), &arena);
    assert_true(read_value(&r) && json_end(&r));
    assert_true(arena.total <= arena.limit);
    arena_free(&arena);
    buf_free(&text);
}

/* Keys with escapes take none: members that nobody knows cost no memory. */
static void test_keys_cost_no_memory(void **state)
{
    static const char escaped[] = "\\u006d\\u0065\\u0064\\u0069\\u0061\\u005f\\u0066\\u0072\\u006f\\u006d"
                                  "\\u005f\\u006d\\u0073"; /* media_from_ms */
    char too_long[2 * JSON_KEY_MAX + 1];
    for (size_t i = 0; i < sizeof(too_long) - 1; i++)
        too_long[i] = "\\n"[i % 2];
    too_long[sizeof(too_long) - 1] = '\0';
    const struct {
        const char *written, *given;
    } rows[] = {{"\\n", "\n"}, {escaped, "media_from_ms"}, {too_long, too_long}, {"", ""}, {"a\\\"", "a\""}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena none = {.limit = 1};
        struct json_reader r;
        struct slice key;
        struct buf text = {0};
        buf_printf(&text, "{\"%s\":1,\"%s\":2}", rows[i].written, rows[i].written);
        json_read(&r, buf_slice(&text), &none);
        assert_true(json_object(&r));
        for (int k = 0; k < 2; k++) {
            assert_true(json_member(&r, &key) && slice_is(key, rows[i].given));
            assert_true(json_skip(&r));
        }
        assert_false(json_member(&r, &key));
        assert_true(json_end(&r));
        assert_int_equal(none.total, 0);
        buf_free(&text);
    }
}

static void test_a_full_arena_is_an_error(void **state)
{
    (void)state;
    struct arena arena = {.limit = 16};
    struct json_reader r;
    struct slice value;
    struct json_number number;
    json_read(&r,
        SLICE_LITERAL("[\"plain text of more than sixteen bytes\",\"\\n and more than sixteen bytes\"]"),
        &arena);
    assert_true(json_array(&r) && json_element(&r) && json_string(&r, &value));
    assert_true(json_element(&r));
    assert_false(json_string(&r, &value));
    assert_string_equal(r.error, "too large");
    json_read(&r, SLICE_LITERAL("0.1234567890123456789012345678901234567890123456789012345678901234567890"),
        &arena);
    assert_false(json_number(&r, &number));
    assert_string_equal(r.error, "too large");
    arena_free(&arena);
}

/* ---- the reader's manners ---- */

static void test_keys_come_in_order_and_twice(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct json_reader r;
    struct slice key;
    struct buf keys = {0};
    json_read(&r, SLICE_LITERAL("{\"b\":1,\"a\":[1,{\"z\":2}],\"\\u0062\":3}"), &arena);
    assert_true(json_object(&r));
    while (json_member(&r, &key)) {
        buf_append_slice(&keys, key);
        json_skip(&r);
    }
    assert_true(json_end(&r));
    assert_true(slice_is(buf_slice(&keys), "bab"));
    buf_free(&keys);
    arena_free(&arena);
}

static void test_the_first_error_sticks(void **state)
{
    (void)state;
    struct json_reader r;
    struct slice s;
    struct json_number n;
    json_read(&r, SLICE_LITERAL("{\"a\":\"text\",\"b\":1}"), NULL);
    assert_true(json_object(&r) && json_member(&r, &s));
    assert_int_equal(json_next_type(&r), JSON_STRING);
    assert_false(json_number(&r, &n));
    assert_string_equal(r.error, "a number was expected");
    assert_int_equal(r.error_offset, 5);
    assert_int_equal(json_next_type(&r), JSON_INVALID);
    assert_false(json_string(&r, &s) || json_object(&r) || json_array(&r));
    assert_false(json_member(&r, &s) || json_element(&r) || json_skip(&r) || json_end(&r));
    assert_string_equal(r.error, "a number was expected");
    assert_int_equal(r.error_offset, 5);
}

static void test_a_value_of_another_type(void **state)
{
    (void)state;
    static const char *const values[] = {"{}", "[]", "\"x\"", "1", "true", "null"};
    for (size_t value = 0; value < COUNT(values); value++) {
        for (size_t asked = 0; asked < 4; asked++) {
            struct arena arena = {0};
            struct json_reader r;
            struct slice s;
            struct json_number n;
            json_read(&r, slice_of(values[value]), &arena);
            bool given = asked == 0   ? json_object(&r)
                         : asked == 1 ? json_array(&r)
                         : asked == 2 ? json_string(&r, &s)
                                      : json_number(&r, &n);
            assert_int_equal(given, asked == value);
            assert_int_equal(r.error == NULL, asked == value);
            arena_free(&arena);
        }
    }
}

/* A codec that forgets to read a value, or leaves a container, is not told that all was good. */
static void test_what_was_not_read_is_an_error(void **state)
{
    (void)state;
    struct json_reader r;
    struct slice key;
    json_read(&r, SLICE_LITERAL("{\"a\":1,\"b\":2}"), NULL);
    assert_true(json_object(&r) && json_member(&r, &key));
    assert_false(json_member(&r, &key));
    assert_false(json_end(&r));
    json_read(&r, SLICE_LITERAL("[1"), NULL);
    assert_true(json_array(&r) && json_element(&r) && json_skip(&r));
    assert_false(json_end(&r));
    assert_int_equal(r.error_offset, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_must_parse),
        cmocka_unit_test(test_must_not_parse),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_a_bad_byte_in_any_place_of_a_string),
        cmocka_unit_test(test_any_byte_in_any_place),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_memory_of_escapes_is_bounded),
        cmocka_unit_test(test_keys_cost_no_memory),
        cmocka_unit_test(test_a_full_arena_is_an_error),
        cmocka_unit_test(test_keys_come_in_order_and_twice),
        cmocka_unit_test(test_the_first_error_sticks),
        cmocka_unit_test(test_a_value_of_another_type),
        cmocka_unit_test(test_what_was_not_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
