/* What Kubernetes says of Services. */
#include "config/service_variables.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"

static bool is_address(const char *value)
{
    struct in6_addr parsed;
    return inet_pton(AF_INET, value, &parsed) == 1 || inet_pton(AF_INET6, value, &parsed) == 1;
}

static bool is_port(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    long port = digits > 0 && digits <= 5 && value[digits] == '\0' ? strtol(value, NULL, 10) : 0;
    return port > 0 && port <= UINT16_MAX;
}

static bool is_protocol(const char *value)
{
    return strcmp(value, "tcp") == 0 || strcmp(value, "udp") == 0 || strcmp(value, "sctp") == 0;
}

/* tcp://10.0.0.11:6379 */
static bool is_url(const char *value)
{
    const char *rest = strstr(value, "://");
    char protocol[8] = "";
    struct endpoint endpoint;
    if (rest == NULL || (size_t)(rest - value) >= sizeof(protocol))
        return false;
    memcpy(protocol, value, (size_t)(rest - value));
    return is_protocol(protocol) && endpoint_parse(rest + 3, &endpoint) && is_address(endpoint.host);
}

bool service_variable_is(const char *name, const char *value)
{
    static const struct {
        const char *name; /* a pattern */
        bool (*fits)(const char *value);
    } rows[] = {
        {"?*_SERVICE_HOST", is_address},
        {"?*_SERVICE_PORT", is_port},
        {"?*_SERVICE_PORT_?*", is_port},
        {"?*_PORT", is_url},
        {"?*_PORT_[0-9]*_TCP", is_url},
        {"?*_PORT_[0-9]*_UDP", is_url},
        {"?*_PORT_[0-9]*_SCTP", is_url},
        {"?*_PORT_[0-9]*_*_PROTO", is_protocol},
        {"?*_PORT_[0-9]*_*_PORT", is_port},
        {"?*_PORT_[0-9]*_*_ADDR", is_address},
    };
    if (name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
        return false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (fnmatch(rows[i].name, name, 0) == 0 && rows[i].fits(value))
            return true;
    return false;
}
