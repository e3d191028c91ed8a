/*
 * JSON (RFC 8259), read strictly: a pull reader that allocates nothing but what strings with escapes stand
 * for. Invalid UTF-8, trailing bytes, unescaped control characters, leading zeros and more than
 * JSON_DEPTH_MAX levels are errors. The first error sticks: every later call returns false. A value of
 * another type than asked for is such an error too: ask json_next_type() first where it may be one.
 *
 *     json_read(&r, text);
 *     if (json_object(&r))
 *         while (json_member(&r, &key))
 *             if (slice_is(key, "runs")) ... else json_skip(&r);
 *     if (!json_end(&r)) report(r.error, r.error_offset);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json_number.h"
#include "base/slice.h"

enum { JSON_DEPTH_MAX = 32, JSON_KEY_MAX = 128 };

enum json_type {
    JSON_INVALID,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_reader {
    const char *error; /* NULL while all is well; else what is wrong, a literal */
    size_t error_offset;
    struct slice text;
    size_t at;
    int depth;
    bool first; /* the container just opened has given nothing yet */
    struct arena *arena;
    char key[JSON_KEY_MAX]; /* the newest member's, where it had escapes */
};

/*
 * Starts reading TEXT, which must live as long as what is read from it. A byte order mark before it is passed
 * over, as RFC 8259 allows. ARENA takes unescaped strings, never more than they take in TEXT, rounded up.
 */
void json_read(struct json_reader *r, struct slice text, struct arena *arena);

/* The type of the value that comes next. */
enum json_type json_next_type(struct json_reader *r);

/*
 * Enters an object; json_member() then gives key after key, equal ones too, and false at its end (or at an
 * error). The value of each must be read or skipped. A key lives until the next one is read; one that has
 * escapes and takes more than JSON_KEY_MAX bytes in TEXT is given as it is written there.
 */
bool json_object(struct json_reader *r) __attribute__((warn_unused_result));
bool json_member(struct json_reader *r, struct slice *key) __attribute__((warn_unused_result));

/* Enters an array; json_element() is true while a value comes next. */
bool json_array(struct json_reader *r) __attribute__((warn_unused_result));
bool json_element(struct json_reader *r) __attribute__((warn_unused_result));

/* A string, unescaped; it may hold NUL bytes (from \u0000). */
bool json_string(struct json_reader *r, struct slice *out) __attribute__((warn_unused_result));
bool json_number(struct json_reader *r, struct json_number *out) __attribute__((warn_unused_result));

/* Passes over the value that comes next, whatever it is. */
bool json_skip(struct json_reader *r);

/* True when the whole text was one good value, all of it read. */
bool json_end(struct json_reader *r) __attribute__((warn_unused_result));
