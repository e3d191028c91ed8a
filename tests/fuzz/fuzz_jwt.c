/*
 * Platform tokens: any text, and any header and claims under a good signature. What is accepted names a
 * learner that may be one, is good only while its times say so, and is refused once a byte of it is another;
 * what --dev signs is accepted and says who it was signed for.
 *
 *     [0][position] the text of a token | [1][position] header NUL claims, to be signed
 *     [2][position] portal NUL subject, for --dev
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/id.h"
#include "budget.h"
#include "config/config.h"
#include "identity/jwt.h"
#include "identity/jwt_issuers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "a platform's secret of some length"
/* Of a key that nobody has kept: ES256 is judged, never satisfied. */
#define PEM                                                                                                  \
    "-----BEGIN PUBLIC KEY-----\n"                                                                           \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBVFYRAGborZ6hiL1mfUEJUIw8oZk\n"                                     \
    "xweAJqh0iuEgBhh3OD6pyNuCddefj5qgaCghpkgxhWATI32tSqKSXqSESQ==\n"                                         \
    "-----END PUBLIC KEY-----\n"
#define NOW_MS INT64_C(1673000000000)

static const struct budget budget = {256 * 1024, 64, 50000, 1000};

/* ---- issuers ---- */

static struct jwt_issuers *load(void)
{
    struct config_issuer issuers[] = {
        {.issuer = (char *)"iss",
            .audience = (char *)"aud",
            .portal = (char *)"p",
            .secret = {(char *)SECRET, sizeof(SECRET) - 1}},
        {.issuer = (char *)"ec", .portal = (char *)"q", .secret = {(char *)SECRET, sizeof(SECRET) - 1}},
    };
    struct config config = {.auth = {.issuers = issuers, .n_issuers = 2}};
    char *error = NULL;
    const char *problem;
    struct jwt_issuers *loaded = jwt_issuers_load_dev(&config, SLICE_LITERAL(SECRET), &error);
    assert(loaded != NULL && error == NULL);
    jwt_key_list_free(&loaded->items[1].keys);
    bool good = jwt_key_add_pem(&loaded->items[1].keys, SLICE_LITERAL(PEM), &problem);
    assert(good && loaded->items[1].keys.n == 1);
    return loaded;
}

/* ---- verifying ---- */

/* TOKEN in a block of its own size, so that a byte read beyond it is seen. */
static bool verifies(const struct jwt_issuers *issuers, struct slice token, int64_t now_ms,
    struct arena *arena, struct jwt_claims *claims)
{
    const char *problem = NULL;
    assert(token.len < SIZE_MAX);
    char *copy = malloc(token.len + 1);
    assert(copy != NULL);
    if (token.len > 0)
        memcpy(copy + 1, token.ptr, token.len);
    bool good = jwt_verify(issuers, (struct slice){copy + 1, token.len}, now_ms, arena, claims, &problem);
    assert(good || (problem != NULL && problem[0] != '\0'));
    assert(!good || (id_name_valid(claims->subject) && id_valid(claims->portal)));
    free(copy);
    return good;
}

static void check_refused(const struct jwt_issuers *issuers, struct slice token, int64_t now_ms)
{
    struct arena arena = {0};
    struct jwt_claims claims;
    bool good = verifies(issuers, token, now_ms, &arena, &claims);
    assert(!good);
    arena_free(&arena);
}

/* TOKEN is good: nothing near it is. */
static void check_only_untouched(const struct jwt_issuers *issuers, struct slice token, uint8_t position)
{
    struct buf near = {0};
    size_t at = (size_t)position * token.len / 256;
    buf_append_slice(&near, token);
    near.data[at] = (char)(near.data[at] ^ 1);
    check_refused(issuers, buf_slice(&near), NOW_MS);
    near.data[at] = (char)(near.data[at] ^ 1);
    buf_append_char(&near, 'A');
    check_refused(issuers, buf_slice(&near), NOW_MS);
    check_refused(issuers, (struct slice){token.ptr, token.len - 1}, NOW_MS);
    check_refused(issuers, (struct slice){token.ptr, at}, NOW_MS);
    buf_free(&near);
}

/* Good now; it may have been too early or be too late at another time, and is good at no end of time. */
static void check_times(const struct jwt_issuers *issuers, struct slice token)
{
    struct arena arena = {0};
    struct jwt_claims claims;
    bool later = verifies(issuers, token, NOW_MS + 3600000, &arena, &claims);
    bool much_later = verifies(issuers, token, NOW_MS + 7200000, &arena, &claims);
    assert(later || !much_later);
    arena_free(&arena);
}

static void check_token(const struct jwt_issuers *issuers, struct slice token, uint8_t position)
{
    struct arena arena = {0};
    struct jwt_claims claims;
    if (verifies(issuers, token, NOW_MS, &arena, &claims)) {
        check_only_untouched(issuers, token, position);
        check_times(issuers, token);
    }
    assert(arena.total <= 4 * (size_t)JWT_MAX + 1024);
    arena_free(&arena);
}

/* ---- signing ---- */

static void append_base64(struct buf *b, struct slice s)
{
    b->len += base64url_encode(s.ptr, s.len, buf_reserve(b, BASE64URL_LEN(s.len)));
}

/* What stands before the next NUL, taken off REST. */
static struct slice take_text(struct slice *rest)
{
    const char *nul = rest->len == 0 ? NULL : memchr(rest->ptr, '\0', rest->len);
    struct slice text = {rest->ptr, nul == NULL ? rest->len : (size_t)(nul - rest->ptr)};
    size_t used = text.len + (nul != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return text;
}

static void check_signed(const struct jwt_issuers *issuers, struct slice rest, uint8_t position)
{
    unsigned char mac[32];
    struct buf token = {0};
    append_base64(&token, take_text(&rest));
    buf_append_char(&token, '.');
    append_base64(&token, rest);
    jwt_hmac(SLICE_LITERAL(SECRET), buf_slice(&token), mac);
    buf_append_char(&token, '.');
    append_base64(&token, (struct slice){(const char *)mac, sizeof(mac)});
    check_token(issuers, buf_slice(&token), position);
    buf_free(&token);
}

static void check_dev(const struct jwt_issuers *issuers, struct slice rest, uint8_t position)
{
    char text[JWT_MAX];
    struct arena arena = {0};
    struct jwt_claims claims;
    struct slice portal = take_text(&rest);
    struct slice subject = rest;
    if (!id_valid(portal) || !id_name_valid(subject))
        return;
    struct slice token = {text, jwt_sign_dev(SLICE_LITERAL(SECRET), portal, subject, NOW_MS, text)};
    bool good = verifies(issuers, token, NOW_MS, &arena, &claims);
    assert(good && slice_equal(claims.portal, portal) && slice_equal(claims.subject, subject));
    check_only_untouched(issuers, token, position);
    check_refused(issuers, token, NOW_MS + JWT_LEEWAY_MS);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_issuers *issuers; /* loaded once, as a daemon does */
    if (size < 2)
        return 0;
    if (issuers == NULL)
        issuers = load();
    struct slice rest = {(const char *)data + 2, size - 2};
    budget_begin();
    if (data[0] % 3 == 0)
        check_token(issuers, rest, data[1]);
    else if (data[0] % 3 == 1)
        check_signed(issuers, rest, data[1]);
    else
        check_dev(issuers, rest, data[1]);
    budget_end(&budget, size);
    return 0;
}
