/*
 * What a request's head says, under rules stricter than any library's (RFC 9112): one valid Host, digits
 * only in one Content-Length, `chunked` as the only Transfer-Encoding and never beside a Content-Length.
 * Two readers that disagree about where a request ends are how requests are smuggled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/http.h"

struct head {
    enum http_method method;
    struct slice path;
    struct slice query;
    struct slice headers[HTTP_HEADER_COUNT];
    uint64_t content_length; /* 0 when there is none */
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
