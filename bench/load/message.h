/*
 * What players say over HTTP/1.1 and what they are told: requests into bytes, bytes into replies. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "credit/claim.h"
#include "load/crowd.h"

enum { MESSAGE_RUNS_MAX = 256 /* in a request: the interface's limit */ };

/* What all requests to one place have in common. */
struct message_place {
    char host[300];
    const char *base_path;
    bool close; /* asks for the connection to be closed after each answer */
};

/* ---- requests ---- */

/* A heartbeats body is begun, gets a heartbeat or several, and is ended; alone when there is to be only one.
 */
void message_body_begin(struct buf *body, bool alone);
void message_body_add(struct buf *body, struct slice token, const struct run *runs, size_t n);
void message_body_end(struct buf *body, bool alone);

void message_heartbeats(struct buf *out, const struct message_place *place, struct slice body);
void message_session(struct buf *out, const struct message_place *place, struct slice jwt,
    struct slice lesson, struct slice device);
/* The smallest good request: one that is answered without reading or writing anything. */
void message_nothing(struct buf *out, const struct message_place *place);

/* ---- replies ---- */

struct reply {
    int status;
    bool close;            /* the server will close the connection */
    int64_t retry_after_s; /* negative: not said */
    struct slice body;     /* in the bytes read */
    size_t len;            /* of the whole reply */
};

enum reply_state { REPLY_PARTIAL, REPLY_WHOLE, REPLY_BROKEN };

/* The reply at the beginning of BYTES; only such with a Content-Length, or without a body (204), are
 * understood. */
enum reply_state message_read_reply(struct slice bytes, struct reply *r);

/*
 * The results of a heartbeats answer into ANSWERS (MESSAGE_RUNS_MAX); returns how many, 0 when it is not one.
 * ARENA is used meanwhile.
 */
size_t message_read_results(struct slice body, struct arena *arena, struct run_answer *answers);

/* A session's answer. TOKEN lives in BODY or ARENA. */
bool message_read_session(struct slice body, struct arena *arena, struct slice *token, int64_t *anchor_ms)
    __attribute__((warn_unused_result));
