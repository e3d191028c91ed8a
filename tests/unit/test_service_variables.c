/* Which variables are Kubernetes' own: by name and by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/service_variables.h"

static void test_variables(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        bool expected;
    } rows[] = {
        {"MINUTED_SERVICE_HOST", "10.0.0.11", true},
        {"MINUTED_SERVICE_HOST", "fd00::11", true},
        {"MINUTED_SERVICE_PORT", "8080", true},
        {"MINUTED_SERVICE_PORT_HTTP", "8080", true},
        {"MINUTED_SERVICE_PORT_HTTP_ADMIN", "65535", true},
        {"MINUTED_PORT", "tcp://10.0.0.11:8080", true},
        {"MINUTED_PORT", "udp://10.0.0.11:8080", true},
        {"MINUTED_PORT", "sctp://[fd00::11]:8080", true},
        {"MINUTED_PORT_8080_TCP", "tcp://10.0.0.11:8080", true},
        {"MINUTED_PORT_8080_TCP_PROTO", "tcp", true},
        {"MINUTED_PORT_8080_TCP_PORT", "8080", true},
        {"MINUTED_PORT_8080_TCP_ADDR", "10.0.0.11", true},
        {"MINUTED_PORT_53_UDP", "udp://10.0.0.11:53", true},
        {"MINUTED_PORT_53_UDP_PROTO", "udp", true},
        {"MINUTED_PORT_53_UDP_ADDR", "fd00::11", true},
        {"MINUTED_PORT_53_SCTP", "sctp://10.0.0.11:53", true},
        {"MINUTED_PORT_53_SCTP_PROTO", "sctp", true},
        {"MINUTED_REDIS_SERVICE_HOST", "10.0.0.12", true},
        {"MINUTED_REDIS_PORT", "tcp://10.0.0.12:6379", true},
        {"MINUTED_HTTP_SERVICE_PORT", "80", true},
        {"MINUTED_KAFKA_0_PORT_9092_TCP_ADDR", "10.0.0.13", true},
        {"MINUTED_PORT_SERVICE_PORT", "80", true}, /* of a Service `minuted-port` */
        {"MINUTED_PORT_PORT", "tcp://10.0.0.14:80", true},

        {"MINUTED_REDIS_PORT", "6379", false}, /* somebody takes them for keys */
        {"MINUTED_PORT", "8080", false},
        {"MINUTED_PORT", "", false},
        {"MINUTED_PORT", "127.0.0.1:8080", false},
        {"MINUTED_PORT", "http://10.0.0.11:8080", false},
        {"MINUTED_PORT", "tcp://10.0.0.11", false},
        {"MINUTED_PORT", "tcp://minuted:8080", false},
        {"MINUTED_PORT", "tcp://10.0.0.11:80800", false},
        {"MINUTED_PORT", "averylongprotocol://10.0.0.11:80", false},
        {"MINUTED_SERVICE_HOST", "minuted.example", false},
        {"MINUTED_SERVICE_HOST", "", false},
        {"MINUTED_SERVICE_PORT", "0", false},
        {"MINUTED_SERVICE_PORT", "65536", false},
        {"MINUTED_SERVICE_PORT", "80 ", false},
        {"MINUTED_SERVICE_PORT", "tcp", false},
        {"MINUTED_SERVICE_PORT_", "80", false},
        {"MINUTED_SERVICE_POTR", "80", false},
        {"MINUTED_PORT_8080_TCP", "8080", false},
        {"MINUTED_PORT_X_TCP", "tcp://10.0.0.11:80", false},
        {"MINUTED_PORT_8080_TCP_PROTO", "http", false},
        {"MINUTED_PORT_8080_TCP_ADDR", "minuted", false},
        {"MINUTED_PORT_8080_TCP_ADDRESS", "10.0.0.11", false},
        {"MINUTED_PORT_8080_QUIC", "tcp://10.0.0.11:80", false},
        {"MINUTED_HTTP_LISTEN", "10.0.0.11", false},
        {"MINUTED_HTTP_LISTN", "tcp://10.0.0.11:80", false},
        {"MINUTED_REDIS_HOST", "10.0.0.11", false},
        {"MINUTED_redis_SERVICE_HOST", "10.0.0.11", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (service_variable_is(rows[i].name, rows[i].value) != rows[i].expected)
            fail_msg("%s=%s", rows[i].name, rows[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variables)};
    return cmocka_run_group_tests_name("service_variables", tests, NULL, NULL);
}
