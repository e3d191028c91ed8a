/*
 * Session tokens: what is signed verifies to the same session; altered, cut or lengthened by a byte it does
 * not; any bytes under a good signature are refused or are the one spelling of a session.
 *
 *     [0] the text of a token | [1][position][byte] a payload to be signed | [2][position][byte] ids
 */
#include <assert.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "budget.h"
#include "credit/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NEW_KEY "the newest key: 32 bytes or more of it"
#define OLD_KEY "a key of before, which still verifies..."

enum { MAC_BYTES = 32, KEY_ID_BYTES = 4 };

/* OpenSSL's own tables, filled by the first token, take 100 KiB. */
static const struct budget budget = {256 * 1024, 16, 10000, 400};

/* Made once: a daemon keeps its keys, too. */
struct ring {
    struct token_keys *keys;
    struct token_signer *signer;
};

static struct ring ring_new(bool with_new)
{
    const struct slice keys[] = {SLICE_LITERAL(NEW_KEY), SLICE_LITERAL(OLD_KEY)};
    struct ring r = {.keys = with_new ? token_keys_new(keys, 2) : token_keys_new(&keys[1], 1)};
    r.signer = token_signer_new(r.keys);
    return r;
}

/* ---- properties ---- */

static bool same_session(const struct session *a, const struct session *b)
{
    return a->time.anchor_ms == b->time.anchor_ms && a->time.expiry_ms == b->time.expiry_ms &&
           memcmp(a->id, b->id, SESSION_ID_BYTES) == 0 && slice_equal(a->program, b->program) &&
           slice_equal(a->portal, b->portal) && slice_equal(a->learner, b->learner) &&
           slice_equal(a->course, b->course) && slice_equal(a->lesson, b->lesson);
}

static struct slice move(struct slice s, const char *from, char *to)
{
    return (struct slice){memcpy(to + (s.ptr - from), s.ptr, s.len), s.len};
}

/* In blocks of the token's own size, so that a byte read or written beyond them is seen. */
static bool verifies(struct ring *r, struct slice token, struct session *session, char *storage)
{
    char *copy = mem_alloc(token.len);
    char *ids = mem_alloc(token.len);
    if (token.len > 0)
        memcpy(copy, token.ptr, token.len);
    bool good = token_verify(r->signer, (struct slice){copy, token.len}, session, ids) == TOKEN_GOOD;
    if (good) {
        session->program = move(session->program, ids, storage);
        session->portal = move(session->portal, ids, storage);
        session->learner = move(session->learner, ids, storage);
        session->course = move(session->course, ids, storage);
        session->lesson = move(session->lesson, ids, storage);
    }
    free(ids);
    free(copy);
    return good;
}

static void check_refused(struct ring *r, struct slice token)
{
    struct session session;
    char storage[TOKEN_MAX];
    bool good = verifies(r, token, &session, storage);
    assert(!good);
}

/* TOKEN is good: nothing near it is. */
static void check_only_untouched(struct ring *r, struct slice token, uint8_t position, uint8_t byte)
{
    char near[TOKEN_MAX + 1];
    assert(token.len > 0 && token.len <= TOKEN_MAX);
    size_t at = (size_t)position * token.len / 256;
    memcpy(near, token.ptr, token.len);
    near[at] = (char)(near[at] ^ (byte == 0 ? 1 : byte));
    check_refused(r, (struct slice){near, token.len});
    memcpy(near, token.ptr, token.len);
    near[token.len] = (char)byte;
    check_refused(r, (struct slice){near, token.len + 1});
    check_refused(r, (struct slice){token.ptr, at});
    check_refused(r, (struct slice){token.ptr + 1, token.len - 1});
}

static void check_session(const struct session *s)
{
    assert(id_valid(s->program));
    assert(id_valid(s->portal) && id_valid(s->course) && id_valid(s->lesson) && id_name_valid(s->learner));
}

/* What verifies under the newest key is what signing its session writes. */
static void check_one_spelling(struct ring *r, struct slice token)
{
    struct session session;
    char storage[TOKEN_MAX];
    char again[TOKEN_MAX + 1];
    if (!verifies(r, token, &session, storage))
        return;
    check_session(&session);
    size_t len = token_sign(r->signer, &session, again);
    assert(slice_equal(token, (struct slice){again, len}));
}

/* ---- a payload under a good signature ---- */

static void append_base64(struct buf *b, const void *bytes, size_t len)
{
    b->len += base64url_encode(bytes, len, buf_reserve(b, BASE64URL_LEN(len)));
}

static void append_signature(struct buf *b)
{
    unsigned char mac[MAC_BYTES];
    size_t len;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, NEW_KEY, sizeof(NEW_KEY) - 1,
            (const unsigned char *)b->data, b->len, mac, sizeof(mac), &len) == NULL)
        abort();
    buf_append_char(b, '.');
    append_base64(b, mac, sizeof(mac));
}

static struct buf sign_payload(struct slice payload)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf token = {0};
    if (EVP_Digest(NEW_KEY, sizeof(NEW_KEY) - 1, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    buf_append_string(&token, "m1.");
    append_base64(&token, digest, KEY_ID_BYTES);
    buf_append_char(&token, '.');
    append_base64(&token, payload.ptr, payload.len);
    append_signature(&token);
    return token;
}

static void check_payload(struct ring *r, struct slice payload)
{
    struct buf token = sign_payload(payload);
    struct session session;
    char storage[TOKEN_MAX];
    check_one_spelling(r, buf_slice(&token));
    bool good = verifies(r, buf_slice(&token), &session, storage);
    if (good)
        check_only_untouched(r, buf_slice(&token), (uint8_t)payload.ptr[0], (uint8_t)payload.ptr[1]);
    buf_free(&token);
}

/* ---- a session from ids ---- */

/* The next text: up to the next NUL. */
static struct slice take_text(struct slice *rest)
{
    const char *nul = rest->len == 0 ? NULL : memchr(rest->ptr, '\0', rest->len);
    struct slice text = {rest->ptr, nul == NULL ? rest->len : (size_t)(nul - rest->ptr)};
    size_t used = text.len + (nul != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return text;
}

static bool session_of(struct slice rest, struct session *s)
{
    if (rest.len < SESSION_ID_BYTES + 2 * sizeof(int64_t))
        return false;
    memcpy(s->id, rest.ptr, SESSION_ID_BYTES);
    memcpy(&s->time.anchor_ms, rest.ptr + SESSION_ID_BYTES, sizeof(int64_t));
    memcpy(&s->time.expiry_ms, rest.ptr + SESSION_ID_BYTES + sizeof(int64_t), sizeof(int64_t));
    rest = (struct slice){rest.ptr + SESSION_ID_BYTES + 16, rest.len - SESSION_ID_BYTES - 16};
    s->program = take_text(&rest);
    s->portal = take_text(&rest);
    s->course = take_text(&rest);
    s->lesson = take_text(&rest);
    s->learner = take_text(&rest);
    return id_valid(s->program) && id_valid(s->portal) && id_valid(s->course) && id_valid(s->lesson) &&
           id_name_valid(s->learner);
}

static void check_round_trip(
    struct ring *r, struct ring *old, struct slice ids, uint8_t position, uint8_t byte)
{
    struct session session;
    struct session again;
    char storage[TOKEN_MAX];
    char text[TOKEN_MAX + 1];
    if (!session_of(ids, &session))
        return;
    struct slice token = {text, token_sign(r->signer, &session, text)};
    bool good = verifies(r, token, &again, storage);
    assert(good && same_session(&session, &again));
    check_refused(old, token);
    check_only_untouched(r, token, position, byte);
    token.len = token_sign(old->signer, &session, text);
    good = verifies(r, token, &again, storage);
    assert(good && same_session(&session, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring rings[2];
    if (size < 3)
        return 0;
    for (size_t i = 0; i < 2 && rings[i].keys == NULL; i++)
        rings[i] = ring_new(i == 0);
    struct slice rest = {(const char *)data + 3, size - 3};
    budget_begin();
    if (data[0] % 3 == 0)
        check_one_spelling(&rings[0], (struct slice){(const char *)data + 1, size - 1});
    else if (data[0] % 3 == 1)
        check_payload(&rings[0], rest);
    else
        check_round_trip(&rings[0], &rings[1], rest, data[1], data[2]);
    budget_end(&budget, size);
    return 0;
}
