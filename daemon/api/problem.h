/*
 * Problem details (RFC 9457) of type about:blank. Pure: what goes into an answer, not how it is sent.
 */
#pragma once

#include "base/buf.h"

#define PROBLEM_TYPE "application/problem+json"

/* Appends the problem's JSON. DETAIL says what was wrong with this request, for a developer to read. */
void problem_write(struct buf *b, int status, const char *detail);
