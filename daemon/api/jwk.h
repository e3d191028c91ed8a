/*
 * Public keys: from PEM and from JSON Web Keys (RFC 7517), as OpenSSL keeps them.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256 };

/* A key that verifies; it fixes the algorithm. */
struct jwt_key {
    enum jwt_algorithm algorithm;
    char *id;         /* `kid`; NULL: none */
    EVP_PKEY *public; /* of RS256 and ES256 */
    char *secret;     /* of HS256 */
    size_t secret_len;
};

struct jwt_key_list {
    struct jwt_key *keys;
    size_t n;
};

enum { JWK_KEYS_MAX = 64, RSA_BITS_MIN = 2048 };

/*
 * Adds the public key of PEM text, or the usable keys of a JWK set: RSA and P-256, for signatures. False with
 * *PROBLEM set to a literal when there is none.
 */
bool jwk_add_pem(struct jwt_key_list *list, struct slice pem, const char **problem);
bool jwk_add_set(struct jwt_key_list *list, struct slice json, const char **problem);
void jwk_add_secret(struct jwt_key_list *list, struct slice secret);
void jwk_free(struct jwt_key_list *list);
