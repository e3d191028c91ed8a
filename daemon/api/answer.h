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
 * Answers a problem of this request: DETAIL says what was wrong. HEADERS are further header lines, each ended
 * by \r\n, or NULL. A 503 gets a Retry-After, but slows down nobody else: anybody can cause it.
 */
void answer_problem(
    struct api *api, struct http_exchange *x, int status, const char *detail, const char *headers);

/* 401 with the challenge of RFC 6750; GIVEN says that a token was given, which is not valid. */
void answer_unauthorized(struct api *api, struct http_exchange *x, bool given, const char *detail);

/*
 * Answers 503 because of this daemon's own state, which DETAIL names. It counts as shed, and the players who
 * are refused next are told to come back later.
 */
void answer_shed(struct api *api, struct http_exchange *x, const char *detail);

/* Answers 503 because Redis is away or too slow. */
void answer_unavailable(struct api *api, struct http_exchange *x);
