/*
 * UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Length of the sequence at the start of LEFT > 0 bytes at P; 0 when it is none. */
size_t utf8_length(const unsigned char *p, size_t left);

/* Whether TEXT is UTF-8 without control characters (C0, DEL, C1). */
bool utf8_text_valid(struct slice text);
