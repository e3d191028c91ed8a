/* Platform tokens: public keys from PEM and key sets, the choice by kid, and attacks on signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/jwk.h"
#include "jwt_fixture.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HS "{\"alg\":\"HS256\"}"
#define RS "{\"alg\":\"RS256\"}"
#define ES "{\"alg\":\"ES256\"}"
#define CLAIMS "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"teacher-1\",\"exp\":1673003600}"

static int make_keys(void **state)
{
    struct test_keys *keys = malloc(sizeof(*keys));
    assert_non_null(keys);
    *keys = test_keys_new();
    *state = keys;
    return 0;
}

static int free_keys(void **state)
{
    test_keys_free(*state);
    free(*state);
    return 0;
}

/* ---- PEM ---- */

static struct jwt_issuers *load_public(EVP_PKEY *key)
{
    char *error;
    struct buf pem = public_pem(key);
    struct jwt_issuers *issuers = load_from_file(buf_slice(&pem), false, &error);
    assert_non_null(issuers);
    buf_free(&pem);
    return issuers;
}

static void test_rs256(void **state)
{
    const struct test_keys *k = *state;
    struct jwt_issuers *issuers = load_public(k->rsa);
    assert_true(passes(issuers, key_token(RS, CLAIMS, k->rsa)));
    assert_true(passes(issuers, key_token("{\"alg\":\"RS256\",\"kid\":\"any\"}", CLAIMS, k->rsa)));
    assert_false(passes(issuers, key_token(RS, CLAIMS, k->rsa2)));
    assert_false(passes(issuers, key_token(RS, CLAIMS, k->ec)));
    static const char *const others[] = {
        "RS384", "RS512", "PS256", "rs256", "ES256", "HS256", "none", "RS256 "};
    for (size_t i = 0; i < COUNT(others); i++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", others[i]);
        assert_false(passes(issuers, key_token(header, CLAIMS, k->rsa)));
    }
    jwt_issuers_free(issuers);
}

static void test_es256(void **state)
{
    const struct test_keys *k = *state;
    struct jwt_issuers *issuers = load_public(k->ec);
    for (int i = 0; i < 50; i++) /* r and s of every length */
        assert_true(passes(issuers, key_token(ES, CLAIMS, k->ec)));
    assert_false(passes(issuers, key_token(ES, CLAIMS, k->ec2)));
    assert_false(passes(issuers, key_token(RS, CLAIMS, k->ec)));
    assert_false(passes(issuers, key_token("{\"alg\":\"es256\"}", CLAIMS, k->ec)));
    struct buf longer = unsigned_token(ES, CLAIMS);
    unsigned char pair[65];
    size_t n;
    append_es256(&longer, k->ec, false);
    longer.len -= BASE64URL_LEN(64);
    assert_true(base64url_decode(longer.data + longer.len, BASE64URL_LEN(64), pair, &n));
    pair[64] = 0;
    append_base64(&longer, pair, sizeof(pair));
    assert_false(passes(issuers, longer));
    struct buf der = unsigned_token(ES, CLAIMS);
    append_es256(&der, k->ec, true);
    assert_false(passes(issuers, der));
    jwt_issuers_free(issuers);
}

/* r = 0, s = 0, r = n, everything 0xff, wrong lengths, the halves swapped. */
static void test_es256_numbers_out_of_range(void **state)
{
    const struct test_keys *k = *state;
    struct jwt_issuers *issuers = load_public(k->ec);
    unsigned char zero[96] = {0};
    unsigned char ones[96];
    unsigned char order[64];
    memset(ones, 0xff, sizeof(ones));
    memset(order, 0, sizeof(order));
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_bn2binpad(EC_GROUP_get0_order(group), order, 32);
    order[63] = 1;
    EC_GROUP_free(group);
    const struct {
        const unsigned char *bytes;
        size_t len;
    } rows[] = {{zero, 64}, {ones, 64}, {order, 64}, {zero, 63}, {zero, 65}, {zero, 32}, {zero, 1},
        {ones, 96}, {zero, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = unsigned_token(ES, CLAIMS);
        buf_append_char(&b, '.');
        append_base64(&b, rows[i].bytes, rows[i].len);
        assert_false(passes(issuers, b));
    }
    struct buf b = key_token(ES, CLAIMS, k->ec);
    unsigned char pair[64];
    unsigned char swapped[64];
    size_t n;
    b.len -= BASE64URL_LEN(64);
    assert_true(base64url_decode(b.data + b.len, BASE64URL_LEN(64), pair, &n));
    memcpy(swapped, pair + 32, 32);
    memcpy(swapped + 32, pair, 32);
    append_base64(&b, swapped, 64);
    assert_false(passes(issuers, b));
    jwt_issuers_free(issuers);
}

/* A public key is no secret: whatever is made of it, HS256 with it is refused. */
static void test_a_public_key_is_no_hmac_secret(void **state)
{
    const struct test_keys *k = *state;
    EVP_PKEY *const keys[] = {k->rsa, k->ec};
    static const char *const headers[] = {HS, RS, ES};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct jwt_issuers *issuers = load_public(keys[i]);
        struct buf pem = public_pem(keys[i]);
        unsigned char *der = NULL;
        int der_len = i2d_PUBKEY(keys[i], &der);
        struct slice trimmed = {pem.data, pem.len - 1};
        const struct slice secrets[] = {buf_slice(&pem), trimmed, {(char *)der, (size_t)der_len},
            SLICE_LITERAL(""), SLICE_LITERAL(SECRET)};
        for (size_t s = 0; s < COUNT(secrets); s++)
            for (size_t h = 0; h < COUNT(headers); h++)
                assert_false(passes(issuers, hs256_token(headers[h], CLAIMS, secrets[s])));
        OPENSSL_free(der);
        buf_free(&pem);
        jwt_issuers_free(issuers);
    }
}

static void test_none(void **state)
{
    const struct test_keys *k = *state;
    static const char *const algorithms[] = {"none", "None", "NONE", "nOnE", "", "null"};
    struct jwt_issuers *all[] = {load_public(k->rsa), load_public(k->ec), load_secret()};
    for (size_t i = 0; i < COUNT(all); i++) {
        for (size_t a = 0; a < COUNT(algorithms); a++) {
            static const char *const signatures[] = {"", ".", ".AA", ".e30", "."};
            for (size_t s = 0; s < COUNT(signatures); s++) {
                char header[64];
                snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[a]);
                struct buf b = unsigned_token(header, CLAIMS);
                buf_append_string(&b, signatures[s]);
                assert_false(passes(all[i], b));
            }
        }
        jwt_issuers_free(all[i]);
    }
}

/* The signature of one token under another's claims; any damage to a signature. */
static void test_signatures_belong_to_one_token(void **state)
{
    const struct test_keys *k = *state;
    EVP_PKEY *const keys[] = {k->rsa, k->ec};
    static const char *const headers[] = {RS, ES};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct jwt_issuers *issuers = load_public(keys[i]);
        struct buf good = key_token(headers[i], CLAIMS, keys[i]);
        struct buf forged =
            unsigned_token(headers[i], "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"x\",\"exp\":1673003600}");
        buf_append_string(&good, "");
        const char *dot = memrchr(good.data, '.', good.len);
        buf_append(&forged, dot, (size_t)(good.data + good.len - dot));
        assert_false(passes(issuers, forged));
        size_t start = (size_t)(dot + 1 - good.data);
        for (size_t bit = start * 8; bit < good.len * 8; bit += 3) {
            good.data[bit / 8] = (char)(good.data[bit / 8] ^ 1 << bit % 8);
            assert_non_null(problem_of(issuers, buf_slice(&good)));
            good.data[bit / 8] = (char)(good.data[bit / 8] ^ 1 << bit % 8);
        }
        for (size_t n = start; n < good.len; n++)
            assert_non_null(problem_of(issuers, (struct slice){good.data, n}));
        assert_true(passes(issuers, good));
        jwt_issuers_free(issuers);
    }
}

/* ---- files that hold no usable key ---- */

static void assert_refused(struct slice bytes, bool is_set, const char *what)
{
    char *error;
    char wanted[300];
    struct jwt_issuers *issuers = load_from_file(bytes, is_set, &error);
    if (issuers != NULL)
        fail_msg("accepted, where wanted: %s", what);
    snprintf(wanted, sizeof(wanted), "conf.yaml:7: issuer 'iss': cannot read %s '",
        is_set ? "jwks_file" : "public_key_file");
    assert_memory_equal(error, wanted, strlen(wanted));
    snprintf(wanted, sizeof(wanted), "': %s", what);
    if (strlen(error) < strlen(wanted) || strcmp(error + strlen(error) - strlen(wanted), wanted) != 0)
        fail_msg("%s\nwanted: %s", error, what);
    free(error);
}

static void test_a_missing_file(void **state)
{
    (void)state;
    char *error;
    struct config_issuer issuer = {.issuer = (char *)"iss",
        .portal = (char *)"p",
        .jwks_file = (char *)"/nowhere/keys.json",
        .line = 12};
    assert_null(load_issuers(&issuer, 1, &error));
    assert_string_equal(error,
        "conf.yaml:12: issuer 'iss': cannot read jwks_file '/nowhere/keys.json': No such file or directory");
    free(error);
    issuer.line = 0;
    assert_null(load_issuers(&issuer, 1, &error));
    assert_memory_equal(error, "conf.yaml: issuer", 17);
    free(error);
}

static struct buf private_pem(EVP_PKEY *key, bool encrypted)
{
    struct buf b = {0};
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, encrypted ? EVP_aes_128_cbc() : NULL,
                         encrypted ? "pass" : NULL, encrypted ? 4 : 0, NULL, NULL),
        1);
    long len = BIO_get_mem_data(bio, &data);
    buf_append(&b, data, (size_t)len);
    BIO_free(bio);
    return b;
}

static void test_pem_files_that_are_refused(void **state)
{
    const struct test_keys *k = *state;
    static const char no_key[] = "it has no public key in PEM (-----BEGIN PUBLIC KEY-----)";
    assert_refused(SLICE_LITERAL(""), false, no_key);
    assert_refused(SLICE_LITERAL("hello"), false, no_key);
    assert_refused(
        SLICE_LITERAL("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), false, no_key);
    struct buf clear = private_pem(k->ec, false);
    assert_refused(buf_slice(&clear), false, no_key);
    buf_free(&clear);
    struct buf encrypted = private_pem(k->ec, true); /* nobody is asked for a passphrase */
    assert_refused(buf_slice(&encrypted), false, no_key);
    buf_free(&encrypted);
    EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const struct {
        EVP_PKEY *key;
        const char *problem;
    } rows[] = {{k->rsa_1024, "the RSA key has fewer than 2048 bits"},
        {k->ec_p384, "neither an RSA key nor one of the curve P-256"},
        {ed25519, "neither an RSA key nor one of the curve P-256"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf pem = public_pem(rows[i].key);
        assert_refused(buf_slice(&pem), false, rows[i].problem);
        buf_free(&pem);
    }
    EVP_PKEY_free(ed25519);
}

/* ---- key sets ---- */

/* {"keys": [KEYS…]} of the keys with their other members. */
struct set_key {
    EVP_PKEY *key;
    const char *rest;
};

static struct buf set_of(const struct set_key *keys, size_t n)
{
    struct buf b = {0};
    buf_append_string(&b, "{\"x\":[1],\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        struct buf jwk = jwk_of(keys[i].key, keys[i].rest);
        buf_append_string(&b, i > 0 ? "," : "");
        buf_append_slice(&b, buf_slice(&jwk));
        buf_free(&jwk);
    }
    buf_append_string(&b, "]}");
    return b;
}

static struct jwt_issuers *load_set(const struct set_key *keys, size_t n)
{
    char *error;
    struct buf set = set_of(keys, n);
    struct jwt_issuers *issuers = load_from_file(buf_slice(&set), true, &error);
    if (issuers == NULL)
        fail_msg("%s", error);
    buf_free(&set);
    return issuers;
}

#define KID(id) ",\"kid\":\"" id "\""

static void test_a_set_chooses_by_kid(void **state)
{
    const struct test_keys *k = *state;
    const struct set_key set[] = {{k->rsa, KID("r1") ",\"use\":\"sig\",\"alg\":\"RS256\""},
        {k->ec, KID("e1")}, {k->ec2, KID("e2") ",\"alg\":\"ES256\",\"key_ops\":[\"verify\"]"}, {k->rsa2, ""}};
    const struct {
        bool good;
        const char *header;
        EVP_PKEY *key;
    } rows[] = {{true, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", k->rsa},
        {true, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", k->ec},
        {true, "{\"alg\":\"ES256\",\"kid\":\"e2\"}", k->ec2},
        {false, "{\"alg\":\"ES256\",\"kid\":\"e2\"}", k->ec},
        {false, "{\"alg\":\"ES256\",\"kid\":\"r1\"}", k->ec},
        {false, "{\"alg\":\"RS256\",\"kid\":\"e1\"}", k->rsa},
        {false, "{\"alg\":\"RS256\",\"kid\":\"R1\"}", k->rsa},
        {false, "{\"alg\":\"RS256\",\"kid\":\"r1 \"}", k->rsa},
        {false, "{\"alg\":\"RS256\",\"kid\":\"\"}", k->rsa},
        {false, "{\"alg\":\"RS256\",\"kid\":\"r1\\u0000\"}", k->rsa}, {false, RS, k->rsa}, {false, ES, k->ec},
        {false, RS, k->rsa2}, {false, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", k->rsa2},
        {false, "{\"alg\":\"RS256\",\"kid\":\"x\"}", k->rsa2},
        {false, "{\"alg\":\"RS256\",\"kid\":[\"r1\"]}", k->rsa},
        {false, "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}", k->rsa}};
    struct jwt_issuers *issuers = load_set(set, COUNT(set));
    for (size_t i = 0; i < COUNT(rows); i++)
        if (passes(issuers, key_token(rows[i].header, CLAIMS, rows[i].key)) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].header);
    /* keys that the token itself brings or points to are nothing */
    struct buf own = jwk_of(k->rsa2, "");
    struct buf header = {0};
    buf_printf(&header, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"jku\":\"https://x\",\"jwk\":%.*s}", (int)own.len,
        own.data);
    buf_append_char(&header, '\0');
    assert_false(passes(issuers, key_token(header.data, CLAIMS, k->rsa2)));
    assert_true(passes(issuers, key_token(header.data, CLAIMS, k->rsa)));
    buf_free(&own);
    buf_free(&header);
    jwt_issuers_free(issuers);
}

/* Without a kid in the token, only a set of exactly one usable key answers. */
static void test_no_kid(void **state)
{
    const struct test_keys *k = *state;
    const struct set_key one[] = {{k->rsa, KID("r1")}, {k->ec, ",\"use\":\"enc\""}, {k->ec_p384, ""},
        {k->rsa_1024, ""}, {k->rsa2, ",\"alg\":\"PS256\""}};
    struct jwt_issuers *issuers = load_set(one, COUNT(one));
    assert_true(passes(issuers, key_token(RS, CLAIMS, k->rsa)));
    assert_false(passes(issuers, key_token(RS, CLAIMS, k->rsa2)));
    assert_false(passes(issuers, key_token(ES, CLAIMS, k->ec)));
    assert_false(passes(issuers, key_token("{\"alg\":\"RS256\",\"kid\":\"r2\"}", CLAIMS, k->rsa)));
    jwt_issuers_free(issuers);
    const struct set_key nameless[] = {{k->ec, ""}};
    issuers = load_set(nameless, 1);
    assert_true(passes(issuers, key_token(ES, CLAIMS, k->ec)));
    assert_false(passes(issuers, key_token(ES, CLAIMS, k->ec2)));
    jwt_issuers_free(issuers);
    const struct set_key two_nameless[] = {{k->ec, ""}, {k->rsa, ""}};
    issuers = load_set(two_nameless, 2);
    assert_false(passes(issuers, key_token(ES, CLAIMS, k->ec)));
    assert_false(passes(issuers, key_token("{\"alg\":\"RS256\",\"kid\":\"r1\"}", CLAIMS, k->rsa)));
    jwt_issuers_free(issuers);
}

static void test_keys_that_are_passed_over(void **state)
{
    const struct test_keys *k = *state;
    static const char none[] = "it has no RSA or P-256 key for signatures";
    const struct set_key rows[] = {{k->rsa, ",\"use\":\"enc\""}, {k->rsa, ",\"use\":\"\""},
        {k->rsa, ",\"use\":5,\"kid\":\"x\""}, {k->rsa, ",\"alg\":\"RS512\""}, {k->rsa, ",\"alg\":\"rs256\""},
        {k->rsa, ",\"alg\":\"HS256\""}, {k->rsa, ",\"alg\":null"}, {k->rsa, ",\"alg\":\"ES256\""},
        {k->ec, ",\"alg\":\"RS256\""}, {k->rsa_1024, ""}, {k->ec_p384, ""}, {k->rsa, ",\"n\":\"AQAB\""},
        {k->rsa, ",\"n\":\"\""}, {k->rsa, ",\"n\":\"!!!!\""}, {k->rsa, ",\"n\":5"}, {k->rsa, ",\"e\":\"AQ\""},
        {k->rsa, ",\"e\":\"AA\""}, {k->rsa, ",\"e\":\"Ag\""}, {k->ec, ",\"x\":\"AQAB\""},
        {k->ec, ",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""}, {k->ec, ",\"y\":\"\""},
        {k->ec, ",\"crv\":\"P-384\""}, {k->ec, ",\"crv\":\"p-256\""}, {k->ec, ",\"kty\":\"RSA\""},
        {k->rsa, ",\"kty\":\"EC\""}, {k->rsa, ",\"kty\":\"rsa\""}, {k->rsa, ",\"kty\":\"OKP\""},
        {k->rsa, ",\"kid\":7"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf set = set_of(&rows[i], 1);
        assert_refused(buf_slice(&set), true, none);
        buf_free(&set);
    }
    assert_refused(SLICE_LITERAL("{\"keys\":[]}"), true, none);
    assert_refused(SLICE_LITERAL("{}"), true, none);
    assert_refused(SLICE_LITERAL("{\"keys\":[{}]}"), true, none);
    assert_refused(SLICE_LITERAL("{\"keys\":[{\"kty\":\"RSA\"}]}"), true, none);
}

static void test_sets_that_are_refused(void **state)
{
    const struct test_keys *k = *state;
    static const char no_set[] = "not a key set in JSON ({\"keys\": [...]})";
    static const char *const rows[] = {"", "[]", "x", "{\"keys\":{}}", "{\"keys\":[1]}", "{\"keys\":[{}]",
        "{\"keys\":[]}x", "{\"keys\":null}"};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_refused(slice_of(rows[i]), true, no_set);
    const struct set_key with_oct[] = {{k->rsa, ""}, {k->ec, ",\"kty\":\"oct\",\"k\":\"AAAA\""}};
    struct buf set = set_of(with_oct, 2);
    assert_refused(buf_slice(&set), true, "a key set must not contain a symmetric key (kty oct)");
    buf_free(&set);
    struct set_key many[JWK_KEYS_MAX + 1];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct set_key){k->ec, KID("same")};
    set = set_of(many, COUNT(many));
    assert_refused(buf_slice(&set), true, "it has more than 64 keys");
    buf_free(&set);
    struct jwt_issuers *issuers = load_set(many, COUNT(many) - 1);
    jwt_issuers_free(issuers);
    struct buf large = {0};
    memset(buf_reserve(&large, (1 << 20) + 1), ' ', (1 << 20) + 1);
    large.len = (1 << 20) + 1;
    assert_refused(buf_slice(&large), true, "File too large");
    buf_free(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rs256),
        cmocka_unit_test(test_es256),
        cmocka_unit_test(test_es256_numbers_out_of_range),
        cmocka_unit_test(test_a_public_key_is_no_hmac_secret),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_signatures_belong_to_one_token),
        cmocka_unit_test(test_a_missing_file),
        cmocka_unit_test(test_pem_files_that_are_refused),
        cmocka_unit_test(test_a_set_chooses_by_kid),
        cmocka_unit_test(test_no_kid),
        cmocka_unit_test(test_keys_that_are_passed_over),
        cmocka_unit_test(test_sets_that_are_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
