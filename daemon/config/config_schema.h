/*
 * The configuration's schema: one row a key. The source of names, types, defaults and limits.
 */
#pragma once

#include "config/config_reading.h"

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* The row of NAME; NULL when there is none. */
const struct config_key *config_find_key(const char *name);

/* Whether the value is a list of words, which outside of files may be written "a,b". */
bool config_key_is_list(const struct config_key *key);

/*
 * Appends to NAMES, with commas between them, the keys that READ was given otherwise than RUNNING and that a
 * reload does not put in force. False where there is none. Of a file that a key names, the path is compared
 * and not what the file holds.
 */
bool config_needs_restart(const struct config *running, const struct config *read, struct buf *names);

/* What the rows have allocated. */
void config_free_values(struct config *config);
