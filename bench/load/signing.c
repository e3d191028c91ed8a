/* What players' tokens are signed with. */
#include "load/signing.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "credit/token.h"
#include "load/plan.h"

enum { TOKEN_S = 3600 };

size_t signing_sign_jwt(const void *ctx, struct slice learner, char *out)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    const struct config_issuer *issuer = ctx;
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    struct buf payload = {0};
    buf_append_string(&payload, "{\"iss\":");
    json_write_string(&payload, slice_of(issuer->issuer));
    buf_append_string(&payload, ",\"sub\":");
    json_write_string(&payload, learner);
    if (issuer->audience != NULL) {
        buf_append_string(&payload, ",\"aud\":");
        json_write_string(&payload, slice_of(issuer->audience));
    }
    buf_append_string(&payload, ",\"exp\":");
    buf_append_int(&payload, clock_system_ms() / 1000 + TOKEN_S);
    buf_append_char(&payload, '}');
    size_t n = base64url_encode(header, sizeof(header) - 1, out);
    if (n + BASE64URL_LEN(payload.len + sizeof(mac)) + 3 > PLAN_JWT_MAX)
        payload.len = 0; /* no real issuer makes so long a token; the server refuses it without a payload */
    out[n++] = '.';
    n += base64url_encode(payload.data, payload.len, out + n);
    buf_free(&payload);
    HMAC(EVP_sha256(), issuer->secret.bytes, (int)issuer->secret.len, (const unsigned char *)out, n, mac,
        &mac_len);
    out[n++] = '.';
    return n + base64url_encode(mac, mac_len, out + n);
}

void signing_make_sessions(struct crowd *crowd, const struct evidence *evidence, const char *const *courses,
    const struct config *config, int64_t backdate_ms)
{
    const struct secret_list *secrets = &config->auth.session_keys;
    struct slice *secret_bytes = mem_alloc(secrets->n * sizeof(*secret_bytes));
    for (size_t i = 0; i < secrets->n; i++)
        secret_bytes[i] = (struct slice){secrets->items[i].bytes, secrets->items[i].len};
    struct token_keys *keys = token_keys_new(secret_bytes, secrets->n);
    free(secret_bytes);
    struct token_signer *signer = token_signer_new(keys);
    int64_t opened_us = clock_monotonic_us() - backdate_ms * 1000;
    int64_t anchor_ms = clock_system_ms() - backdate_ms;
    char token[TOKEN_MAX + 1];
    char name[EVIDENCE_LEARNER_MAX + 1];
    for (uint32_t i = 0; i < crowd_size(crowd); i++) {
        uint32_t index = crowd_learner(crowd, i);
        struct slice learner = evidence_learner(evidence, index, name);
        struct session session = {.time = {anchor_ms, anchor_ms + SESSION_MS},
            .program = slice_of(evidence->program),
            .portal = slice_of(evidence->portal),
            .learner = learner,
            .course = slice_of(courses[index % evidence->n_lessons]),
            .lesson = slice_of(evidence_lesson(evidence, index))};
        memcpy(session.id, &index, sizeof(index));
        size_t len = token_sign(signer, &session, token);
        crowd_open(crowd, i, (struct slice){token, len}, anchor_ms, opened_us);
    }
    token_signer_free(signer);
    token_keys_free(keys);
}
