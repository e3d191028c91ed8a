/* What a reload replaces. */
#include "identity/policy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/problems.h"
#include "embedded/demo_yaml.h"

/* With --dev and no key configured, the process's own secret signs, and sessions end with the process. */
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

/* Learners of a portal that the catalog does not have could watch, and no hours would ever be certified. */
static bool check_portals(const struct config *config, const struct catalog *catalog, char **error)
{
    struct problems problems = {0};
    const char **ids = mem_alloc(catalog->n_portals * sizeof(*ids));
    for (size_t i = 0; i < catalog->n_portals; i++)
        ids[i] = catalog->portals[i].id;
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        const struct config_issuer *issuer = &config->auth.issuers[i];
        char hint[NEAREST_HINT_MAX];
        if (catalog_find_portal(catalog, slice_of(issuer->portal)) == NULL)
            problems_add(&problems, config->file == NULL ? "configuration" : config->file, issuer->line,
                "issuer '%s': portal '%s' is not in the catalog%s", issuer->issuer, issuer->portal,
                nearest_hint(hint, issuer->portal, ids, catalog->n_portals));
    }
    free(ids);
    *error = problems_take(&problems);
    return *error == NULL;
}

struct policy *policy_load(const struct config *config, struct slice dev_secret, char **error)
{
    struct policy *policy = mem_zalloc(sizeof(*policy));
    atomic_init(&policy->references, 1);
    if (config->catalog != NULL)
        policy->catalog = catalog_load(config->catalog, error);
    else /* only with --dev, or else the configuration would have been refused */
        policy->catalog =
            catalog_parse("demo catalog", (struct slice){(const char *)demo_yaml, demo_yaml_len}, error);
    if (policy->catalog != NULL && check_portals(config, policy->catalog, error))
        policy->issuers = dev_secret.len > 0 ? jwt_issuers_load_dev(config, dev_secret, error)
                                             : jwt_issuers_load(config, error);
    if (policy->issuers != NULL)
        policy->keys = load_session_keys(config, dev_secret, error);
    if (policy->keys != NULL)
        return policy;
    policy_unref(policy);
    return NULL;
}

struct policy *policy_ref(struct policy *policy)
{
    int before = atomic_fetch_add(&policy->references, 1);
    assert(before > 0);
    (void)before;
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
