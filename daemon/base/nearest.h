/*
 * "Did you mean": which known name was probably meant by one that is not known.
 */
#pragma once

#include <stddef.h>

/*
 * The one of the N NAMES that takes the fewest letters to change, add or drop to become NAME. NULL if that
 * takes a third of NAME's letters and two more, or even more than that.
 */
const char *nearest_name(const char *name, const char *const *names, size_t n);

/* "; did you mean 'X'?" into TEXT, where X is that name; "" where there is none. Returns TEXT. */
enum { NEAREST_HINT_MAX = 96 };
char *nearest_hint(char text[static NEAREST_HINT_MAX], const char *name, const char *const *names, size_t n);
