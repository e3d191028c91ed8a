/*
 * Who asks: the bearer token of a request (RFC 6750) and what a session token says.
 */
#pragma once

#include "api/api_internal.h"

/* The token of `Authorization: Bearer …`; empty when there is none. Lives as long as the exchange. */
struct slice bearer_token(const struct http_exchange *x);

enum bearer_verdict {
    BEARER_GOOD,
    BEARER_INVALID, /* no daemon would take it */
    BEARER_EXPIRED,
    BEARER_UNKNOWN /* another daemon may know its key or its version; this one may after its next reload */
};

/*
 * Verifies a session token at NOW_MS: good until its expiry and the horizon after it, so that what was played
 * offline can be delivered. Of an unknown token the expiry is read unverified: beyond the horizon after it
 * the token is expired, and an expiry later than NOW_MS + SESSION_MS + 1 h cannot be genuine, so that the
 * token is invalid. *SESSION is filled where it is BEARER_GOOD; its slices live as long as the exchange.
 */
enum bearer_verdict bearer_verify_session(struct api *api, struct http_exchange *x, struct slice token,
    int64_t now_ms, struct session *session) __attribute__((warn_unused_result));
