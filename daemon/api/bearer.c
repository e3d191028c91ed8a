/* Who asks. */
#include "api/bearer.h"

#include <strings.h>

struct slice bearer_token(const struct http_exchange *x)
{
    static const char scheme[] = "Bearer ";
    struct slice value = http_header(x, HTTP_HEADER_AUTHORIZATION);
    size_t n = sizeof(scheme) - 1;
    if (value.len <= n || strncasecmp(value.ptr, scheme, n) != 0)
        return (struct slice){"", 0};
    while (n < value.len && value.ptr[n] == ' ')
        n++;
    return (struct slice){value.ptr + n, value.len - n};
}

enum bearer_verdict bearer_verify_session(
    struct api *api, struct http_exchange *x, struct slice token, int64_t now_ms, struct session *session)
{
    if (token.ptr == NULL || token.len > TOKEN_MAX)
        return BEARER_INVALID;
    char *storage = arena_alloc(http_arena(x), token.len);
    if (!token_verify(api->signer, token, session, storage))
        return BEARER_INVALID;
    int64_t taken_until_ms = session->time.expiry_ms + api->settings.config->heartbeats.horizon_ms;
    return now_ms > taken_until_ms ? BEARER_EXPIRED : BEARER_GOOD;
}
