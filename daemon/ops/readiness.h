/*
 * Whether requests should be sent to this daemon: started, not draining, every Redis server reached and set
 * up right, and no clock that disagrees. Kafka is not asked: an outage of it is survived.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "ops/ops.h"

/*
 * OUT gets a line a check, "[+] name: what" or "[-] name: why not"; VERBOSE adds the publisher's, which
 * decides nothing, and shows the checks that passed; without it only those that failed. OUT may be NULL.
 */
bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out);
