/* Moments as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger/moment.h"

enum { NONE = -1 };

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"0", 0},
        {"1672905600", 1672905600},
        {"2023-01-05T08:00:00Z", 1672905600},
        {"2023-01-05t08:00:00z", 1672905600},
        {"2023-01-05 08:00:00Z", 1672905600},
        {"2023-01-05T08:00Z", 1672905600},
        {"2023-01-05T08:00:59.999Z", 1672905659},
        {"2023-01-05T16:00:00+08:00", 1672905600},
        {"2023-01-05T02:30:00-05:30", 1672905600},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"1970-01-01T00:00:00Z", 0},
        {"", NONE},
        {"-1", NONE},
        {"+1", NONE},
        {" 1", NONE},
        {"1672905600s", NONE},
        {"99999999999999999999", NONE},
        {"253402300800", NONE},
        {"2023-01-05", NONE},
        {"2023-01-05T08:00:00", NONE}, /* of which zone? */
        {"2023-01-05T08:00:00+0800", NONE},
        {"2023-01-05T08:00:00+24:00", NONE},
        {"2023-01-05T08:00:00Zulu", NONE},
        {"2023-01-05T08:00:00.Z", NONE},
        {"2023-1-5T08:00:00Z", NONE},
        {"2023-02-29T08:00:00Z", NONE},
        {"2023-13-01T08:00:00Z", NONE},
        {"2023-00-10T08:00:00Z", NONE},
        {"2023-01-05T24:00:00Z", NONE},
        {"2023-01-05T08:60:00Z", NONE},
        {"2023-01-05T08:00:Z", NONE},
        {"1969-12-31T23:59:59Z", NONE},
        {"yesterday", NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t seconds;
        if (!moment_parse(rows[i].text, &seconds))
            seconds = NONE;
        if (seconds != rows[i].seconds)
            fail_msg("'%s' became %lld", rows[i].text, (long long)seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
