/* base64url: one spelling for every value, and none for what is not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"

static void test_known_values(void **state)
{
    (void)state;
    /* RFC 4648, section 10, without padding, and both characters of the URL alphabet */
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xff\xff", "____"}, {"\xfb\xef\xbe", "----"},
        {"\xff", "_w"}, {"\xfb\xf0", "-_A"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[32];
        char bytes[32];
        size_t len = strlen(rows[i].bytes);
        size_t n = base64url_encode(rows[i].bytes, len, text);
        assert_int_equal(n, strlen(rows[i].text));
        assert_int_equal(n, BASE64URL_LEN(len));
        assert_memory_equal(text, rows[i].text, n);
        assert_true(base64url_decode(text, n, bytes, &n));
        assert_int_equal(n, len);
        assert_memory_equal(bytes, rows[i].bytes, len);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"A", "AAAAA", "Zg==", "Zg=", "Z===", "====", "Zm8=", "Zh", "Z_", "Zm9",
        "Zm-", "Zm8+", "Zm8/", "Zm 8", "Zm8\n", "\nZm8", "Zm9v.", ".", "Zm9v!m8", "Zm\xc3\xa9",
        "\x80\x80\x80\x80", "Zg\xff", "A@AA", "A[AA", "A`AA", "A{AA", "A:AA", "A,AA", "A^AA"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char bytes[32];
        size_t n;
        if (base64url_decode(rows[i], strlen(rows[i]), bytes, &n))
            fail_msg("accepted: %s", rows[i]);
    }
    char bytes[4];
    size_t n;
    assert_false(base64url_decode("AA\0A", 4, bytes, &n));
}

/* Each single character, in each of the four places of a group. */
static void test_every_character_in_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < 4; place++) {
        int good = 0;
        for (int c = 0; c < 256; c++) {
            char text[4] = {'A', 'A', 'A', 'A'};
            unsigned char bytes[3];
            char again[4];
            size_t n;
            text[place] = (char)c;
            if (!base64url_decode(text, 4, bytes, &n))
                continue;
            assert_int_equal(base64url_encode(bytes, n, again), 4);
            assert_memory_equal(again, text, 4);
            good++;
        }
        assert_int_equal(good, 64);
    }
}

/* Of all texts of two and three characters just one for each value is good. */
static void test_one_spelling_for_every_value(void **state)
{
    (void)state;
    int two = 0;
    int three = 0;
    for (int i = 0; i < 64 * 64 * 64; i++) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char text[3] = {alphabet[i % 64], alphabet[i / 64 % 64], alphabet[i / 4096]};
        unsigned char bytes[2];
        size_t n;
        two += i < 4096 && base64url_decode(text, 2, bytes, &n);
        three += base64url_decode(text, 3, bytes, &n);
    }
    assert_int_equal(two, 256);
    assert_int_equal(three, 65536);
}

/* Exactly as many bytes are written as promised: the sanitizer watches the ends of both blocks. */
static void test_round_trip_of_every_length(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (size_t len = 1; len < 300; len++) {
        unsigned char *bytes = malloc(len);
        char *text = malloc(BASE64URL_LEN(len));
        unsigned char *again = malloc(BASE64URL_LEN(len) * 3 / 4);
        size_t n;
        assert_true(bytes != NULL && text != NULL && again != NULL);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
        size_t n_text = base64url_encode(bytes, len, text);
        assert_true(base64url_decode(text, n_text, again, &n));
        assert_int_equal(n, len);
        assert_memory_equal(again, bytes, len);
        free(bytes);
        free(text);
        free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_character_in_every_place),
        cmocka_unit_test(test_one_spelling_for_every_value),
        cmocka_unit_test(test_round_trip_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
