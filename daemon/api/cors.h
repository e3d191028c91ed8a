/*
 * Players on other origins (the Fetch standard's CORS protocol). Pure: header lines, each ended by \r\n.
 * Nothing here is about cookies: every request is authorized by a token that it carries.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct string_list;

/* Whether a page of ORIGIN may read answers; ALLOWED holds origins, or "*" for all. */
bool cors_allows(const struct string_list *allowed, struct slice origin);

/* Appends what every answer carries, errors too. ORIGIN is empty when the request names none. */
void cors_write(const struct string_list *allowed, struct slice origin, struct buf *b);

/* Appends what the answer to a preflight carries besides, for a path that takes METHODS ("GET, HEAD"). */
void cors_write_preflight(
    const struct string_list *allowed, struct slice origin, const char *methods, struct buf *b);
