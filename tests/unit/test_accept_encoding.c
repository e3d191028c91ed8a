/* Whether a request takes gzip, in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/accept_encoding.h"

/* From a copy of exactly its length, so that a byte beyond it is seen. */
static void assert_taken(struct slice header, bool expected)
{
    char *copy = mem_alloc(header.len + 1);
    memcpy(copy + 1, header.ptr, header.len);
    if (accept_encoding_takes_gzip((struct slice){copy + 1, header.len}) != expected)
        fail_msg("%.*s", SLICE_ARG(header));
    free(copy);
}

static void test_gzip(void **state)
{
    static const struct {
        const char *header;
        bool expected;
    } rows[] = {
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"gzip, deflate, br, zstd", true},
        {"br;q=1.0, gzip;q=0.8, *;q=0.1", true},
        {"deflate,gzip", true},
        {" ,, gzip ,", true},
        {"gzip ; q=0.001", true},
        {"gzip;Q=1", true},
        {"*", true},
        {"*;q=0.5", true},
        {"br, *", true},
        {"*;q=0, gzip", true},
        {"gzip;q=0.9", true},
        {"gzip;q=0.10", true},
        {"GZIP;q=1.000", true},
        {"gzip\t;\tq=0.5\t", true},
        {"identity;q=0, gzip;q=0.1", true},
        {"deflate;q=0, X-GZIP", true},
        {"identity;q=0, *", true},
        {"*;q=0, *", true},
        {"", false},
        {",", false},
        {"identity", false},
        {"br, deflate", false},
        {"gzip;q=0", false},
        {"gzip;q=0.", false},
        {"gzip;q=0.000", false},
        {"gzip;q=0, *", false},
        {"*, gzip;q=0", false},
        {"*;q=0", false},
        {"br;q=1, *;q=0.0", false},
        {"identity;q=1, *;q=0", false},
        {"gzipped", false},
        {"zip", false},
        {"gzip;q", false},
        {"gzip;q=", false},
        {"gzip;q=yes", false},
        {"gzip;q=1x", false},
        {"gzip;q=x1", false},
        {"gzip;q=-1", false},
        {"gzip;q=+1", false},
        {"gzip;q= 1", false},
        {"gzip;q =1", false},
        {"gzip;r=1", false},
        {"gzip;q=0, gzip", false},
        {"*, *;q=0", false},
        {"identity;q=0", false},
        {"gzip;level=9", false},
        {"gzip q=1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_taken(slice_of(rows[i].header), rows[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gzip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
