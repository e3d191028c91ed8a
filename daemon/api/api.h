/*
 * The players' interface: requests in, answers out. One api belongs to one worker's loop.
 *
 *     exchange -> route -> codec -> token -> claim_judge -> store -> codec -> http_respond
 */
#pragma once

#include <stddef.h>

#include "api/api_types.h"
#include "http/http.h"
#include "identity/policy.h"

struct api;

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
