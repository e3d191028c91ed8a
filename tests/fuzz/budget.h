/*
 * What one input may take of memory and of processor time: a parser that needs the square of its input's
 * length passes every test of its results. Time is the processor's, so that a busy machine finds nothing.
 */
#pragma once

#include <stddef.h>

/* Limits for an input of n bytes: fixed + n * per_byte. */
struct budget {
    size_t bytes;
    size_t bytes_per_byte;
    size_t us;
    size_t us_per_byte;
};

/* Forgets what was counted before: what is allocated from now on counts until it is freed. */
void budget_begin(void);

/* Aborts with a line that says how far an input of SIZE bytes went beyond BUDGET. */
void budget_end(const struct budget *budget, size_t size);
