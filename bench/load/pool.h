/*
 * A thread's connections, each with one request under way at most. Every request completes exactly once: with
 * a reply, or with none when its connection was lost or its time was over.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "load/link.h"
#include "load/message.h"

struct pool_plan {
    const struct link_address *places;
    size_t n_places;
    const struct link_address *sources; /* none: the system's choice */
    size_t n_sources;
    uint32_t size;
    bool close; /* a connection for each request */
    int64_t timeout_us;
};

/* REPLY is NULL if there was none. Its bytes live until the callback returns. */
typedef void pool_answer(void *ctx, uint32_t slot, const struct reply *reply, int64_t now_us);

/*
 * Which place connection I goes to: each place from each source in turn. *SOURCE is the address that it comes
 * from, or NULL if the system may choose.
 */
const struct link_address *pool_choose(
    const struct pool_plan *plan, size_t i, const struct link_address **source);

struct pool;

struct pool *pool_new(const struct pool_plan *plan, pool_answer *answer, void *ctx);
void pool_free(struct pool *p);

bool pool_has_idle(const struct pool *p);
/* When the pool last got an idle connection after it had none. */
int64_t pool_blocked_until_us(const struct pool *p);
uint32_t pool_busy(const struct pool *p);

/*
 * Takes an idle connection, which there must be. The caller appends the request to the result and then calls
 * pool_send().
 */
struct buf *pool_begin(struct pool *p, uint32_t *slot);
/* Sends the request. If no connection can be made, `answer` is called before this returns. */
void pool_send(struct pool *p, uint32_t slot, int64_t now_us);

/* Waits for replies until UNTIL_US at the latest, and handles them and what timed out. */
void pool_wait(struct pool *p, int64_t now_us, int64_t until_us);
