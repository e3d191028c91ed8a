/*
 * JSON Web Key sets (RFC 7517), as a platform publishes its public keys.
 */
#pragma once

#include "identity/jwt_key.h"

enum { JWK_KEYS_MAX = 64 };

/*
 * Adds the usable keys of a set: RSA and P-256, for signatures. Keys of other kinds or uses, and broken ones,
 * are passed over, as the RFC asks. False with *PROBLEM set to a literal when none is left, when there are
 * more than JWK_KEYS_MAX or when the set holds a symmetric key (`oct`), which nobody should have published.
 */
bool jwk_add_set(struct jwt_key_list *list, struct slice json, const char **problem)
    __attribute__((warn_unused_result));
