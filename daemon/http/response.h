/*
 * An answer as bytes.
 */
#pragma once

#include <time.h>

#include "base/buf.h"
#include "http/http.h"

/* The Date header's value, made once a second. A zeroed struct is ready. */
struct response_date {
    time_t second;
    char text[32];
};

enum response_connection { RESPONSE_KEEP, RESPONSE_KEEP_1_0, RESPONSE_CLOSE };

/* How the answer depends on its request. */
struct response_frame {
    enum response_connection connection;
    bool without_body; /* HEAD: the length is told, the body is not sent */
};

/* Appends the answer to OUT. */
void response_write(struct buf *out, const struct http_response *response, const struct response_frame *frame,
    struct response_date *date);
