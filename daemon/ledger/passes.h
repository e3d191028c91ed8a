/*
 * Passed tests, from a CSV file (RFC 4180, UTF-8): portal,learner,course[,passed]. A first line that begins
 * with `portal` is a header. `passed` is 1, true, yes or passed; or 0, false, no, failed or empty. Of several
 * lines about one test, one that says passed is enough.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "config/catalog.h"

struct passes;

/* NULL with *ERROR set ("file:line: what", to be freed). Portals and courses must be the catalog's. */
struct passes *passes_load(const char *path, const struct catalog *catalog, char **error);
void passes_free(struct passes *p);
bool passes_has(const struct passes *p, struct slice portal, struct slice learner, const char *course);
