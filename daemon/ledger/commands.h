/* What the commands share. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "ledger/database.h"

/* Prints PROBLEM and frees it. Returns false. */
bool commands_complain(char *problem);
/* As database_open(); a problem is printed, and the result is NULL. */
struct database *commands_open_database(const char *path, const char *topic_prefix);
/* Appends NAME, which is all that stands before the value, and VALUE as a JSON string. */
void commands_append_member(struct buf *b, const char *name, struct slice value);
