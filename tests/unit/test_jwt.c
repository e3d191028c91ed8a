/* Platform tokens: claims, shapes and attacks. Where keys come from is test_jwt_keys.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jwt_fixture.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HS "{\"alg\":\"HS256\"}"
#define RS "{\"alg\":\"RS256\"}"
#define ES "{\"alg\":\"ES256\"}"
#define EXP "\"exp\":1673003600"
#define CLAIMS "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"teacher-1\"," EXP "}"
#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

static const struct slice secret = {SECRET, sizeof(SECRET) - 1};

/* ---- claims ---- */

#define WITH(members) "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"t\"," EXP "," members "}"
#define ISS(value) "{\"iss\":" value ",\"aud\":\"aud\",\"sub\":\"t\"," EXP "}"
#define AUD(value) "{\"iss\":\"iss\",\"aud\":" value ",\"sub\":\"t\"," EXP "}"
#define SUB(value) "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":" value "," EXP "}"
#define EXPIRES(value) "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"t\",\"exp\":" value "}"
#define UNREADABLE "the token is not a JWT that can be read"
#define EXPIRED "the token has expired"
#define EARLY "the token is not valid yet"
#define OTHER_AUDIENCE "the token is for another audience"
#define UNKNOWN_ISSUER "the token's issuer is not known here"
#define BAD_SUB "the token's sub is not 1 to 128 bytes of text"

static const struct {
    const char *payload;
    const char *problem; /* NULL: good */
} claim_rows[] = {{CLAIMS, NULL}, {" " CLAIMS "\n", NULL}, {WITH("\"portal\":\"other\""), NULL},
    {WITH("\"portal\":5"), NULL}, {WITH("\"x\":{\"sub\":\"y\",\"exp\":1}"), NULL},
    /* iss */
    {ISS("\"Iss\""), UNKNOWN_ISSUER}, {ISS("\"iss \""), UNKNOWN_ISSUER}, {ISS("\"iss/\""), UNKNOWN_ISSUER},
    {ISS("\"iss\\u0000\""), UNKNOWN_ISSUER}, {ISS("\"\""), UNKNOWN_ISSUER}, {ISS("\"\\u0069ss\""), NULL},
    {ISS("null"), UNREADABLE}, {ISS("[\"iss\"]"), UNREADABLE}, {ISS("1"), UNREADABLE},
    {"{\"aud\":\"aud\",\"sub\":\"t\"," EXP "}", UNKNOWN_ISSUER}, {WITH("\"iss\":\"iss\""), UNREADABLE},
    /* aud */
    {AUD("[\"aud\"]"), NULL}, {AUD("[\"x\",\"aud\",\"y\"]"), NULL}, {AUD("[\"aud\",\"aud\"]"), NULL},
    {AUD("[]"), OTHER_AUDIENCE}, {AUD("\"Aud\""), OTHER_AUDIENCE}, {AUD("\"aud2\""), OTHER_AUDIENCE},
    {AUD("\"aud x\""), OTHER_AUDIENCE}, {AUD("[\"au\",\"d\"]"), OTHER_AUDIENCE},
    {AUD("null"), OTHER_AUDIENCE}, {AUD("1"), OTHER_AUDIENCE}, {AUD("{\"aud\":\"aud\"}"), OTHER_AUDIENCE},
    {AUD("[[\"aud\"]]"), OTHER_AUDIENCE}, {AUD("[\"aud\",1]"), OTHER_AUDIENCE},
    {"{\"iss\":\"iss\",\"sub\":\"t\"," EXP "}", OTHER_AUDIENCE}, {WITH("\"aud\":\"aud\""), UNREADABLE},
    /* sub */
    {SUB("\"\\u738b\""), NULL}, {SUB("\"" X128 "\""), NULL}, {SUB("\"" X128 "x\""), BAD_SUB},
    {SUB("\"\""), BAD_SUB}, {SUB("\"a\\n\""), BAD_SUB}, {SUB("\"\\u0000\""), BAD_SUB},
    {SUB("\"\\u0085\""), BAD_SUB}, {SUB("1"), UNREADABLE}, {SUB("null"), UNREADABLE},
    {SUB("[\"t\"]"), UNREADABLE}, {SUB("\"\xff\""), UNREADABLE},
    {"{\"iss\":\"iss\",\"aud\":\"aud\"," EXP "}", "the token has no sub"},
    {WITH("\"sub\":\"t\""), UNREADABLE}, {WITH("\"sub\":\"u\""), UNREADABLE},
    {WITH("\"s\\u0075b\":\"u\""), UNREADABLE},
    /* exp: good until 30 s after it */
    {EXPIRES("1672999971"), NULL}, {EXPIRES("1672999970"), EXPIRED}, {EXPIRES("1672999970.001"), NULL},
    {EXPIRES("1672999970.0"), EXPIRED}, {EXPIRES("1.673e9"), NULL}, {EXPIRES("99999999999"), NULL},
    {EXPIRES("0"), EXPIRED}, {EXPIRES("-1"), EXPIRED}, {EXPIRES("1e999"), UNREADABLE},
    {EXPIRES("\"1673003600\""), UNREADABLE}, {EXPIRES("null"), UNREADABLE}, {EXPIRES("true"), UNREADABLE},
    {EXPIRES("NaN"), UNREADABLE}, {EXPIRES("[1673003600]"), UNREADABLE},
    {"{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"t\"}", "the token has no exp"},
    {WITH("\"exp\":1"), UNREADABLE}, {WITH(EXP), UNREADABLE},
    /* nbf: good from 30 s before it */
    {WITH("\"nbf\":1673000030"), NULL}, {WITH("\"nbf\":1673000031"), EARLY},
    {WITH("\"nbf\":1673000030.001"), EARLY}, {WITH("\"nbf\":0"), NULL}, {WITH("\"nbf\":-5e9"), NULL},
    {WITH("\"nbf\":1e300"), EARLY}, {WITH("\"nbf\":-1e999"), UNREADABLE}, {WITH("\"nbf\":\"0\""), UNREADABLE},
    {WITH("\"nbf\":null"), UNREADABLE}, {WITH("\"nbf\":0,\"nbf\":0"), UNREADABLE},
    {WITH("\"iat\":9999999999"), NULL},
    /* no claims at all */
    {"[" CLAIMS "]", UNREADABLE}, {"\"x\"", UNREADABLE}, {"{}", UNKNOWN_ISSUER}, {"null", UNREADABLE},
    {CLAIMS "x", UNREADABLE}, {CLAIMS CLAIMS, UNREADABLE}, {"{\"iss\":\"iss\"", UNREADABLE},
    {" ", UNREADABLE},
    {WITH("\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), UNREADABLE}};

static void test_claims(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    for (size_t i = 0; i < COUNT(claim_rows); i++) {
        struct buf token = hs256_token(HS, claim_rows[i].payload, secret);
        const char *problem = problem_of(issuers, buf_slice(&token));
        const char *wanted = claim_rows[i].problem;
        if ((problem == NULL) != (wanted == NULL) || (problem != NULL && strcmp(problem, wanted) != 0))
            fail_msg("%s: %s", claim_rows[i].payload, problem == NULL ? "accepted" : problem);
        buf_free(&token);
    }
    jwt_issuers_free(issuers);
}

/* A forged token is told nothing of its claims. */
static void test_the_signature_is_judged_before_the_claims(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    for (size_t i = 0; i < COUNT(claim_rows); i++) {
        struct buf token =
            hs256_token(HS, claim_rows[i].payload, SLICE_LITERAL("another secret of some length"));
        const char *problem = problem_of(issuers, buf_slice(&token));
        assert_non_null(problem);
        if (strcmp(problem, UNREADABLE) != 0 && strcmp(problem, UNKNOWN_ISSUER) != 0)
            assert_string_equal(problem, "the token's signature does not match its issuer's key");
        buf_free(&token);
    }
    jwt_issuers_free(issuers);
}

static void test_what_is_given_back(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    struct arena arena = {0};
    struct jwt_claims claims;
    const char *problem;
    struct buf token = hs256_token(HS, SUB("\"\\u738b\\\"x\""), secret);
    assert_true(jwt_verify(issuers, buf_slice(&token), NOW_MS, &arena, &claims, &problem));
    buf_free(&token);
    jwt_issuers_free(issuers); /* as a reload does */
    assert_true(slice_is(claims.subject, "\xe7\x8e\x8b\"x"));
    assert_true(slice_is(claims.portal, "p"));
    arena_free(&arena);
}

static void test_an_audience_that_is_not_asked_for(void **state)
{
    (void)state;
    char *error;
    struct config_issuer issuer = {
        .issuer = (char *)"iss", .portal = (char *)"p", .secret = {(char *)SECRET, sizeof(SECRET) - 1}};
    struct jwt_issuers *issuers = load_issuers(&issuer, 1, &error);
    assert_true(passes(issuers, hs256_token(HS, AUD("\"whatever\""), secret)));
    assert_true(passes(issuers, hs256_token(HS, "{\"iss\":\"iss\",\"sub\":\"t\"," EXP "}", secret)));
    assert_false(passes(issuers, hs256_token(HS, AUD("\"a\",\"aud\":\"b\""), secret)));
    jwt_issuers_free(issuers);
}

/* ---- headers ---- */

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        bool good;
        const char *header;
    } rows[] = {{true, HS}, {true, "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"},
        {true, "{\"alg\":\"HS256\",\"kid\":\"any\"}"}, {true, "{\"alg\":\"HS256\",\"typ\":null,\"x\":[1]}"},
        {true, " {\"\\u0061lg\":\"HS256\"} "}, {false, "{\"alg\":\"none\"}"}, {false, "{\"alg\":\"None\"}"},
        {false, "{\"alg\":\"nOnE\"}"}, {false, "{\"alg\":\"hs256\"}"}, {false, "{\"alg\":\"Hs256\"}"},
        {false, "{\"alg\":\"HS256 \"}"}, {false, "{\"alg\":\"HS256\\u0000\"}"},
        {false, "{\"alg\":\"HS384\"}"}, {false, "{\"alg\":\"HS512\"}"}, {false, RS}, {false, ES},
        {false, "{\"alg\":\"PS256\"}"}, {false, "{\"alg\":\"\"}"}, {false, "{\"alg\":null}"},
        {false, "{\"alg\":256}"}, {false, "{\"alg\":[\"HS256\"]}"}, {false, "{}"},
        {false, "{\"Alg\":\"HS256\"}"}, {false, "{\"alg\":\"HS256\",\"alg\":\"HS256\"}"},
        {false, "{\"alg\":\"none\",\"alg\":\"HS256\"}"}, {false, "{\"alg\":\"HS256\",\"alg\":\"none\"}"},
        {false, "{\"alg\":\"HS256\",\"crit\":[]}"}, {false, "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"},
        {false, "{\"crit\":null,\"alg\":\"HS256\"}"},
        {false, "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"},
        {false, "{\"alg\":\"HS256\",\"kid\":1}"}, {false, "{\"alg\":\"HS256\",\"kid\":null}"},
        {false, "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}"}, {false, "[\"HS256\"]"},
        {false, "\"HS256\""}, {false, "null"}, {false, HS "x"}, {false, "{\"alg\":\"HS256\""},
        {false, "{\"alg\":\"HS256\",}"}, {false, "{\"alg\":\"\xff\"}"}, {false, ""}};
    struct jwt_issuers *issuers = load_secret();
    for (size_t i = 0; i < COUNT(rows); i++)
        if (passes(issuers, hs256_token(rows[i].header, CLAIMS, secret)) != rows[i].good)
            fail_msg("%s", rows[i].header);
    jwt_issuers_free(issuers);
}

/* ---- shapes ---- */

static void test_every_truncation_extension_and_flipped_bit(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    struct buf token = hs256_token(HS, CLAIMS, secret);
    assert_null(problem_of(issuers, buf_slice(&token)));
    for (size_t n = 0; n < token.len; n++)
        assert_non_null(problem_of(issuers, (struct slice){token.data, n}));
    for (size_t i = 0; i < token.len * 8; i++) {
        token.data[i / 8] = (char)(token.data[i / 8] ^ 1 << i % 8);
        if (problem_of(issuers, buf_slice(&token)) == NULL)
            fail_msg("bit %zu of byte %zu", i % 8, i / 8);
        token.data[i / 8] = (char)(token.data[i / 8] ^ 1 << i % 8);
    }
    buf_append_char(&token, '.');
    for (int c = 0; c < 256; c++) {
        token.data[token.len - 1] = (char)c;
        assert_non_null(problem_of(issuers, buf_slice(&token)));
    }
    buf_free(&token);
    jwt_issuers_free(issuers);
}

static void test_shapes_that_are_no_token(void **state)
{
    (void)state;
    static const struct slice rows[] = {SLICE_LITERAL(""), SLICE_LITERAL("."), SLICE_LITERAL(".."),
        SLICE_LITERAL("..."), SLICE_LITERAL("...."), SLICE_LITERAL("a.b.c"),
        SLICE_LITERAL("eyJhbGciOiJub25lIn0.e30."), SLICE_LITERAL("e30.e30.e30"), SLICE_LITERAL("\0.\0.\0"),
        SLICE_LITERAL("m1.AAAAAA.AAAA.AAAA"), SLICE_LITERAL("Bearer x.y.z"),
        SLICE_LITERAL("bnVsbA.bnVsbA.bnVsbA")};
    struct jwt_issuers *issuers = load_secret();
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_non_null(problem_of(issuers, rows[i]));
    /* the parts of a good token, put together in other ways */
    struct buf good = hs256_token(HS, CLAIMS, secret);
    char *payload = (char *)memchr(good.data, '.', good.len) + 1;
    char *signature = (char *)memchr(payload, '.', good.len) + 1;
    struct slice h = {good.data, (size_t)(payload - good.data - 1)};
    struct slice p = {payload, (size_t)(signature - payload - 1)};
    struct slice s = {signature, (size_t)(good.data + good.len - signature)};
    const struct slice orders[][3] = {{p, h, s}, {h, s, p}, {h, h, s}, {p, p, s}, {h, p, h}, {s, p, h}};
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct buf b = {0};
        buf_printf(
            &b, "%.*s.%.*s.%.*s", SLICE_ARG(orders[i][0]), SLICE_ARG(orders[i][1]), SLICE_ARG(orders[i][2]));
        assert_false(passes(issuers, b));
    }
    buf_free(&good);
    jwt_issuers_free(issuers);
}

static void test_size(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    for (size_t pad = 5800; pad < 6200; pad++) {
        struct buf payload = {0};
        buf_printf(
            &payload, "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"t\"," EXP ",\"x\":\"%0*d\"}", (int)pad, 0);
        buf_append_char(&payload, '\0');
        struct buf token = hs256_token(HS, payload.data, secret);
        bool fits = token.len <= JWT_MAX;
        assert_int_equal(passes(issuers, token), fits);
        buf_free(&payload);
    }
    struct buf huge = {0};
    memset(buf_reserve(&huge, 1 << 20), 'A', 1 << 20);
    huge.len = 1 << 20;
    huge.data[10] = huge.data[2000] = '.';
    assert_false(passes(issuers, huge));
    struct buf long_signature = unsigned_token(HS, CLAIMS);
    buf_printf(&long_signature, ".%08000d", 0);
    assert_false(passes(issuers, long_signature));
    jwt_issuers_free(issuers);
}

/* The arena of a request may be full: the token is refused. */
static void test_a_full_arena(void **state)
{
    (void)state;
    struct jwt_issuers *issuers = load_secret();
    struct buf token = hs256_token(HS, SUB("\"\\u738b\""), secret);
    bool good = false;
    for (size_t limit = 16; !good; limit += 16) {
        struct arena arena = {.limit = limit};
        struct jwt_claims claims;
        const char *problem = NULL;
        good = jwt_verify(issuers, buf_slice(&token), NOW_MS, &arena, &claims, &problem);
        assert_true(good || problem != NULL);
        assert_true(limit < 1024);
        arena_free(&arena);
    }
    buf_free(&token);
    jwt_issuers_free(issuers);
}

/* ---- several issuers ---- */

static struct config_issuer issuer_of(
    const char *name, const char *audience, const char *portal, const char *key)
{
    return (struct config_issuer){.issuer = (char *)name,
        .audience = (char *)audience,
        .portal = (char *)portal,
        .secret = {(char *)key, strlen(key)}};
}

static void test_several_issuers(void **state)
{
    (void)state;
    static const char other[] = "the secret of another platform";
    struct config_issuer rows[] = {issuer_of("one", NULL, "p1", SECRET), issuer_of("two", "a", "p2", SECRET),
        issuer_of("two", "b", "p3", SECRET), issuer_of("two", "b", "p4", other),
        issuer_of("", NULL, "p5", other)};
    const struct {
        const char *payload;
        const char *secret;
        const char *portal; /* NULL: refused */
        const char *problem;
    } tokens[] = {{"{\"iss\":\"one\",\"sub\":\"t\"," EXP "}", SECRET, "p1", NULL},
        {"{\"iss\":\"one\",\"sub\":\"t\"," EXP "}", other, NULL,
            "the token's signature does not match its issuer's key"},
        {"{\"iss\":\"two\",\"aud\":\"a\",\"sub\":\"t\"," EXP "}", SECRET, "p2", NULL},
        {"{\"iss\":\"two\",\"aud\":\"b\",\"sub\":\"t\"," EXP "}", SECRET, "p3", NULL},
        {"{\"iss\":\"two\",\"aud\":\"b\",\"sub\":\"t\"," EXP "}", other, "p4", NULL},
        {"{\"iss\":\"two\",\"aud\":[\"a\",\"b\"],\"sub\":\"t\"," EXP "}", SECRET, "p2", NULL},
        {"{\"iss\":\"two\",\"aud\":\"a\",\"sub\":\"t\"," EXP "}", other, NULL, OTHER_AUDIENCE},
        {"{\"iss\":\"two\",\"aud\":\"c\",\"sub\":\"t\"," EXP "}", SECRET, NULL, OTHER_AUDIENCE},
        {"{\"iss\":\"three\",\"sub\":\"t\"," EXP "}", SECRET, NULL, UNKNOWN_ISSUER},
        {"{\"sub\":\"t\"," EXP "}", other, NULL, UNKNOWN_ISSUER}};
    char *error;
    struct jwt_issuers *issuers = load_issuers(rows, COUNT(rows), &error);
    for (size_t i = 0; i < COUNT(tokens); i++) {
        struct arena arena = {0};
        struct jwt_claims claims;
        const char *problem = NULL;
        struct buf token = hs256_token(HS, tokens[i].payload, slice_of(tokens[i].secret));
        bool good = jwt_verify(issuers, buf_slice(&token), NOW_MS, &arena, &claims, &problem);
        assert_int_equal(good, tokens[i].portal != NULL);
        if (tokens[i].portal != NULL)
            assert_true(slice_is(claims.portal, tokens[i].portal));
        else
            assert_string_equal(problem, tokens[i].problem);
        buf_free(&token);
        arena_free(&arena);
    }
    jwt_issuers_free(issuers);
}

/* ---- --dev ---- */

static void test_dev_tokens(void **state)
{
    (void)state;
    static const char *const subjects[] = {"alice", "\xe7\x8e\x8b \"x\" \\", X128, "\"\"\"\"\"\"\"\"\"\""};
    char *error = NULL;
    struct config config = {0};
    struct jwt_issuers *issuers = jwt_issuers_load_dev(&config, secret, &error);
    struct jwt_issuers *plain = jwt_issuers_load(&config, &error);
    for (size_t i = 0; i < COUNT(subjects); i++) {
        struct arena arena = {0};
        struct jwt_claims claims;
        const char *problem;
        char text[JWT_MAX];
        struct slice token = {
            text, jwt_sign_dev(secret, SLICE_LITERAL("basic"), slice_of(subjects[i]), NOW_MS, text)};
        assert_true(jwt_verify(issuers, token, NOW_MS + JWT_LEEWAY_MS - 1, &arena, &claims, &problem));
        assert_true(slice_is(claims.subject, subjects[i]) && slice_is(claims.portal, "basic"));
        assert_false(jwt_verify(issuers, token, NOW_MS + JWT_LEEWAY_MS, &arena, &claims, &problem));
        assert_string_equal(problem, EXPIRED);
        assert_false(jwt_verify(plain, token, NOW_MS, &arena, &claims, &problem));
        arena_free(&arena);
    }
    static const char *const bad[] = {"{\"iss\":\"minuted-dev\",\"sub\":\"t\"," EXP "}",
        "{\"iss\":\"minuted-dev\",\"portal\":\"\",\"sub\":\"t\"," EXP "}",
        "{\"iss\":\"minuted-dev\",\"portal\":\"a/b\",\"sub\":\"t\"," EXP "}",
        "{\"iss\":\"minuted-dev\",\"portal\":5,\"sub\":\"t\"," EXP "}",
        "{\"iss\":\"minuted-dev\",\"portal\":\"a\",\"portal\":\"b\",\"sub\":\"t\"," EXP "}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(passes(issuers, hs256_token(HS, bad[i], secret)));
    jwt_issuers_free(issuers);
    jwt_issuers_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_the_signature_is_judged_before_the_claims),
        cmocka_unit_test(test_what_is_given_back),
        cmocka_unit_test(test_an_audience_that_is_not_asked_for),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_every_truncation_extension_and_flipped_bit),
        cmocka_unit_test(test_shapes_that_are_no_token),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_a_full_arena),
        cmocka_unit_test(test_several_issuers),
        cmocka_unit_test(test_dev_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
