/* What SIGHUP replaces as a whole: catalog, session keys, issuers. */
#include <stdlib.h>

#include "api/api.h"
#include "api/jwt.h"
#include "base/mem.h"
#include "embedded/demo_yaml.h"

enum { RANDOM_KEY_BYTES = 32 };

/* Without --dev the configuration names a catalog. */
static struct catalog *load_catalog(const struct config *config, char **error)
{
    if (config->catalog != NULL)
        return catalog_load(config->catalog, error);
    return catalog_parse("demo catalog", (struct slice){(const char *)demo_yaml, demo_yaml_len}, error);
}

static struct token_keys *load_session_keys(const struct config *config, struct slice dev_secret)
{
    const struct secret_list *from = &config->auth.session_keys;
    struct slice keys[64];
    size_t n = from->n < 64 ? from->n : 64;
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct slice){from->items[i].bytes, from->items[i].len};
    if (n == 0) /* --dev: tokens live as long as the process */
        keys[n++] = dev_secret;
    return token_keys_new(keys, n);
}

struct policy *policy_load(const struct config *config, struct slice dev_secret, char **error)
{
    char stand_in[RANDOM_KEY_BYTES] = {0};
    struct policy *policy = mem_zalloc(sizeof(*policy));
    atomic_init(&policy->references, 1);
    if (dev_secret.len == 0) /* --check-config of a --dev configuration signs nothing */
        dev_secret = (struct slice){stand_in, sizeof(stand_in)};
    policy->catalog = load_catalog(config, error);
    if (policy->catalog != NULL)
        policy->issuers = dev_secret.ptr == stand_in ? jwt_issuers_load(config, error)
                                                     : jwt_issuers_load_dev(config, dev_secret, error);
    if (policy->issuers == NULL) {
        policy_unref(policy);
        return NULL;
    }
    policy->keys = load_session_keys(config, dev_secret);
    return policy;
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
