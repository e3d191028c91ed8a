/* Sessions of a crowd, asked for over HTTP. */
#include "load/opening.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    WAIT_US = 100000,
    FAILURES_MAX = 100,
    CLOCK_OFF_MAX_MS = 30000 /* the evidence begins a minute before the load and ends a minute after it */
};

struct opening {
    const struct load_plan *plan;
    struct crowd *crowd;
    const atomic_bool *stop;
    struct pool *pool;
    struct arena arena;
    uint32_t *players; /* by the connection that asks for them */
    uint32_t *again;   /* a stack of those who were refused */
    uint32_t n_again;
    uint32_t next;
    uint32_t n_open;
    unsigned failures; /* in a row */
    int last_status;   /* 0: no answer */
    bool clock_is_off; /* the server's */
};

static void on_answer(void *ctx, uint32_t slot, const struct reply *reply, int64_t now_us)
{
    struct opening *o = ctx;
    struct slice token;
    int64_t anchor_ms;
    arena_reset(&o->arena);
    if (reply != NULL && reply->status == 201 &&
        message_read_session(reply->body, &o->arena, &token, &anchor_ms)) {
        crowd_open(o->crowd, o->players[slot], token, anchor_ms, now_us);
        o->clock_is_off = o->clock_is_off || llabs(anchor_ms - clock_system_ms()) > CLOCK_OFF_MAX_MS;
        o->n_open++;
        o->failures = 0;
        return;
    }
    o->failures++;
    o->last_status = reply != NULL ? reply->status : 0;
    o->again[o->n_again++] = o->players[slot];
}

static void ask(struct opening *o, uint32_t player)
{
    const struct evidence *e = o->plan->evidence;
    char name[EVIDENCE_LEARNER_MAX + 1];
    char jwt[PLAN_JWT_MAX];
    uint32_t slot;
    uint32_t index = crowd_learner(o->crowd, player);
    struct slice learner = evidence_learner(e, index, name);
    size_t len = o->plan->sign_jwt(o->plan->sign_ctx, learner, jwt);
    struct buf *out = pool_begin(o->pool, &slot);
    o->players[slot] = player;
    message_session(out, &o->plan->place, (struct slice){jwt, len}, slice_of(evidence_lesson(e, index)),
        SLICE_LITERAL("bench"));
    pool_send(o->pool, slot, clock_monotonic_us());
}

static bool is_hopeless(const struct opening *o)
{
    return o->failures >= FAILURES_MAX || o->clock_is_off || atomic_load(o->stop);
}

bool opening_run(
    const struct load_plan *plan, struct crowd *crowd, const atomic_bool *stop, char problem[static 256])
{
    struct opening o = {.plan = plan, .crowd = crowd, .stop = stop};
    uint32_t n = crowd_size(crowd);
    o.players = mem_zalloc(plan->pool.size * sizeof(*o.players));
    o.again = mem_zalloc((size_t)n * sizeof(*o.again));
    o.pool = pool_new(&plan->pool, on_answer, &o);
    while (o.n_open < n && !is_hopeless(&o)) {
        while (!is_hopeless(&o) && pool_has_idle(o.pool)) {
            if (o.n_again > 0)
                ask(&o, o.again[--o.n_again]);
            else if (o.next < n)
                ask(&o, o.next++);
            else
                break;
        }
        int64_t now_us = clock_monotonic_us();
        pool_wait(o.pool, now_us, now_us + WAIT_US);
    }
    pool_free(o.pool);
    arena_free(&o.arena);
    free(o.players);
    free(o.again);
    if (o.n_open == n && !o.clock_is_off)
        return true;
    if (o.clock_is_off)
        snprintf(problem, 256, "the clock of %.100s is more than %d s away from this machine's",
            plan->place.host, CLOCK_OFF_MAX_MS / 1000);
    else if (atomic_load(stop))
        snprintf(problem, 256, "the load was interrupted while players opened their sessions");
    else if (o.last_status == 0)
        snprintf(problem, 256, "no session could be opened at %.100s: there was no answer", plan->place.host);
    else
        snprintf(problem, 256, "no session could be opened at %.100s: the answer was %d", plan->place.host,
            o.last_status);
    return false;
}
