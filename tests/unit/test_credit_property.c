/*
 * The invariants of crediting, on random runs in random order, repeated, in batches, against a model of plain
 * sets: for every learner which lesson owns which second. MINUTED_SEED=N repeats a failed run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credit/claim.h"
#include "credit/mask.h"

enum {
    ROUNDS = 3000,
    LEARNERS = 2,
    LESSONS = 3,
    RUNS = 24,
    DELIVERIES = 60,
    BATCH_MAX = 12,
    PIECES_MAX = 16
};
/* Every claim lies within these minutes. */
enum { MINUTES = 14, SECONDS = MINUTES * MINUTE_SECONDS, NOBODY = -1 };

#define BASE_S (INT64_C(1673000000) / 60 * 60)
#define BASE_MS (BASE_S * 1000)

static const struct claim_rules rules = {.max_run_ms = 180000, .clock_slack_ms = 5000, .max_rate = 2.0};
static const int64_t now_ms = BASE_MS + SECONDS * INT64_C(1000);

/* ---- randomness ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*seed ^ *seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int64_t below(uint64_t *seed, int64_t n)
{
    return (int64_t)(next_random(seed) % (uint64_t)n);
}

/* ---- runs ---- */

struct sent_run {
    int learner;
    int lesson;
    struct claim_session session;
    struct run run;
    bool broken; /* must be rejected, and must leave no trace */
};

/* The third lesson is open for a part of the time only, from one odd millisecond to another. */
static struct claim_lesson lesson_of(int lesson)
{
    if (lesson < LESSONS - 1)
        return (struct claim_lesson){INT64_MIN, INT64_MAX, 0};
    return (struct claim_lesson){BASE_MS + 100123, BASE_MS + 500777, 0};
}

static struct run play(int64_t from_ms, int64_t to_ms, double rate)
{
    int64_t advance = (int64_t)((double)(to_ms - from_ms) * rate);
    return (struct run){from_ms, to_ms, 1000, 1001 + advance, rate, false};
}

static void break_run(uint64_t *seed, struct sent_run *r)
{
    r->broken = true;
    switch (below(seed, 5)) {
    case 0:
        r->run.malformed = true;
        break;
    case 1:
        r->run.media_to_ms += 1000000;
        break;
    case 2:
        r->run.rate = 2.5;
        break;
    case 3:
        r->session.expiry_ms = r->session.anchor_ms + r->run.to_ms - 1;
        break;
    default:
        r->run.to_ms = r->run.from_ms - 1;
    }
}

static struct sent_run random_run(uint64_t *seed)
{
    static const int64_t longest[] = {900, 3000, 60000, 180000};
    int64_t anchor_in = below(seed, 300000);
    int64_t from = below(seed, 300000);
    int64_t len = 1 + below(seed, longest[below(seed, 4)]);
    struct sent_run r = {.learner = (int)below(seed, LEARNERS),
        .lesson = (int)below(seed, LESSONS),
        .session = {BASE_MS + anchor_in, BASE_MS + INT64_C(14400000)},
        .run = play(from, from + len, below(seed, 2) == 0 ? 1.0 : 0.25 * (double)(1 + below(seed, 8)))};
    if (below(seed, 8) == 0)
        break_run(seed, &r);
    return r;
}

/* The definition: whether RUN claims second BASE_S + S. */
static bool claims(const struct sent_run *r, int s)
{
    struct claim_lesson lesson = lesson_of(r->lesson);
    int64_t at = BASE_MS + s * INT64_C(1000);
    return !r->broken && r->session.anchor_ms + r->run.from_ms <= at &&
           at < r->session.anchor_ms + r->run.to_ms && lesson.opens_ms <= at && at < lesson.closes_ms;
}

/* ---- the model, and the masks ---- */

struct model {
    int owner[LEARNERS][SECONDS];
};

struct masks {
    uint64_t of[LEARNERS][LESSONS][MINUTES];
};

struct credit {
    unsigned credited, duplicate, contested;
};

static struct credit model_apply(struct model *m, const struct sent_run *r)
{
    struct credit c = {0};
    for (int s = 0; s < SECONDS; s++) {
        int *owner = &m->owner[r->learner][s];
        if (!claims(r, s))
            continue;
        c.credited += *owner == NOBODY;
        c.duplicate += *owner == r->lesson;
        c.contested += *owner != NOBODY && *owner != r->lesson;
        if (*owner == NOBODY)
            *owner = r->lesson;
    }
    return c;
}

/* What an OR into a minute does. The rule that functions.lua applies, in C. The three masks are disjoint and
 * make up the claim. */
struct mask_credit {
    uint64_t credited;  /* newly watched */
    uint64_t duplicate; /* already this lesson's */
    uint64_t contested; /* already another lesson's */
};

/* CLAIM against a minute in which this lesson holds OWN and the learner's other lessons hold OTHERS. */
static struct mask_credit mask_judge(uint64_t claim, uint64_t own, uint64_t others)
{
    uint64_t duplicate = claim & own;
    uint64_t contested = claim & others & ~own;
    return (struct mask_credit){claim & ~own & ~others, duplicate, contested};
}

static uint64_t others_of(const struct masks *m, int learner, int lesson, int minute)
{
    uint64_t others = 0;
    for (int other = 0; other < LESSONS; other++)
        others |= other == lesson ? 0 : m->of[learner][other][minute];
    return others;
}

static enum run_reason judge(const struct sent_run *r, struct claim *claim)
{
    struct claim_lesson lesson = lesson_of(r->lesson);
    return claim_judge(&rules, &r->session, &lesson, now_ms, &r->run, claim);
}

static struct credit masks_apply(struct masks *m, const struct sent_run *r)
{
    struct credit sum = {0};
    struct claim claim;
    struct minute_mask pieces[PIECES_MAX];
    enum run_reason reason = judge(r, &claim);
    assert_int_equal(reason != REASON_NONE && reason != REASON_LESSON_CLOSED, r->broken);
    if (reason != REASON_NONE)
        return sum;
    size_t n = mask_split(claim.first_second, claim.end_second, pieces, PIECES_MAX);
    for (size_t i = 0; i < n; i++) {
        int minute = (int)(pieces[i].minute - BASE_S / MINUTE_SECONDS);
        assert_in_range(minute, 0, MINUTES - 1);
        uint64_t *own = &m->of[r->learner][r->lesson][minute];
        uint64_t others = others_of(m, r->learner, r->lesson, minute);
        struct mask_credit c = mask_judge(pieces[i].mask, *own, others);
        *own |= c.credited;
        sum.credited += mask_count(c.credited);
        sum.duplicate += mask_count(c.duplicate);
        sum.contested += mask_count(c.contested);
    }
    return sum;
}

/* ---- a delivery: an order, with repetitions, cut into batches ---- */

/* Every run at least once, some again. */
static void random_order(uint64_t *seed, int order[static DELIVERIES])
{
    for (int i = 0; i < DELIVERIES; i++)
        order[i] = i < RUNS ? i : (int)below(seed, RUNS);
    for (int i = DELIVERIES - 1; i > 0; i--) {
        int j = (int)below(seed, i + 1);
        int swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

/* A batch works on what it has read, and is merged back by OR; a lost answer makes it come a second time. */
static void merge(struct masks *into, const struct masks *batch)
{
    for (int l = 0; l < LEARNERS; l++)
        for (int k = 0; k < LESSONS; k++)
            for (int minute = 0; minute < MINUTES; minute++)
                into->of[l][k][minute] |= batch->of[l][k][minute];
}

static void deliver(uint64_t *seed, const struct sent_run *runs, struct masks *m, struct model *model)
{
    int order[DELIVERIES];
    random_order(seed, order);
    memset(m, 0, sizeof(*m));
    for (int l = 0; l < LEARNERS; l++)
        for (int s = 0; s < SECONDS; s++)
            model->owner[l][s] = NOBODY;
    for (int i = 0; i < DELIVERIES;) {
        struct masks batch = *m;
        int end = i + 1 + (int)below(seed, BATCH_MAX);
        for (; i < end && i < DELIVERIES; i++) {
            struct credit got = masks_apply(&batch, &runs[order[i]]);
            struct credit wanted = model_apply(model, &runs[order[i]]);
            assert_int_equal(got.credited, wanted.credited);
            assert_int_equal(got.duplicate, wanted.duplicate);
            assert_int_equal(got.contested, wanted.contested);
        }
        merge(m, &batch);
        if (below(seed, 3) == 0)
            merge(m, &batch);
    }
}

/* ---- what must hold ---- */

static void check_owners(const struct masks *m, const struct model *model)
{
    for (int l = 0; l < LEARNERS; l++) {
        for (int s = 0; s < SECONDS; s++) {
            for (int k = 0; k < LESSONS; k++) {
                bool set = m->of[l][k][s / MINUTE_SECONDS] >> s % MINUTE_SECONDS & 1;
                assert_int_equal(set, model->owner[l][s] == k);
            }
        }
    }
}

static unsigned total(const struct masks *m, int learner)
{
    unsigned sum = 0;
    for (int k = 0; k < LESSONS; k++)
        for (int minute = 0; minute < MINUTES; minute++)
            sum += mask_count(m->of[learner][k][minute]);
    return sum;
}

/* How many seconds the runs claim for a learner, as a set. */
static unsigned claimed_seconds(const struct sent_run *runs, int learner)
{
    unsigned sum = 0;
    for (int s = 0; s < SECONDS; s++) {
        bool claimed = false;
        for (int i = 0; i < RUNS && !claimed; i++)
            claimed = runs[i].learner == learner && claims(&runs[i], s);
        sum += claimed;
    }
    return sum;
}

static void round_of(uint64_t seed)
{
    struct sent_run runs[RUNS];
    struct masks masks;
    struct model model;
    for (int i = 0; i < RUNS; i++)
        runs[i] = random_run(&seed);
    for (int order = 0; order < 2; order++) {
        deliver(&seed, runs, &masks, &model);
        check_owners(&masks, &model);
        for (int l = 0; l < LEARNERS; l++)
            assert_int_equal(total(&masks, l), claimed_seconds(runs, l));
    }
}

/* A stretch of playing, cut anywhere into runs, gives each of its seconds to exactly one of them. */
static void partition_round(uint64_t seed)
{
    struct sent_run whole = random_run(&seed);
    int64_t end = whole.run.from_ms + 1 + below(&seed, rules.max_run_ms);
    whole.broken = false;
    whole.lesson = 0;
    whole.session.expiry_ms = BASE_MS + INT64_C(14400000);
    whole.run = play(whole.run.from_ms, end, 1.0);
    struct claim all;
    struct claim part;
    assert_int_equal(judge(&whole, &all), REASON_NONE);
    int64_t next = all.first_second;
    for (int64_t from = whole.run.from_ms; from < end;) {
        struct sent_run piece = whole;
        int64_t to = from + 1 + below(&seed, below(&seed, 2) == 0 ? 1500 : 60000);
        piece.run = play(from, to < end ? to : end, 1.0);
        assert_int_equal(judge(&piece, &part), REASON_NONE);
        assert_int_equal(part.first_second, next);
        next = part.end_second;
        from = piece.run.to_ms;
    }
    assert_int_equal(next, all.end_second);
    /* off by less than a second from what was played */
    int64_t seconds_ms = (all.end_second - all.first_second) * 1000;
    int64_t played_ms = end - whole.run.from_ms;
    assert_true(seconds_ms - played_ms < 1000 && played_ms - seconds_ms < 1000);
}

/* ---- rounds ---- */

static uint64_t first_seed(void)
{
    const char *text = getenv("MINUTED_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
}

static void rounds(const char *what, void (*run_round)(uint64_t seed))
{
    uint64_t seed = first_seed();
    print_message("%s: %d rounds, MINUTED_SEED=%llu\n", what, ROUNDS, (unsigned long long)seed);
    for (uint64_t i = 0; i < ROUNDS; i++)
        run_round(seed * ROUNDS + i);
}

static void test_any_order_any_repetition(void **state)
{
    (void)state;
    rounds("any order, any repetition", round_of);
}

static void test_contiguous_runs_partition_the_seconds(void **state)
{
    (void)state;
    rounds("contiguous runs", partition_round);
}

/* All eight cases of a second: claimed or not, this lesson's or not, another's or not. */
static void test_judgement_of_a_second(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++) {
        uint64_t claim = bits & 1;
        uint64_t own = bits >> 1 & 1;
        uint64_t others = bits >> 2 & 1;
        struct mask_credit c = mask_judge(claim << 59, own << 59, others << 59);
        assert_true(c.credited >> 59 == (claim && !own && !others));
        assert_true(c.duplicate >> 59 == (claim && own));
        assert_true(c.contested >> 59 == (claim && !own && others));
    }
}

static void test_judgement_parts_the_claim(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 10000; i++) {
        uint64_t claim = next_random(&seed) & MASK_FULL;
        uint64_t own = next_random(&seed) & MASK_FULL;
        uint64_t others = next_random(&seed) & ~own & MASK_FULL;
        struct mask_credit c = mask_judge(claim, own, others);
        assert_true((c.credited | c.duplicate | c.contested) == claim);
        assert_true((c.credited & c.duplicate) == 0 && (c.credited & c.contested) == 0);
        assert_true((c.duplicate & c.contested) == 0);
        /* what was credited is ours, and no second time */
        struct mask_credit again = mask_judge(claim, own | c.credited, others);
        assert_true(again.credited == 0 && again.contested == c.contested);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judgement_of_a_second),
        cmocka_unit_test(test_judgement_parts_the_claim),
        cmocka_unit_test(test_any_order_any_repetition),
        cmocka_unit_test(test_contiguous_runs_partition_the_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
