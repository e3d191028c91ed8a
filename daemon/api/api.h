/*
 * The players' interface: requests in, answers out. One api belongs to one worker's loop.
 *
 *     exchange -> route -> codec -> token -> claim_judge -> store -> codec -> http_respond
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "credit/claim.h"
#include "http/http.h"
#include "identity/policy.h"
#include "store/store.h"

struct api;

/* What happened since the start; read by any thread. */
struct api_counters {
    _Atomic uint64_t sessions;   /* opened */
    _Atomic uint64_t heartbeats; /* requests to /v1/heartbeats that were understood */
    _Atomic uint64_t runs_accepted;
    _Atomic uint64_t runs_refused[REASON_COUNT]; /* rejected and retry, by reason */
    _Atomic uint64_t progress;                   /* answered */
    _Atomic uint64_t requests_shed;              /* requests answered 503 for this daemon's own state */
    _Atomic uint64_t requests_refused;           /* requests answered 4xx */
};

/* What --dev adds; NULL without it. Borrowed. */
struct api_dev {
    struct clock *clock;       /* may be moved */
    struct slice secret;       /* of the dev issuer */
    const char *kafka_brokers; /* where the records go */
};

struct api_settings {
    const struct config *config;
    const struct clock *clock;
    struct store *store;
    const struct api_dev *dev; /* NULL without --dev */
    struct log *log;
};

/* Takes a reference to POLICY; borrows the rest until api_free(). */
struct api *api_new(const struct api_settings *settings, struct policy *policy);
void api_free(struct api *api);

/* Puts a new policy in force, from the api's own loop. Requests under way finish with either. */
void api_set_policy(struct api *api, struct policy *policy);

/* An http_handler and an http_error_writer; CTX is the struct api. */
http_handler api_handle;
http_error_writer api_write_error;

const struct api_counters *api_counters(const struct api *api);
/* Requests not yet answered. */
size_t api_pending(const struct api *api);
