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

/* By so much at most do clocks of daemons differ, for the sake of a token that cannot be verified here. */
enum { CLOCKS_DIFFER_MS = 3600 * 1000 };

enum bearer_verdict bearer_verify_session(
    struct api *api, struct http_exchange *x, struct slice token, int64_t now_ms, struct session *session)
{
    if (token.ptr == NULL || token.len > TOKEN_MAX)
        return BEARER_INVALID;
    char *storage = arena_alloc(http_arena(x), token.len);
    enum token_verdict verdict = token_verify(api->signer, token, session, storage);
    if (verdict == TOKEN_INVALID)
        return BEARER_INVALID;
    int64_t expiry_ms = session->time.expiry_ms;
    if (verdict == TOKEN_UNKNOWN && expiry_ms > now_ms + SESSION_MS + CLOCKS_DIFFER_MS)
        return BEARER_INVALID;
    if (now_ms > expiry_ms + api->settings.config->heartbeats.horizon_ms)
        return BEARER_EXPIRED;
    return verdict == TOKEN_GOOD ? BEARER_GOOD : BEARER_UNKNOWN;
}
