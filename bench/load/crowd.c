/* Simulated players. */
#include "load/crowd.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "load/dice.h"

enum { NONE = UINT32_MAX, MEDIA_START_MAX_MS = 60000, RUN_MIN_MS = 1000 };

/* On the session's clock. */
struct stretch {
    uint32_t from_ms;
    uint32_t to_ms;
    uint32_t media_ms; /* where it began */
};

struct player {
    struct slice token;
    int64_t anchor_ms; /* server Unix ms */
    int64_t opened_us; /* the same instant on the monotonic clock */
    int64_t turn_us;   /* its last one */
    uint32_t next;     /* in the line of those who wait */
    uint32_t played_ms;
    uint32_t media_ms;
    float speed;
    bool began;
    uint8_t n_queue;
    struct stretch queue[PLAYER_RUNS_MAX];
};

struct crowd {
    const struct playing *playing;
    struct evidence *evidence;
    struct dice dice;
    struct arena tokens;
    struct player *players;
    uint32_t first;
    uint32_t n;
    uint32_t n_began; /* players from here on have not played yet */
    uint32_t head;    /* of the line: who waited longest */
    uint32_t tail;
};

static const float speeds[] = {1.25F, 1.5F, 2.0F, 0.75F};

struct crowd *crowd_new(
    const struct playing *playing, struct evidence *evidence, uint32_t first, uint32_t n, uint64_t seed)
{
    struct crowd *c = mem_zalloc(sizeof(*c));
    c->playing = playing;
    c->evidence = evidence;
    c->dice = dice_of(seed + first);
    c->first = first;
    c->n = n;
    c->head = c->tail = NONE;
    c->players = mem_zalloc(n * sizeof(*c->players));
    for (uint32_t i = 0; i < n; i++) {
        struct player *p = &c->players[i];
        p->media_ms = dice_below(&c->dice, MEDIA_START_MAX_MS);
        p->speed = dice_happens(&c->dice, playing->speeds) ? speeds[dice_below(&c->dice, 4)] : 1.0F;
        if ((double)p->speed > playing->rate_max)
            p->speed = 1.0F;
    }
    return c;
}

void crowd_free(struct crowd *c)
{
    arena_free(&c->tokens);
    free(c->players);
    free(c);
}

uint32_t crowd_size(const struct crowd *c)
{
    return c->n;
}

uint32_t crowd_learner(const struct crowd *c, uint32_t player)
{
    return c->first + player;
}

void crowd_open(struct crowd *c, uint32_t player, struct slice token, int64_t anchor_ms, int64_t opened_us)
{
    struct player *p = &c->players[player];
    p->token = (struct slice){arena_strndup(&c->tokens, token.ptr, token.len), token.len};
    p->anchor_ms = anchor_ms;
    p->opened_us = opened_us;
}

struct slice crowd_token(const struct crowd *c, uint32_t player)
{
    return c->players[player].token;
}

/* ---- turns ---- */

static int64_t session_ms(const struct player *p, int64_t now_us)
{
    return (now_us - p->opened_us) / 1000;
}

static uint32_t leave_line(struct crowd *c)
{
    uint32_t player = c->head;
    c->head = c->players[player].next;
    if (c->head == NONE)
        c->tail = NONE;
    return player;
}

bool crowd_take(struct crowd *c, int64_t now_us, uint32_t *player)
{
    bool waited = c->head != NONE && now_us - c->players[c->head].turn_us >= c->playing->interval_ms * 1000;
    if (!waited && c->n_began < c->n) {
        *player = c->n_began++;
        /* The player begins an interval ago, as if the load met it in the middle of playing. */
        struct player *p = &c->players[*player];
        int64_t from_ms = session_ms(p, now_us) - c->playing->interval_ms;
        p->played_ms = c->playing->backdate_ms > 0 || from_ms < 0 ? 0 : (uint32_t)from_ms;
        p->began = true;
        return true;
    }
    while (c->head != NONE) {
        *player = leave_line(c);
        /* If sessions are backdated, a player that has delivered its whole past has no turn any more. */
        const struct player *p = &c->players[*player];
        if (c->playing->backdate_ms == 0 || p->n_queue > 0 ||
            p->played_ms + c->playing->claim_ms <= c->playing->backdate_ms)
            return true;
    }
    return false;
}

bool crowd_take_unanswered(struct crowd *c, uint32_t *player)
{
    while (c->head != NONE) {
        *player = leave_line(c);
        if (c->players[*player].n_queue > 0)
            return true;
    }
    return false;
}

void crowd_done(struct crowd *c, uint32_t player, int64_t now_us)
{
    struct player *p = &c->players[player];
    p->turn_us = now_us;
    p->next = NONE;
    if (c->tail == NONE)
        c->head = player;
    else
        c->players[c->tail].next = player;
    c->tail = player;
}

/* ---- playing ---- */

static int64_t lesson_length_ms(const struct crowd *c, uint32_t player)
{
    return c->playing->lesson_lengths_ms[(c->first + player) % c->evidence->n_lessons];
}

static uint32_t media_of(const struct player *p, uint32_t elapsed_ms)
{
    return (uint32_t)((double)elapsed_ms * (double)p->speed + 0.5);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long it takes to the lesson's end. */
static int64_t left_ms(const struct crowd *c, uint32_t player)
{
    const struct player *p = &c->players[player];
    int64_t length_ms = lesson_length_ms(c, player);
    return length_ms > 0 ? (int64_t)((double)(length_ms - p->media_ms) / (double)p->speed) : INT64_MAX;
}

/* Plays on to TO_MS as one stretch, or until the queue is full; at the lesson's end it begins again. */
static void play(struct crowd *c, uint32_t player, uint32_t to_ms)
{
    struct player *p = &c->players[player];
    while (p->played_ms < to_ms && p->n_queue < PLAYER_RUNS_MAX) {
        int64_t wanted_ms = least(to_ms - p->played_ms, c->playing->run_max_ms);
        if (left_ms(c, player) < least(wanted_ms, RUN_MIN_MS) && p->media_ms > 0) {
            p->media_ms = 0;
            continue;
        }
        uint32_t elapsed_ms = (uint32_t)least(wanted_ms, left_ms(c, player));
        p->queue[p->n_queue++] = (struct stretch){p->played_ms, p->played_ms + elapsed_ms, p->media_ms};
        p->played_ms += elapsed_ms;
        p->media_ms += media_of(p, elapsed_ms);
    }
}

/* A stretch up to TO_MS, with a pause or a jump somewhere in it. */
static void play_lively(struct crowd *c, uint32_t player, uint32_t to_ms)
{
    struct player *p = &c->players[player];
    bool pauses = dice_happens(&c->dice, c->playing->pauses);
    bool seeks = dice_happens(&c->dice, c->playing->seeks);
    if ((pauses || seeks) && to_ms - p->played_ms >= 3 * RUN_MIN_MS) {
        uint32_t third_ms = (to_ms - p->played_ms) / 3;
        play(c, player, p->played_ms + RUN_MIN_MS + dice_below(&c->dice, third_ms));
        if (pauses && p->n_queue < PLAYER_RUNS_MAX)
            p->played_ms += 1 + dice_below(&c->dice, third_ms);
        if (seeks) {
            int64_t length_ms = lesson_length_ms(c, player);
            p->media_ms = dice_below(&c->dice, length_ms > 0 ? (uint32_t)length_ms : MEDIA_START_MAX_MS);
        }
    }
    play(c, player, to_ms);
}

size_t crowd_claimed(const struct crowd *c, uint32_t player)
{
    return c->players[player].n_queue;
}

size_t crowd_claim(struct crowd *c, uint32_t player, int64_t now_us, struct run *runs)
{
    struct player *p = &c->players[player];
    int64_t to_ms = session_ms(p, now_us);
    if (c->playing->backdate_ms > 0)
        to_ms = least(p->played_ms + c->playing->claim_ms, c->playing->backdate_ms);
    if (p->n_queue < PLAYER_RUNS_MAX && to_ms > p->played_ms)
        play_lively(c, player, (uint32_t)to_ms);
    if (p->n_queue ==
        0) { /* it has played nothing since its last turn, and claims the last millisecond again */
        assert(p->played_ms > 0);
        p->queue[p->n_queue++] = (struct stretch){p->played_ms - 1, p->played_ms, 0};
    }
    for (size_t i = 0; i < p->n_queue; i++) {
        const struct stretch *s = &p->queue[i];
        runs[i] = (struct run){.from_ms = s->from_ms,
            .to_ms = s->to_ms,
            .media_from_ms = s->media_ms,
            .media_to_ms = s->media_ms + media_of(p, s->to_ms - s->from_ms),
            .rate = (double)p->speed};
    }
    return p->n_queue;
}

/* ---- answers ---- */

static void keep_evidence(struct crowd *c, uint32_t player, const struct stretch *s)
{
    struct evidence *e = c->evidence;
    struct minute_mask minutes[PLAYER_RUN_MAX_MS / 60000 + 2];
    int64_t anchor_ms = c->players[player].anchor_ms;
    size_t n = mask_split((anchor_ms + s->from_ms + 999) / 1000, (anchor_ms + s->to_ms + 999) / 1000, minutes,
        sizeof(minutes) / sizeof(minutes[0]));
    uint64_t *masks = &e->masks[(size_t)(c->first + player) * e->n_minutes];
    for (size_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)(minutes[i].minute - e->first_minute);
        /* If a minute lies outside, the server's clock is wrong, and the verification shows it. */
        if (at < e->n_minutes)
            masks[at] |= minutes[i].mask;
    }
}

void crowd_answered(struct crowd *c, uint32_t player, const struct run_answer *answers)
{
    struct player *p = &c->players[player];
    uint8_t kept = 0;
    assert(p->n_queue <= PLAYER_RUNS_MAX);
    for (size_t i = 0; i < p->n_queue; i++) {
        bool again = answers[i].status == RUN_RETRY;
        if (answers[i].status == RUN_ACCEPTED) {
            keep_evidence(c, player, &p->queue[i]);
            again = dice_happens(&c->dice, c->playing->resends);
        }
        if (again)
            p->queue[kept++] = p->queue[i];
    }
    p->n_queue = kept;
}

uint32_t crowd_unanswered(const struct crowd *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++)
        n += c->players[i].n_queue > 0;
    return n;
}
