/*
 * The Range header (RFC 9110, section 14.2) against a body of known length. Pure.
 *
 *     bytes=0-499     the first 500
 *     bytes=500-      all from the 501st on
 *     bytes=-500      the last 500
 */
#pragma once

#include "base/slice.h"

enum range_verdict {
    RANGE_WHOLE,        /* no range, several, another unit, or nothing that is understood: send everything */
    RANGE_PART,         /* send what *OUT says */
    RANGE_UNSATISFIABLE /* begins behind the end: 416 */
};

/* Bytes [first, first + len). */
struct range {
    size_t first;
    size_t len;
};

/* HEADER is empty when there is none. *OUT is the whole body unless it is a part. */
enum range_verdict range_read(struct slice header, size_t length, struct range *out)
    __attribute__((warn_unused_result));
