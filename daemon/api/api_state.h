/*
 * What the api's own files share. Types alone.
 */
#pragma once

#include "api/api_types.h"
#include "api/pace.h"
#include "base/buf.h"
#include "credit/token.h"
#include "http/exchange.h"
#include "identity/policy.h"

struct codec;

struct api {
    struct api_settings settings;
    struct policy *policy;
    struct token_signer *signer; /* of the policy's keys */
    struct api_counters counters;
    size_t pending;
    struct pace pace;      /* of requests that were refused */
    struct pace door;      /* of connections that were refused, which says nothing about Redis */
    unsigned jitter;       /* seed of Retry-After */
    struct buf body;       /* of the answer being written */
    struct buf headers;    /* of the answer being written */
    struct buf error_body; /* of api_write_error(), which the server copies later than we write */
    struct buf error_headers;
};

/* A handler answers its exchange exactly once, now or later. */
typedef void api_route_handler(struct api *api, struct http_exchange *x);

/* The same, where the request's body, or the answer to a request without one, is CODEC's to read or write. */
typedef void api_codec_handler(struct api *api, struct http_exchange *x, const struct codec *codec);
