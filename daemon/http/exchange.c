/* A request and the answer owed to it. */
#include "http/exchange.h"

#include <stdlib.h>

#include "base/mem.h"

/* About what is in flight in one loop turn; more are made and freed as needed. */
enum { EXCHANGES_SPARE = 256 };

struct http_exchange *exchange_take(struct exchange_pool *pool)
{
    struct http_exchange *x = pool->spare;
    if (x == NULL)
        return mem_zalloc(sizeof(*x));
    pool->spare = x->next;
    pool->count--;
    x->next = NULL;
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    request_free(&x->request);
    arena_free(&x->arena);
    free(x);
}

void exchange_give(struct exchange_pool *pool, struct http_exchange *x)
{
    if (pool->count >= EXCHANGES_SPARE) {
        exchange_free(x);
        return;
    }
    request_reset(&x->request);
    arena_reset(&x->arena);
    x->arena.limit = 0;
    x->connection = NULL;
    x->handed = false;
    x->next = pool->spare;
    pool->spare = x;
    pool->count++;
}

void exchange_pool_free(struct exchange_pool *pool)
{
    while (pool->spare != NULL) {
        struct http_exchange *x = pool->spare;
        pool->spare = x->next;
        exchange_free(x);
    }
    pool->count = 0;
}

enum http_method http_method(const struct http_exchange *x)
{
    return x->request.head.method;
}

struct slice http_path(const struct http_exchange *x)
{
    return x->request.head.path;
}

struct slice http_query(const struct http_exchange *x)
{
    return x->request.head.query;
}

struct slice http_header(const struct http_exchange *x, enum http_header header)
{
    return x->request.head.headers[header];
}

struct slice http_body(const struct http_exchange *x)
{
    return buf_slice(&x->request.body);
}

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

void http_release_body(struct http_exchange *x)
{
    request_release_body(&x->request);
}
