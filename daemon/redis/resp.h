/* Commands as Redis reads them: RESP arrays of strings, appended to a buffer. Pure. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* The array's header; N_ARGS arguments follow. */
void resp_begin(struct buf *b, size_t n_args);
void resp_arg(struct buf *b, struct slice arg);
void resp_int(struct buf *b, int64_t value);

/* One argument that is HEAD, MIDDLE, SLASH and TAIL in a row. */
void resp_joined(
    struct buf *b, struct slice head, struct slice middle, struct slice slash, struct slice tail);

/* FCALL of a function; N_ARGS counts keys and arguments, which follow. */
void resp_fcall(struct buf *b, const char *function, size_t n_keys, size_t n_args);
