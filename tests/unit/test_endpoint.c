/* Addresses: what is one, and that it reads as the same when written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endpoint.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X64 X64 X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *text;
    const char *host; /* NULL: no address */
    uint16_t port;
    bool is_unix;
} rows[] = {
    {"127.0.0.1:80", "127.0.0.1", 80, false},
    {"redis.example:0", "redis.example", 0, false},
    {"[::1]:65535", "::1", 65535, false},
    {"[fe80::1%eth0]:1", "fe80::1%eth0", 1, false},
    {X255 ":1", X255, 1, false},
    {"unix:/run/redis.sock", "/run/redis.sock", 0, true},
    {"", NULL, 0, false},
    {"host", NULL, 0, false},
    {":80", NULL, 0, false},
    {"[]:80", NULL, 0, false},
    {"host:", NULL, 0, false},
    {"host:65536", NULL, 0, false},
    {"host:+1", NULL, 0, false},
    {"host:1x", NULL, 0, false},
    {"a b:1", NULL, 0, false},
    {"a\tb:1", NULL, 0, false},
    {"::1:80", NULL, 0, false},
    {"unix:80", NULL, 0, false},
    {"unix:run/x", NULL, 0, false},
    /* written again these would be other addresses, or none */
    {"[unix]:80", NULL, 0, false},
    {"[host]:80", NULL, 0, false},
    {"[[x]]:80", NULL, 0, false},
    {"[[::1]]:80", NULL, 0, false},
    {"[x:80", NULL, 0, false},
    {"x]:80", NULL, 0, false},
    {X255 "x:1", NULL, 0, false},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint e;
        char text[300];
        bool good = endpoint_parse(rows[i].text, &e);
        if (good != (rows[i].host != NULL))
            fail_msg("%s: %s", rows[i].text, good ? "parsed" : "refused");
        if (!good)
            continue;
        assert_string_equal(e.host, rows[i].host);
        assert_int_equal(e.port, rows[i].port);
        assert_int_equal(e.is_unix, rows[i].is_unix);
        assert_string_equal(endpoint_format(&e, text), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
