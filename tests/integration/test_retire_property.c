/*
 * Late runs, repeated runs, publishing and retiring in random order, through two daemons whose clocks differ,
 * beside a model that forgets nothing: no second is credited twice, no floor falls, nothing is retired
 * unpublished, no sum falls. MINUTED_TEST_SEED repeats a run. Against a real redis-server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <time.h>

#include "publish/outbox_sums.h"
#include "retire_model.h"
#include "store/values.h"

enum { SKEW_MS = 2000 };

static int setup(void **state)
{
    *state = retire_pair_new();
    return 0;
}

static int teardown(void **state)
{
    retire_pair_free(*state);
    return 0;
}

struct known_run {
    int learner;
    int lesson;
    int64_t start_s;
    int64_t length_s;
};

enum { STEPS = 400, BATCH = 12 };

struct world {
    struct retire_pair *pair;
    struct retire_model *model;
    unsigned seed;
    int64_t now_ms;
    struct known_run known[STEPS * BATCH];
    size_t n_known;
};

static int64_t any(struct world *w, int64_t from, int64_t to)
{
    return from + rand_r(&w->seed) % (to - from);
}

static struct fixture *any_daemon(struct world *w)
{
    return w->pair->daemons[any(w, 0, RETIRE_DAEMONS)];
}

/* Within what the models can hold, mostly around the horizon. */
static struct known_run any_run(struct world *w)
{
    if (w->n_known > 0 && any(w, 0, 4) == 0)
        return w->known[any(w, 0, (int64_t)w->n_known)];
    int64_t now_s = w->now_ms / 1000;
    int64_t horizon_s = now_s - w->pair->daemons[0]->config.heartbeats.horizon_ms / 1000;
    int64_t length_s = any(w, 1, any(w, 0, 2) == 0 ? 20 : 300);
    int64_t start_s =
        any(w, 0, 2) == 0 ? any(w, horizon_s - 1500, horizon_s + 3000) : any(w, horizon_s - 3600, now_s);
    if (start_s + length_s > now_s)
        start_s = now_s - length_s;
    start_s = start_s < RETIRE_BASE_S ? RETIRE_BASE_S : start_s;
    return (struct known_run){
        (int)any(w, 0, RETIRE_LEARNERS), (int)any(w, 0, RETIRE_LESSONS), start_s, length_s};
}

static void check_answer(struct world *w, struct fixture *f, const struct known_run *known,
    const struct store_run *run, int64_t horizon)
{
    struct retire_model *m = w->model;
    int64_t floor = m->floor[fixture_partition_of(f, retire_learner_names[known->learner])];
    struct retire_expected e =
        retire_model_credit(m, known->learner, known->lesson, run, floor > horizon ? floor : horizon);
    assert_int_not_equal(run->status, STORE_UNAVAILABLE);
    assert_int_equal(run->credited_seconds, e.credited);
    assert_int_equal(run->duplicate_seconds, e.duplicate);
    assert_int_equal(run->contested_seconds, e.contested);
    assert_int_equal(run->late_seconds, e.late);
    bool too_late = e.late == run->claim.end_second - run->claim.first_second;
    assert_int_equal(run->status, too_late ? STORE_TOO_LATE : STORE_WRITTEN);
}

static void submit(struct world *w, struct fixture *f, const struct known_run *known, size_t n)
{
    struct store_run runs[BATCH];
    for (size_t i = 0; i < n; i++)
        runs[i] = retire_run(known[i].learner, known[i].lesson, known[i].start_s, known[i].length_s);
    int64_t horizon = retire_horizon_minute(f);
    fixture_write(f, runs, n);
    assert_int_equal(retire_horizon_minute(f), horizon); /* step_clock() keeps away from full minutes */
    for (size_t i = 0; i < n; i++)
        check_answer(w, f, &known[i], &runs[i], horizon);
}

static void step_submit(struct world *w)
{
    struct known_run known[BATCH];
    size_t n = (size_t)any(w, 1, BATCH + 1);
    for (size_t i = 0; i < n; i++) {
        known[i] = any_run(w);
        w->known[w->n_known++] = known[i];
    }
    submit(w, any_daemon(w), known, n);
}

/* Forward, and now and then a little back; both daemons near it, each with an error of its own. */
static void step_clock(struct world *w)
{
    w->now_ms += any(w, 0, 6) == 0 ? -any(w, 0, 5LL * MINUTE_MS) : any(w, 0, 12LL * MINUTE_MS);
    w->now_ms += 10000 + any(w, 0, 20000) - w->now_ms % MINUTE_MS;
    for (int i = 0; i < RETIRE_DAEMONS; i++)
        fixture_set_clock(w->pair->daemons[i], w->now_ms + any(w, -SKEW_MS, SKEW_MS));
}

static void step_publish(struct world *w)
{
    struct fixture *f = any_daemon(w);
    for (int p = 0; p < RETIRE_PARTITIONS; p++) {
        if (any(w, 0, 4) > 0)
            retire_publish_minutes(f, w->model, p, any(w, 0, 4) > 0);
        if (any(w, 0, 4) > 0)
            retire_publish_sums(f, w->model, p, any(w, 0, 4) > 0);
    }
}

/* Claims more of MINUTE for LEARNER, and retires, between the taking and the settling. */
static void step_between(struct world *w, int learner, int64_t minute)
{
    struct known_run known = {learner, (int)any(w, 0, RETIRE_LESSONS),
        minute * MINUTE_SECONDS + any(w, 0, MINUTE_SECONDS - 5), any(w, 1, 6)};
    submit(w, any_daemon(w), &known, 1);
    step_submit(w);
    retire_some(any_daemon(w));
    retire_check_floors(w->pair->daemons[0], w->model);
}

static void publish_slowly(struct world *w, struct fixture *f, int partition, int64_t minute)
{
    struct arena arena = {0};
    struct outbox_portion taken;
    struct outbox_sums sums;
    fixture_take(f, partition, minute, &arena, &taken);
    assert_in_time(f, outbox_sums(f->outbox, minute, &arena, &sums));
    for (size_t i = 0; i < taken.n_learners; i++)
        retire_note_learner(w->model, &taken.learners[i], minute);
    for (size_t i = 0; i < sums.n; i++)
        retire_note_sum(w->model, &sums.sums[i], minute);
    if (taken.n_learners > 0)
        step_between(w, retire_learner_index(taken.learners[0].learner), minute);
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    arena_free(&arena);
}

/* Some minute that is dirty. */
static void step_publish_slowly(struct world *w)
{
    struct fixture *f = any_daemon(w);
    struct arena arena = {0};
    struct outbox_minutes minutes;
    int64_t oldest;
    int p = (int)any(w, 0, RETIRE_PARTITIONS);
    assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
    if (minutes.n > 0)
        publish_slowly(w, f, p, minutes.minutes[any(w, 0, (int64_t)minutes.n)]);
    arena_free(&arena);
}

/* The masks of these tests are few: a weight in their buckets makes them worth giving up. */
static void weigh_a_bucket(struct world *w)
{
    struct fixture *f = w->pair->daemons[0];
    int64_t bucket = (w->now_ms - any(w, 2LL * HOUR_MS, 24LL * HOUR_MS)) / (10 * MINUTE_MS);
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        if (retire_floor_of(f, p) > bucket * 10)
            return;
    retire_weigh_bucket(f, bucket);
}

static void step_memory(struct world *w)
{
    if (w->pair->daemons[0]->config.redis.early_retire_ms > 0)
        weigh_a_bucket(w);
    retire_set_memory_short(w->pair->daemons[0], any(w, 0, 2) == 0);
    for (int i = 0; i < RETIRE_DAEMONS; i++)
        fixture_wait_for_look(w->pair->daemons[i]);
}

static void step(struct world *w)
{
    int64_t kind = any(w, 0, 100);
    if (kind < 35)
        step_submit(w);
    else if (kind < 60)
        step_clock(w);
    else if (kind < 75)
        step_publish(w);
    else if (kind < 82)
        step_publish_slowly(w);
    else if (kind < 97)
        retire_some(any_daemon(w));
    else
        step_memory(w);
    retire_check_floors(w->pair->daemons[0], w->model);
}

struct totals {
    struct event_base *base;
    bool ok;
    int64_t watched[RETIRE_LESSONS];
};

static void on_progress(void *ctx, bool ok, const struct lesson_total *lessons, size_t n)
{
    struct totals *totals = ctx;
    totals->ok = ok;
    for (size_t i = 0; i < n; i++)
        totals->watched[retire_lesson_index(lessons[i].lesson)] = lessons[i].watched_seconds;
    event_base_loopbreak(totals->base);
}

static bool try_totals(struct fixture *f, int learner, struct totals *totals)
{
    *totals = (struct totals){.base = f->base};
    store_progress(
        f->store, SLICE_LITERAL("basic"), slice_of(retire_learner_names[learner]), on_progress, totals);
    event_base_dispatch(f->base);
    return totals->ok;
}

static void check_totals(struct fixture *f, const struct retire_model *m)
{
    for (int learner = 0; learner < RETIRE_LEARNERS; learner++) {
        struct totals totals;
        assert_in_time(f, try_totals(f, learner, &totals));
        for (int lesson = 0; lesson < RETIRE_LESSONS; lesson++) {
            int64_t watched = 0;
            for (int s = 0; s < RETIRE_SECONDS; s++)
                watched += m->owner[learner][s] == lesson;
            assert_int_equal(totals.watched[lesson], watched);
        }
    }
}

static void live_through(struct retire_pair *pair, unsigned seed, int64_t horizon_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    struct fixture *f = pair->daemons[0];
    print_message("MINUTED_TEST_SEED=%u, a horizon of %d h\n", seed, (int)(horizon_ms / HOUR_MS));
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 0");
    w->pair = pair;
    w->model = retire_model_new();
    w->seed = seed;
    w->now_ms = RETIRE_BASE_S * 1000LL + (horizon_ms < 5LL * HOUR_MS ? 4LL * HOUR_MS : horizon_ms);
    for (int i = 0; i < RETIRE_DAEMONS; i++) {
        pair->daemons[i]->config.heartbeats.horizon_ms = horizon_ms;
        pair->daemons[i]->config.redis.early_retire_ms = horizon_ms > 2LL * HOUR_MS ? 2LL * HOUR_MS : 0;
    }
    /* A look that began with the last horizon would write it into the emptied server, and no daemon would
     * ever be ready with the new one. */
    for (int i = 0; i < RETIRE_DAEMONS; i++)
        fixture_wait_for_look(pair->daemons[i]);
    redis_process_command(&f->nodes[0], "FLUSHALL");
    for (int i = 0; i < RETIRE_DAEMONS; i++) {
        fixture_wait_for_look(pair->daemons[i]);
        fixture_await_state(pair->daemons[i], MONITOR_READY, "");
        fixture_turn_until_admits(pair->daemons[i], true);
    }
    step_clock(w);
    for (int i = 0; i < STEPS; i++)
        step(w);
    retire_publish_all(f, w->model);
    retire_check_consumer(w->model);
    check_totals(f, w->model);
    free(w->model);
    free(w);
}

static void test_whatever_is_retired_no_second_is_credited_twice(void **state)
{
    struct retire_pair *pair = *state;
    const char *given = getenv("MINUTED_TEST_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    live_through(pair, seed, 2LL * HOUR_MS);
    live_through(pair, seed + 1, 2LL * HOUR_MS);
    live_through(pair, seed + 2, 24LL * HOUR_MS); /* retired early, when memory is short */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_whatever_is_retired_no_second_is_credited_twice, setup, teardown),
    };
    return cmocka_run_group_tests_name("retire_property", tests, NULL, NULL);
}
