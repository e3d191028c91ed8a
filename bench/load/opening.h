/* Sessions of a crowd: asked for over HTTP as players do, or made with the deployment's own key. */
#pragma once

#include "config/config.h"
#include "load/generator.h"

/*
 * Asks for a session for every player, as fast as the plan's connections answer. False with a problem when
 * too many fail in a row, when the server's clock is not this machine's, or when *STOP is set. Blocks.
 */
bool open_sessions(const struct load_plan *plan, struct crowd *crowd, const atomic_bool *stop,
    char problem[static 256]) __attribute__((warn_unused_result));

/* Signs a session for every player that began BACKDATE_MS ago. COURSES are those of the evidence's lessons.
 */
void make_sessions(struct crowd *crowd, const struct evidence *evidence, const char *const *courses,
    const struct config *config, int64_t backdate_ms);

enum { PLATFORM_JWT_MAX = 1024 };

/* For load_plan.sign_jwt: a token of CTX (a struct config_issuer with a secret) for LEARNER, into OUT
 * (PLATFORM_JWT_MAX). */
size_t platform_sign_jwt(const void *ctx, struct slice learner, char *out);
