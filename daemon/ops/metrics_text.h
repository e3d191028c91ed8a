/* The metrics as Prometheus reads them: text exposition format 0.0.4. */
#pragma once

#include "base/buf.h"
#include "ops/metrics.h"

/* Appends every family that has a series. */
void metrics_text_write(const struct metrics *m, struct buf *out);
