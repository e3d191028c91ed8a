/*
 * Any text as a JSON Web Key set: refused with a reason, or sound keys, no more than allowed, that take no
 * signature they did not make; read again, or next to others, it gives the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/jwk.h"
#include "budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* OpenSSL fills tables of its own; checking a key takes a test for primes, 0.4 s for one of RSA_BITS_MAX. */
static const struct budget budget = {512 * 1024, 128, 200000, 1000};

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

static bool same_keys(const struct jwt_key_list *a, const struct jwt_key_list *b)
{
    for (size_t i = 0; i < a->n && a->n == b->n; i++)
        if (EVP_PKEY_eq(a->keys[i].public, b->keys[i].public) != 1 ||
            (a->keys[i].id == NULL) != (b->keys[i].id == NULL))
            return false;
    return a->n == b->n;
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
        /* OpenSSL throws dice to find a factor of a modulus: a spoiled one may pass once and then fail */
        if (jwk_add_set(&again, json, &problem))
            assert(same_keys(&list, &again));
        else
            assert(strcmp(problem, "the key's numbers are not a valid key") == 0);
    }
    jwt_key_list_free(&list);
    jwt_key_list_free(&again);
    budget_end(&budget, size);
    return 0;
}
