/*
 * The Accept-Encoding header (RFC 9110, section 12.5.3). Pure.
 */
#pragma once

#include "base/slice.h"

/*
 * Whether HEADER, such as `gzip, deflate;q=0.5, *;q=0`, takes gzip. A refusal by name outweighs `*`; without
 * a header (or with an empty one) nothing but the plain form is sure to be understood.
 */
bool accept_encoding_takes_gzip(struct slice header);
