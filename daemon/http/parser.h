/*
 * The one place that knows which HTTP library reads a request's head: llhttp where it is packaged, its
 * predecessor http_parser else.
 *
 * Debian builds http_parser without its strict checks: it takes spaces in header names, folded lines and bare
 * LF. So the library only says where the parts are, and every byte of the head must be accounted for:
 *
 *     POST /v1/heartbeats HTTP/1.1\r\n     method, one space, target, one space, version
 *     Host: tv.example\r\n                 name, colon, optional white space, value
 *     \r\n                                 nothing skipped, nothing joined
 */
#pragma once

#include "base/slice.h"

struct parser_line {
    struct slice method;
    struct slice target;
    int minor; /* of HTTP/1.x: 0 or 1 */
};

/* One header field, in order; VALUE without white space around it. Returns what is wrong with it, or NULL. */
typedef const char *parser_field(void *ctx, struct slice name, struct slice value);

/*
 * HEAD runs from the method to the first empty line, included. FIELD's slices and *LINE's point into it.
 * Returns NULL, or what is wrong in a few words; then *LINE is undefined.
 */
const char *parser_read_head(struct slice head, struct parser_line *line, parser_field *field, void *ctx)
    __attribute__((warn_unused_result));
