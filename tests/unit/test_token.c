/* Session tokens: what was signed comes back, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "credit/token.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }
#define REPEAT_16(s) s s s s s s s s s s s s s s s s

static const struct slice key_a = TEXT("key a, of at least thirty-two bytes");
static const struct slice key_b = TEXT("key b, of at least thirty-two bytes");

static const struct session session = {
    .time = {.anchor_ms = 1673000000123, .expiry_ms = 1673014400123},
    .id = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 254, 255},
    .program = TEXT("winter-2023"),
    .portal = TEXT("higher"),
    .learner = TEXT("teacher-1"),
    .course = TEXT("live-teaching-safety"),
    .lesson = TEXT("lts-1-1"),
};

/* A ring and a signer of it. */
struct ring {
    struct token_keys *keys;
    struct token_signer *signer;
};

static struct ring ring_new(const struct slice *keys, size_t n)
{
    struct token_keys *ring = token_keys_new(keys, n);
    return (struct ring){ring, token_signer_new(ring)};
}

static void ring_free(struct ring *ring)
{
    token_signer_free(ring->signer);
    token_keys_free(ring->keys);
}

/* TOKEN and the storage end where their blocks end, so that a byte beyond them is seen. */
static enum token_verdict verdict_of(const struct ring *ring, struct slice token, struct claim_session *time)
{
    struct session got = {0};
    char *storage = mem_alloc(token.len == 0 ? 1 : token.len);
    char *block = mem_alloc(token.len + 1);
    char *copy = memcpy(block + 1, token.ptr, token.len);
    enum token_verdict result = token_verify(ring->signer, (struct slice){copy, token.len}, &got, storage);
    free(block);
    free(storage);
    if (time != NULL)
        *time = got.time;
    return result;
}

static bool verifies(const struct ring *ring, struct slice token)
{
    return verdict_of(ring, token, NULL) == TOKEN_GOOD;
}

static void assert_round_trip(const struct ring *ring, const struct session *s)
{
    char token[TOKEN_MAX + 1];
    char storage[TOKEN_MAX];
    struct session got;
    size_t len = token_sign(ring->signer, s, token);
    assert_int_equal(len, strlen(token));
    assert_int_equal(token_verify(ring->signer, (struct slice){token, len}, &got, storage), TOKEN_GOOD);
    memset(token, 0, sizeof(token)); /* what was verified does not point into it */
    assert_true(got.time.anchor_ms == s->time.anchor_ms && got.time.expiry_ms == s->time.expiry_ms);
    assert_memory_equal(got.id, s->id, SESSION_ID_BYTES);
    assert_true(slice_equal(got.program, s->program));
    assert_true(slice_equal(got.portal, s->portal) && slice_equal(got.learner, s->learner));
    assert_true(slice_equal(got.course, s->course) && slice_equal(got.lesson, s->lesson));
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char longest[] = REPEAT_16("0123456789abcdef");
    struct ring ring = ring_new(&key_a, 1);
    for (size_t n = 1; n <= ID_NAME_MAX; n++) {
        struct session s = session;
        size_t id = n <= ID_MAX ? n : ID_MAX;
        s.learner = (struct slice){longest, n};
        s.program = s.portal = s.course = s.lesson = (struct slice){longest, id};
        s.time.anchor_ms = (int64_t)n - 3;
        s.time.expiry_ms = INT64_MAX - (int64_t)n;
        assert_round_trip(&ring, &s);
    }
    struct session s = session;
    s.learner = (struct slice)TEXT("\xe7\x8e\x8b\xe8\x80\x81\xe5\xb8\x88 \"x\" <a@b.c>");
    assert_round_trip(&ring, &s);
    ring_free(&ring);
}

static void test_a_token_is_what_the_header_says(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    char token[TOKEN_MAX + 1];
    unsigned char digest[32];
    char id[8];
    token_sign(ring.signer, &session, token);
    assert_int_equal(EVP_Digest(key_a.ptr, key_a.len, digest, NULL, EVP_sha256(), NULL), 1);
    size_t id_len = base64url_encode(digest, 4, id);
    assert_memory_equal(token, "m1.", 3);
    assert_memory_equal(token + 3, id, id_len);
    assert_int_equal(token[3 + id_len], '.');
    ring_free(&ring);
}

/* ---- what was not signed ---- */

static void test_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    char token[TOKEN_MAX + 1];
    size_t len = token_sign(ring.signer, &session, token);
    for (size_t i = 0; i < len * 8; i++) {
        token[i / 8] = (char)(token[i / 8] ^ 1 << i % 8);
        if (verifies(&ring, (struct slice){token, len}))
            fail_msg("bit %zu of byte %zu", i % 8, i / 8);
        token[i / 8] = (char)(token[i / 8] ^ 1 << i % 8);
    }
    assert_true(verifies(&ring, (struct slice){token, len}));
    ring_free(&ring);
}

static void test_every_truncation_and_extension_is_refused(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    char token[TOKEN_MAX + 2] = {0};
    size_t len = token_sign(ring.signer, &session, token);
    for (size_t n = 0; n < len; n++) {
        assert_false(verifies(&ring, (struct slice){token, n}));
        assert_false(verifies(&ring, (struct slice){token + len - n, n}));
    }
    for (int c = 0; c < 256; c++) {
        token[len] = (char)c;
        assert_false(verifies(&ring, (struct slice){token, len + 1}));
    }
    ring_free(&ring);
}

static void test_shapes_that_are_no_token(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    static const struct slice rows[] = {TEXT(""), TEXT("."), TEXT("m1"), TEXT("m1."), TEXT("m1..."),
        TEXT("m1.AAAAAA.."), TEXT("m1.AAAAAA.AAAA.AAAA"), TEXT("eyJhbGciOiJub25lIn0.e30."), TEXT("\0\0\0\0")};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_false(verifies(&ring, rows[i]));
    char large[TOKEN_MAX * 3];
    memset(large, 'A', sizeof(large));
    token_sign(ring.signer, &session, large);
    for (size_t n = 0; n < sizeof(large); n += 7)
        assert_false(verifies(&ring, (struct slice){large, n}));
    ring_free(&ring);
}

/* ---- keys ---- */

static void test_rotation(void **state)
{
    (void)state;
    struct ring old = ring_new(&key_a, 1);
    struct ring both = ring_new((struct slice[]){key_b, key_a}, 2);
    struct ring new = ring_new(&key_b, 1);
    char before[TOKEN_MAX + 1];
    char after[TOKEN_MAX + 1];
    struct slice old_token = {before, token_sign(old.signer, &session, before)};
    struct slice new_token = {after, token_sign(both.signer, &session, after)};
    assert_true(verifies(&old, old_token) && verifies(&both, old_token));
    assert_false(verifies(&new, old_token));
    assert_true(verifies(&both, new_token) && verifies(&new, new_token));
    assert_false(verifies(&old, new_token));
    /* a signer that changes between its keys starts afresh with each */
    for (int i = 0; i < 5; i++)
        assert_true(verifies(&both, old_token) && verifies(&both, new_token));
    ring_free(&old);
    ring_free(&both);
    ring_free(&new);
}

/* The other ring's token with our key's id. */
static void test_a_foreign_ring_is_refused(void **state)
{
    (void)state;
    enum { ID_END = 9 };
    struct ring ours = ring_new(&key_a, 1);
    struct ring foreign = ring_new(&key_b, 1);
    char good[TOKEN_MAX + 1];
    char forged[TOKEN_MAX + 1];
    token_sign(ours.signer, &session, good);
    size_t len = token_sign(foreign.signer, &session, forged);
    assert_false(verifies(&ours, (struct slice){forged, len}));
    memcpy(forged, good, ID_END);
    assert_false(verifies(&ours, (struct slice){forged, len}));
    /* keys that differ only at their end are different keys */
    struct slice shorter = {key_a.ptr, key_a.len - 1};
    struct ring near = ring_new(&shorter, 1);
    len = token_sign(near.signer, &session, forged);
    memcpy(forged, good, ID_END);
    assert_false(verifies(&ours, (struct slice){forged, len}));
    ring_free(&ours);
    ring_free(&foreign);
    ring_free(&near);
}

/* While keys are rotated one daemon signs with a key that another does not have yet. */
static void test_another_daemons_key_is_unknown(void **state)
{
    (void)state;
    enum { ID_END = 9 };
    struct ring ours = ring_new(&key_a, 1);
    struct ring theirs = ring_new(&key_b, 1);
    struct claim_session time;
    char good[TOKEN_MAX + 1];
    char token[TOKEN_MAX + 1];
    token_sign(ours.signer, &session, good);
    size_t len = token_sign(theirs.signer, &session, token);
    assert_int_equal(verdict_of(&ours, (struct slice){token, len}, &time), TOKEN_UNKNOWN);
    assert_true(time.anchor_ms == session.time.anchor_ms && time.expiry_ms == session.time.expiry_ms);
    assert_int_equal(verdict_of(&ours, (struct slice){token, len - 1}, NULL), TOKEN_INVALID);
    token[ID_END + 30] = '!';
    assert_int_equal(verdict_of(&ours, (struct slice){token, len}, NULL), TOKEN_INVALID);
    memcpy(token, good, len);
    token[ID_END + 30] = (char)(token[ID_END + 30] == 'A' ? 'B' : 'A');
    assert_int_equal(verdict_of(&ours, (struct slice){token, len}, NULL), TOKEN_INVALID);
    ring_free(&ours);
    ring_free(&theirs);
}

static void test_signers_share_a_ring(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    struct token_signer *second = token_signer_new(ring.keys);
    char one[TOKEN_MAX + 1];
    char two[TOKEN_MAX + 1];
    size_t len = token_sign(ring.signer, &session, one);
    assert_int_equal(token_sign(second, &session, two), len);
    assert_memory_equal(one, two, len);
    token_signer_free(second);
    assert_true(verifies(&ring, (struct slice){one, len}));
    ring_free(&ring);
    token_signer_free(NULL);
    token_keys_free(NULL);
}

/* ---- signed by our key, yet not what we sign ---- */

/* A token of key_a that begins with PREFIX, around PAYLOAD_TEXT, as another version of the program might sign
 * it. */
static size_t sign_as(const struct ring *ring, const char *prefix, struct slice payload_text, char *out)
{
    enum { HEAD = 10 };
    unsigned char mac[32];
    unsigned n = sizeof(mac);
    token_sign(ring->signer, &session, out);
    struct slice start = slice_of(prefix);
    memcpy(out, start.ptr, start.len);
    memcpy(out + HEAD, payload_text.ptr, payload_text.len);
    size_t len = HEAD + payload_text.len;
    assert_non_null(HMAC(EVP_sha256(), key_a.ptr, (int)key_a.len, (unsigned char *)out, len, mac, &n));
    out[len++] = '.';
    return len + base64url_encode(mac, sizeof(mac), out + len);
}

static size_t sign_text(const struct ring *ring, struct slice payload_text, char *out)
{
    return sign_as(ring, "m1.", payload_text, out);
}

static bool accepts(const struct ring *ring, struct slice payload)
{
    char text[2 * TOKEN_MAX];
    char token[3 * TOKEN_MAX];
    size_t n = base64url_encode(payload.ptr, payload.len, text);
    return verifies(ring, (struct slice){token, sign_text(ring, (struct slice){text, n}, token)});
}

static void append_string(struct buf *b, struct slice s)
{
    buf_append_u8(b, (uint8_t)s.len);
    buf_append_slice(b, s);
}

static struct buf payload_of_program(
    struct slice program, struct slice portal, struct slice learner, struct slice lesson)
{
    static const char numbers_and_id[8 + 8 + SESSION_ID_BYTES] = {1, 2, 3};
    struct buf b = {0};
    buf_append(&b, numbers_and_id, sizeof(numbers_and_id));
    append_string(&b, program);
    append_string(&b, portal);
    append_string(&b, learner);
    append_string(&b, SLICE_LITERAL("course"));
    append_string(&b, lesson);
    return b;
}

static struct buf payload_of(struct slice portal, struct slice learner, struct slice lesson)
{
    return payload_of_program(SLICE_LITERAL("program"), portal, learner, lesson);
}

static void test_payloads(void **state)
{
    (void)state;
    static const char longest[] = REPEAT_16("0123456789abcdef");
    const struct {
        bool good;
        struct slice portal;
        struct slice learner;
        struct slice lesson;
    } rows[] = {{true, TEXT("p"), TEXT("l"), TEXT("x")}, {false, TEXT(""), TEXT("l"), TEXT("x")},
        {false, TEXT("p"), TEXT(""), TEXT("x")}, {false, TEXT("p"), TEXT("l"), TEXT("")},
        {false, TEXT("p/q"), TEXT("l"), TEXT("x")}, {false, TEXT("p"), TEXT("l\n"), TEXT("x")},
        {false, TEXT("p"), TEXT("\xff"), TEXT("x")}, {false, TEXT("p"), TEXT("l\0"), TEXT("x")},
        {false, TEXT("p"), TEXT("l"), TEXT("x y")}, {false, TEXT("p"), TEXT("l"), TEXT("\xc3\xa9")},
        {true, TEXT("p"), TEXT("\xc3\xa9/"), TEXT("x")}, {true, {longest, 64}, TEXT("l"), TEXT("x")},
        {false, {longest, 65}, TEXT("l"), TEXT("x")}, {true, TEXT("p"), {longest, 128}, TEXT("x")},
        {false, TEXT("p"), {longest, 129}, TEXT("x")}, {true, TEXT("p"), TEXT("l"), {longest, 64}},
        {false, TEXT("p"), TEXT("l"), {longest, 65}},
        {false, {longest, 255}, {longest, 255}, {longest, 255}}};
    struct ring ring = ring_new(&key_a, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf payload = payload_of(rows[i].portal, rows[i].learner, rows[i].lesson);
        if (accepts(&ring, buf_slice(&payload)) != rows[i].good)
            fail_msg("row %zu", i);
        buf_free(&payload);
    }
    ring_free(&ring);
}

static void test_programs_of_payloads(void **state)
{
    (void)state;
    static const char longest[] = REPEAT_16("0123456789abcdef");
    const struct {
        bool good;
        struct slice program;
    } rows[] = {{true, TEXT("p")}, {false, TEXT("")}, {false, TEXT("p/q")}, {false, TEXT("\xe7\x8e\x8b")},
        {true, {longest, 64}}, {false, {longest, 65}}};
    struct ring ring = ring_new(&key_a, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf payload =
            payload_of_program(rows[i].program, SLICE_LITERAL("p"), SLICE_LITERAL("l"), SLICE_LITERAL("x"));
        if (accepts(&ring, buf_slice(&payload)) != rows[i].good)
            fail_msg("row %zu", i);
        buf_free(&payload);
    }
    ring_free(&ring);
}

/* Daemons are replaced one after the other: the newer one's tokens reach those that do not know their form.
 */
static void test_a_later_version_is_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        size_t payload_len;
        enum token_verdict verdict; /* signed by our key, or said to be of a key that we do not have */
        enum token_verdict spoiled; /* signed by neither, yet said to be of ours */
    } rows[] = {
        {"m2.", 16, TOKEN_UNKNOWN, TOKEN_INVALID}, {"m9.", 200, TOKEN_UNKNOWN, TOKEN_INVALID},
        {"m2.", 15, TOKEN_INVALID, TOKEN_INVALID}, {"m2.", 0, TOKEN_INVALID, TOKEN_INVALID},
        {"m0.", 16, TOKEN_INVALID, TOKEN_INVALID}, {"mA.", 16, TOKEN_INVALID, TOKEN_INVALID},
        {"n2.", 16, TOKEN_INVALID, TOKEN_INVALID}, {"m2-", 16, TOKEN_INVALID, TOKEN_INVALID},
        {"m1.", 16, TOKEN_INVALID, TOKEN_INVALID}, /* of this version more is known */
    };
    struct ring ours = ring_new(&key_a, 1);
    struct ring theirs = ring_new(&key_b, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char payload[200] = "\1\2\3\4\5\6\0\0\7\10\11\12\13\14";
        char text[300];
        char token[TOKEN_MAX];
        struct claim_session time;
        size_t n = base64url_encode(payload, rows[i].payload_len, text);
        size_t len = sign_as(&ours, rows[i].prefix, (struct slice){text, n}, token);
        assert_int_equal(verdict_of(&ours, (struct slice){token, len}, &time), rows[i].verdict);
        if (rows[i].verdict == TOKEN_UNKNOWN)
            assert_true(time.anchor_ms == 0x060504030201 && time.expiry_ms == 0x0c0b0a090807);
        assert_int_equal(verdict_of(&theirs, (struct slice){token, len}, NULL), rows[i].verdict);
        token[len - 5] = (char)(token[len - 5] == 'A' ? 'B' : 'A');
        assert_int_equal(verdict_of(&ours, (struct slice){token, len}, NULL), rows[i].spoiled);
    }
    ring_free(&ours);
    ring_free(&theirs);
}

static void test_every_byte_of_a_payload_is_accounted_for(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    struct buf payload = payload_of(SLICE_LITERAL("p"), SLICE_LITERAL("l"), SLICE_LITERAL("x"));
    for (size_t n = 0; n < payload.len; n++)
        assert_false(accepts(&ring, (struct slice){payload.data, n}));
    assert_true(accepts(&ring, buf_slice(&payload)));
    buf_append_char(&payload, '\0');
    assert_false(accepts(&ring, buf_slice(&payload)));
    buf_free(&payload);
    ring_free(&ring);
}

/* Spare bits, padding and other alphabets would give one payload several spellings. */
static void test_a_payload_has_one_spelling(void **state)
{
    (void)state;
    struct ring ring = ring_new(&key_a, 1);
    struct buf payload = payload_of(SLICE_LITERAL("p"), SLICE_LITERAL("learne"), SLICE_LITERAL("x"));
    char text[256];
    char token[TOKEN_MAX];
    size_t n = base64url_encode(payload.data, payload.len, text);
    assert_int_equal(n % 4, 2);
    assert_true(verifies(&ring, (struct slice){token, sign_text(&ring, (struct slice){text, n}, token)}));
    text[n] = text[n + 1] = '=';
    assert_false(
        verifies(&ring, (struct slice){token, sign_text(&ring, (struct slice){text, n + 2}, token)}));
    text[n - 1]++;
    assert_false(verifies(&ring, (struct slice){token, sign_text(&ring, (struct slice){text, n}, token)}));
    buf_free(&payload);
    ring_free(&ring);
}

/* ---- ids and names ---- */

static void test_ids(void **state)
{
    (void)state;
    static const struct slice good[] = {TEXT("a"), TEXT("lts-1-1"), TEXT("A.b_C-9"), TEXT("."), TEXT("-"),
        TEXT("0123456789012345678901234567890123456789012345678901234567890123")};
    static const struct slice bad[] = {TEXT(""), TEXT("a b"), TEXT("a/b"), TEXT("a:b"), TEXT("a\0"),
        TEXT("a\n"), TEXT("{a}"), TEXT("\xc3\xa9"), TEXT("a%"), TEXT("@"), TEXT("["), TEXT("`"), TEXT(","),
        TEXT("01234567890123456789012345678901234567890123456789012345678901234")};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(id_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(id_valid(bad[i]));
}

static void test_names(void **state)
{
    (void)state;
    static const struct slice good[] = {TEXT("a"), TEXT(" "), TEXT("a b/c:d"), TEXT("\xe7\x8e\x8b"),
        TEXT("\xc2\xa0"), TEXT("\xf0\x9f\x98\x80"), TEXT("~"), TEXT(REPEAT_16("12345678")),
        TEXT("\xef\xbf\xbf")};
    static const struct slice bad[] = {TEXT(""), TEXT("\0"), TEXT("a\tb"), TEXT("\x1f"), TEXT("\x7f"),
        TEXT("\xc2\x80"), TEXT("\xc2\x9f"), TEXT("\xc2"), TEXT("\xff"), TEXT("\xed\xa0\x80"),
        TEXT("\xc0\x80"), TEXT(REPEAT_16("12345678") "9"), TEXT("a\xe7\x8e")};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(id_name_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(id_name_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_a_token_is_what_the_header_says),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_every_truncation_and_extension_is_refused),
        cmocka_unit_test(test_shapes_that_are_no_token),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_a_foreign_ring_is_refused),
        cmocka_unit_test(test_another_daemons_key_is_unknown),
        cmocka_unit_test(test_signers_share_a_ring),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_programs_of_payloads),
        cmocka_unit_test(test_a_later_version_is_unknown),
        cmocka_unit_test(test_every_byte_of_a_payload_is_accounted_for),
        cmocka_unit_test(test_a_payload_has_one_spelling),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
