/*
 * Simulated players, against a model of sets of seconds: what they claim is always theirs to claim, is
 * claimed once, and again in the same words until it is answered; and the evidence is what was accepted,
 * second by second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/crowd.h"
#include "load/dice.h"

enum {
    PLAYERS = 6,
    FIRST = 3, /* learners before the crowd's own */
    MINUTES = 400,
    SECONDS = MINUTES * 60,
    STEPS = 400
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define FIRST_MINUTE INT64_C(27900000)
#define START_MS (FIRST_MINUTE * 60000 + 3600000)
#define START_US INT64_C(5000000000000)

static const char *const lessons[] = {"a", "b", "c", "d", "e"};
static const int64_t lengths_ms[COUNT(lessons)] = {0, 910000, 1000, 45000, 2500};
static const int64_t unknown_lengths_ms[COUNT(lessons)] = {0};

/* ---- a crowd and what is known of it ---- */

struct known {
    int64_t anchor_ms;
    int64_t opened_us;
    struct run runs[PLAYER_RUNS_MAX]; /* of its last claim */
    bool may_stay[PLAYER_RUNS_MAX];   /* the run may come again */
    bool must_stay[PLAYER_RUNS_MAX];  /* it has to */
    size_t n;
    bool waits; /* for its turn; or else for an answer */
    bool claimed[SECONDS];
    bool accepted[SECONDS];
};

struct fixture {
    struct playing playing;
    struct evidence evidence;
    struct crowd *crowd;
    struct known *known;
    int64_t now_us;
};

static struct playing real_time(int64_t interval_ms)
{
    return (struct playing){.interval_ms = interval_ms,
        .claim_ms = interval_ms,
        .run_max_ms = PLAYER_RUN_MAX_MS,
        .rate_max = 2,
        .lesson_lengths_ms = unknown_lengths_ms};
}

/* Players whose sessions opened AGO_MS before, more or less. */
static void begin(struct fixture *f, struct playing playing, int64_t ago_ms, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    *f = (struct fixture){.playing = playing, .now_us = START_US};
    f->evidence = (struct evidence){.n_learners = FIRST + PLAYERS,
        .first_minute = FIRST_MINUTE,
        .n_minutes = MINUTES,
        .lessons = lessons,
        .n_lessons = COUNT(lessons)};
    f->evidence.masks = mem_zalloc((FIRST + PLAYERS) * MINUTES * sizeof(uint64_t));
    f->known = mem_zalloc(PLAYERS * sizeof(*f->known));
    f->crowd = crowd_new(&f->playing, &f->evidence, FIRST, PLAYERS, seed);
    for (uint32_t i = 0; i < PLAYERS; i++) {
        struct known *k = &f->known[i];
        int64_t before_ms = ago_ms + dice_below(&dice, 1000);
        k->anchor_ms = START_MS - before_ms;
        k->opened_us = START_US - before_ms * 1000;
        k->waits = true;
        crowd_open(f->crowd, i, SLICE_LITERAL("token"), k->anchor_ms, k->opened_us);
    }
}

static void end(struct fixture *f)
{
    crowd_free(f->crowd);
    free(f->evidence.masks);
    free(f->known);
}

static uint32_t must_take(struct fixture *f)
{
    uint32_t player = 0;
    assert_true(crowd_take(f->crowd, f->now_us, &player));
    return player;
}

static void accept_all(struct fixture *f, uint32_t player)
{
    struct run_answer answers[PLAYER_RUNS_MAX] = {{RUN_ACCEPTED, 0}};
    crowd_answered(f->crowd, player, answers);
}

/* ---- what holds of every claim ---- */

static int64_t now_ms(const struct fixture *f)
{
    return START_MS + (f->now_us - START_US) / 1000;
}

/* The daemon has nothing against it, though it allows for no inaccuracy of clocks at all. */
static struct claim must_be_good(const struct fixture *f, uint32_t player, const struct run *run)
{
    const struct claim_rules rules = {.max_run_ms = f->playing.run_max_ms, .max_rate = f->playing.rate_max};
    const struct claim_session session = {
        f->known[player].anchor_ms, f->known[player].anchor_ms + 4 * 3600000};
    const struct claim_lesson lesson = {
        INT64_MIN, INT64_MAX, f->playing.lesson_lengths_ms[(FIRST + player) % COUNT(lessons)]};
    struct claim claim;
    enum run_reason reason = claim_judge(&rules, &session, &lesson, now_ms(f), run, &claim);
    if (reason != REASON_NONE)
        fail_msg("player %u: [%ld, %ld) media [%ld, %ld) at %.2f is %s", player, (long)run->from_ms,
            (long)run->to_ms, (long)run->media_from_ms, (long)run->media_to_ms, run->rate,
            claim_reason_name(reason));
    return claim;
}

static void mark(
    const struct fixture *f, uint32_t player, const struct run *run, bool seconds[static SECONDS], bool once)
{
    struct claim claim = must_be_good(f, player, run);
    for (int64_t s = claim.first_second; s < claim.end_second; s++) {
        int64_t at = s - FIRST_MINUTE * 60;
        assert_in_range(at, 0, SECONDS - 1);
        if (once && seconds[at])
            fail_msg("player %u claims second %ld twice", player, (long)at);
        seconds[at] = true;
    }
}

static bool same_words(const struct run *a, const struct run *b)
{
    return a->from_ms == b->from_ms && a->to_ms == b->to_ms && a->media_from_ms == b->media_from_ms &&
           a->media_to_ms == b->media_to_ms && a->rate == b->rate;
}

static bool is_last_millisecond(const struct run *run, size_t n)
{
    return n == 1 && run->to_ms - run->from_ms == 1;
}

/* How many of the claim's first runs are those that were to come again. */
static size_t check_repeated(const struct known *k, const struct run *runs, size_t n)
{
    size_t repeated = 0;
    for (size_t i = 0; i < k->n; i++) {
        bool again = repeated < n && same_words(&runs[repeated], &k->runs[i]);
        assert_true(again ? k->may_stay[i] || is_last_millisecond(runs, n) : !k->must_stay[i]);
        repeated += again;
    }
    return repeated;
}

static void claim(struct fixture *f, uint32_t player)
{
    struct known *k = &f->known[player];
    struct run runs[PLAYER_RUNS_MAX];
    size_t n = crowd_claim(f->crowd, player, f->now_us, runs);
    assert_in_range(n, 1, PLAYER_RUNS_MAX);
    assert_int_equal(n, crowd_claimed(f->crowd, player));
    size_t repeated = check_repeated(k, runs, n);
    for (size_t i = 0; i < n; i++)
        mark(f, player, &runs[i], k->claimed, i >= repeated && !is_last_millisecond(runs, n));
    memcpy(k->runs, runs, sizeof(runs));
    k->n = n;
    for (size_t i = 0; i < n; i++)
        k->may_stay[i] = k->must_stay[i] = true; /* until it is answered */
}

static void answer(struct fixture *f, uint32_t player, struct dice *dice)
{
    struct known *k = &f->known[player];
    struct run_answer answers[PLAYER_RUNS_MAX];
    for (size_t i = 0; i < k->n; i++) {
        answers[i] = (struct run_answer){
            dice_below(dice, 4) == 0 ? (enum run_status)dice_below(dice, 3) : RUN_ACCEPTED, 0};
        k->must_stay[i] = answers[i].status == RUN_RETRY;
        k->may_stay[i] = k->must_stay[i] || (answers[i].status == RUN_ACCEPTED && f->playing.resends > 0);
        if (answers[i].status == RUN_ACCEPTED)
            mark(f, player, &k->runs[i], k->accepted, false);
    }
    crowd_answered(f->crowd, player, answers);
}

static void check_evidence(const struct fixture *f)
{
    for (uint32_t i = 0; i < FIRST + PLAYERS; i++)
        for (size_t s = 0; s < SECONDS; s++) {
            bool held = f->evidence.masks[i * MINUTES + s / 60] >> s % 60 & 1;
            if (held != (i >= FIRST && f->known[i - FIRST].accepted[s]))
                fail_msg("learner %u, second %zu: %d", i, s, held);
        }
}

/* ---- random crowds ---- */

static double random_share(struct dice *dice)
{
    return dice_below(dice, 3) == 0 ? 0 : (double)dice_below(dice, 100) / 100;
}

static struct playing random_playing(struct dice *dice)
{
    static const double rates_max[] = {1, 1.5, 2, 16};
    struct playing p = real_time(1 + dice_below(dice, dice_below(dice, 2) == 0 ? 100 : 70000));
    p.lesson_lengths_ms = lengths_ms;
    p.run_max_ms = 1000 + dice_below(dice, PLAYER_RUN_MAX_MS - 1000 + 1);
    p.rate_max = rates_max[dice_below(dice, COUNT(rates_max))];
    p.claim_ms = 1 + dice_below(dice, 70000);
    p.pauses = random_share(dice);
    p.seeks = random_share(dice);
    p.resends = random_share(dice) * 0.9;
    p.speeds = random_share(dice);
    return p;
}

/* Nothing; a little; or so long that more has been played than a queue holds. */
static int64_t random_step_us(struct dice *dice)
{
    switch (dice_below(dice, 8)) {
    case 0:
        return dice_below(dice, 3);
    case 1:
        return dice_below(dice, 300000000);
    default:
        return dice_below(dice, 3000000);
    }
}

/* Someone who waits for an answer, if there is anybody. */
static bool find_asking(const struct fixture *f, struct dice *dice, uint32_t *player)
{
    uint32_t from = dice_below(dice, PLAYERS);
    for (uint32_t i = 0; i < PLAYERS; i++) {
        *player = (from + i) % PLAYERS;
        if (!f->known[*player].waits)
            return true;
    }
    return false;
}

/* Its request is lost and sent again, or answered. */
static void go_on(struct fixture *f, struct dice *dice, uint32_t player)
{
    if (dice_below(dice, 4) == 0) {
        claim(f, player);
        return;
    }
    answer(f, player, dice);
    crowd_done(f->crowd, player, f->now_us);
    f->known[player].waits = true;
}

static void step(struct fixture *f, struct dice *dice)
{
    uint32_t player;
    if (f->now_us - START_US < 3 * 3600 * INT64_C(1000000)) /* the sessions' life */
        f->now_us += random_step_us(dice);
    if (dice_below(dice, 2) == 0 && find_asking(f, dice, &player)) {
        go_on(f, dice, player);
    } else if (crowd_take(f->crowd, f->now_us, &player)) {
        assert_true(f->known[player].waits);
        f->known[player].waits = false;
        claim(f, player);
    }
}

static void play_at_random(struct playing playing, int64_t ago_ms, struct dice *dice)
{
    struct fixture f;
    begin(&f, playing, ago_ms, dice_throw(dice));
    for (int i = 0; i < STEPS; i++)
        step(&f, dice);
    check_evidence(&f);
    end(&f);
}

static void test_random_crowds_in_real_time(void **state)
{
    (void)state;
    struct dice dice = dice_of(1);
    for (int i = 0; i < 150; i++) {
        struct playing p = random_playing(&dice);
        play_at_random(p, dice_below(&dice, 2) == 0 ? 1 : p.interval_ms + 2000, &dice);
    }
}

static void test_random_crowds_in_the_past(void **state)
{
    (void)state;
    struct dice dice = dice_of(2);
    for (int i = 0; i < 150; i++) {
        struct playing p = random_playing(&dice);
        p.backdate_ms = 1000 + dice_below(&dice, 1800000);
        play_at_random(p, p.backdate_ms, &dice);
    }
}

/* ---- turns ---- */

static void test_turns_are_taken_fairly(void **state)
{
    (void)state;
    static const struct {
        int64_t step_us;  /* between arrivals */
        uint32_t players; /* who take turns: no more than the interval needs */
        int64_t gap_us;   /* between a player's turns */
    } rows[] = {
        {1000000, 6, 6000000}, /* an interval for each */
        {2000000, 3, 6000000}, /* half of them are enough */
        {500000, 6, 3000000},  /* not enough of them: early, but in turn */
        {9000000, 1, 9000000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        int64_t last_us[PLAYERS] = {0};
        begin(&f, real_time(6000), 60000, 1);
        for (uint32_t turn = 0; turn < 50; turn++) {
            uint32_t player = must_take(&f);
            assert_int_equal(player, turn % rows[i].players);
            if (turn >= rows[i].players)
                assert_int_equal(f.now_us - last_us[player], rows[i].gap_us);
            last_us[player] = f.now_us;
            claim(&f, player);
            accept_all(&f, player);
            crowd_done(f.crowd, player, f.now_us);
            f.known[player].n = 0;
            f.now_us += rows[i].step_us;
        }
        end(&f);
    }
}

static void test_nobody_is_left_when_all_wait_for_an_answer(void **state)
{
    (void)state;
    struct fixture f;
    bool taken[PLAYERS] = {false};
    uint32_t player;
    begin(&f, real_time(15000), 60000, 1);
    assert_int_equal(crowd_size(f.crowd), PLAYERS);
    for (int i = 0; i < PLAYERS; i++) {
        player = must_take(&f);
        assert_false(taken[player]);
        taken[player] = true;
        assert_int_equal(crowd_learner(f.crowd, player), FIRST + player);
        assert_true(slice_is(crowd_token(f.crowd, player), "token"));
    }
    assert_false(crowd_take(f.crowd, f.now_us, &player));
    crowd_done(f.crowd, 4, f.now_us);
    assert_int_equal(must_take(&f), 4);
    end(&f);
}

static void test_in_real_time_all_that_was_played_is_claimed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, real_time(6000), 60000, 1);
    for (int turn = 0; turn < 60; turn++) {
        uint32_t player = must_take(&f);
        claim(&f, player);
        accept_all(&f, player);
        crowd_done(f.crowd, player, f.now_us);
        f.known[player].n = 0;
        f.now_us += 1000000;
    }
    for (uint32_t i = 0; i < PLAYERS; i++) {
        size_t n = 0;
        for (size_t s = 0; s < SECONDS; s++)
            n += f.known[i].claimed[s];
        assert_in_range(n, 60, 61); /* ten turns of six seconds */
    }
    end(&f);
}

static void test_twice_in_a_millisecond(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, real_time(15000), 60000, 1);
    for (uint32_t player = 0; player < PLAYERS; player++) {
        struct known *k = &f.known[player];
        claim(&f, player);
        accept_all(&f, player);
        int64_t end_ms = k->runs[k->n - 1].to_ms;
        k->n = 0;
        claim(&f, player);
        assert_int_equal(k->runs[0].from_ms, end_ms - 1);
        assert_int_equal(k->runs[0].to_ms, end_ms);
    }
    end(&f);
}

static void test_the_unanswered_are_found(void **state)
{
    (void)state;
    struct fixture f;
    const struct run_answer retry[PLAYER_RUNS_MAX] = {
        {RUN_RETRY, 0}, {RUN_RETRY, 0}, {RUN_RETRY, 0}, {RUN_RETRY, 0}};
    const struct run_answer rejected[PLAYER_RUNS_MAX] = {
        {RUN_REJECTED, 0}, {RUN_REJECTED, 0}, {RUN_REJECTED, 0}, {RUN_REJECTED, 0}};
    uint32_t player;
    begin(&f, real_time(15000), 60000, 1);
    for (int i = 0; i < 4; i++) {
        player = must_take(&f);
        claim(&f, player);
        if (i != 2)
            crowd_answered(f.crowd, player, i == 1 ? retry : rejected);
        crowd_done(f.crowd, player, f.now_us);
    }
    assert_int_equal(crowd_unanswered(f.crowd), 2);
    assert_true(crowd_take_unanswered(f.crowd, &player));
    assert_int_equal(player, 1);
    assert_true(crowd_take_unanswered(f.crowd, &player));
    assert_int_equal(player, 2);
    assert_false(crowd_take_unanswered(f.crowd, &player));
    end(&f);
}

/* ---- the past ---- */

static void test_players_in_the_past_run_out(void **state)
{
    (void)state;
    static const struct {
        int64_t backdate_ms;
        int64_t claim_ms;
        unsigned turns;
    } rows[] = {{60000, 15000, 4}, {60000, 60000, 1}, {59999, 15000, 3}, {60000, 1000, 60}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct playing p = real_time(1000);
        unsigned turns[PLAYERS] = {0};
        uint32_t player;
        p.backdate_ms = rows[i].backdate_ms;
        p.claim_ms = rows[i].claim_ms;
        begin(&f, p, p.backdate_ms, 1);
        while (crowd_take(f.crowd, f.now_us, &player)) {
            turns[player]++;
            claim(&f, player);
            accept_all(&f, player);
            f.known[player].n = 0;
            crowd_done(f.crowd, player, f.now_us);
        }
        for (player = 0; player < PLAYERS; player++)
            assert_int_equal(turns[player], rows[i].turns);
        end(&f);
    }
}

static void test_in_the_past_what_is_to_be_sent_again_is(void **state)
{
    (void)state;
    struct fixture f;
    struct playing p = real_time(1000);
    const struct run_answer retry[PLAYER_RUNS_MAX] = {
        {RUN_RETRY, 0}, {RUN_RETRY, 0}, {RUN_RETRY, 0}, {RUN_RETRY, 0}};
    uint32_t player;
    p.backdate_ms = p.claim_ms = 30000;
    begin(&f, p, p.backdate_ms, 1);
    for (uint32_t i = 0; i < PLAYERS; i++) {
        player = must_take(&f);
        claim(&f, player);
        if (player == 0)
            crowd_answered(f.crowd, player, retry);
        else
            accept_all(&f, player);
        crowd_done(f.crowd, player, f.now_us);
    }
    assert_int_equal(must_take(&f), 0);
    claim(&f, 0);
    assert_false(crowd_take(f.crowd, f.now_us, &player));
    end(&f);
}

/* ---- the evidence ---- */

static void test_a_server_of_another_time_writes_nowhere(void **state)
{
    (void)state;
    static const int64_t off_ms[] = {
        -INT64_C(86400000), -61 * 60000, INT64_C(86400000), INT64_C(1000000000000)};
    for (size_t i = 0; i < COUNT(off_ms); i++) {
        struct fixture f;
        struct run runs[PLAYER_RUNS_MAX];
        begin(&f, real_time(15000), 60000, 1);
        uint32_t player = must_take(&f);
        crowd_open(f.crowd, player, SLICE_LITERAL("token"), START_MS + off_ms[i], START_US - 60000000);
        assert_int_not_equal(crowd_claim(f.crowd, player, f.now_us, runs), 0);
        accept_all(&f, player);
        check_evidence(&f);
        end(&f);
    }
}

static void test_a_seed_makes_the_same_players(void **state)
{
    (void)state;
    struct playing p = real_time(15000);
    p.pauses = p.seeks = p.speeds = 0.5;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct fixture f[2];
        begin(&f[0], p, 60000, seed);
        begin(&f[1], p, 60000, seed);
        for (uint32_t i = 0; i < PLAYERS; i++) {
            claim(&f[0], i);
            claim(&f[1], i);
            assert_memory_equal(f[0].known[i].runs, f[1].known[i].runs, f[0].known[i].n * sizeof(struct run));
        }
        end(&f[0]);
        end(&f[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_crowds_in_real_time),
        cmocka_unit_test(test_random_crowds_in_the_past),
        cmocka_unit_test(test_turns_are_taken_fairly),
        cmocka_unit_test(test_nobody_is_left_when_all_wait_for_an_answer),
        cmocka_unit_test(test_in_real_time_all_that_was_played_is_claimed),
        cmocka_unit_test(test_twice_in_a_millisecond),
        cmocka_unit_test(test_the_unanswered_are_found),
        cmocka_unit_test(test_players_in_the_past_run_out),
        cmocka_unit_test(test_in_the_past_what_is_to_be_sent_again_is),
        cmocka_unit_test(test_a_server_of_another_time_writes_nowhere),
        cmocka_unit_test(test_a_seed_makes_the_same_players),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
