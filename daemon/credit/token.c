/* Session tokens. */
#include "credit/token.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/id.h"
#include "base/mem.h"

enum { KEY_ID_BYTES = 4, MAC_BYTES = 32, KEY_MIN = 32 };

/* At most so much do the clocks of daemons differ, where a token cannot be verified here. */
enum { CLOCKS_DIFFER_MS = 3600 * 1000 };

#define PREFIX "m1."

enum {
    PREFIX_CHARS = sizeof(PREFIX) - 1,
    VERSION_AT = 1, /* the place of the digit in the prefix that counts versions */
    KEY_ID_CHARS = BASE64URL_LEN(KEY_ID_BYTES),
    MAC_CHARS = BASE64URL_LEN(MAC_BYTES),
    HEAD_CHARS = PREFIX_CHARS + KEY_ID_CHARS + 1
};

struct key {
    char id[KEY_ID_CHARS];
    char *bytes;
    size_t len;
};

struct token_keys {
    struct key *keys;
    size_t n;
};

struct token_signer {
    const struct token_keys *keys;
    EVP_MAC_CTX *
        *macs; /* one for each key; a new message resets it, which is cheaper than to set the key again */
};

/* ---- keys ---- */

struct token_keys *token_keys_new(const struct slice *keys, size_t n)
{
    struct token_keys *ring = mem_zalloc(sizeof(*ring));
    unsigned char digest[EVP_MAX_MD_SIZE];
    assert(n > 0);
    ring->keys = mem_zalloc(n * sizeof(*ring->keys));
    ring->n = n;
    for (size_t i = 0; i < n; i++) {
        struct key *key = &ring->keys[i];
        assert(keys[i].len >= KEY_MIN);
        if (EVP_Digest(keys[i].ptr, keys[i].len, digest, NULL, EVP_sha256(), NULL) != 1)
            abort();
        base64url_encode(digest, KEY_ID_BYTES, key->id);
        key->bytes = mem_strndup(keys[i].ptr, keys[i].len);
        key->len = keys[i].len;
    }
    return ring;
}

void token_keys_free(struct token_keys *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->n; i++) {
        OPENSSL_cleanse(ring->keys[i].bytes, ring->keys[i].len);
        free(ring->keys[i].bytes);
    }
    free(ring->keys);
    free(ring);
}

struct token_signer *token_signer_new(const struct token_keys *keys)
{
    struct token_signer *signer = mem_zalloc(sizeof(*signer));
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end()};
    signer->keys = keys;
    /* it holds pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
    signer->macs = mem_zalloc(keys->n * sizeof(*signer->macs));
    for (size_t i = 0; i < keys->n; i++) {
        const struct key *key = &keys->keys[i];
        signer->macs[i] = EVP_MAC_CTX_new(hmac);
        if (signer->macs[i] == NULL ||
            EVP_MAC_init(signer->macs[i], (const unsigned char *)key->bytes, key->len, params) != 1)
            abort();
    }
    EVP_MAC_free(hmac);
    return signer;
}

void token_signer_free(struct token_signer *signer)
{
    if (signer == NULL)
        return;
    for (size_t i = 0; i < signer->keys->n; i++)
        EVP_MAC_CTX_free(signer->macs[i]);
    free(signer->macs);
    free(signer);
}

static void compute_mac(EVP_MAC_CTX *mac, struct slice text, unsigned char out[static MAC_BYTES])
{
    size_t len;
    if (EVP_MAC_init(mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(mac, (const unsigned char *)text.ptr, text.len) != 1 ||
        EVP_MAC_final(mac, out, &len, MAC_BYTES) != 1 || len != MAC_BYTES)
        abort();
}

/* ---- payload ---- */

static void encode_payload(const struct session *session, struct buf *out)
{
    buf_append_u64(out, (uint64_t)session->time.anchor_ms);
    buf_append_u64(out, (uint64_t)session->time.expiry_ms);
    buf_append(out, session->id, SESSION_ID_BYTES);
    buf_append_counted(out, session->program);
    buf_append_counted(out, session->portal);
    buf_append_counted(out, session->learner);
    buf_append_counted(out, session->course);
    buf_append_counted(out, session->lesson);
}

static bool decode_time(struct cursor *c, struct claim_session *time)
{
    time->anchor_ms = (int64_t)cursor_take_u64(c);
    time->expiry_ms = (int64_t)cursor_take_u64(c);
    return c->ok;
}

static bool decode_payload(struct cursor *c, struct session *session)
{
    if (!decode_time(c, &session->time) || cursor_left(c) < SESSION_ID_BYTES)
        return false;
    memcpy(session->id, cursor_take(c, SESSION_ID_BYTES).ptr, SESSION_ID_BYTES);
    session->program = cursor_take_counted(c);
    session->portal = cursor_take_counted(c);
    session->learner = cursor_take_counted(c);
    session->course = cursor_take_counted(c);
    session->lesson = cursor_take_counted(c);
    return cursor_is_done(c) && id_valid(session->program) && id_valid(session->portal) &&
           id_name_valid(session->learner) && id_valid(session->course) && id_valid(session->lesson);
}

/* ---- tokens ---- */

size_t token_sign(struct token_signer *signer, const struct session *session, char out[static TOKEN_MAX + 1])
{
    struct buf payload = {0};
    unsigned char mac[MAC_BYTES];
    encode_payload(session, &payload);
    assert(PREFIX_CHARS + KEY_ID_CHARS + BASE64URL_LEN(payload.len) + MAC_CHARS + 2 <= TOKEN_MAX);
    char *at = out;
    memcpy(at, PREFIX, PREFIX_CHARS);
    at += PREFIX_CHARS;
    memcpy(at, signer->keys->keys[0].id, KEY_ID_CHARS);
    at += KEY_ID_CHARS;
    *at++ = '.';
    at += base64url_encode(payload.data, payload.len, at);
    buf_free(&payload);
    compute_mac(signer->macs[0], (struct slice){out, (size_t)(at - out)}, mac);
    *at++ = '.';
    at += base64url_encode(mac, MAC_BYTES, at);
    *at = '\0';
    return (size_t)(at - out);
}

/* SIGNED is the token without its last dot and the mac's characters. */
static bool mac_agrees(EVP_MAC_CTX *mac, struct slice signed_text, const char *mac_text)
{
    unsigned char given[MAC_CHARS];
    unsigned char computed[MAC_BYTES];
    size_t len;
    if (!base64url_decode(mac_text, MAC_CHARS, given, &len) || len != MAC_BYTES)
        return false;
    compute_mac(mac, signed_text, computed);
    return CRYPTO_memcmp(given, computed, MAC_BYTES) == 0;
}

bool token_is_session(struct slice token)
{
    return token.len >= PREFIX_CHARS && token.ptr[0] == 'm' && token.ptr[VERSION_AT] >= '1' &&
           token.ptr[VERSION_AT] <= '9' && token.ptr[PREFIX_CHARS - 1] == '.';
}

enum token_verdict token_verify(
    struct token_signer *signer, struct slice token, struct session *session, char *storage)
{
    if (token.len > TOKEN_MAX || token.len < HEAD_CHARS + 1 + MAC_CHARS || !token_is_session(token) ||
        token.ptr[HEAD_CHARS - 1] != '.')
        return TOKEN_INVALID;
    struct slice signed_text = {token.ptr, token.len - MAC_CHARS - 1};
    struct slice payload = {token.ptr + HEAD_CHARS, signed_text.len - HEAD_CHARS};
    const char *mac_text = token.ptr + signed_text.len + 1;
    if (token.ptr[signed_text.len] != '.' ||
        !base64url_decode(payload.ptr, payload.len, storage, &payload.len))
        return TOKEN_INVALID;
    struct cursor c = cursor_of((struct slice){storage, payload.len});
    EVP_MAC_CTX *mac = NULL;
    for (size_t i = 0; i < signer->keys->n && mac == NULL; i++)
        if (memcmp(signer->keys->keys[i].id, token.ptr + PREFIX_CHARS, KEY_ID_CHARS) == 0)
            mac = signer->macs[i];
    if (mac != NULL && !mac_agrees(mac, signed_text, mac_text))
        return TOKEN_INVALID;
    if (token.ptr[VERSION_AT] != PREFIX[VERSION_AT])
        return decode_time(&c, &session->time) ? TOKEN_UNKNOWN : TOKEN_INVALID;
    if (!decode_payload(&c, session))
        return TOKEN_INVALID;
    return mac != NULL ? TOKEN_GOOD : TOKEN_UNKNOWN;
}

enum token_verdict token_judge(struct token_signer *signer, struct slice token, int64_t now_ms,
    int64_t horizon_ms, struct session *session, char *storage)
{
    enum token_verdict verdict = token_verify(signer, token, session, storage);
    if (verdict == TOKEN_INVALID)
        return TOKEN_INVALID;
    int64_t expiry_ms = session->time.expiry_ms;
    if (verdict == TOKEN_UNKNOWN && expiry_ms > now_ms + SESSION_MS + CLOCKS_DIFFER_MS)
        return TOKEN_INVALID;
    return now_ms > expiry_ms + horizon_ms ? TOKEN_EXPIRED : verdict;
}
