/* What a result is held to. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "load/result.h"

/*
 * TEXT is a comma-separated list such as "p99<5ms,refused==0,lost==0": a metric, one of < <= > >= == !=, and
 * a number, with us, ms or s for times, K, M (1,000s) or KiB, MiB for counts and bytes, % for ratios. False
 * with PROBLEM filled when it cannot be read: judged before a load begins.
 */
bool assertions_check_syntax(const char *text, char problem[static 256]) __attribute__((warn_unused_result));
/*
 * Appends a line for each assertion, met or not, with the value found; returns whether all are met. A metric
 * that the result does not have is not met, and a void result meets nothing.
 */
bool assertions_judge(const char *text, const struct result *r, struct buf *out)
    __attribute__((warn_unused_result));
