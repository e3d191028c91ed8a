/* What a reload replaces. */
#include "identity/policy.h"

#include <stdlib.h>

#include "base/mem.h"
#include "embedded/demo_yaml.h"

/* Without --dev the configuration names a catalog. */
static struct catalog *load_catalog(const struct config *config, char **error)
{
    if (config->catalog != NULL)
        return catalog_load(config->catalog, error);
    return catalog_parse("demo catalog", (struct slice){(const char *)demo_yaml, demo_yaml_len}, error);
}

static struct jwt_issuers *load_issuers(const struct config *config, struct slice dev_secret, char **error)
{
    return dev_secret.len > 0 ? jwt_issuers_load_dev(config, dev_secret, error)
                              : jwt_issuers_load(config, error);
}

/* With --dev and no key configured, sessions live as long as the process and its secret. */
static struct token_keys *load_session_keys(
    const struct config *config, struct slice dev_secret, char **error)
{
    const struct secret_list *from = &config->auth.session_keys;
    if (from->n == 0 && dev_secret.len == 0) {
        *error = mem_strdup("auth.session_key_file is missing");
        return NULL;
    }
    if (from->n == 0)
        return token_keys_new(&dev_secret, 1);
    struct slice *keys = mem_alloc(from->n * sizeof(*keys));
    for (size_t i = 0; i < from->n; i++)
        keys[i] = (struct slice){from->items[i].bytes, from->items[i].len};
    struct token_keys *ring = token_keys_new(keys, from->n);
    free(keys);
    return ring;
}

struct policy *policy_load(const struct config *config, struct slice dev_secret, char **error)
{
    struct policy *policy = mem_zalloc(sizeof(*policy));
    atomic_init(&policy->references, 1);
    policy->catalog = load_catalog(config, error);
    if (policy->catalog != NULL)
        policy->issuers = load_issuers(config, dev_secret, error);
    if (policy->issuers != NULL)
        policy->keys = load_session_keys(config, dev_secret, error);
    if (policy->keys != NULL)
        return policy;
    policy_unref(policy);
    return NULL;
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add(&policy->references, 1);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (atomic_fetch_sub(&policy->references, 1) > 1)
        return;
    catalog_free(policy->catalog);
    token_keys_free(policy->keys);
    jwt_issuers_free(policy->issuers);
    free(policy);
}
