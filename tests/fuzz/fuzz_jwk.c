/*
 * Any text as a JSON Web Key set: refused with a reason, or sound keys, no more than allowed, that take no
 * signature they did not make; read again, it gives the same curve keys.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "budget.h"
#include "identity/jwk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* OpenSSL fills tables of its own; checking a key takes a test for primes, 0.4 s for one of RSA_BITS_MAX. */
static const struct budget budget = {512 * 1024, 128, 200000, 500};

static void check_key(const struct jwt_key *key)
{
    static const char zeros[512] = {0};
    assert(key->algorithm == JWT_RS256 || key->algorithm == JWT_ES256);
    assert(key->public != NULL && key->secret == NULL);
    assert((key->algorithm == JWT_RS256) == EVP_PKEY_is_a(key->public, "RSA"));
    assert(EVP_PKEY_get_bits(key->public) >= (key->algorithm == JWT_RS256 ? RSA_BITS_MIN : 256));
    bool taken = jwt_key_signed(key, SLICE_LITERAL("text"), (struct slice){zeros, sizeof(zeros)});
    assert(!taken);
    taken = jwt_key_signed(key, SLICE_LITERAL("text"), (struct slice){zeros, 64});
    assert(!taken);
}

/* From I on. */
static size_t next_curve_key(const struct jwt_key_list *list, size_t i)
{
    while (i < list->n && list->keys[i].algorithm != JWT_ES256)
        i++;
    return i;
}

static bool same_curve_keys(const struct jwt_key_list *a, const struct jwt_key_list *b)
{
    size_t i = next_curve_key(a, 0);
    size_t j = next_curve_key(b, 0);
    while (i < a->n && j < b->n) {
        if (EVP_PKEY_eq(a->keys[i].public, b->keys[j].public) != 1 ||
            (a->keys[i].id == NULL) != (b->keys[j].id == NULL))
            return false;
        i = next_curve_key(a, i + 1);
        j = next_curve_key(b, j + 1);
    }
    return i >= a->n && j >= b->n;
}

static bool has_rsa_key(const struct jwt_key_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->keys[i].algorithm == JWT_RS256)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice json = {(const char *)data, size};
    struct jwt_key_list list = {0};
    struct jwt_key_list again = {0};
    const char *problem = NULL;
    budget_begin();
    bool good = jwk_add_set(&list, json, &problem);
    assert(good == (problem == NULL) && (good || problem[0] != '\0'));
    if (good) {
        assert(list.n >= 1 && list.n <= JWK_KEYS_MAX);
        for (size_t i = 0; i < list.n; i++)
            check_key(&list.keys[i]);
        /* OpenSSL throws dice to find a factor of a modulus: a spoiled RSA key may pass once and then fail */
        if (jwk_add_set(&again, json, &problem))
            assert(same_curve_keys(&list, &again));
        else
            assert(has_rsa_key(&list) || has_rsa_key(&again));
    }
    jwt_key_list_free(&list);
    jwt_key_list_free(&again);
    budget_end(&budget, size);
    return 0;
}
