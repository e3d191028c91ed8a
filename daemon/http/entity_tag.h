/*
 * Entity tags as requests name them (RFC 9110, section 8.8.3). Pure. TAG is a strong one of ours, quotes
 * included.
 */
#pragma once

#include "base/slice.h"

/*
 * Whether an If-None-Match header, `*` or a list such as `"a", W/"b"`, names TAG. Weak ones count
 * (section 13.1.2). What follows something malformed is not read.
 */
bool entity_tag_listed(struct slice header, const char *tag);
