/*
 * Answering an exchange: the headers that every answer carries, problems, and when players come again. A
 * function that answers releases the exchange, and with it everything in its arena.
 *
 * Players may be on other origins (the Fetch standard's CORS protocol): an answer names the request's origin
 * where the configuration allows it. None of this is about cookies: every request is authorized by a token
 * that it carries.
 */
#pragma once

#include "api/api_state.h"

/* The part of the request's path below http.base_path; without a pointer when the path is not below it. */
struct slice answer_path(const struct api *api, const struct http_exchange *x);

/* How often players are asked to send now. */
int64_t answer_interval_ms(const struct api *api);

/* Redis has answered: an outage is over if nothing was refused for a second. */
void answer_served(struct api *api);

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

/*
 * Fills *RESPONSE with an error that the server found before there was a request to handle; ORIGIN is empty
 * when none was read. What *RESPONSE points to lives until the next call.
 */
void answer_error(
    struct api *api, int status, const char *detail, struct slice origin, struct http_response *response);
