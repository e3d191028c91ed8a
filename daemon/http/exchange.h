/*
 * A request and the answer owed to it, taken from a server's spare ones and given back when answered.
 */
#pragma once

#include "base/arena.h"
#include "http/request.h"

struct connection;

struct http_exchange {
    struct http_server *server;
    struct connection *connection; /* NULL once the client is gone */
    struct http_exchange *next;    /* while spare */
    struct request request;
    struct arena arena;
    bool handed; /* to the handler, which now owes an answer */
};

/* Exchanges kept for reuse: each with the memory that its last request took. A zeroed struct is empty. */
struct exchange_pool {
    struct http_exchange *spare;
    size_t count;
};

struct http_exchange *exchange_take(struct exchange_pool *pool);
void exchange_give(struct exchange_pool *pool, struct http_exchange *x);
void exchange_pool_free(struct exchange_pool *pool);
