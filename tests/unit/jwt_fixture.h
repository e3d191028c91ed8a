/*
 * For tests of platform tokens: keys made here, tokens signed with them (good and forged), issuers of a
 * configuration.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "config/config.h"
#include "identity/jwt.h"
#include "identity/jwt_issuers.h"
#include "identity/jwt_key.h"

#define NOW_S 1673000000
#define NOW_MS (NOW_S * INT64_C(1000))
#define SECRET "a platform's secret of some length"

struct test_keys {
    EVP_PKEY *rsa, *rsa2, *rsa_1024, *ec, *ec2, *ec_p384;
};

static inline struct test_keys test_keys_new(void)
{
    return (struct test_keys){EVP_RSA_gen(2048), EVP_RSA_gen(2048), EVP_RSA_gen(1024), EVP_EC_gen("P-256"),
        EVP_EC_gen("P-256"), EVP_EC_gen("P-384")};
}

static inline void test_keys_free(struct test_keys *k)
{
    EVP_PKEY *const all[] = {k->rsa, k->rsa2, k->rsa_1024, k->ec, k->ec2, k->ec_p384};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        EVP_PKEY_free(all[i]);
}

/* ---- key files ---- */

static inline struct buf public_pem(EVP_PKEY *key)
{
    struct buf b = {0};
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    long len = BIO_get_mem_data(bio, &data);
    buf_append(&b, data, (size_t)len);
    BIO_free(bio);
    return b;
}

static inline void append_number(
    struct buf *b, EVP_PKEY *key, const char *member, const char *param, int size)
{
    BIGNUM *number = NULL;
    unsigned char bytes[1024];
    char text[BASE64URL_LEN(sizeof(bytes))];
    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
    int len = size > 0 ? size : BN_num_bytes(number);
    assert_int_equal(BN_bn2binpad(number, bytes, len), len);
    size_t n = base64url_encode(bytes, (size_t)len, text);
    buf_printf(b, "\"%s\":\"%.*s\",", member, (int)n, text);
    BN_free(number);
}

/* {…}: the key's numbers, then REST, the other members. */
static inline struct buf jwk_of(EVP_PKEY *key, const char *rest)
{
    struct buf b = {0};
    buf_append_char(&b, '{');
    if (EVP_PKEY_is_a(key, "RSA")) {
        append_number(&b, key, "n", OSSL_PKEY_PARAM_RSA_N, 0);
        append_number(&b, key, "e", OSSL_PKEY_PARAM_RSA_E, 0);
        buf_append_string(&b, "\"kty\":\"RSA\"");
    } else {
        int size = (EVP_PKEY_get_bits(key) + 7) / 8;
        append_number(&b, key, "x", OSSL_PKEY_PARAM_EC_PUB_X, size);
        append_number(&b, key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, size);
        buf_printf(&b, "\"kty\":\"EC\",\"crv\":\"P-%d\"", size * 8);
    }
    buf_printf(&b, "%s}", rest);
    return b;
}

/* ---- tokens ---- */

static inline void append_base64(struct buf *b, const void *bytes, size_t len)
{
    b->len += base64url_encode(bytes, len, buf_reserve(b, BASE64URL_LEN(len)));
}

static inline void append_rs256(struct buf *b, EVP_PKEY *key)
{
    unsigned char signature[512];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (unsigned char *)b->data, b->len), 1);
    EVP_MD_CTX_free(ctx);
    buf_append_char(b, '.');
    append_base64(b, signature, len);
}

/* With the signature as OpenSSL writes it (DER), or as JWS wants it. */
static inline void append_es256(struct buf *b, EVP_PKEY *key, bool as_der)
{
    unsigned char der[256];
    unsigned char pair[64];
    size_t len = sizeof(der);
    const unsigned char *p = der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, (unsigned char *)b->data, b->len), 1);
    EVP_MD_CTX_free(ctx);
    buf_append_char(b, '.');
    if (as_der) {
        append_base64(b, der, len);
        return;
    }
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &p, (long)len);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(signature), pair, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(signature), pair + 32, 32), 32);
    ECDSA_SIG_free(signature);
    append_base64(b, pair, sizeof(pair));
}

static inline void append_hs256(struct buf *b, struct slice secret)
{
    unsigned char mac[32];
    jwt_hmac(secret, buf_slice(b), mac);
    buf_append_char(b, '.');
    append_base64(b, mac, sizeof(mac));
}

/* header.payload */
static inline struct buf unsigned_token(const char *header, const char *payload)
{
    struct buf b = {0};
    append_base64(&b, header, strlen(header));
    buf_append_char(&b, '.');
    append_base64(&b, payload, strlen(payload));
    return b;
}

static inline struct buf hs256_token(const char *header, const char *payload, struct slice secret)
{
    struct buf b = unsigned_token(header, payload);
    append_hs256(&b, secret);
    return b;
}

/* Signed as KEY's type does. */
static inline struct buf key_token(const char *header, const char *payload, EVP_PKEY *key)
{
    struct buf b = unsigned_token(header, payload);
    if (EVP_PKEY_is_a(key, "RSA"))
        append_rs256(&b, key);
    else
        append_es256(&b, key, false);
    return b;
}

/* ---- issuers ---- */

static inline void write_temporary(char path[static 32], struct slice bytes)
{
    snprintf(path, 32, "/tmp/test_jwt.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    close(fd);
}

static inline struct jwt_issuers *load_issuers(struct config_issuer *issuers, size_t n, char **error)
{
    struct config config = {.file = (char *)"conf.yaml", .auth = {.issuers = issuers, .n_issuers = n}};
    *error = NULL;
    return jwt_issuers_load(&config, error);
}

/* One issuer "iss" of portal "p", audience "aud", whose key stands in a file; NULL with *ERROR when refused.
 */
static inline struct jwt_issuers *load_from_file(struct slice bytes, bool is_set, char **error)
{
    char path[32];
    write_temporary(path, bytes);
    struct config_issuer issuer = {
        .issuer = (char *)"iss", .audience = (char *)"aud", .portal = (char *)"p", .line = 7};
    if (is_set)
        issuer.jwks_file = path;
    else
        issuer.public_key_file = path;
    struct jwt_issuers *issuers = load_issuers(&issuer, 1, error);
    unlink(path);
    return issuers;
}

static inline struct jwt_issuers *load_secret(void)
{
    char *error;
    struct config_issuer issuer = {.issuer = (char *)"iss",
        .audience = (char *)"aud",
        .portal = (char *)"p",
        .secret = {(char *)SECRET, sizeof(SECRET) - 1}};
    return load_issuers(&issuer, 1, &error);
}

/* NULL when TOKEN is good at NOW_MS, else what is wrong. It ends where its block ends. */
static inline const char *problem_of(const struct jwt_issuers *issuers, struct slice token)
{
    struct arena arena = {0};
    struct jwt_claims claims;
    const char *problem = NULL;
    char *block = malloc(token.len + 1);
    assert_non_null(block);
    char *copy = memcpy(block + 1, token.ptr, token.len);
    bool good = jwt_verify(issuers, (struct slice){copy, token.len}, NOW_MS, &arena, &claims, &problem);
    assert_true(good || (problem != NULL && problem[0] != '\0'));
    if (good)
        assert_true(slice_is(claims.portal, "p"));
    free(block);
    arena_free(&arena);
    return good ? NULL : problem;
}

/* The same; frees TOKEN. */
static inline bool passes(const struct jwt_issuers *issuers, struct buf token)
{
    bool good = problem_of(issuers, buf_slice(&token)) == NULL;
    buf_free(&token);
    return good;
}
