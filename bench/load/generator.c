/* One thread of the load. */
#include "load/generator.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load/dice.h"
#include "load/opening.h"
#include "load/retries.h"

enum {
    BODY_ROOM = 60000,    /* of the daemon's 64 KiB */
    BACKOFF_US = 1000000, /* without a Retry-After; half of it to one and a half times */
    WAIT_MAX_US = 100000  /* to see whether the load is to stop */
};

/* The request under way on a connection. */
struct load_request {
    int64_t due_us;   /* since the start */
    int64_t since_us; /* when its first player's claim was due, before any refusal */
    uint32_t n;
    uint32_t runs;
    uint32_t *players; /* `batch` of them */
};

struct generator {
    const struct load_plan *plan;
    struct crowd *crowd;
    struct pool *pool;
    struct tally *tally;
    struct retries retries;
    struct load_request *requests;
    struct arena arena;
    struct buf body;
    struct dice dice;
    /* arrivals of the schedule, of which this thread's are every THREADS-th */
    uint64_t next;    /* to be sent */
    uint64_t offered; /* the first whose time has not come */
    int64_t offered_due_us;
    int64_t start_us;
    int64_t end_us; /* of arrivals, since the start */
    bool ended;     /* there are no more arrivals */
    struct run_answer answers[MESSAGE_RUNS_MAX];
};

static void on_answer(void *ctx, uint32_t slot, const struct reply *reply, int64_t monotonic_us);

struct generator *generator_new(const struct load_plan *plan, unsigned index)
{
    struct generator *g = mem_zalloc(sizeof(*g));
    uint64_t n = plan->evidence->n_learners;
    uint32_t first = (uint32_t)(n * index / plan->threads);
    uint32_t end = (uint32_t)(n * (index + 1) / plan->threads);
    double seconds = schedule_seconds(plan->schedule);
    g->plan = plan;
    g->next = g->offered = index;
    g->offered_due_us = schedule_due_us(plan->schedule, index);
    g->end_us = (int64_t)(seconds * 1e6);
    g->dice = dice_of(plan->seed * 31 + index);
    g->crowd = crowd_new(plan->playing, plan->evidence, first, end - first, plan->seed);
    g->tally = tally_new(plan->warmup_us, (size_t)((g->end_us + plan->drain_us) / 1000000) + 2);
    g->pool = pool_new(&plan->pool, on_answer, g);
    g->requests = mem_zalloc(plan->pool.size * sizeof(*g->requests));
    for (uint32_t i = 0; i < plan->pool.size; i++)
        g->requests[i].players = mem_alloc(plan->batch * sizeof(*g->requests[i].players));
    return g;
}

void generator_free(struct generator *g)
{
    for (uint32_t i = 0; i < g->plan->pool.size; i++)
        free(g->requests[i].players);
    free(g->requests);
    pool_free(g->pool);
    crowd_free(g->crowd);
    tally_free(g->tally);
    retries_free(&g->retries);
    arena_free(&g->arena);
    buf_free(&g->body);
    free(g);
}

struct crowd *generator_crowd(struct generator *g)
{
    return g->crowd;
}

struct tally *generator_tally(struct generator *g)
{
    return g->tally;
}

bool generator_open_sessions(struct generator *g, const atomic_bool *stop, char problem[static 256])
{
    return opening_run(g->plan, g->crowd, stop, problem);
}

/* Counts the arrivals whose time has come, whether or not they find a connection, and goes on to what happens
 * now. */
static struct load_counts *count_at(struct generator *g, int64_t now_us)
{
    for (; g->offered_due_us <= now_us; g->offered_due_us = schedule_due_us(g->plan->schedule, g->offered)) {
        tally_at(g->tally, g->offered_due_us)->counts.offered++;
        g->offered += g->plan->threads;
    }
    return &tally_at(g->tally, now_us)->counts;
}

/* ---- answers ---- */

/* When to try again: in AFTER_S seconds, or in BACKOFF_US if the server named no time, give or take a half.
 */
static int64_t later_us(struct generator *g, int64_t now_us, int64_t after_s)
{
    int64_t wait_us = after_s > 0 ? after_s * 1000000 : BACKOFF_US;
    return now_us + wait_us / 2 + dice_below(&g->dice, (uint32_t)wait_us);
}

/* Claims what is left of an answered claim by itself, because the player has no turn any more. */
static void claim_rest(struct generator *g, uint32_t player, int64_t now_us)
{
    int64_t due_us = later_us(g, now_us, -1);
    retries_add(&g->retries, (struct retry){due_us, due_us, player});
}

static void put_back(struct generator *g, const struct load_request *r, int64_t now_us, int64_t after_s)
{
    for (uint32_t i = 0; i < r->n; i++)
        retries_add(&g->retries, (struct retry){later_us(g, now_us, after_s), r->since_us, r->players[i]});
}

/* Counts the answers and shares them out among the request's players. */
static void give_answers(
    struct generator *g, const struct load_request *r, struct load_counts *counts, int64_t now_us)
{
    /* With --any-answer, read_results() made the answers up, and they are not counted. */
    size_t n_counted = g->plan->any_answer ? 0 : r->runs;
    for (size_t i = 0; i < n_counted; i++) {
        counts->accepted += g->answers[i].status == RUN_ACCEPTED;
        counts->retried += g->answers[i].status == RUN_RETRY;
        counts->rejected += g->answers[i].status == RUN_REJECTED;
        counts->credited_s += g->answers[i].credited;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t player = r->players[i];
        size_t n = crowd_claimed(g->crowd, player);
        crowd_answered(g->crowd, player, g->answers + at);
        at += n;
        if (crowd_claimed(g->crowd, player) > 0 && g->ended)
            claim_rest(g, player, now_us);
        else
            crowd_done(g->crowd, player, g->start_us + now_us);
    }
}

/* Reads the results; false when they are not one for each run. */
static bool read_results(struct generator *g, const struct load_request *r, const struct reply *reply)
{
    if (g->plan->any_answer) {
        for (size_t i = 0; i < r->runs; i++) /* nothing was credited, nothing is to be sent again */
            g->answers[i] = (struct run_answer){RUN_REJECTED, 0};
        return true;
    }
    arena_reset(&g->arena);
    return message_read_results(reply->body, &g->arena, g->answers) == r->runs;
}

static void on_answer(void *ctx, uint32_t slot, const struct reply *reply, int64_t monotonic_us)
{
    struct generator *g = ctx;
    struct load_request *r = &g->requests[slot];
    int64_t now_us = monotonic_us - g->start_us;
    struct load_counts *counts = count_at(g, now_us);
    if (reply != NULL && (reply->status == 429 || reply->status == 503)) {
        counts->refused++;
        put_back(g, r, now_us, reply->retry_after_s);
    } else if (reply != NULL && reply->status / 100 == 2 && read_results(g, r, reply)) {
        tally_answered(g->tally, now_us, r->since_us);
        give_answers(g, r, counts, now_us);
    } else {
        counts->failed++;
        put_back(g, r, now_us, -1);
    }
}

/* ---- arrivals ---- */

static int64_t next_due_us(const struct generator *g, int64_t now_us)
{
    if (g->plan->schedule->closed)
        return now_us < g->end_us ? now_us : INT64_MAX;
    return schedule_due_us(g->plan->schedule, g->next);
}

static void begin_request(struct generator *g, struct load_request *r, int64_t due_us)
{
    r->due_us = r->since_us = due_us;
    r->n = 0;
    r->runs = 0;
    message_body_begin(&g->body, g->plan->batch == 1);
}

static void add_player(struct generator *g, struct load_request *r, uint32_t player, int64_t now_us)
{
    struct run claim[PLAYER_RUNS_MAX];
    uint32_t n = (uint32_t)crowd_claim(g->crowd, player, g->start_us + now_us, claim);
    message_body_add(&g->body, crowd_token(g->crowd, player), claim, n);
    r->players[r->n++] = player;
    r->runs += n;
}

/* Whether the request has room for one player more, whatever that player claims. */
static bool has_room(const struct generator *g, const struct load_request *r)
{
    return r->n < g->plan->batch && r->runs + PLAYER_RUNS_MAX <= MESSAGE_RUNS_MAX && g->body.len <= BODY_ROOM;
}

static void send_request(struct generator *g, uint32_t slot, struct buf *out, int64_t now_us)
{
    const struct load_request *r = &g->requests[slot];
    int64_t could_us = pool_blocked_until_us(g->pool) - g->start_us;
    could_us = could_us > r->due_us ? could_us : r->due_us;
    message_body_end(&g->body, g->plan->batch == 1);
    message_heartbeats(out, &g->plan->place, buf_slice(&g->body));
    tally_sent(g->tally, now_us, r->due_us, now_us > could_us ? now_us - could_us : 0);
    pool_send(g->pool, slot, g->start_us + now_us);
}

static void send_retry(struct generator *g, int64_t due_us, int64_t now_us)
{
    uint32_t slot;
    struct buf *out = pool_begin(g->pool, &slot);
    struct load_request *r = &g->requests[slot];
    begin_request(g, r, due_us);
    do {
        struct retry retry = retries_take(&g->retries);
        if (retry.since_us < r->since_us)
            r->since_us = retry.since_us;
        add_player(g, r, retry.player, now_us);
    } while (has_room(g, r) && retries_due_us(&g->retries) <= now_us);
    send_request(g, slot, out, now_us);
}

/*
 * An arrival of the schedule sends what the next BATCH players claim whose turn it is. An arrival that finds
 * every player waiting for an answer counts as failed; in a closed loop there is no arrival then, and the
 * result is false.
 */
static bool arrive(struct generator *g, int64_t due_us, int64_t now_us)
{
    uint32_t player;
    bool sent = crowd_take(g->crowd, g->start_us + now_us, &player);
    if (sent) {
        uint32_t slot;
        struct buf *out = pool_begin(g->pool, &slot);
        struct load_request *r = &g->requests[slot];
        begin_request(g, r, due_us);
        do {
            add_player(g, r, player, now_us);
        } while (has_room(g, r) && crowd_take(g->crowd, g->start_us + now_us, &player));
        send_request(g, slot, out, now_us);
    }
    struct load_counts *counts = &tally_at(g->tally, now_us)->counts;
    if (g->plan->schedule->closed) {
        counts->offered += sent;
        return sent;
    }
    counts->failed += !sent;
    g->next += g->plan->threads;
    return true;
}

/* Sends all that is due and finds a connection; returns when the next will be due. */
static int64_t send_due(struct generator *g)
{
    for (;;) {
        int64_t now_us = clock_monotonic_us() - g->start_us;
        count_at(g, now_us);
        int64_t arrival_us = next_due_us(g, now_us);
        int64_t retry_us = retries_due_us(&g->retries);
        int64_t due_us = arrival_us < retry_us ? arrival_us : retry_us;
        if (due_us > now_us)
            return due_us;
        if (!pool_has_idle(g->pool))
            return INT64_MAX;
        if (retry_us <= arrival_us)
            send_retry(g, retry_us, now_us);
        else if (!arrive(g, due_us, now_us))
            return retry_us; /* nobody to send for until then, or until one is answered */
    }
}

/* ---- the loop ---- */

static bool finished(struct generator *g, int64_t now_us, const atomic_bool *stop)
{
    if (atomic_load(stop) || now_us >= g->end_us + g->plan->drain_us)
        return true;
    if (!g->ended && next_due_us(g, now_us) == INT64_MAX) {
        uint32_t player;
        g->ended = true;
        while (crowd_take_unanswered(g->crowd, &player)) /* their turns are over, but not all is answered */
            claim_rest(g, player, now_us);
    }
    return g->ended && g->retries.n == 0 && pool_busy(g->pool) == 0;
}

void generator_run(struct generator *g, int64_t start_us, const atomic_bool *stop)
{
    int64_t now_us;
    g->start_us = start_us;
    while (!finished(g, now_us = clock_monotonic_us() - start_us, stop)) {
        int64_t due_us = send_due(g);
        now_us = clock_monotonic_us() - start_us;
        if (due_us > now_us + WAIT_MAX_US)
            due_us = now_us + WAIT_MAX_US;
        pool_wait(g->pool, now_us, due_us);
    }
    /* What was never sent or is still under way has failed. */
    struct load_counts *counts = count_at(g, now_us);
    counts->failed += pool_busy(g->pool);
    if (g->offered > g->next)
        counts->failed += (g->offered - g->next) / g->plan->threads;
    tally_close(g->tally);
}
