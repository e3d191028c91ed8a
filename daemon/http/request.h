/*
 * One request read from however many pieces it arrives in: its head gathered line by line, checked whole,
 * then its body. Knows limits, no sockets.
 */
#pragma once

#include "http/chunked.h"
#include "http/head.h"

enum request_status { REQUEST_MORE, REQUEST_DONE, REQUEST_REFUSED };

enum request_stage { REQUEST_STAGE_HEAD, REQUEST_STAGE_LENGTH, REQUEST_STAGE_CHUNKED };

/* A zeroed struct is ready for a request's first byte. */
struct request {
    struct buf head_bytes;
    struct buf body;
    struct head head; /* complete once the stage is past HEAD; its slices point into head_bytes */
    struct chunked chunked;
    enum request_stage stage;
    bool blank_seen;     /* the one empty line that old clients send after a body */
    bool wants_continue; /* `Expect: 100-continue`, and nothing of the body has arrived */
    int status;          /* when refused: 400, 413 or 431 */
    const char *detail;  /* and why */
};

/*
 * Takes from the front of *INPUT; what follows the request stays there. Call it no more after DONE or
 * REFUSED. The outcome does not depend on how the bytes were cut.
 */
enum request_status request_feed(struct request *r, const struct http_limits *limits, struct slice *input)
    __attribute__((warn_unused_result));

/* The body was read; a small buffer is kept for the next one. */
void request_release_body(struct request *r);

/* Ready for the next one; small buffers are kept. */
void request_reset(struct request *r);
void request_free(struct request *r);
