/*
 * /status.json: what the live page draws, from the same values as the metrics.
 */
#pragma once

#include "base/buf.h"
#include "ops/ops.h"

void status_write(const struct ops_sources *sources, struct buf *out);
