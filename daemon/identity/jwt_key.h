/*
 * The keys that platform tokens are verified with. A key fixes its algorithm: an HMAC secret HS256, an RSA
 * key RS256, a P-256 key ES256.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256 };

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

/* Checking a key takes the cube of its length: 0.4 s at 8192 bits, and a key set may hold many. */
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

void jwt_key_add_secret(struct jwt_key_list *list, struct slice secret);
/*
 * Takes PUBLIC. ID is empty where there is none. False with *PROBLEM set to a literal when we do not verify
 * with such a key: it must be RSA of RSA_BITS_MIN to RSA_BITS_MAX, or P-256.
 */
bool jwt_key_add_public(struct jwt_key_list *list, EVP_PKEY *public, struct slice id, const char **problem)
    __attribute__((warn_unused_result));
/* The first public key (SubjectPublicKeyInfo) of a PEM text; failure as above. */
bool jwt_key_add_pem(struct jwt_key_list *list, struct slice pem, const char **problem)
    __attribute__((warn_unused_result));
void jwt_key_list_free(struct jwt_key_list *list);

/* The name in a token's `alg`. */
const char *jwt_key_algorithm(const struct jwt_key *key);

/* Whether SIGNATURE, as JWS writes it (RFC 7518, section 3), is the key's over TEXT. Any thread. */
bool jwt_key_signed(const struct jwt_key *key, struct slice text, struct slice signature)
    __attribute__((warn_unused_result));

/* HMAC-SHA256 of TEXT. */
void jwt_hmac(struct slice secret, struct slice text, unsigned char mac[static 32]);
