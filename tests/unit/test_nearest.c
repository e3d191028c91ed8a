/* "Did you mean": names with letters that are missing, added or changed, and names of something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static void test_nearest(void **state)
{
    static const char *const names[] = {"listen", "linger", "workers"};
    (void)state;
    assert_string_equal(nearest_name("lisen", names, 3), "listen");
    assert_string_equal(nearest_name("lnger", names, 3), "linger");
    assert_string_equal(nearest_name("worker", names, 3), "workers");
    assert_null(nearest_name("certificate", names, 3));
}

/* A name that is as far as a third of its letters and two more is not offered, nor is one that is too long to
 * compare. */
static void test_too_far(void **state)
{
    static const char *const names[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abc"};
    (void)state;
    assert_string_equal(nearest_name("abcde", names, 2), "abc");
    assert_null(nearest_name("abcdef", names + 1, 0));
    assert_null(nearest_name("abcxyz", names, 1));
    assert_null(nearest_name("xyz", names, 2));
    assert_string_equal(nearest_name("ab", names, 2), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_too_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
