/*
 * POST /v1/heartbeats with one run: the daemon's own JSON, tokens, judgement and encoding behind libevent's
 * HTTP server. What differs from minuted is the server and the call of Redis for each request.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "config/catalog.h"
#include "credit/token.h"
#include "evhttp/redis_calls.h"

struct evhttp_request;

/* What every request shares. Borrowed. */
struct peer {
    struct token_signer *signer;
    const struct catalog *catalog;
    struct redis_calls *redis;
    struct arena arena; /* of the request being read */
    struct buf body;    /* of the answer being written */
};

/* The callback of evhttp_set_cb(); CTX is a struct peer. */
void heartbeat_handle(struct evhttp_request *request, void *ctx);
