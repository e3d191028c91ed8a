/*
 * Commands as Redis reads them: RESP arrays of strings, appended to a buffer; and the names of minuted's keys
 * in them. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "redis/topology.h"

#define KEY_PUBLISHER "minuted:publisher"
/* Its hash tag puts it where the lease is: one call covers both. */
#define KEY_OFFERS "minuted:{" KEY_PUBLISHER "}:offers"
#define KEY_WATERMARKS "minuted:watermarks"
/* Hash of what every daemon of a deployment must agree on: partitions, horizon, and whether it runs with
 * --dev. */
#define KEY_SETTINGS "minuted:settings"
/* Fields of it that `minuted --begin-program` reads or writes. */
#define SETTING_PROGRAM "program"
#define SETTING_CLOSES "program_closes"
#define SETTING_BEGINS "program_begins"
#define SETTING_ENDED "programs_ended"

/* The array's header; N_ARGS arguments follow. */
void resp_begin(struct buf *b, size_t n_args);
/* FCALL of a function; N_ARGS counts keys and arguments, which follow. */
void resp_fcall(struct buf *b, const char *function, size_t n_keys, size_t n_args);

/* ---- one argument each ---- */

void resp_arg(struct buf *b, struct slice arg);
void resp_int(struct buf *b, int64_t value);
/* HEAD, MIDDLE, SLASH and TAIL in a row. */
void resp_joined(
    struct buf *b, struct slice head, struct slice middle, struct slice slash, struct slice tail);
/* `<portal>/<learner>`, as sets and hashes name a learner. */
void resp_learner(struct buf *b, struct slice portal, struct slice learner);
/* The keys `minuted:{tag}:<name>`, `minuted:{tag}:<name>:<number>` and `minuted:{tag}:t:<portal>/<learner>`.
 */
void resp_key(struct buf *b, const struct key_prefix *prefix, const char *name);
void resp_key_number(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number);
void resp_key_totals(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner);
