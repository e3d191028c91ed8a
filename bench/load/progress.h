/* A line on standard error that says how the load goes, anew each second. */
#pragma once

#include "load/options.h"
#include "load/result.h"

void progress_show(const struct load_options *o, size_t i, const struct second *s);
void progress_end(const struct load_options *o);
