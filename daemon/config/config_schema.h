/*
 * The configuration's schema: one row a key. The source of names, types, defaults and limits.
 */
#pragma once

#include "config/config_reading.h"

enum { CONFIG_KEYS_MAX = 64 };

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* The row of NAME; NULL when there is none. */
const struct config_key *config_find_key(const char *name);

/* Whether the value is a list of words, which outside of files may be written "a,b". */
bool config_key_is_list(const struct config_key *key);

/* What the rows have allocated. */
void config_free_values(struct config *config);
