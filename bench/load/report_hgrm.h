/* The percentile distribution as HdrHistogram's tools read it (.hgrm), in milliseconds. */
#pragma once

#include "base/buf.h"
#include "load/histogram.h"

void report_hgrm(const struct histogram *h, struct buf *out);
