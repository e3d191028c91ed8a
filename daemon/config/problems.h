/*
 * What is wrong with a file that a person wrote: all of it at once, each problem with its place.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

enum { PROBLEMS_MAX = 50 };

/* Problems found, one a line: "SOURCE:LINE: what". A zeroed struct has none. */
struct problems {
    struct buf text;
    size_t n;
};

/* LINE 0 leaves the line out. Control characters become '?'. Beyond PROBLEMS_MAX nothing is added. */
void problems_add(struct problems *p, const char *source, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The text without its last newline, to be freed; NULL when there is none. Empties P. */
char *problems_take(struct problems *p);
