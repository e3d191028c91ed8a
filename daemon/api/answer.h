/*
 * Answering an exchange: the headers that every answer carries, and problems. Each function releases the
 * exchange, and with it everything in its arena.
 */
#pragma once

#include "api/api_internal.h"

/* Answers with api->body in TYPE. */
void answer_body(struct api *api, struct http_exchange *x, int status, const char *type);

/* Answers RESPONSE with the header lines in api->headers, which are all that it carries. */
void answer_with(struct api *api, struct http_exchange *x, struct http_response *response);

/* Answers a preflight, or any OPTIONS, for a path that takes METHODS ("GET, HEAD"). */
void answer_options(struct api *api, struct http_exchange *x, const char *methods);

/*
 * Answers a problem: DETAIL says what was wrong. HEADERS are further header lines, each ended by \r\n, or
 * NULL.
 */
void answer_problem(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *headers);

/* 401 with the challenge of RFC 6750; GIVEN says that a token was given, which is not valid. */
void answer_unauthorized(struct api *api, struct http_exchange *x, bool given, const char *detail);

/* Redis is away or too slow: 503. */
void answer_unavailable(struct api *api, struct http_exchange *x);
