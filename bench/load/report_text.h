/*
 * A result on one screen of text: what was asked for, what came of it, how long answers took, what they cost,
 * and whether all of it is where it should be.
 */
#pragma once

#include "base/buf.h"
#include "load/result.h"

void report_text(const struct result *r, struct buf *out);
