/*
 * What a request's head says, under rules stricter than any library's (RFC 9112): one valid Host, digits
 * only in one Content-Length, `chunked` as the only Transfer-Encoding and never beside a Content-Length.
 * Two readers that disagree about where a request ends are how requests are smuggled.
 *
 * This is the one place that knows which HTTP library takes a head apart: llhttp where it is packaged, its
 * predecessor http_parser else. Debian builds http_parser without its strict checks: it takes spaces in
 * header names, folded lines and bare LF. So the library only says where the parts are, and every byte of the
 * head must be accounted for:
 *
 *     POST /v1/heartbeats HTTP/1.1\r\n     method, one space, target, one space, version
 *     Host: tv.example\r\n                 name, colon, optional white space, value
 *     \r\n                                 nothing skipped, nothing joined
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/http.h"

struct head {
    enum http_method method;
    struct slice path;                       /* without query, not decoded */
    struct slice query;                      /* without '?', empty when there is none */
    struct slice headers[HTTP_HEADER_COUNT]; /* empty when missing; a repeated one's first value */
    uint64_t content_length;                 /* 0 when there is none */
    bool chunked;
    bool expects_continue;
    bool keep_alive; /* the client's wish, HTTP/1.0's default heeded */
    bool http_1_0;
};

/*
 * BYTES run from the method to the empty line, included; *OUT's slices point into them. Returns NULL, or
 * what is wrong in a few words; then only *OUT's headers read so far are of use.
 */
const char *head_read(struct slice bytes, struct head *out) __attribute__((warn_unused_result));

/* Whether every byte may stand in a header's name (RFC 9110, token); an empty one is none. */
bool head_is_token(struct slice s);

struct head_line {
    struct slice method;
    struct slice target;
    int minor; /* of HTTP/1.x: 0 or 1 */
};

/* One header field, in order; VALUE without white space around it. Returns what is wrong with it, or NULL. */
typedef const char *head_field(void *ctx, struct slice name, struct slice value);

/*
 * For tests: they look at lines and fields before the rules do.
 *
 * HEAD runs from the method to the first empty line, included. FIELD's slices and *LINE's point into it.
 * Returns NULL, or what is wrong in a few words; then *LINE is undefined.
 */
const char *head_parse(struct slice head, struct head_line *line, head_field *field, void *ctx)
    __attribute__((warn_unused_result));

/* ---- the parts of a field's value (RFC 9110, section 5.6) ---- */

/* Without blanks and tabs at either end. */
struct slice http_field_trim(struct slice s);

/* The trimmed part before SEPARATOR, or all when there is none; *REST gets what follows it, and may be S's
 * own. */
struct slice http_field_part(struct slice s, char separator, struct slice *rest);

/* Whether S is NAME, whatever the case of its letters. */
bool http_field_is(struct slice s, const char *name);
