/* The bearer token of a request. */
#include "api/bearer.h"

#include <strings.h>

#include "http/exchange.h"

struct slice bearer_token(const struct http_exchange *x)
{
    static const char scheme[] = "Bearer ";
    struct slice value = x->request.head.headers[HTTP_HEADER_AUTHORIZATION];
    size_t n = sizeof(scheme) - 1;
    if (value.len <= n || strncasecmp(value.ptr, scheme, n) != 0)
        return (struct slice){"", 0};
    while (n < value.len && value.ptr[n] == ' ')
        n++;
    return (struct slice){value.ptr + n, value.len - n};
}
