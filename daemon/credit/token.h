/*
 * Session tokens: what minuted knows of a session, signed, so that nothing is stored for it.
 *
 *     m1.<key id>.<payload>.<mac>      all but "m1" in base64url
 *
 * The payload is binary: anchor and expiry (Unix ms, 8 bytes each, little-endian), then the session id and
 * the length-prefixed ids of program, portal, learner, course and lesson. The mac is HMAC-SHA256 over
 * everything before the last dot. The key id is the first 4 bytes of SHA-256(key), so keys need no names: the
 * first key of the ring signs, every key verifies.
 *
 * While keys are rotated, or daemons replaced, one daemon may meet a token that only another one can verify.
 * So every later version, "m2" to "m9", keeps the four parts, the key id, anchor and expiry at the payload's
 * begin, and the mac: what a token says of its own time can always be read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "credit/claim.h"

enum {
    TOKEN_MAX = 1024, /* characters; a longer one is invalid */
    SESSION_ID_BYTES = 16,
    SESSION_MS = 4 * 3600 * 1000 /* from a session's anchor to its expiry */
};

struct session {
    struct claim_session time;
    unsigned char id[SESSION_ID_BYTES]; /* random */
    struct slice program;               /* the catalog's */
    struct slice portal;
    struct slice learner; /* the platform's `sub` */
    struct slice course;
    struct slice lesson;
};

struct token_keys;
struct token_signer;

/* A ring of KEYS, of which the first signs; each at least 32 bytes. Copies them. */
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

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_INVALID, /* no token, altered, or signed by no key that has its key id */
    TOKEN_UNKNOWN, /* of a key or a version that is not known here: another daemon may know it */
    TOKEN_EXPIRED  /* judged by token_judge() alone */
};

/*
 * Verifies TOKEN. A good one fills *SESSION, whose slices point into STORAGE, which has TOKEN's length. An
 * unknown one fills only session->time, as the token says it, which anybody may have written. Expiry is not
 * judged here. The mac is compared in constant time.
 */
enum token_verdict token_verify(struct token_signer *signer, struct slice token, struct session *session,
    char *storage) __attribute__((warn_unused_result));

/*
 * Verifies TOKEN and judges its time at NOW_MS: it is good until its expiry and HORIZON_MS after it, so that
 * what was played offline can be delivered. The expiry of an unknown token is read unverified: HORIZON_MS
 * after it the token is expired, and a genuine one is at most SESSION_MS + 1 h away, so that a token with a
 * later one is invalid.
 */
enum token_verdict token_judge(struct token_signer *signer, struct slice token, int64_t now_ms,
    int64_t horizon_ms, struct session *session, char *storage) __attribute__((warn_unused_result));

/* Whether TOKEN begins as a session token of any version does, which no JWT does. */
bool token_is_session(struct slice token);
