/* Verifying platform tokens. */
#include "identity/jwt.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/base64url.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_write.h"
#include "identity/jwt_issuers.h"

enum { MAC_BYTES = 32 };

/* ---- a token's parts ---- */

struct parts {
    struct slice signed_text; /* header.payload, as sent */
    struct slice header;      /* decoded, as are the others */
    struct slice payload;
    struct slice signature;
};

static bool decode(struct arena *arena, struct slice text, struct slice *out)
{
    char *bytes = arena_alloc(arena, text.len + 1);
    out->ptr = bytes;
    return bytes != NULL && text.len > 0 && base64url_decode(text.ptr, text.len, bytes, &out->len);
}

/* The text before the next dot, which is taken off REST; false when there is none. */
static bool take_part(struct slice *rest, struct slice *part)
{
    const char *dot = memchr(rest->ptr, '.', rest->len);
    if (dot == NULL)
        return false;
    *part = (struct slice){rest->ptr, (size_t)(dot - rest->ptr)};
    *rest = (struct slice){dot + 1, rest->len - part->len - 1};
    return true;
}

/* A member that must be a string and may be there only once. Of two, another reader might choose the other
 * one, and so believe another token. */
static bool read_text(struct json_reader *r, struct slice *out)
{
    return out->ptr == NULL && json_string(r, out);
}

/* ---- the header ---- */

struct header {
    struct slice alg;
    struct slice kid; /* ptr NULL: none */
};

static bool read_header(struct slice text, struct arena *arena, struct header *h)
{
    struct json_reader r;
    struct slice name;
    *h = (struct header){0};
    json_read(&r, text, arena);
    if (!json_object(&r))
        return false;
    while (json_member(&r, &name)) {
        bool good;
        if (slice_is(name, "alg"))
            good = read_text(&r, &h->alg);
        else if (slice_is(name, "kid"))
            good = read_text(&r, &h->kid);
        else /* "crit" names extensions that a verifier must understand: we know none */
            good = !slice_is(name, "crit") && json_skip(&r);
        if (!good)
            return false;
    }
    return json_end(&r) && h->alg.ptr != NULL;
}

/* ---- the claims ---- */

struct payload {
    struct slice issuer, subject, portal;
    struct slice audience; /* JSON, to be compared for each issuer; ptr NULL: none */
    double expires_s;      /* NAN: none */
    double not_before_s;   /* NAN: none */
};

/* A number of seconds, once. An infinite one is refused, since the token would never expire. */
static bool read_time(struct json_reader *r, double *out)
{
    struct json_number number;
    if (!isnan(*out) || !json_number(r, &number) || !isfinite(number.value))
        return false;
    *out = number.value;
    return true;
}

static bool read_payload(struct slice text, struct arena *arena, struct payload *p)
{
    struct json_reader r;
    struct slice name;
    *p = (struct payload){.expires_s = NAN, .not_before_s = NAN};
    json_read(&r, text, arena);
    if (!json_object(&r))
        return false;
    while (json_member(&r, &name)) {
        bool good;
        if (slice_is(name, "iss")) {
            good = read_text(&r, &p->issuer);
        } else if (slice_is(name, "sub")) {
            good = read_text(&r, &p->subject);
        } else if (slice_is(name, "aud")) {
            json_next_type(&r); /* passes over the space before the value */
            size_t start = r.at;
            good = p->audience.ptr == NULL && json_skip(&r);
            p->audience = (struct slice){r.text.ptr + start, r.at - start};
        } else if (slice_is(name, "exp")) {
            good = read_time(&r, &p->expires_s);
        } else if (slice_is(name, "nbf")) {
            good = read_time(&r, &p->not_before_s);
        } else if (slice_is(name, "portal") && json_next_type(&r) == JSON_STRING) {
            /* In a private claim other platforms may mean something else, so another type is passed over. */
            good = read_text(&r, &p->portal);
        } else {
            good = json_skip(&r);
        }
        if (!good)
            return false;
    }
    return json_end(&r);
}

/* `aud` is one string or a list of them. */
static bool audience_has(struct slice audience, const char *wanted, struct arena *arena)
{
    struct json_reader r;
    struct slice text;
    bool found = false;
    json_read(&r, audience, arena);
    if (json_next_type(&r) == JSON_STRING)
        return json_string(&r, &text) && slice_is(text, wanted);
    if (!json_array(&r))
        return false;
    while (json_element(&r)) {
        if (!json_string(&r, &text))
            return false;
        found = found || slice_is(text, wanted);
    }
    return found;
}

/* ---- judging ---- */

/* NULL when a key of LIST signed the token, else what is wrong. */
static const char *judge_signature(
    const struct jwt_key_list *list, const struct header *h, const struct parts *parts)
{
    bool chosen = false;
    for (size_t i = 0; i < list->n; i++) {
        const struct jwt_key *key = &list->keys[i];
        bool both_named = h->kid.ptr != NULL && key->id != NULL;
        /* Where the token or the key has no name, the key is tried only if it is the issuer's only one. */
        if (both_named ? !slice_is(h->kid, key->id) : list->n > 1)
            continue;
        chosen = true;
        if (slice_is(h->alg, jwt_key_algorithm(key)) &&
            jwt_key_signed(key, parts->signed_text, parts->signature))
            return NULL;
    }
    return chosen || h->kid.ptr == NULL ? "the token's signature does not match its issuer's key"
                                        : "the token's kid names no key of its issuer that is known here";
}

/* NULL when the claims, signed by ISSUER, hold at NOW_MS. */
static const char *judge_claims(
    const struct jwt_issuer *issuer, const struct payload *p, int64_t now_ms, struct arena *arena)
{
    double now_s = (double)now_ms / 1000.0;
    double leeway_s = JWT_LEEWAY_MS / 1000.0;
    if (issuer->audience != NULL &&
        (p->audience.ptr == NULL || !audience_has(p->audience, issuer->audience, arena)))
        return "the token is for another audience";
    if (isnan(p->expires_s))
        return "the token has no exp";
    if (now_s >= p->expires_s + leeway_s)
        return "the token has expired";
    if (!isnan(p->not_before_s) && now_s < p->not_before_s - leeway_s)
        return "the token is not valid yet";
    if (p->subject.ptr == NULL)
        return "the token has no sub";
    if (!id_name_valid(p->subject))
        return "the token's sub is not 1 to 128 bytes of text";
    if (issuer->portal == NULL && !id_valid(p->portal))
        return "the token has no portal";
    return NULL;
}

bool jwt_verify(const struct jwt_issuers *issuers, struct slice token, int64_t now_ms, struct arena *arena,
    struct jwt_claims *claims, const char **problem)
{
    struct parts parts;
    struct header header;
    struct payload payload;
    struct slice header_text;
    struct slice payload_text;
    struct slice rest = token; /* the signature, in the end */
    *problem = "the token is not a JWT that can be read";
    /* A third dot is refused with the signature, since it is no character of base64url. */
    if (token.len == 0 || token.len > JWT_MAX || !take_part(&rest, &header_text) ||
        !take_part(&rest, &payload_text))
        return false;
    parts.signed_text = (struct slice){token.ptr, header_text.len + 1 + payload_text.len};
    if (!decode(arena, header_text, &parts.header) || !decode(arena, payload_text, &parts.payload) ||
        !decode(arena, rest, &parts.signature) || !read_header(parts.header, arena, &header) ||
        !read_payload(parts.payload, arena, &payload))
        return false;
    /* Several issuers may have that name. The token belongs to the first whose key signed it and whose other
     * demands it meets. */
    const struct jwt_issuer *issuer = NULL;
    /* If a key signed the token, its owner needs to know what else is wrong, not which keys do not fit. */
    bool genuine = false;
    *problem = "the token's issuer is not known here";
    for (size_t i = 0; i < issuers->n && issuer == NULL; i++) {
        const struct jwt_issuer *named = &issuers->items[i];
        if (payload.issuer.ptr == NULL || !slice_is(payload.issuer, named->name))
            continue;
        const char *wrong = judge_signature(&named->keys, &header, &parts);
        if (wrong == NULL) {
            genuine = true;
            *problem = judge_claims(named, &payload, now_ms, arena);
            issuer = *problem == NULL ? named : NULL;
        } else if (!genuine) {
            *problem = wrong;
        }
    }
    if (issuer == NULL)
        return false;
    claims->subject = payload.subject;
    claims->portal = payload.portal;
    if (issuer->portal == NULL)
        return true;
    /* A copy, since the answer may be given after a reload has freed the issuers. */
    size_t len = strlen(issuer->portal);
    claims->portal = (struct slice){arena_strndup(arena, issuer->portal, len), len};
    *problem = "the token is too large";
    return claims->portal.ptr != NULL;
}

/* ---- tokens of --dev ---- */

size_t jwt_sign_dev(
    struct slice secret, struct slice portal, struct slice subject, int64_t expires_ms, char *out)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    struct buf payload = {0};
    unsigned char mac[MAC_BYTES];
    assert(id_name_valid(subject) && id_valid(portal)); /* so it fits into JWT_MAX */
    buf_append_string(&payload, "{\"iss\":\"" JWT_DEV_ISSUER "\",\"sub\":");
    json_write_string(&payload, subject);
    buf_append_string(&payload, ",\"portal\":");
    json_write_string(&payload, portal);
    buf_append_string(&payload, ",\"exp\":");
    buf_append_int(&payload, expires_ms / 1000);
    buf_append_char(&payload, '}');
    size_t n = base64url_encode(header, sizeof(header) - 1, out);
    out[n++] = '.';
    n += base64url_encode(payload.data, payload.len, out + n);
    buf_free(&payload);
    jwt_hmac(secret, (struct slice){out, n}, mac);
    out[n++] = '.';
    return n + base64url_encode(mac, MAC_BYTES, out + n);
}
