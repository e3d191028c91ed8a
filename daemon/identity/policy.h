/*
 * Whom the daemon believes, and about which lessons: the catalog, the keys of the session tokens, and the
 * issuers of platform tokens. SIGHUP replaces all three together.
 */
#pragma once

#include <stdatomic.h>

#include "base/slice.h"
#include "config/catalog.h"
#include "config/config.h"
#include "credit/token.h"
#include "identity/jwt_issuers.h"

/*
 * Immutable but for the count of references, so that any thread may read it, and a worker may drop the old
 * policy once no request of the worker uses it any more.
 */
struct policy {
    _Atomic int references;
    struct catalog *catalog;
    struct token_keys *keys;
    struct jwt_issuers *issuers;
};

/*
 * Reads catalog and keys as CONFIG says, with one reference; each issuer's portal must be the catalog's.
 * DEV_SECRET is empty without --dev. On failure returns NULL and *ERROR gets a message to be freed.
 */
struct policy *policy_load(const struct config *config, struct slice dev_secret, char **error);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);
