/*
 * What one input may take of memory and of work: a parser that needs the square of its input's length passes
 * every test of its results. Work is counted, never timed, so that every machine finds the same: an edge of
 * the instrumented code's control flow is a step, and so are 64 bytes that are allocated. The limits stand at
 * four times or more of what the seeds and their mutations took.
 */
#pragma once

#include <stddef.h>

/* Limits for an input of n bytes: fixed + n * per_byte. */
struct budget {
    size_t bytes;
    size_t bytes_per_byte;
    size_t steps;
    size_t steps_per_byte;
};

/* Forgets what was counted before: what is allocated from now on counts until it is freed. */
void budget_begin(void);

/* Aborts with a line that says how far an input of SIZE bytes went beyond BUDGET. */
void budget_end(const struct budget *budget, size_t size);
