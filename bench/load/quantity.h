/* Numbers with units, as options give them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A duration such as 500ms, 15s, 10m or 4h into microseconds, at most a day; *END is what follows it. */
bool quantity_duration(const char *text, const char **end, int64_t *us) __attribute__((warn_unused_result));

/* A number >= 0 such as 20000, 1.5 or 20K; K and M are thousands and millions. */
bool quantity_number(const char *text, const char **end, double *value) __attribute__((warn_unused_result));
