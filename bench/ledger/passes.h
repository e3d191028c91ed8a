/*
 * Passed tests, from a CSV file: portal,learner,course[,passed], a header line optional.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "catalog.h"

struct passes;

/* NULL with *ERROR set ("file:line: what", to be freed). Courses must be the catalog's. */
struct passes *passes_load(const char *path, const struct catalog *catalog, char **error);
void passes_free(struct passes *p);
bool passes_has(const struct passes *p, struct slice portal, struct slice learner, const char *course);
