/* Numbers of JSON: which are whole and how the others are rounded, by their digits; as doubles, as strtod
 * reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct json_number number_of(const char *text)
{
    struct arena arena = {0};
    struct json_reader r;
    struct json_number n;
    json_read(&r, slice_of(text), &arena);
    if (!json_number(&r, &n) || !json_end(&r))
        fail_msg("refused: %s", text);
    arena_free(&arena);
    return n;
}

#define A_LITTLE_OVER_1 "1." ZEROS_70 "1"
#define ZEROS_70 "0000000000000000000000000000000000000000000000000000000000000000000000"

static void test_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t integer;
    } rows[] = {{"0", 0}, {"-0", 0}, {"0.0", 0}, {"0e5", 0}, {"0.0e-9999999999", 0},
        {"0e99999999999999999999", 0}, {"7", 7}, {"-7", -7}, {"1000", 1000}, {"1000.0", 1000}, {"1e3", 1000},
        {"1E+3", 1000}, {"1.0e3", 1000}, {"0.001e6", 1000}, {"10000e-1", 1000}, {"-1e3", -1000},
        {"1.5e1", 15}, {"1.25e2", 125}, {"15000.000", 15000}, {"4294967295", 4294967295},
        {"999999999999999", 999999999999999}, {"-99999999999999", -99999999999999},
        {"9007199254740991", 9007199254740991}, {"9007199254740992", 9007199254740992},
        {"-9007199254740992", -9007199254740992}, {"9007199254740992.000", 9007199254740992},
        {"9.007199254740992e15", 9007199254740992}, {"900719925474099200000e-5", 9007199254740992},
        {"1e15", 1000000000000000}, {"1." ZEROS_70, 1}, {"1" ZEROS_70 "e-70", 1}, {"0." ZEROS_70 "1e71", 1},
        {"1700000000000", 1700000000000}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_number n = number_of(rows[i].text);
        if (!n.integral || n.integer != rows[i].integer || n.value != (double)rows[i].integer)
            fail_msg("%s: integral %d, integer %lld, value %g", rows[i].text, n.integral,
                (long long)n.integer, n.value);
    }
}

static void test_other_numbers(void **state)
{
    (void)state;
    static const char *const rows[] = {"0.5", "-0.5", "1.5", "0.25", "1.25", "0.1", "0.3", "3.14159", "1e-1",
        "15e-1", "1e-22", "1e-23", "1e-300", "5e-324", "2.2250738585072014e-308", "2.2250738585072011e-308",
        "1.7976931348623157e308", "1e16", "1e22", "1e23", "1e300", "9007199254740993", "-9007199254740993",
        "9007199254740992.5", "9007199254740994", "9.0071992547409921e15", "123456789012345678901234567890",
        "0.9999999999999999999999", "1.0000000000000000000001", "4.0000000000000000001",
        "0.1234567890123456789012345678901234567890123456789012345678901234567890", "8.5e-1", "1e-9999999999",
        "123456789.123456789", "0.30000000000000004", "7.2057594037927933e16"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_number n = number_of(rows[i]);
        if (n.integral || n.value != strtod(rows[i], NULL))
            fail_msg("%s: integral %d, value %.17g", rows[i], n.integral, n.value);
    }
    assert_false(number_of(A_LITTLE_OVER_1).integral);
    assert_true(number_of("1" ZEROS_70).value == 1e70);
    assert_true(isinf(number_of("1e309").value) && !number_of("1e309").integral);
    assert_true(isinf(number_of("-1e999999999999").value));
}

#define BEYOND (JSON_INTEGER_MAX + 1)

/* What is rounded twice, or as a double, comes out wrong in one of these. */
static void test_numbers_are_rounded_to_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t integer;
    } rows[] = {{"3000.4", 3000}, {"3000.5", 3001}, {"3000.6", 3001}, {"3.0004e3", 3000}, {"3.0005e3", 3001},
        {"30004e-1", 3000}, {"300050E-2", 3001}, {"0.30005e+4", 3001}, {"0.4", 0}, {"0.5", 1}, {"-0.4", 0},
        {"-0.49999999999999999999999999", 0}, {"-0.5", -1}, {"-0.6", -1}, {"-1.5", -2},
        {"0.49999999999999999999999999", 0}, {"0.4999e0", 0}, {"2.5", 3}, {"3.5", 4},
        {"2.4999999999999999999999", 2}, {"0.05e1", 1}, {"0.05", 0}, {"0.9e-1", 0}, {"9e-1", 1}, {"9e-2", 0},
        {"5e-1", 1}, {"4e-1", 0}, {"95e-2", 1}, {"1e-9999999999", 0}, {"999999999.5", 1000000000},
        {"1234567.891", 1234568},
        /* from 2^52 on a double has no halves, and from 2^53 on no odd numbers */
        {"4503599627370496.5", 4503599627370497}, {"4503599627370497.5", 4503599627370498},
        {"4503599627370497.4", 4503599627370497}, {"9007199254740990.5", 9007199254740991},
        {"9007199254740991.4", 9007199254740991}, {"9007199254740991.5", 9007199254740992},
        {"9007199254740992.4", 9007199254740992}, {"9007199254740992.5", BEYOND},
        {"9007199254740993", BEYOND}, {"-9007199254740993", -BEYOND}, {"9007199254740994", BEYOND},
        {"9007199254740993e-1", 900719925474099}, {"90071992547409929e-1", BEYOND},
        {"90071992547409924e-1", 9007199254740992}, {"1e16", BEYOND}, {"1e999", BEYOND},
        {"-1e999999999999", -BEYOND}, {"18446744073709551616", BEYOND}, {"184467440737095516170", BEYOND},
        {"123456789012345678901234567890", BEYOND}, {"123456789012345678901234567890e-20", 1234567890},
        {"1." ZEROS_70 "1", 1}, {"0." ZEROS_70 "5e71", 5}, {"0." ZEROS_70 "5e70", 1},
        {"0." ZEROS_70 "4e70", 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_number n = number_of(rows[i].text);
        if (n.integer != rows[i].integer)
            fail_msg("%s: %lld", rows[i].text, (long long)n.integer);
    }
}

/* Random decimals of every length, against strtod. */
static void test_numbers_are_rounded_as_strtod_does(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        seed = seed * 6364136223846793005 + 1442695040888963407;
        int decimals = (int)(seed >> 33) % 20;
        double value = (double)(int64_t)(seed >> 8) / pow(10, (double)(seed >> 45 & 15));
        snprintf(text, sizeof(text), (seed & 64) != 0 ? "%.*e" : "%.*f", decimals, value);
        struct json_number n = number_of(text);
        if (n.value != strtod(text, NULL))
            fail_msg("%s: %.17g", text, n.value);
        if (n.integral && (double)n.integer != n.value)
            fail_msg("%s: %lld", text, (long long)n.integer);
    }
}

static void test_a_point_is_a_point_in_every_locale(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"};
    for (size_t i = 0; i < COUNT(locales); i++)
        if (setlocale(LC_ALL, locales[i]) != NULL)
            break;
    assert_true(number_of("1.2345678901234567890123").value == 0x1.3c0ca428c59fbp+0);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_other_numbers),
        cmocka_unit_test(test_numbers_are_rounded_to_the_nearest),
        cmocka_unit_test(test_numbers_are_rounded_as_strtod_does),
        cmocka_unit_test(test_a_point_is_a_point_in_every_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
