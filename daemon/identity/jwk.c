/* JSON Web Key sets. */
#include "identity/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "base/base64url.h"
#include "base/json.h"

enum { COORDINATE_BYTES = 32, NUMBER_CHARS_MAX = BASE64URL_LEN(RSA_BITS_MAX / 8) };

struct jwk {
    struct slice kty, use, alg, kid, crv, n, e, x, y;
    bool broken; /* one of the members is no string */
};

static bool read_jwk(struct json_reader *r, struct jwk *jwk)
{
    const struct {
        const char *name;
        struct slice *value;
    } members[] = {{"kty", &jwk->kty}, {"use", &jwk->use}, {"alg", &jwk->alg}, {"kid", &jwk->kid},
        {"crv", &jwk->crv}, {"n", &jwk->n}, {"e", &jwk->e}, {"x", &jwk->x}, {"y", &jwk->y}};
    struct slice name;
    *jwk = (struct jwk){0};
    if (!json_object(r))
        return false;
    while (json_member(r, &name)) {
        struct slice *value = NULL;
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && value == NULL; i++)
            if (slice_is(name, members[i].name))
                value = members[i].value;
        bool text = json_next_type(r) == JSON_STRING;
        jwk->broken = jwk->broken || (value != NULL && !text);
        if (!(value != NULL && text ? json_string(r, value) : json_skip(r)))
            return false;
    }
    return r->error == NULL;
}

/* ---- keys ---- */

static bool decode_number(struct slice text, unsigned char bytes[static NUMBER_CHARS_MAX], size_t *len)
{
    return text.len > 0 && text.len <= NUMBER_CHARS_MAX && base64url_decode(text.ptr, text.len, bytes, len);
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
    unsigned char n_bytes[NUMBER_CHARS_MAX];
    unsigned char e_bytes[NUMBER_CHARS_MAX];
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
    unsigned char x[NUMBER_CHARS_MAX];
    unsigned char y[NUMBER_CHARS_MAX];
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

/* Sets *PROBLEM where the whole set must be refused. A key that cannot be used, or could not have signed a
 * token, is passed over. */
static void add_jwk(struct jwt_key_list *list, const struct jwk *jwk, const char **problem)
{
    const char *unusable;
    if (slice_is(jwk->kty, "oct")) {
        *problem = "a key set must not contain a symmetric key (kty oct)";
        return;
    }
    EVP_PKEY *key = NULL;
    if (jwk->broken || !is_for(jwk->use, "sig"))
        return;
    if (slice_is(jwk->kty, "RSA") && is_for(jwk->alg, "RS256"))
        key = rsa_key(jwk);
    else if (slice_is(jwk->kty, "EC") && is_for(jwk->alg, "ES256"))
        key = ec_key(jwk);
    if (key == NULL || !jwt_key_add_public(list, key, jwk->kid, &unusable))
        return;
    if (list->n > JWK_KEYS_MAX)
        *problem = "it has more than 64 keys";
}

bool jwk_add_set(struct jwt_key_list *list, struct slice json, const char **problem)
{
    struct arena arena = {0};
    struct json_reader r;
    struct slice name;
    struct jwk jwk;
    *problem = NULL;
    json_read(&r, json, &arena);
    if (json_object(&r)) {
        while (*problem == NULL && json_member(&r, &name)) {
            if (!slice_is(name, "keys"))
                json_skip(&r);
            else if (json_array(&r))
                while (*problem == NULL && json_element(&r) && read_jwk(&r, &jwk))
                    add_jwk(list, &jwk, problem);
        }
    }
    if (*problem == NULL && !json_end(&r))
        *problem = "not a key set in JSON ({\"keys\": [...]})";
    arena_free(&arena);
    if (*problem == NULL && list->n == 0)
        *problem = "it has no RSA or P-256 key for signatures";
    return *problem == NULL;
}
