/*
 * Session tokens: what minuted knows of a session, signed, so that nothing is stored for it.
 *
 *     m1.<key id>.<payload>.<mac>      all but "m1" in base64url
 *
 * The payload is binary: anchor, expiry, then the session id and the length-prefixed ids. The mac is
 * HMAC-SHA256 over everything before the last dot. The key id is the first 4 bytes of SHA-256(key), so
 * keys need no names: the first key of the ring signs, every key verifies.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "credit/claim.h"

enum {
    TOKEN_MAX = 1024,     /* characters; a longer one is invalid */
    ID_MAX = 64,          /* lesson, course and portal ids: [A-Za-z0-9._-]{1,64} */
    NAME_MAX_BYTES = 128, /* learner and device ids: UTF-8 without control characters */
    SESSION_ID_BYTES = 16
};

struct session {
    struct claim_session time;
    unsigned char id[SESSION_ID_BYTES]; /* random */
    struct slice portal;
    struct slice learner; /* the platform's `sub` */
    struct slice course;
    struct slice lesson;
};

/* [A-Za-z0-9._-]{1,64} */
bool id_valid(struct slice id);
/* 1 to 128 bytes of UTF-8 without control characters. */
bool name_valid(struct slice name);

struct token_keys;
struct token_signer;

/* A ring of KEYS, the newest first; each at least 32 bytes. Copies them. */
struct token_keys *token_keys_new(const struct slice *keys, size_t n);
void token_keys_free(struct token_keys *ring);

/*
 * Signing state of one thread; borrows KEYS, which must outlive it. A signer is cheap to use and not
 * thread-safe.
 */
struct token_signer *token_signer_new(const struct token_keys *keys);
void token_signer_free(struct token_signer *signer);

/* Writes the token of SESSION, NUL-terminated. Returns its length; ids must be valid. */
size_t token_sign(struct token_signer *signer, const struct session *session, char out[static TOKEN_MAX + 1]);

/*
 * Verifies TOKEN and fills *SESSION; its slices point into STORAGE, which has TOKEN's length. False when it
 * is malformed, signed by no key of the ring or altered. Expiry is not judged here. The mac is compared in
 * constant time.
 */
bool token_verify(struct token_signer *signer, struct slice token, struct session *session, char *storage)
    __attribute__((warn_unused_result));
