/*
 * What the api's own files share: its state and the handlers that the routes lead to.
 */
#pragma once

#include "api/api.h"
#include "api/pace.h"
#include "base/buf.h"
#include "http/exchange.h"

struct api {
    struct api_settings settings;
    struct policy *policy;
    struct token_signer *signer; /* of the policy's keys */
    struct api_counters counters;
    size_t pending;
    struct pace pace;      /* what was refused of requests */
    struct pace door;      /* and of connections, which says nothing about Redis */
    unsigned jitter;       /* seed of Retry-After */
    struct buf body;       /* of the answer being written */
    struct buf headers;    /* of the answer being written */
    struct buf error_body; /* of api_write_error(), which the server copies later than we write */
    struct buf error_headers;
};

/* How often players are asked to send now. */
int64_t api_interval_ms(struct api *api);

/* A handler answers its exchange exactly once, now or later. */
typedef void api_route_handler(struct api *api, struct http_exchange *x);

api_route_handler sessions_handle;
api_route_handler heartbeats_handle;
api_route_handler progress_handle;

/* Whether X asks for something below /dev/. */
bool api_path_is_dev(const struct api *api, const struct http_exchange *x);

/*
 * Whether a request may be handled that asks or tells the daemon something below /dev/. When it may not, it
 * has been answered: its Host is a name that a stranger's page could have given this machine, to be of one
 * origin with it.
 */
bool dev_admits(struct api *api, struct http_exchange *x);

/* Under /dev, with --dev only. */
api_route_handler dev_token_handle;
api_route_handler dev_clock_read_handle;
api_route_handler dev_clock_move_handle;
api_route_handler dev_kafka_handle;
api_route_handler dev_minutes_handle;
