/* A thread's connections. */
#include "load/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { EVENTS_MAX = 256 };

struct pool_slot {
    TAILQ_ENTRY(pool_slot) busy_slots;
    struct link link;
    int64_t sent_us;
    uint32_t index;
    bool busy;
};

struct pool {
    const struct pool_plan *plan;
    pool_answer *answer;
    void *ctx;
    struct pool_slot *slots;
    uint32_t *idle; /* a stack: the warmest connection first */
    uint32_t n_idle;
    size_t n_opened; /* connections ever made, to share out places and sources */
    int64_t blocked_until_us;
    TAILQ_HEAD(, pool_slot) busy; /* in the order of sending, so that the first times out first */
    int epoll;
};

struct pool *pool_new(const struct pool_plan *plan, pool_answer *answer, void *ctx)
{
    struct pool *p = mem_zalloc(sizeof(*p));
    p->plan = plan;
    p->answer = answer;
    p->ctx = ctx;
    p->slots = mem_zalloc(plan->size * sizeof(*p->slots));
    p->idle = mem_zalloc(plan->size * sizeof(*p->idle));
    TAILQ_INIT(&p->busy);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll < 0)
        abort();
    for (uint32_t i = 0; i < plan->size; i++) {
        p->slots[i].index = i;
        p->slots[i].link.fd = -1;
        p->idle[p->n_idle++] = plan->size - 1 - i;
    }
    return p;
}

void pool_free(struct pool *p)
{
    for (uint32_t i = 0; i < p->plan->size; i++)
        link_free(&p->slots[i].link);
    close(p->epoll);
    free(p->idle);
    free(p->slots);
    free(p);
}

bool pool_has_idle(const struct pool *p)
{
    return p->n_idle > 0;
}

int64_t pool_blocked_until_us(const struct pool *p)
{
    return p->blocked_until_us;
}

uint32_t pool_busy(const struct pool *p)
{
    return p->plan->size - p->n_idle;
}

const struct link_address *pool_choose(
    const struct pool_plan *plan, size_t i, const struct link_address **source)
{
    *source = plan->n_sources > 0 ? &plan->sources[i / plan->n_places % plan->n_sources] : NULL;
    return &plan->places[i % plan->n_places];
}

/* ---- a request's life ---- */

static void complete(struct pool *p, struct pool_slot *s, const struct reply *reply, int64_t now_us)
{
    assert(s->busy && p->n_idle < p->plan->size);
    s->busy = false;
    TAILQ_REMOVE(&p->busy, s, busy_slots);
    p->answer(p->ctx, s->index, reply, now_us);
    if (reply == NULL || reply->close || p->plan->close || s->link.out.len > 0)
        link_close(&s->link);
    else
        buf_clear(&s->link.in);
    if (p->n_idle == 0)
        p->blocked_until_us = now_us;
    p->idle[p->n_idle++] = s->index;
}

struct buf *pool_begin(struct pool *p, uint32_t *slot)
{
    assert(p->n_idle > 0);
    *slot = p->idle[--p->n_idle];
    return &p->slots[*slot].link.out;
}

void pool_send(struct pool *p, uint32_t slot, int64_t now_us)
{
    struct pool_slot *s = &p->slots[slot];
    s->busy = true;
    s->sent_us = now_us;
    TAILQ_INSERT_TAIL(&p->busy, s, busy_slots);
    bool open = s->link.fd >= 0;
    if (!open) {
        const struct link_address *source;
        const struct link_address *place = pool_choose(p->plan, p->n_opened++, &source);
        open = link_open(&s->link, place, source, p->epoll, s->index);
    }
    if (!open || link_flush(&s->link, p->epoll, slot) == LINK_LOST)
        complete(p, s, NULL, now_us);
}

static void handle(struct pool *p, struct pool_slot *s, uint32_t events)
{
    if (s->link.fd < 0)
        return; /* closed by what came before it */
    if ((events & EPOLLOUT) != 0 && s->busy && link_flush(&s->link, p->epoll, s->index) == LINK_LOST) {
        complete(p, s, NULL, clock_monotonic_us());
        return;
    }
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0)
        return;
    enum link_status status = link_read(&s->link);
    if (status == LINK_AGAIN)
        return;
    if (!s->busy) {
        link_close(&s->link); /* the server closes what was idle for long */
        return;
    }
    int64_t now_us = clock_monotonic_us();
    struct reply reply;
    enum reply_state state =
        status == LINK_DONE ? message_read_reply(buf_slice(&s->link.in), &reply) : REPLY_BROKEN;
    if (state == REPLY_PARTIAL)
        return;
    /* If bytes that nobody asked for follow a reply, it counts as broken. */
    bool good = state == REPLY_WHOLE && reply.len == s->link.in.len;
    complete(p, s, good ? &reply : NULL, now_us);
}

void pool_wait(struct pool *p, int64_t now_us, int64_t until_us)
{
    struct epoll_event events[EVENTS_MAX];
    struct pool_slot *oldest = TAILQ_FIRST(&p->busy);
    if (oldest != NULL && oldest->sent_us + p->plan->timeout_us < until_us)
        until_us = oldest->sent_us + p->plan->timeout_us;
    int64_t wait_us = until_us > now_us ? until_us - now_us : 0;
    struct timespec timeout = {wait_us / 1000000, wait_us % 1000000 * 1000};
    int n = epoll_pwait2(p->epoll, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < n; i++)
        handle(p, &p->slots[events[i].data.u64], events[i].events);
    now_us = clock_monotonic_us();
    while ((oldest = TAILQ_FIRST(&p->busy)) != NULL && now_us - oldest->sent_us >= p->plan->timeout_us)
        complete(p, oldest, NULL, now_us);
}
