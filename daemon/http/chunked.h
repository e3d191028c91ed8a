/*
 * The chunked transfer coding (RFC 9112, 7.1), byte for byte. It is ours because the library as Debian
 * builds it takes any two bytes where a chunk's CR LF must stand.
 *
 *     5;ext\r\n hello\r\n 0\r\n X-Trailer: v\r\n \r\n
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

enum chunked_status {
    CHUNKED_MORE,
    CHUNKED_DONE,
    CHUNKED_MALFORMED,
    CHUNKED_TOO_LARGE,
    CHUNKED_LONG_TRAILER
};

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER_START,
    CHUNKED_TRAILER_NAME,
    CHUNKED_TRAILER_VALUE,
    CHUNKED_TRAILER_LF,
    CHUNKED_END_LF,
    CHUNKED_ENDED
};

/* A zeroed struct is ready for a body's first byte. */
struct chunked {
    enum chunked_state state;
    size_t size;    /* of the chunk: as read so far, then what is still to come */
    size_t line;    /* bytes of the size line so far */
    size_t trailer; /* bytes of the trailer so far */
};

/*
 * Takes from the front of *INPUT, appends the data to BODY. TOO_LARGE as soon as a size announces more than
 * MAX_BODY bytes in all; trailers are checked, dropped and limited to MAX_TRAILER bytes.
 */
enum chunked_status chunked_feed(struct chunked *c, struct slice *input, struct buf *body, size_t max_body,
    size_t max_trailer) __attribute__((warn_unused_result));
