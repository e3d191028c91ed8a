/*
 * The addresses behind host names, asked for anew all the time: a name may move to another server. Names are
 * looked up by threads of their own, one a name at most, so that a slow one holds up neither the others nor
 * whoever asks: what is known is used until something newer is.
 *
 * For one thread at a time.
 */
#pragma once

#include <stdbool.h>

#include "base/endpoint.h"

struct resolver;

struct resolver *resolver_new(void);

/* Does not wait for lookups that are under way. */
void resolver_free(struct resolver *r);

/*
 * The addresses of ENDPOINT as they were at most a second or so ago, the preferred one first. A name is
 * waited for, but not long. False when it is not known; a name that was known once keeps its last addresses
 * while it cannot be looked up.
 */
bool resolver_find(struct resolver *r, const struct endpoint *endpoint, struct endpoint_addresses *out)
    __attribute__((warn_unused_result));

/* ADDRESS is to come first among ENDPOINT's while it is one of them: its server has answered. */
void resolver_prefer(
    struct resolver *r, const struct endpoint *endpoint, const struct endpoint_address *address);

/*
 * ADDRESS is to come last among ENDPOINT's, until it is preferred again: its server is not the one that the
 * name is asked for. Of several that were passed over, the one that was passed over last comes last, so every
 * address gets its turn.
 */
void resolver_pass_over(
    struct resolver *r, const struct endpoint *endpoint, const struct endpoint_address *address);
