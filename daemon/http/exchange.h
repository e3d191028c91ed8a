/*
 * A request and the answer owed to it.
 *
 *     bytes -> http_request_feed() -> the handler -> http_respond() -> http_response_write() -> bytes
 *
 * A request is read from however many pieces it arrives in: its head gathered line by line, checked whole,
 * then its body. Nothing here knows a socket, so that tests need none.
 */
#pragma once

#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/http.h"

struct connection;
struct http_server;

/* --- a request as bytes --------------------------------------------------------------------------------- */

enum request_status { REQUEST_MORE, REQUEST_DONE, REQUEST_REFUSED };

enum request_stage { REQUEST_STAGE_HEAD, REQUEST_STAGE_LENGTH, REQUEST_STAGE_CHUNKED };

/* A zeroed struct is ready for a request's first byte. */
struct http_request {
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
enum request_status http_request_feed(struct http_request *r, const struct http_limits *limits,
    struct slice *input) __attribute__((warn_unused_result));

/* For tests: they read requests that belong to no exchange. The next request may be read; small buffers are
 * kept. */
void http_request_reset(struct http_request *r);
/* For tests, as above. */
void http_request_free(struct http_request *r);

/* --- what a handler asks and answers ---------------------------------------------------------------------
 */

/* Takes the answer to X, which nobody may use afterwards; RESPONSE lives only during the call. */
typedef void http_responder(struct http_exchange *x, const struct http_response *response);

/*
 * Lives until http_respond() has been called; between two requests it is kept with its memory. A handler
 * reads the request's head and body, allocates from the arena what it needs until it answers, and leaves the
 * rest alone.
 */
struct http_exchange {
    struct http_server *server;
    struct connection *connection; /* NULL once the client is gone */
    http_responder *respond;       /* set by whoever hands the exchange to a handler */
    struct http_exchange *next;    /* while spare */
    struct http_request request;
    struct arena arena;
    bool handed; /* to the handler, which now owes an answer */
};

/*
 * Says that the body was read: its memory is given back, and nothing may point into it any more. A handler
 * that answers later calls it, so that what a client sent beyond what was asked for does not wait with the
 * answer.
 */
void http_release_body(struct http_exchange *x);

/* Answers and releases the exchange. May be called from within the handler or later, from the loop. */
void http_respond(struct http_exchange *x, const struct http_response *response);

/* --- an answer as bytes ----------------------------------------------------------------------------------
 */

/* The phrase that goes with a status; "Unknown" where it has none here. */
const char *http_phrase(int status);

/* The Date header's value, made once a second. A zeroed struct is ready. */
struct http_date {
    time_t second;
    char text[32];
};

enum http_keeping { HTTP_KEEP, HTTP_KEEP_1_0, HTTP_CLOSE };

/* How the answer depends on its request. */
struct http_frame {
    enum http_keeping connection;
    bool without_body; /* HEAD: the length is told, the body is not sent */
};

/* Appends the answer to OUT. */
void http_response_write(struct buf *out, const struct http_response *response,
    const struct http_frame *frame, struct http_date *date);

/* --- spare exchanges -------------------------------------------------------------------------------------
 */

/* Exchanges kept for reuse, each with the memory that its last request took. A zeroed struct is empty. */
struct exchange_pool {
    struct http_exchange *spare;
    size_t count;
};

struct http_exchange *exchange_take(struct exchange_pool *pool);
/* Takes X back, answered or not: neither its request nor its arena may be looked at again. */
void exchange_give(struct exchange_pool *pool, struct http_exchange *x);
void exchange_pool_free(struct exchange_pool *pool);
