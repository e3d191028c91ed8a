/* YAML as configuration and catalog use it: nodes with lines, limits, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/yaml_reader.h"

static void test_nodes_have_lines(void **state)
{
    (void)state;
    static const char text[] = "a: 1\n"
                               "b:\n"
                               "  - x\n"
                               "  - {y: 'null'}\n"
                               "c: ~\n"
                               "d:\n";
    struct arena arena = {0};
    struct problems problems = {0};
    struct yaml_node *root = yaml_read_text("t", text, strlen(text), &arena, &problems);
    assert_non_null(root);
    assert_int_equal(root->n, 4);
    assert_string_equal(yaml_get(root, "a")->text, "1");
    const struct yaml_node *list = yaml_get(root, "b");
    assert_int_equal(list->n, 2);
    assert_int_equal(list->items[0]->line, 3);
    assert_int_equal(list->items[1]->line, 4);
    assert_false(yaml_is_null(yaml_get(list->items[1], "y"))); /* in quotes it is text */
    assert_true(yaml_is_null(yaml_get(root, "c")));
    assert_true(yaml_is_null(yaml_get(root, "d")));
    assert_int_equal(yaml_get(root, "d")->line, 6);
    assert_null(yaml_get(root, "e"));
    assert_null(problems_take(&problems));
    arena_free(&arena);
}

static void assert_problem(const char *text, size_t len, const char *message)
{
    struct arena arena = {0};
    struct problems problems = {0};
    struct yaml_node *root = yaml_read_text("t", text, len, &arena, &problems);
    char *error = problems_take(&problems);
    if (root != NULL || error == NULL || strcmp(error, message) != 0)
        fail_msg("for %.80s: %s, not %s", text, error == NULL ? "no problem" : error, message);
    free(error);
    arena_free(&arena);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "t:3: 'a' is given twice, first in line 1"},
        {"a: &x [1]\n", "t:1: anchors and tags are not supported"},
        {"a: 1\nb: *x\n", "t:2: aliases are not supported"},
        {"a: !!str 1\n", "t:1: anchors and tags are not supported"},
        {"[a]: 1\n", "t:1: a key must be a word"},
        {"a: 1\n---\nb: 2\n", "t:2: a second document"},
        {"a: \"\\0\"\n", "t:1: a NUL byte in a value"},
        {"a: 1\n\n\xff: 2\n", "t:3: not valid YAML: invalid leading UTF-8 octet"},
        {"a: [1\nb: 2\n",
            "t:2: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "t:1: nested too deeply"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_problem(rows[i].text, strlen(rows[i].text), rows[i].message);
}

static void test_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i <= YAML_PAIRS_MAX; i++)
        buf_printf(&text, "k%d: v\n", i);
    assert_problem(text.data, text.len, "t:1001: more than 1000 keys in a map");
    while (text.len <= YAML_BYTES_MAX)
        buf_append_string(&text, "# a comment that is not worth its bytes\n");
    assert_problem(text.data, text.len, "t: larger than 1048576 bytes");
    buf_free(&text);
}

static void test_problems_end_somewhere(void **state)
{
    (void)state;
    struct problems problems = {0};
    for (int i = 0; i < PROBLEMS_MAX + 3; i++)
        problems_add(&problems, "t", i + 1, "bad\nline");
    char *error = problems_take(&problems);
    assert_memory_equal(error, "t:1: bad?line\nt:2: ", 19);
    assert_string_equal(strrchr(error, '\n') + 1, "and 3 more problems");
    free(error);
}

static void test_decimals(void **state)
{
    static const struct {
        const char *text;
        double value;
        const char *rest;
    } rows[] = {{"0", 0, ""}, {"15s", 15, "s"}, {"0.5ms", 0.5, "ms"}, {"2.", 2, "."}, {"1e3", 1, "e3"},
        {"0x10", 0, "x10"}, {"1.2.3", 1.2, ".3"}};
    static const char *const none[] = {"", "s", "-1", "+1", ".5", " 1", "nan", "inf",
        "1111111111111111111111111111111111111111111111111111111111111111"};
    (void)state;
    const char *rest;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(yaml_decimal(rows[i].text, &rest) == rows[i].value);
        assert_string_equal(rest, rows[i].rest);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_true(isnan(yaml_decimal(none[i], &rest)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_have_lines),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_problems_end_somewhere),
        cmocka_unit_test(test_decimals),
    };
    return cmocka_run_group_tests_name("yaml_reader", tests, NULL, NULL);
}
