/*
 * Answering: the headers that every answer carries, and problems (RFC 9457). The api's own part.
 */
#pragma once

#include "api/api.h"
#include "api/codec.h"

struct api {
    struct api_settings settings;
    struct policy *policy;
    struct token_signer *signer; /* of the policy's keys */
    struct api_counters counters;
    size_t pending;
    unsigned jitter;       /* seed of Retry-After */
    struct buf body;       /* of the answer being written */
    struct buf headers;    /* of the answer being written */
    struct buf error_body; /* of api_write_error(), which the server copies later than we write */
    struct buf error_headers;
};

/* Answers with api->body in TYPE, and releases the exchange. */
void answer_body(struct api *api, struct http_exchange *x, int status, const char *type);

/* Answers without a body; EXTRA are further header lines. */
void answer_empty(struct api *api, struct http_exchange *x, int status, const char *extra);

/*
 * Answers a problem: DETAIL says what was wrong. 503 and 429 get a Retry-After with jitter; 401 the challenge
 * that fits; EXTRA are further header lines, or NULL.
 */
void answer_problem(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *extra);

/* Redis is away or too slow: 503. */
void answer_unavailable(struct api *api, struct http_exchange *x);

/* Appends the CORS header lines for ORIGIN where it is allowed. */
void cors_headers(const struct config *config, struct slice origin, struct buf *b);

/* Answers a preflight for a path that takes METHODS ("GET, POST"). */
void answer_preflight(struct api *api, struct http_exchange *x, const char *methods);

/* The token of `Authorization: Bearer …`; empty when there is none. */
struct slice bearer_token(const struct http_exchange *x);

/* The heartbeat interval for a store whose oldest run has waited AGE_MS: the configured one, stretched under
 * load. */
int64_t paced_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms);
int64_t api_interval_ms(struct api *api);

/* What --dev adds under /dev; true when it answered. */
bool dev_handle(struct api *api, struct http_exchange *x, struct slice path);

/* The routes' handlers. */
void sessions_handle(struct api *api, struct http_exchange *x);
void heartbeats_handle(struct api *api, struct http_exchange *x);
void progress_handle(struct api *api, struct http_exchange *x);
