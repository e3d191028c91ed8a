/*
 * Whether requests should be sent to this daemon. They should when it has started and is not draining, when
 * every Redis server is reached and set up right, and when no server's clock disagrees. Kafka does not count,
 * since the daemon outlives its outages.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "ops/ops.h"

/*
 * Appends to OUT, unless it is NULL, a line for each check that failed: "[-] name: why". With VERBOSE also
 * "[+] name: what" for each check that passed, and "[i] name: what" for what decides nothing, such as the
 * publisher's state.
 */
bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out);
