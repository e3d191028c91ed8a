/* What players' tokens are signed with: the platform's secret, or the deployment's session key. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/config.h"
#include "load/crowd.h"
#include "load/evidence.h"

/* For load_plan.sign_jwt: CTX is a struct config_issuer with a secret, which signs the token. */
size_t signing_sign_jwt(const void *ctx, struct slice learner, char *out);

/*
 * Signs a session for every player of CROWD with the deployment's own key, as if it had begun BACKDATE_MS
 * ago. COURSES are those of the evidence's lessons.
 */
void signing_make_sessions(struct crowd *crowd, const struct evidence *evidence, const char *const *courses,
    const struct config *config, int64_t backdate_ms);
