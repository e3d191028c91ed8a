/*
 * Problem details (RFC 9457) of type about:blank. Pure: what goes into an answer, not how it is sent.
 */
#pragma once

#include "base/buf.h"

#define PROBLEM_TYPE "application/problem+json"

/* Appends the problem's JSON. DETAIL says what was wrong with this request, for a developer to read. */
void problem_write(struct buf *b, int status, const char *detail);

/* Appends Retry-After with jitter drawn from *SEED, for a status that asks to come back later (429, 503). */
void problem_write_retry_after(struct buf *b, int status, unsigned *seed);
