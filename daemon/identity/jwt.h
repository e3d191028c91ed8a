/*
 * Platform tokens: JSON Web Tokens (RFC 7519) by which a platform vouches for a learner. Every configured
 * issuer names its portal, audience and key; the key fixes the algorithm (an HMAC secret HS256, an RSA key
 * RS256, a P-256 key ES256), so the token's own `alg` can only agree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct jwt_issuers;

enum { JWT_MAX = 8192, JWT_LEEWAY_MS = 30000 };

struct jwt_claims {
    struct slice portal;  /* of the issuer */
    struct slice subject; /* the learner; valid by id_name_valid() */
};

/*
 * Verifies TOKEN at NOW_MS: signature, issuer, audience, `exp` (required) and `nbf` with JWT_LEEWAY_MS, `sub`
 * (required). Where several issuers have the token's `iss`, any of them may accept it. False with *PROBLEM
 * set to a literal for the answer's `detail`. The claims live in ARENA. Any thread.
 */
bool jwt_verify(const struct jwt_issuers *issuers, struct slice token, int64_t now_ms, struct arena *arena,
    struct jwt_claims *claims, const char **problem) __attribute__((warn_unused_result));

/* An HS256 token of the --dev issuer, for valid names, into OUT (JWT_MAX bytes); returns its length. */
size_t jwt_sign_dev(
    struct slice secret, struct slice portal, struct slice subject, int64_t expires_ms, char *out);
