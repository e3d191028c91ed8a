/* Platform tokens. */
#include "api/jwt.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/jwk.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/mem.h"
#include "config.h"
#include "credit/token.h"
#include "yaml_reader.h"

enum { SHA256_BYTES = 32, P256_BYTES = 32, SIGNATURE_MAX = 1024, KEY_FILE_MAX = 1 << 20 };

#define DEV_ISSUER "minuted-dev"

struct issuer {
    char *name;
    char *audience; /* NULL: not asked for */
    char *portal;   /* NULL: the token carries it (--dev) */
    struct jwt_key_list keys;
};

struct jwt_issuers {
    struct issuer *items;
    size_t n;
};

/* ---- issuers ---- */

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

static struct issuer *add_issuer(
    struct jwt_issuers *issuers, const char *name, const char *audience, const char *portal)
{
    issuers->items = mem_realloc(issuers->items, (issuers->n + 1) * sizeof(*issuers->items));
    struct issuer *issuer = &issuers->items[issuers->n++];
    *issuer = (struct issuer){mem_strdup(name), copy_or_null(audience), copy_or_null(portal), {NULL, 0}};
    return issuer;
}

static char *describe_failure(const struct config *config, const struct config_issuer *from, const char *key,
    const char *path, const char *what)
{
    struct buf text = {0};
    buf_append_string(&text, config->file == NULL ? "configuration" : config->file);
    if (from->line > 0)
        buf_printf(&text, ":%d", from->line);
    buf_printf(&text, ": issuer '%s': %s %s: %s", from->issuer, key, path, what);
    buf_append_char(&text, '\0');
    return text.data;
}

static bool read_key_file(const char *path, struct buf *bytes, const char **problem)
{
    if (file_read(path, KEY_FILE_MAX, bytes))
        return true;
    *problem = strerror(errno);
    return false;
}

static bool load_keys(
    const struct config *config, const struct config_issuer *from, struct jwt_key_list *keys, char **error)
{
    struct buf bytes = {0};
    const char *problem = NULL;
    if (from->secret.bytes != NULL) {
        jwk_add_secret(keys, (struct slice){from->secret.bytes, from->secret.len});
        return true;
    }
    bool pem = from->public_key_file != NULL;
    const char *path = pem ? from->public_key_file : from->jwks_file;
    bool good =
        read_key_file(path, &bytes, &problem) && (pem ? jwk_add_pem(keys, buf_slice(&bytes), &problem)
                                                      : jwk_add_set(keys, buf_slice(&bytes), &problem));
    buf_free(&bytes);
    if (!good)
        *error = describe_failure(config, from, pem ? "public_key_file" : "jwks_file", path, problem);
    return good;
}

struct jwt_issuers *jwt_issuers_load(const struct config *config, char **error)
{
    struct jwt_issuers *issuers = mem_zalloc(sizeof(*issuers));
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        const struct config_issuer *from = &config->auth.issuers[i];
        struct issuer *issuer = add_issuer(issuers, from->issuer, from->audience, from->portal);
        if (!load_keys(config, from, &issuer->keys, error)) {
            jwt_issuers_free(issuers);
            return NULL;
        }
    }
    return issuers;
}

struct jwt_issuers *jwt_issuers_load_dev(const struct config *config, struct slice secret, char **error)
{
    struct jwt_issuers *issuers = jwt_issuers_load(config, error);
    if (issuers != NULL)
        jwk_add_secret(&add_issuer(issuers, DEV_ISSUER, NULL, NULL)->keys, secret);
    return issuers;
}

void jwt_issuers_free(struct jwt_issuers *issuers)
{
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < issuers->n; i++) {
        free(issuers->items[i].name);
        free(issuers->items[i].audience);
        free(issuers->items[i].portal);
        jwk_free(&issuers->items[i].keys);
    }
    free(issuers->items);
    free(issuers);
}

/* ---- a token's parts ---- */

struct parts {
    struct slice signed_text; /* header.payload */
    struct slice header;      /* decoded */
    struct slice payload;     /* decoded */
    unsigned char signature[SIGNATURE_MAX];
    size_t signature_len;
};

struct header {
    struct slice alg;
    struct slice kid;
    bool critical; /* has `crit`: something we would have to understand */
};

struct payload {
    struct slice issuer, subject, portal;
    bool audience_matches;
    bool has_expiry, has_not_before;
    double expires_s, not_before_s;
};

static bool decode(struct arena *arena, struct slice text, struct slice *out)
{
    char *bytes = arena_alloc(arena, text.len + 1);
    out->ptr = bytes;
    return bytes != NULL && text.len > 0 && base64url_decode(text.ptr, text.len, bytes, &out->len);
}

static bool split(struct slice token, struct arena *arena, struct parts *parts)
{
    const char *first = token.len > JWT_MAX ? NULL : memchr(token.ptr, '.', token.len);
    const char *end = token.ptr + token.len;
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL)
        return false;
    size_t signature_chars = (size_t)(end - second - 1);
    parts->signed_text = (struct slice){token.ptr, (size_t)(second - token.ptr)};
    return signature_chars > 0 && signature_chars <= SIGNATURE_MAX &&
           decode(arena, (struct slice){token.ptr, (size_t)(first - token.ptr)}, &parts->header) &&
           decode(arena, (struct slice){first + 1, (size_t)(second - first - 1)}, &parts->payload) &&
           base64url_decode(second + 1, signature_chars, parts->signature, &parts->signature_len);
}

/* A string member; anything else under that name makes the token unreadable. Twice is an attack. */
static bool read_text(struct json_reader *r, struct slice *out)
{
    return out->ptr == NULL && json_string(r, out);
}

static bool read_header(struct slice text, struct arena *arena, struct header *h)
{
    struct json_reader r;
    struct slice name;
    bool good = true;
    *h = (struct header){0};
    json_read(&r, text, arena);
    if (!json_object(&r))
        return false;
    while (good && json_member(&r, &name)) {
        if (slice_is(name, "alg"))
            good = read_text(&r, &h->alg);
        else if (slice_is(name, "kid"))
            good = read_text(&r, &h->kid);
        else
            good = json_skip(&r);
        h->critical = h->critical || slice_is(name, "crit");
    }
    return good && json_end(&r) && h->alg.ptr != NULL;
}

static bool read_time(struct json_reader *r, bool *has, double *out)
{
    struct json_number number;
    if (*has || !json_number(r, &number))
        return false;
    *has = true;
    *out = number.value;
    return true;
}

/* `aud` is one string or a list of them. */
static bool read_audience(struct json_reader *r, const char *wanted, bool *matches)
{
    struct slice text;
    if (json_next_type(r) == JSON_STRING) {
        if (!json_string(r, &text))
            return false;
        *matches = wanted != NULL && slice_is(text, wanted);
        return true;
    }
    if (!json_array(r))
        return false;
    while (json_element(r)) {
        if (!json_string(r, &text))
            return false;
        *matches = *matches || (wanted != NULL && slice_is(text, wanted));
    }
    return r->error == NULL;
}

static bool read_claim(struct json_reader *r, struct slice name, const char *audience, struct payload *p)
{
    if (slice_is(name, "iss"))
        return read_text(r, &p->issuer);
    if (slice_is(name, "sub"))
        return read_text(r, &p->subject);
    if (slice_is(name, "portal"))
        return json_next_type(r) == JSON_STRING ? read_text(r, &p->portal) : json_skip(r);
    if (slice_is(name, "exp"))
        return read_time(r, &p->has_expiry, &p->expires_s);
    if (slice_is(name, "nbf"))
        return read_time(r, &p->has_not_before, &p->not_before_s);
    if (slice_is(name, "aud"))
        return read_audience(r, audience, &p->audience_matches);
    return json_skip(r);
}

static bool read_payload(struct slice text, struct arena *arena, const char *audience, struct payload *p)
{
    struct json_reader r;
    struct slice name;
    bool good = true;
    *p = (struct payload){.audience_matches = audience == NULL};
    json_read(&r, text, arena);
    if (!json_object(&r))
        return false;
    while (good && json_member(&r, &name))
        good = read_claim(&r, name, audience, p);
    p->audience_matches = p->audience_matches || audience == NULL;
    return good && json_end(&r);
}

/* ---- signatures ---- */

static bool hmac_agrees(const struct jwt_key *key, const struct parts *parts)
{
    unsigned char mac[SHA256_BYTES];
    unsigned len = 0;
    return parts->signature_len == SHA256_BYTES &&
           HMAC(EVP_sha256(), key->secret, (int)key->secret_len,
               (const unsigned char *)parts->signed_text.ptr, parts->signed_text.len, mac, &len) != NULL &&
           CRYPTO_memcmp(mac, parts->signature, SHA256_BYTES) == 0;
}

static bool public_key_agrees(
    EVP_PKEY *key, const struct parts *parts, const unsigned char *signature, size_t signature_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool agrees = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                  EVP_DigestVerify(ctx, signature, signature_len,
                      (const unsigned char *)parts->signed_text.ptr, parts->signed_text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return agrees;
}

/* JWS writes r and s side by side (RFC 7518, 3.4); OpenSSL wants them in DER. */
static bool ecdsa_agrees(const struct jwt_key *key, const struct parts *parts)
{
    unsigned char *der = NULL;
    if (parts->signature_len != 2 * P256_BYTES)
        return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(parts->signature, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(parts->signature + P256_BYTES, P256_BYTES, NULL);
    ECDSA_SIG_set0(pair, r, s);
    int len = i2d_ECDSA_SIG(pair, &der);
    bool agrees = len > 0 && public_key_agrees(key->public, parts, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return agrees;
}

static bool signature_agrees(const struct jwt_key *key, const struct parts *parts)
{
    switch (key->algorithm) {
    case JWT_HS256:
        return hmac_agrees(key, parts);
    case JWT_RS256:
        return public_key_agrees(key->public, parts, parts->signature, parts->signature_len);
    default:
        return ecdsa_agrees(key, parts);
    }
}

static bool key_fits(const struct jwt_key_list *list, const struct jwt_key *key, const struct header *h)
{
    static const char *const names[] = {[JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_ES256] = "ES256"};
    bool chosen = key->id == NULL || (h->kid.ptr == NULL ? list->n == 1 : slice_is(h->kid, key->id));
    return chosen && slice_is(h->alg, names[key->algorithm]);
}

static bool signed_by(const struct jwt_key_list *list, const struct header *h, const struct parts *parts)
{
    for (size_t i = 0; i < list->n; i++)
        if (key_fits(list, &list->keys[i], h) && signature_agrees(&list->keys[i], parts))
            return true;
    return false;
}

/* ---- the interface ---- */

static bool judge_payload(
    const struct issuer *issuer, const struct payload *p, int64_t now_ms, const char **problem)
{
    double now_s = (double)now_ms / 1000.0;
    double leeway_s = JWT_LEEWAY_MS / 1000.0;
    if (!p->audience_matches)
        *problem = "the token is for another audience";
    else if (!p->has_expiry)
        *problem = "the token has no exp";
    else if (!(now_s < p->expires_s + leeway_s))
        *problem = "the token has expired";
    else if (p->has_not_before && !(now_s >= p->not_before_s - leeway_s))
        *problem = "the token is not valid yet";
    else if (p->subject.ptr == NULL)
        *problem = "the token has no sub";
    else if (!name_valid(p->subject))
        *problem = "the token's sub is not 1 to 128 bytes of text";
    else if (issuer->portal == NULL && !id_valid(p->portal))
        *problem = "the token has no portal";
    else
        return true;
    return false;
}

bool jwt_verify(const struct jwt_issuers *issuers, struct slice token, int64_t now_ms, struct arena *arena,
    struct jwt_claims *claims, const char **problem)
{
    struct parts parts;
    struct header header;
    struct payload payload;
    *problem = "the token is not a JWT that can be read";
    if (!split(token, arena, &parts) || !read_header(parts.header, arena, &header) || header.critical)
        return false;
    for (size_t i = 0; i < issuers->n; i++) {
        const struct issuer *issuer = &issuers->items[i];
        if (!read_payload(parts.payload, arena, issuer->audience, &payload))
            return false;
        if (payload.issuer.ptr == NULL || !slice_is(payload.issuer, issuer->name))
            continue;
        *problem = "the token's signature does not agree with its issuer's key";
        if (!signed_by(&issuer->keys, &header, &parts))
            continue;
        if (!judge_payload(issuer, &payload, now_ms, problem))
            return false;
        claims->portal = issuer->portal == NULL ? payload.portal : slice_of(issuer->portal);
        claims->subject = payload.subject;
        return true;
    }
    if (strstr(*problem, "signature") == NULL)
        *problem = "the token's issuer is not known here";
    return false;
}

size_t jwt_sign_dev(
    struct slice secret, struct slice portal, struct slice subject, int64_t expires_ms, char *out)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    struct buf payload = {0};
    unsigned char mac[SHA256_BYTES];
    unsigned len = 0;
    buf_append_string(&payload, "{\"iss\":\"" DEV_ISSUER "\",\"sub\":");
    json_write_string(&payload, subject);
    buf_append_string(&payload, ",\"portal\":");
    json_write_string(&payload, portal);
    buf_printf(&payload, ",\"exp\":%lld}", (long long)(expires_ms / 1000));
    size_t n = base64url_encode(header, sizeof(header) - 1, out);
    out[n++] = '.';
    n += base64url_encode(payload.data, payload.len, out + n);
    buf_free(&payload);
    if (HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)out, n, mac, &len) == NULL)
        abort();
    out[n++] = '.';
    return n + base64url_encode(mac, SHA256_BYTES, out + n);
}
