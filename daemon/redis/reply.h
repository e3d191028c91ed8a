/*
 * Replies of a Redis server that may be broken, or none at all: limits on a reply while it is read, and typed
 * access to one that was.
 *
 * hiredis makes room for as many elements as an array announces, holds a line or a string of any length until
 * it is whole, and goes down as deep as it is led. So replies are built here, within limits; what breaks them
 * breaks the connection.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    REPLY_ELEMENTS_MAX = 1 << 20, /* CLUSTER SLOTS of the most scattered cluster has fewer */
    REPLY_DEPTH_MAX = 7,          /* arrays in each other */
    REPLY_BYTES_MAX = 32 << 20,   /* of all strings of a reply */
    REPLY_LINE_MAX = 64 << 10     /* of an error, a status or a number */
};

/* What is wrong where nothing was asked. A server that has no room for a client says so unasked, as an error.
 */
#define REPLY_UNASKED "a reply to nothing that was asked"

/* What has been read of the reply under way. A zeroed struct is a beginning; lives as long as the context. */
struct reply_progress {
    size_t elements;
    size_t bytes;
    const char *broken; /* which limit was; NULL: none */
};

enum reply_read { REPLY_NONE_YET, REPLY_READ, REPLY_BROKEN };

/*
 * Takes the next whole reply out of what REDIS has received; it is freed by freeReplyObject(). After
 * REPLY_BROKEN, redis->err and redis->errstr say why, and the connection is to be given up.
 */
enum reply_read reply_next(redisContext *redis, struct reply_progress *progress, redisReply **reply)
    __attribute__((warn_unused_result));

/* Whether REDIS has received bytes that are not part of a reply that was taken. */
bool reply_unread(const redisContext *redis);

/* ---- typed access; NULL is never of the type ---- */

bool reply_is_error(const redisReply *reply);

/* An error that begins with CODE, such as "NOPERM". */
bool reply_is_error_code(const redisReply *reply, const char *code);

/* A string, which may hold any bytes; false leaves *OUT as it is. */
bool reply_string(const redisReply *reply, struct slice *out) __attribute__((warn_unused_result));

/* The text that a string reply is, NUL-terminated; "" when it is none. */
const char *reply_text(const redisReply *reply);

/* An integer reply; false leaves *OUT as it is. */
bool reply_integer(const redisReply *reply, int64_t *out) __attribute__((warn_unused_result));

/* A string that is a decimal number and nothing else; false leaves *OUT as it is. */
bool reply_number(const redisReply *reply, int64_t *out) __attribute__((warn_unused_result));

bool reply_is_array(const redisReply *reply);

/* Element I of an array; NULL where it is none or ends before. */
const redisReply *reply_at(const redisReply *reply, size_t i);
