/* A result as one HTML page with charts, which needs no other file. */
#pragma once

#include "base/buf.h"
#include "load/result.h"

void report_html(const struct result *r, struct buf *out);
