/*
 * The parts of a header's value (RFC 9110, section 5.6). Pure.
 */
#pragma once

#include "base/slice.h"

/* Without blanks and tabs at either end. */
struct slice field_trim(struct slice s);

/* The trimmed part before SEPARATOR, or all when there is none; *REST gets what follows it, and may be S's
 * own. */
struct slice field_part(struct slice s, char separator, struct slice *rest);

/* Whether S is NAME, whatever the case of its letters. */
bool field_is(struct slice s, const char *name);
