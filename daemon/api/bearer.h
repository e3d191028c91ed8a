/*
 * The bearer token of a request (RFC 6750).
 */
#pragma once

#include "http/http.h"

/* The token of `Authorization: Bearer …`; empty when there is none. Lives as long as the exchange. */
struct slice bearer_token(const struct http_exchange *x);
