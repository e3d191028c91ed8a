/*
 * Writing JSON.
 */
#pragma once

#include "base/buf.h"

/* Appends TEXT as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void json_write_string(struct buf *b, struct slice text);
/*
 * Appends a number rounded to at most DECIMALS digits after the point, without trailing zeros; infinities and
 * NaN, which JSON has not, as null.
 */
void json_write_number(struct buf *b, double value, int decimals);
