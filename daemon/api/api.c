/* The api: what one worker needs to answer players. */
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"

struct api *api_new(const struct api_settings *settings, struct policy *policy)
{
    struct api *api = mem_zalloc(sizeof(*api));
    api->settings = *settings;
    api->policy = policy_ref(policy);
    api->signer = token_signer_new(policy->keys);
    api->jitter = (unsigned)clock_monotonic_us();
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    token_signer_free(api->signer);
    policy_unref(api->policy);
    buf_free(&api->body);
    buf_free(&api->headers);
    buf_free(&api->error_body);
    buf_free(&api->error_headers);
    free(api);
}

void api_set_policy(struct api *api, struct policy *policy)
{
    token_signer_free(api->signer);
    policy_unref(api->policy);
    api->policy = policy_ref(policy);
    api->signer = token_signer_new(policy->keys);
}

int64_t api_interval_ms(struct api *api)
{
    const struct config *config = api->settings.config;
    return pace_interval_ms(config->heartbeats.interval_ms, config->heartbeats.max_interval_ms,
        store_age_ms(api->settings.store), pace_refusals(&api->pace, clock_monotonic_ms()));
}

const struct api_counters *api_counters(const struct api *api)
{
    return &api->counters;
}

size_t api_pending(const struct api *api)
{
    return api->pending;
}
