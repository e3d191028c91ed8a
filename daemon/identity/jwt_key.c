/* The keys that platform tokens are verified with. */
#include "identity/jwt_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SHA256_BYTES = 32, P256_BYTES = 32 };

/* ---- lists ---- */

static void add_key(struct jwt_key_list *list, struct jwt_key key)
{
    list->keys = mem_realloc(list->keys, (list->n + 1) * sizeof(*list->keys));
    list->keys[list->n++] = key;
}

void jwt_key_add_secret(struct jwt_key_list *list, struct slice secret)
{
    add_key(list,
        (struct jwt_key){
            .algorithm = JWT_HS256, .secret = mem_strndup(secret.ptr, secret.len), .secret_len = secret.len});
}

bool jwt_key_add_public(struct jwt_key_list *list, EVP_PKEY *public, struct slice id, const char **problem)
{
    char curve[32] = "";
    bool rsa = EVP_PKEY_is_a(public, "RSA");
    *problem = NULL;
    if (EVP_PKEY_is_a(public, "EC") && EVP_PKEY_get_group_name(public, curve, sizeof(curve), NULL) != 1)
        curve[0] = '\0';
    if (!rsa && strcmp(curve, "prime256v1") != 0) {
        *problem = "neither an RSA key nor one of the curve P-256";
    } else if (rsa && EVP_PKEY_get_bits(public) < RSA_BITS_MIN) {
        *problem = "the RSA key has fewer than 2048 bits";
    } else if (rsa && EVP_PKEY_get_bits(public) > RSA_BITS_MAX) {
        *problem = "the RSA key has more than 8192 bits";
    } else { /* a point may lie off the curve, or an exponent be even */
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, public, NULL);
        if (ctx == NULL || EVP_PKEY_public_check(ctx) != 1)
            *problem = "the key's numbers are not a valid key";
        EVP_PKEY_CTX_free(ctx);
    }
    if (*problem != NULL) {
        EVP_PKEY_free(public);
        return false;
    }
    add_key(list, (struct jwt_key){.algorithm = rsa ? JWT_RS256 : JWT_ES256,
                      .id = id.len > 0 ? mem_strndup(id.ptr, id.len) : NULL,
                      .public = public});
    return true;
}

/* Refuses to give a passphrase, since OpenSSL would ask for that of an encrypted file on the terminal. */
static int no_passphrase(char *text, int size, int writing, void *ctx)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

bool jwt_key_add_pem(struct jwt_key_list *list, struct slice pem, const char **problem)
{
    BIO *bio = pem.len == 0 ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key != NULL)
        return jwt_key_add_public(list, key, (struct slice){NULL, 0}, problem);
    *problem = "it has no public key in PEM (-----BEGIN PUBLIC KEY-----)";
    return false;
}

void jwt_key_list_free(struct jwt_key_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct jwt_key *key = &list->keys[i];
        EVP_PKEY_free(key->public);
        free(key->id);
        if (key->secret != NULL)
            OPENSSL_cleanse(key->secret, key->secret_len);
        free(key->secret);
    }
    free(list->keys);
    *list = (struct jwt_key_list){0};
}

/* ---- signatures ---- */

const char *jwt_key_algorithm(const struct jwt_key *key)
{
    static const char *const names[] = {[JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_ES256] = "ES256"};
    return names[key->algorithm];
}

void jwt_hmac(struct slice secret, struct slice text, unsigned char mac[static 32])
{
    size_t len;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.ptr, secret.len, (const unsigned char *)text.ptr,
            text.len, mac, SHA256_BYTES, &len) == NULL)
        abort();
}

static bool public_key_agrees(EVP_PKEY *key, struct slice text, const void *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool agrees = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                  EVP_DigestVerify(ctx, signature, len, (const unsigned char *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return agrees;
}

/* JWS writes the two numbers of a signature, r and s, side by side; OpenSSL wants them in DER. */
static bool ecdsa_agrees(const struct jwt_key *key, struct slice text, struct slice signature)
{
    unsigned char *der = NULL;
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    if (signature.len != 2 * P256_BYTES)
        return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
    if (ECDSA_SIG_set0(pair, r, s) != 1)
        abort();
    int len = i2d_ECDSA_SIG(pair, &der);
    bool agrees = len > 0 && public_key_agrees(key->public, text, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return agrees;
}

bool jwt_key_signed(const struct jwt_key *key, struct slice text, struct slice signature)
{
    unsigned char mac[SHA256_BYTES];
    switch (key->algorithm) {
    case JWT_HS256:
        if (signature.len != SHA256_BYTES)
            return false;
        jwt_hmac((struct slice){key->secret, key->secret_len}, text, mac);
        return CRYPTO_memcmp(mac, signature.ptr, SHA256_BYTES) == 0;
    case JWT_RS256:
        return public_key_agrees(key->public, text, signature.ptr, signature.len);
    default:
        return ecdsa_agrees(key, text, signature);
    }
}
