/* Public keys. */
#include "api/jwk.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/json.h"
#include "base/mem.h"

enum { COORDINATE_BYTES = 32, NUMBER_BYTES_MAX = 1024 };

static void add_key(struct jwt_key_list *list, struct jwt_key key)
{
    list->keys = mem_realloc(list->keys, (list->n + 1) * sizeof(*list->keys));
    list->keys[list->n++] = key;
}

/* Which algorithm a public key verifies; false when it is none of ours. */
static bool classify(EVP_PKEY *key, enum jwt_algorithm *algorithm, const char **problem)
{
    char group[32] = "";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        *algorithm = JWT_RS256;
        *problem = "the RSA key has fewer than 2048 bits";
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    }
    *algorithm = JWT_ES256;
    *problem = "neither an RSA key nor one of the curve P-256";
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 && strcmp(group, "prime256v1") == 0;
}

bool jwk_add_pem(struct jwt_key_list *list, struct slice pem, const char **problem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    struct jwt_key added = {.public = key};
    if (key == NULL) {
        *problem = "not a public key in PEM (-----BEGIN PUBLIC KEY-----)";
        return false;
    }
    if (!classify(key, &added.algorithm, problem)) {
        EVP_PKEY_free(key);
        return false;
    }
    add_key(list, added);
    return true;
}

void jwk_add_secret(struct jwt_key_list *list, struct slice secret)
{
    struct jwt_key key = {
        .algorithm = JWT_HS256, .secret = mem_strndup(secret.ptr, secret.len), .secret_len = secret.len};
    add_key(list, key);
}

void jwk_free(struct jwt_key_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        EVP_PKEY_free(list->keys[i].public);
        free(list->keys[i].id);
        if (list->keys[i].secret != NULL)
            OPENSSL_cleanse(list->keys[i].secret, list->keys[i].secret_len);
        free(list->keys[i].secret);
    }
    free(list->keys);
    *list = (struct jwt_key_list){0};
}

/* ---- JSON Web Keys ---- */

struct jwk {
    struct slice kty, use, alg, kid, crv, n, e, x, y;
};

static struct slice *jwk_member(struct jwk *jwk, struct slice name)
{
    const struct {
        const char *name;
        struct slice *value;
    } members[] = {{"kty", &jwk->kty}, {"use", &jwk->use}, {"alg", &jwk->alg}, {"kid", &jwk->kid},
        {"crv", &jwk->crv}, {"n", &jwk->n}, {"e", &jwk->e}, {"x", &jwk->x}, {"y", &jwk->y}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (slice_is(name, members[i].name))
            return members[i].value;
    return NULL;
}

static void read_jwk(struct json_reader *r, struct jwk *jwk)
{
    struct slice name;
    *jwk = (struct jwk){0};
    if (!json_object(r))
        return;
    while (json_member(r, &name)) {
        struct slice *value = jwk_member(jwk, name);
        bool good = value != NULL && json_next_type(r) == JSON_STRING ? json_string(r, value) : json_skip(r);
        if (!good)
            return;
    }
}

static bool decode_number(struct slice text, unsigned char bytes[static NUMBER_BYTES_MAX], size_t *len)
{
    return text.len > 0 && text.len <= NUMBER_BYTES_MAX && base64url_decode(text.ptr, text.len, bytes, len);
}

static EVP_PKEY *build_key(const char *type, OSSL_PARAM_BLD *parts)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const struct jwk *jwk)
{
    unsigned char n_bytes[NUMBER_BYTES_MAX];
    unsigned char e_bytes[NUMBER_BYTES_MAX];
    size_t n_len;
    size_t e_len;
    if (!decode_number(jwk->n, n_bytes, &n_len) || !decode_number(jwk->e, e_bytes, &e_len))
        return NULL;
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_len, NULL);
    BIGNUM *e = BN_bin2bn(e_bytes, (int)e_len, NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e);
    EVP_PKEY *key = build_key("RSA", parts);
    OSSL_PARAM_BLD_free(parts);
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *ec_key(const struct jwk *jwk)
{
    unsigned char x[NUMBER_BYTES_MAX];
    unsigned char y[NUMBER_BYTES_MAX];
    unsigned char point[1 + 2 * COORDINATE_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x_len;
    size_t y_len;
    if (!slice_is(jwk->crv, "P-256") || !decode_number(jwk->x, x, &x_len) ||
        !decode_number(jwk->y, y, &y_len) || x_len != COORDINATE_BYTES || y_len != COORDINATE_BYTES)
        return NULL;
    memcpy(point + 1, x, COORDINATE_BYTES);
    memcpy(point + 1 + COORDINATE_BYTES, y, COORDINATE_BYTES);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
    EVP_PKEY *key = build_key("EC", parts);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

static bool is_for(struct slice given, const char *wanted)
{
    return given.ptr == NULL || slice_is(given, wanted);
}

/* Keys of other kinds and for other uses stand in the same sets: they are passed over. */
static void add_jwk(struct jwt_key_list *list, const struct jwk *jwk)
{
    const char *problem;
    struct jwt_key key = {0};
    if (!is_for(jwk->use, "sig") || list->n == JWK_KEYS_MAX)
        return;
    if (slice_is(jwk->kty, "RSA") && is_for(jwk->alg, "RS256"))
        key.public = rsa_key(jwk);
    else if (slice_is(jwk->kty, "EC") && is_for(jwk->alg, "ES256"))
        key.public = ec_key(jwk);
    if (key.public == NULL || !classify(key.public, &key.algorithm, &problem)) {
        EVP_PKEY_free(key.public);
        return;
    }
    if (jwk->kid.ptr != NULL)
        key.id = mem_strndup(jwk->kid.ptr, jwk->kid.len);
    add_key(list, key);
}

static void read_set(struct json_reader *r, struct jwt_key_list *list)
{
    struct slice name;
    struct jwk jwk;
    if (!json_object(r))
        return;
    while (json_member(r, &name)) {
        if (!slice_is(name, "keys")) {
            json_skip(r);
            continue;
        }
        if (!json_array(r))
            return;
        while (json_element(r)) {
            read_jwk(r, &jwk);
            if (r->error == NULL)
                add_jwk(list, &jwk);
        }
    }
}

bool jwk_add_set(struct jwt_key_list *list, struct slice json, const char **problem)
{
    struct arena arena = {0};
    struct json_reader r;
    size_t before = list->n;
    json_read(&r, json, &arena);
    read_set(&r, list);
    bool whole = json_end(&r);
    arena_free(&arena);
    *problem = !whole ? "not valid JSON" : "no RSA or P-256 key for signatures in it";
    return whole && list->n > before;
}
