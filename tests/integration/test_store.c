/*
 * The store and the Redis functions against a real redis-server, beside a model of plain sets: random runs of
 * several learners and lessons, overlapping, repeated and in random order, through several batches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <time.h>

#include "credit/mask.h"
#include "publish/lease.h"
#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "redis/resp.h"
#include "store/values.h"
#include "store_fixture.h"
#include "take_with_totals.h"

enum { LEARNERS = 5, LESSONS = 3, SECONDS = 1500, MEDIA_MS = 400000, JOIN_MS = 5 };

/* A round minute in 2023; the clock stands two hours later. */
static const int64_t base_s = 1675000800;

static int setup(void **state)
{
    struct fixture *f = fixture_new(4, (base_s + 7200) * 1000);
    *state = f;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ---- runs ---- */

static const char *const learner_names[LEARNERS] = {"anna", "bo", "chen/li", "dörte", "e"};
static const char *const lesson_names[LESSONS] = {"l1", "lesson-2", "x"};

static struct store_run make_run(
    int learner, int lesson, int64_t start_ms, int64_t length_ms, int64_t media_from_ms, int64_t media_to_ms)
{
    return fixture_run(
        learner_names[learner], lesson_names[lesson], start_ms, length_ms, media_from_ms, media_to_ms);
}

static void assert_counts(
    const struct store_run *run, unsigned credited, unsigned duplicate, unsigned contested, unsigned late)
{
    assert_int_equal(run->credited_seconds, credited);
    assert_int_equal(run->duplicate_seconds, duplicate);
    assert_int_equal(run->contested_seconds, contested);
    assert_int_equal(run->late_seconds, late);
}

struct totals {
    bool ok;
    size_t n;
    struct lesson_total lessons[LESSONS];
    char names[LESSONS][16];
    struct event_base *base;
};

static void on_progress(void *ctx, bool ok, const struct lesson_total *lessons, size_t n)
{
    struct totals *totals = ctx;
    assert_true(n <= LESSONS);
    totals->ok = ok;
    totals->n = n;
    for (size_t i = 0; i < n; i++) {
        totals->lessons[i] = lessons[i];
        snprintf(totals->names[i], sizeof(totals->names[i]), "%.*s", SLICE_ARG(lessons[i].lesson));
    }
    event_base_loopbreak(totals->base);
}

static bool try_totals(struct fixture *f, int learner, struct totals *totals)
{
    *totals = (struct totals){.base = f->base};
    store_progress(f->store, SLICE_LITERAL("basic"), slice_of(learner_names[learner]), on_progress, totals);
    event_base_dispatch(f->base);
    return totals->ok;
}

static struct totals ask_totals(struct fixture *f, int learner)
{
    struct totals totals;
    assert_in_time(f, try_totals(f, learner, &totals));
    return totals;
}

static const struct lesson_total *total_of(const struct totals *totals, int lesson)
{
    for (size_t i = 0; i < totals->n; i++)
        if (strcmp(totals->names[i], lesson_names[lesson]) == 0)
            return &totals->lessons[i];
    return NULL;
}

/* ---- cases ---- */

static void test_a_second_is_credited_once(void **state)
{
    struct fixture *f = *state;
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
    assert_counts(&run, 15, 0, 0, 0);
    fixture_write(f, &run, 1);
    assert_counts(&run, 0, 15, 0, 0);
    struct store_run longer = make_run(0, 0, base_s * 1000 + 10000, 15000, 10000, 25000);
    fixture_write(f, &longer, 1);
    assert_counts(&longer, 10, 5, 0, 0);
    struct store_run other = make_run(0, 1, base_s * 1000 + 20000, 15000, 0, 15000);
    fixture_write(f, &other, 1);
    assert_counts(&other, 10, 0, 5, 0);

    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 25);
    assert_int_equal(total_of(&totals, 0)->covered_seconds, 25);
    assert_int_equal(total_of(&totals, 1)->watched_seconds, 10);
    assert_int_equal(total_of(&totals, 1)->covered_seconds, 10); /* the media of its own seconds only */

    struct store_run earlier = make_run(0, 0, (base_s - 600) * 1000, 15000, 30000, 45000);
    fixture_write(f, &earlier, 1);
    assert_counts(&earlier, 15, 0, 0, 0);
    totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 40);
    assert_int_equal(total_of(&totals, 0)->last_minute, base_s / 60); /* the newest, whatever came last */
}

/* Each run claims one second that no other has, and plays two: one is covered. */
static void test_coverage_is_never_faster_than_time(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 60; i++) {
        struct store_run run = make_run(0, 0, (base_s + i) * 1000 - 999, 1999, 2000LL * i, 2000LL * i + 1999);
        fixture_write(f, &run, 1);
        assert_counts(&run, 1, 0, 0, 0);
    }
    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 60);
    assert_true(total_of(&totals, 0)->covered_seconds <= 60);
}

/* A second's media may end beyond what an interval can hold: it is cut there, and never counted round. */
static void test_coverage_at_the_end_of_media_time(void **state)
{
    struct fixture *f = *state;
    struct store_run run = make_run(0, 0, base_s * 1000 - 500, 2600, UINT32_MAX - 2600, UINT32_MAX);
    fixture_write(f, &run, 1);
    assert_counts(&run, 3, 0, 0, 0);
    struct totals totals = ask_totals(f, 0);
    assert_in_range(total_of(&totals, 0)->covered_seconds, 1, 3);
}

/* Positions of a live stream may be Unix times: what intervals cannot hold is watched, and covers nothing. */
static void test_media_beyond_what_intervals_hold(void **state)
{
    struct fixture *f = *state;
    static const int64_t starts[] = {
        UINT32_MAX, UINT32_MAX - 4000, 1674187200500, (INT64_C(1) << 53) - 10000};
    for (int i = 0; i < 4; i++) {
        struct store_run run =
            make_run(0, 0, base_s * 1000 + 10000LL * i, 10000, starts[i], starts[i] + 10000);
        fixture_write(f, &run, 1);
        assert_counts(&run, 10, 0, 0, 0);
    }
    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 40);
    assert_in_range(total_of(&totals, 0)->covered_seconds, 3, 4);
}

/* Heartbeats that meet, at whatever part of a second: nothing of the media is lost between them. */
static void test_coverage_has_no_gaps(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        struct store_run run =
            make_run(0, 0, base_s * 1000 + 314 + 15300LL * i, 15300, 15300LL * i, 15300LL * (i + 1));
        fixture_write(f, &run, 1);
    }
    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 306);
    assert_int_equal(total_of(&totals, 0)->covered_seconds, 306);
}

static void test_too_late_below_the_horizon(void **state)
{
    struct fixture *f = *state;
    int64_t floor_ms = (base_s + 7200 - 24 * 3600) * 1000;
    struct store_run late = make_run(0, 0, floor_ms - 120000, 60000, 0, 60000);
    fixture_write(f, &late, 1);
    assert_int_equal(late.status, STORE_TOO_LATE);
    struct store_run clipped = make_run(0, 0, floor_ms - 30000, 60000, 0, 60000);
    fixture_write(f, &clipped, 1);
    assert_int_equal(clipped.status, STORE_WRITTEN);
    assert_counts(&clipped, 30, 0, 0, 30);
    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->covered_seconds, 30);
}

/* A clock that is not settled may be ahead: what it calls too late, a daemon with a right one may still
 * credit. */
static void test_an_unsettled_clock_refuses_only_below_the_floor(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1, (base_s + 7200) * 1000);
    f->config.dev = false;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    assert_int_equal(clock_belief(&f->clock), CLOCK_CREDIBLE);
    int64_t horizon_s = base_s + 7200 - 24LL * 3600;
    struct key_prefix prefix;
    topology_key_prefix(&prefix, 0, 1);
    redis_process_command(&f->nodes[0], "SET %sfloor %lld", prefix.text, (long long)(horizon_s / 60 - 60));
    struct store_run run = make_run(0, 0, (horizon_s - 3600 - 15) * 1000, 30000, 0, 30000);
    fixture_write(f, &run, 1);
    assert_counts(&run, 15, 0, 0, 15);
    fixture_free(f);
}

/* Nobody's run is refused for good by a floor that cannot be right, and the other partitions go on. */
static void test_a_floor_that_cannot_be_right(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(4, (base_s + 7200) * 1000);
    struct key_prefix prefix;
    int64_t floor;
    int other = 1;
    f->config.dev = false;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    int64_t wrong = (base_s + 7200 - 24LL * 3600) / 60 + 30;
    int spoiled = fixture_partition_of(f, learner_names[0]);
    while (fixture_partition_of(f, learner_names[other]) == spoiled)
        other++;
    topology_key_prefix(&prefix, spoiled, 4);
    redis_process_command(&f->nodes[0], "SET %sfloor %lld", prefix.text, (long long)wrong);
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    fixture_submit(f, &run, 1);
    assert_int_equal(run.status, STORE_UNAVAILABLE);
    struct store_run others = make_run(other, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, &others, 1);
    assert_int_equal(others.credited_seconds, 15);
    assert_in_time(f, fixture_retire(f, clock_now_ms(&f->clock), &floor));
    assert_int_equal(outbox_wrong_floors(f->outbox), 1);

    /* raised on purpose, as every daemon reads */
    redis_process_command(&f->nodes[0], "HSET " KEY_SETTINGS " early %lld", (long long)wrong);
    fixture_wait_for_look(f);
    fixture_write(f, &run, 1);
    assert_int_equal(run.credited_seconds, 15);
    run = make_run(0, 0, wrong * 60000 - 15000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_TOO_LATE);
    assert_in_time(f, fixture_retire(f, clock_now_ms(&f->clock), &floor));
    assert_int_equal(outbox_wrong_floors(f->outbox), 0);
    fixture_free(f);
}

static void test_functions_are_loaded_again(void **state)
{
    struct fixture *f = *state;
    redis_process_command(&f->nodes[0], "FUNCTION FLUSH");
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
    assert_counts(&run, 15, 0, 0, 0);
}

static void test_a_key_of_a_wrong_type_credits_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    redisReply *keys = redisCommand(f->nodes[0].client, "KEYS minuted:*:t:*");
    assert_int_equal(keys->elements, 1);
    redis_process_command(&f->nodes[0], "SET %s x", keys->element[0]->str);
    freeReplyObject(keys);
    struct store_run next = make_run(0, 0, base_s * 1000 + 15000, 15000, 15000, 30000);
    fixture_submit(f, &next, 1);
    assert_int_equal(next.status, STORE_UNAVAILABLE);
}

static void test_what_redis_refuses_is_not_written(void **state)
{
    struct fixture *f = *state;
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 1");
    fixture_submit(f, &run, 1);
    assert_int_equal(run.status, STORE_UNAVAILABLE);
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 0");
    fixture_write(f, &run, 1);
    assert_counts(&run, 15, 0, 0, 0);
}

/* ---- the outbox ---- */

static size_t count_dirty(struct fixture *f)
{
    size_t n = 0;
    struct arena arena = {0};
    for (int p = 0; p < f->config.redis.partitions; p++) {
        struct outbox_minutes minutes;
        int64_t oldest;
        assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
        n += minutes.n;
    }
    arena_free(&arena);
    return n;
}

static void test_settle_compares(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct store_run run = make_run(2, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, &run, 1);
    assert_int_equal(count_dirty(f), 1);

    struct outbox_portion taken;
    struct key_prefix prefix;
    int p = fixture_partition_of(f, learner_names[2]);
    topology_key_prefix(&prefix, p, f->config.redis.partitions);
    redisReply *due =
        redisCommand(f->nodes[0].client, "ZSCORE %sdue %lld", prefix.text, (long long)base_s / 60);
    assert_int_equal(strtoll(due->str, NULL, 10), base_s + 60 + 70); /* end of the minute + grace */
    freeReplyObject(due);
    fixture_take(f, p, base_s / 60, &arena, &taken);
    assert_int_equal(taken.n_learners, 1);
    assert_true(slice_is(taken.learners[0].portal, "basic"));
    assert_true(slice_is(taken.learners[0].learner, "chen/li"));
    assert_int_equal(taken.learners[0].n_masks, 1);
    assert_true(slice_is(taken.learners[0].masks[0].total->course, "course"));
    assert_true(taken.learners[0].masks[0].mask == mask_range(0, 15));
    assert_int_equal(taken.learners[0].masks[0].total->watched_seconds, 15);
    assert_int_equal(taken.learners[0].masks[0].total->last_minute, base_s / 60);

    struct store_run more = make_run(2, 1, base_s * 1000 + 15000, 15000, 0, 15000);
    fixture_write(f, &more, 1);
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(count_dirty(f), 1); /* a mask grew after it was taken */
    fixture_take(f, p, base_s / 60, &arena, &taken);
    assert_int_equal(taken.learners[0].n_masks, 2);
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(count_dirty(f), 0);
    fixture_write(f, &run, 1); /* a duplicate makes nothing dirty */
    assert_int_equal(count_dirty(f), 0);
    arena_free(&arena);
}

static long long committed(struct fixture *f, const char *prefix)
{
    redisReply *reply = redisCommand(f->nodes[0].client, "HGET %sepoch committed", prefix);
    assert_non_null(reply);
    long long n = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return n;
}

/* Whoever has committed may stand still, and settle when a way back has begun another epoch. */
static void test_a_take_of_an_epoch_that_is_over_is_not_committed(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_portion taken;
    struct key_prefix prefix;
    struct store_run run = make_run(2, 0, base_s * 1000, 15000, 0, 15000);
    int p = fixture_partition_of(f, learner_names[2]);
    topology_key_prefix(&prefix, p, f->config.redis.partitions);
    fixture_write(f, &run, 1);
    fixture_take(f, p, base_s / 60, &arena, &taken);
    outbox_note_told(f->outbox);
    freeReplyObject(redisCommand(f->nodes[0].client, "HINCRBY %sepoch id 1", prefix.text));
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(committed(f, prefix.text), 0);
    assert_int_equal(count_dirty(f), 0); /* Kafka has what was published of it all the same. */
    freeReplyObject(redisCommand(f->nodes[0].client, "HINCRBY %sepoch id -1", prefix.text));
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(committed(f, prefix.text), 1);
    arena_free(&arena);
}

/* A learner of the same partition as learner 0. */
static const char *mate_of_first(struct fixture *f, char name[static 16])
{
    int i = 0;
    do
        snprintf(name, 16, "mate%d", i++);
    while (fixture_partition_of(f, name) != fixture_partition_of(f, learner_names[0]));
    return name;
}

/* Its total is of a wrong type, or gone: it is left out and stays dirty, and the others of the minute go on.
 */
static void test_an_left_out_learner_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_portion taken;
    struct key_prefix prefix;
    char name[16];
    int p = fixture_partition_of(f, learner_names[0]);
    topology_key_prefix(&prefix, p, f->config.redis.partitions);
    struct store_run runs[2] = {make_run(0, 0, base_s * 1000, 15000, 0, 15000),
        fixture_run(mate_of_first(f, name), "l1", base_s * 1000, 15000, 0, 15000)};
    fixture_write(f, runs, 2);
    redis_process_command(&f->nodes[0], "RENAME %st:basic/%s saved", prefix.text, learner_names[0]);
    redis_process_command(&f->nodes[0], "SET %st:basic/%s x", prefix.text, learner_names[0]);
    fixture_take(f, p, base_s / 60, &arena, &taken);
    assert_int_equal(taken.n_left_out, 1);
    assert_int_equal(taken.n_learners, 1);
    assert_true(slice_is(taken.learners[0].learner, name));
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    redis_process_command(&f->nodes[0], "DEL %st:basic/%s", prefix.text, learner_names[0]);
    fixture_take(f, p, base_s / 60, &arena, &taken);
    assert_int_equal(taken.n_left_out, 1);
    assert_int_equal(taken.n_learners, 0);
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(count_dirty(f), 1);
    redis_process_command(&f->nodes[0], "RENAME saved %st:basic/%s", prefix.text, learner_names[0]);
    fixture_take(f, p, base_s / 60, &arena, &taken);
    assert_int_equal(taken.n_learners, 1);
    assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    assert_int_equal(count_dirty(f), 0);
    arena_free(&arena);
}

static void test_sums_settle_compares(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct store_run runs[2] = {
        make_run(0, 0, base_s * 1000, 15000, 0, 15000), make_run(1, 0, base_s * 1000, 20000, 0, 20000)};
    fixture_write(f, runs, 2);
    struct outbox_sums sums;
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 1);
    assert_int_equal(sums.sums[0].watched_seconds, 35);
    assert_int_equal(sums.sums[0].learners, 2);
    struct store_run more = make_run(0, 0, base_s * 1000 + 15000, 1000, 15000, 16000);
    fixture_write(f, &more, 1);
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    struct outbox_minutes grown;
    assert_in_time(f, outbox_grown(f->outbox, fixture_partition_of(f, learner_names[0]), &arena, &grown));
    assert_int_equal(grown.n, 1);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.sums[0].watched_seconds, 36);
    assert_int_equal(sums.sums[0].learners, 2);
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    for (int p = 0; p < f->config.redis.partitions; p++) {
        assert_in_time(f, outbox_grown(f->outbox, p, &arena, &grown));
        assert_int_equal(grown.n, 0);
    }
    arena_free(&arena);
}

/* A lesson of which all is published already has nothing to tell when another one has grown in its minute. */
static void test_only_lessons_that_grew_are_told(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct store_run runs[2] = {
        make_run(0, 0, base_s * 1000, 15000, 0, 15000), make_run(1, 1, base_s * 1000, 20000, 0, 20000)};
    struct outbox_sums sums;
    fixture_write(f, runs, 2);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 2);
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    struct store_run more = make_run(2, 1, base_s * 1000 + 30000, 5000, 0, 5000);
    fixture_write(f, &more, 1);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 1);
    assert_true(slice_is(sums.sums[0].lesson, lesson_names[1]));
    assert_int_equal(sums.sums[0].watched_seconds, 25);
    assert_int_equal(sums.sums[0].learners, 2);
    arena_free(&arena);
}

/* Two learners whose keys lie in different partitions. */
static void find_strangers(const struct fixture *f, int *one, int *other)
{
    *one = 0;
    *other = 1;
    while (fixture_partition_of(f, learner_names[*other]) == fixture_partition_of(f, learner_names[*one]))
        (*other)++;
    assert_true(*other < LEARNERS);
}

/* Without the part of one partition a sum would be less than what was told before. */
static void test_a_sum_of_which_a_part_cannot_be_read_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_sums sums;
    struct key_prefix prefix;
    int one, other;
    find_strangers(f, &one, &other);
    struct store_run runs[3] = {make_run(one, 0, base_s * 1000, 15000, 0, 15000),
        make_run(other, 0, base_s * 1000, 20000, 0, 20000),
        make_run(other, 1, base_s * 1000 + 30000, 5000, 0, 5000)};
    fixture_write(f, runs, 3);
    topology_key_prefix(&prefix, fixture_partition_of(f, learner_names[one]), f->config.redis.partitions);
    redisContext *client = f->nodes[0].client;
    redisReply *value =
        redisCommand(client, "HGET %sl:%lld %s", prefix.text, (long long)base_s / 60, lesson_names[0]);
    assert_int_equal(value->type, REDIS_REPLY_STRING);
    redis_process_command(
        &f->nodes[0], "HSET %sl:%lld %s spoiled", prefix.text, (long long)base_s / 60, lesson_names[0]);
    for (int i = 0; i < 2; i++) {
        assert_in_time(f, i == 0 ? outbox_sums(f->outbox, base_s / 60, &arena, &sums)
                                 : outbox_all_sums(f->outbox, base_s / 60, &arena, &sums));
        assert_int_equal(sums.n, 1);
        assert_true(slice_is(sums.sums[0].lesson, lesson_names[1]));
        assert_true(sums.parts[fixture_partition_of(f, learner_names[one])].unreadable);
    }
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    freeReplyObject(redisCommand(client, "HSET %sl:%lld %s %b", prefix.text, (long long)base_s / 60,
        lesson_names[0], value->str, value->len));
    freeReplyObject(value);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 1);
    assert_int_equal(sums.sums[0].watched_seconds, 35);

    /* Of a key of a wrong type nobody knows which lessons it had. */
    redis_process_command(&f->nodes[0], "SET %sl:%lld text", prefix.text, (long long)base_s / 60);
    assert_in_time(f, outbox_all_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 0);
    assert_true(sums.parts[fixture_partition_of(f, learner_names[one])].unreadable);
    arena_free(&arena);
}

/* One partition has given its part back already, another one not yet. */
static void test_sums_that_are_being_retired_are_not_told_anew(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct outbox_sums sums;
    struct key_prefix prefix;
    struct store_run run = make_run(0, 0, base_s * 1000, 15000, 0, 15000);
    const int64_t minute = base_s / 60;
    fixture_write(f, &run, 1);
    topology_key_prefix(&prefix, 1, f->config.redis.partitions);
    redis_process_command(&f->nodes[0], "SET %sfloor %lld", prefix.text, (long long)minute + 10);
    assert_in_time(f, outbox_all_sums(f->outbox, minute, &arena, &sums));
    assert_int_equal(sums.n, 1);
    redis_process_command(&f->nodes[0], "SET %sfloor %lld", prefix.text, (long long)minute + 11);
    assert_in_time(f, outbox_all_sums(f->outbox, minute, &arena, &sums));
    assert_int_equal(sums.n, 0);
    arena_free(&arena);
}

/* Another learner's minute, taken in the same transaction, needs no second reading of the total. */
static void test_a_total_is_read_once_after_all_masks(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct store_run runs[3] = {make_run(0, 0, base_s * 1000, 15000, 0, 15000),
        make_run(0, 0, base_s * 1000 + 60000, 20000, 15000, 35000),
        make_run(0, 1, base_s * 1000 + 120000, 1000, 0, 1000)};
    int p = fixture_partition_of(f, learner_names[0]);
    struct outbox_portion taken[3] = {{.partition = p, .minute = base_s / 60},
        {.partition = p, .minute = base_s / 60 + 1}, {.partition = p, .minute = base_s / 60 + 2}};
    struct outbox_totals totals;
    fixture_write(f, runs, 3);
    assert_in_time(f, take_with_totals(f->outbox, taken, 3, &arena, &totals));
    assert_int_equal(totals.n, 2);
    assert_true(slice_is(totals.items[0].learner, learner_names[0]));
    assert_int_equal(totals.items[0].total->watched_seconds, 35);
    assert_int_equal(totals.items[0].total->last_minute, base_s / 60 + 1);
    assert_int_equal(totals.items[0].total->covered.len, 8);
    assert_int_equal(totals.items[1].total->watched_seconds, 1);
    assert_ptr_equal(taken[0].learners[0].masks[0].total, totals.items[0].total);
    assert_ptr_equal(taken[1].learners[0].masks[0].total, totals.items[0].total);
    arena_free(&arena);
}

static void test_a_grown_minute_without_sums_is_settled(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct key_prefix prefix;
    struct outbox_minutes grown;
    struct outbox_sums sums;
    topology_key_prefix(&prefix, 0, f->config.redis.partitions);
    redis_process_command(&f->nodes[0], "SADD %sld %lld", prefix.text, (long long)base_s / 60);
    assert_in_time(f, outbox_sums(f->outbox, base_s / 60, &arena, &sums));
    assert_int_equal(sums.n, 0);
    assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    assert_in_time(f, outbox_grown(f->outbox, 0, &arena, &grown));
    assert_int_equal(grown.n, 0);
    arena_free(&arena);
}

static void settle_everything(struct fixture *f)
{
    struct arena arena = {0};
    for (int p = 0; p < f->config.redis.partitions; p++) {
        struct outbox_minutes minutes;
        int64_t oldest;
        assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
        for (size_t i = 0; i < minutes.n; i++) {
            struct outbox_portion taken;
            fixture_take(f, p, minutes.minutes[i], &arena, &taken);
            assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
        }
        struct outbox_minutes grown;
        assert_in_time(f, outbox_grown(f->outbox, p, &arena, &grown));
        for (size_t i = 0; i < grown.n; i++) {
            struct outbox_sums sums;
            assert_in_time(f, outbox_sums(f->outbox, grown.minutes[i], &arena, &sums));
            assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
        }
    }
    assert_int_equal(count_dirty(f), 0);
    arena_free(&arena);
}

static long long count_keys(struct fixture *f, const char *pattern)
{
    redisReply *keys = redisCommand(f->nodes[0].client, "KEYS %s", pattern);
    long long n = (long long)keys->elements;
    freeReplyObject(keys);
    return n;
}

static void test_retire_raises_the_floor(void **state)
{
    struct fixture *f = *state;
    int64_t floor;
    struct store_run runs[LEARNERS];
    for (int i = 0; i < LEARNERS; i++)
        runs[i] = make_run(i, 0, base_s * 1000, 15000, 0, 15000);
    fixture_write(f, runs, LEARNERS);
    int64_t later_ms = (base_s + 26 * 3600) * 1000;
    assert_in_time(f, fixture_retire(f, later_ms, &floor)); /* sums and masks are dirty: their bucket stays */
    assert_true(count_keys(f, "minuted:*:w:*") > 0);
    settle_everything(f);
    for (int i = 0; i < 30; i++) /* some buckets a call */
        assert_in_time(f, fixture_retire(f, later_ms, &floor));
    assert_int_equal(count_keys(f, "minuted:*:w:*"), 0);
    assert_int_equal(count_keys(f, "minuted:*:l:*"), 0);
    assert_int_equal(floor, (base_s + 2 * 3600) / 600 * 10);
    struct store_run late = make_run(0, 0, base_s * 1000 + 15000, 15000, 15000, 30000);
    fixture_write(f, &late, 1);
    assert_int_equal(
        late.status, STORE_TOO_LATE); /* by the floor: this store's clock would still let it in */
    struct totals totals = ask_totals(f, 0);
    assert_int_equal(total_of(&totals, 0)->watched_seconds, 15); /* totals outlive their buckets */
}

static void test_lease(void **state)
{
    struct fixture *f = *state;
    struct lease a = {.outbox = f->outbox, .clock = &f->clock, .holder = "a"};
    struct lease b = {.outbox = f->outbox, .clock = &f->clock, .holder = "b"};
    assert_in_time(f, lease_confirm(&a));
    redisReply *left = redisCommand(f->nodes[0].client, "PTTL " KEY_PUBLISHER);
    assert_in_range(left->integer, 1, LEASE_TTL_MS);
    freeReplyObject(left);
    assert_in_time(f, !lease_confirm(&b) && strcmp(b.owner, "a") == 0);
    b.held = true; /* as it believes */
    lease_release(&b);
    assert_in_time(f, lease_confirm(&a));
    lease_release(&a);
    assert_in_time(f, lease_confirm(&b));
}

static void test_watermarks_never_fall(void **state)
{
    struct fixture *f = *state;
    struct watermark w = {.published_through = 100, .final_through = 50};
    assert_in_time(f, publish_raise_watermark(f->outbox, &w));
    w = (struct watermark){.published_through = 90, .final_through = 60};
    assert_in_time(f, publish_raise_watermark(f->outbox, &w));
    assert_int_equal(w.published_through, 100);
    assert_int_equal(w.final_through, 60);
    w = (struct watermark){.published_through = 110, .final_through = 55};
    assert_in_time(f, publish_raise_watermark(f->outbox, &w));
    assert_int_equal(w.published_through, 110);
    assert_int_equal(w.final_through, 60);
}

/* ---- the property ---- */

struct model {
    signed char owner[LEARNERS][SECONDS]; /* lesson that has the second, -1: none */
    unsigned char covered[LEARNERS][LESSONS][MEDIA_MS];
};

struct random_run {
    int learner;
    int lesson;
    int64_t start; /* ms since base */
    int64_t length;
    int64_t media_from;
    int64_t media_to;
};

static struct random_run random_run(unsigned *seed)
{
    struct random_run r = {.learner = rand_r(seed) % LEARNERS, .lesson = rand_r(seed) % LESSONS};
    r.start = 1 + rand_r(seed) % ((SECONDS - 300) * 1000);
    r.length = 1000 + rand_r(seed) % (rand_r(seed) % 4 == 0 ? 290000 : 20000);
    r.media_from = rand_r(seed) % (MEDIA_MS - 300000);
    r.media_to = r.media_from + r.length;
    return r;
}

static int64_t media_at(const struct random_run *r, int64_t ms)
{
    return r->media_from + (ms - r->start) * (r->media_to - r->media_from) / r->length; /* rate 1: exact */
}

static void cover(struct model *m, const struct random_run *r, int64_t from_s, int64_t end_s)
{
    int64_t from = media_at(r, from_s * 1000);
    int64_t to = media_at(r, end_s * 1000);
    for (int64_t ms = from; ms < to; ms++)
        m->covered[r->learner][r->lesson][ms] = 1;
}

/* Credits R in the model; the counts that the store must answer. */
static void model_credit(struct model *m, const struct random_run *r, unsigned counts[3])
{
    int64_t first = (r->start + 999) / 1000;
    int64_t end = (r->start + r->length + 999) / 1000;
    int64_t stretch = -1;
    counts[0] = counts[1] = counts[2] = 0;
    for (int64_t s = first; s <= end; s++) {
        bool credited = false;
        if (s < end) {
            signed char *owner = &m->owner[r->learner][s];
            credited = *owner < 0;
            counts[credited ? 0 : *owner == r->lesson ? 1 : 2]++;
            if (credited)
                *owner = (signed char)r->lesson;
        }
        if (credited && stretch < 0)
            stretch = s;
        if (!credited && stretch >= 0) {
            cover(m, r, stretch, s);
            stretch = -1;
        }
    }
}

static int64_t model_covered(const struct model *m, int learner, int lesson)
{
    int64_t sum = 0;
    const unsigned char *covered = m->covered[learner][lesson];
    for (int64_t from = 0; from < MEDIA_MS; from++) {
        if (!covered[from])
            continue;
        int64_t to = from;
        for (int64_t ms = from; ms < MEDIA_MS && ms <= to + JOIN_MS; ms++)
            if (covered[ms])
                to = ms + 1;
        sum += to / 1000 - from / 1000;
        from = to;
    }
    return sum;
}

static void check_totals(struct fixture *f, const struct model *m)
{
    for (int learner = 0; learner < LEARNERS; learner++) {
        struct totals totals = ask_totals(f, learner);
        for (int lesson = 0; lesson < LESSONS; lesson++) {
            int64_t watched = 0;
            for (int s = 0; s < SECONDS; s++)
                watched += m->owner[learner][s] == lesson;
            const struct lesson_total *total = total_of(&totals, lesson);
            assert_int_equal(total == NULL ? 0 : total->watched_seconds, watched);
            assert_int_equal(total == NULL ? 0 : total->covered_seconds, model_covered(m, learner, lesson));
        }
    }
}

static uint64_t model_mask(const struct model *m, int learner, int lesson, int64_t minute)
{
    uint64_t mask = 0;
    for (int i = 0; i < 60; i++) {
        int64_t s = (minute - base_s / 60) * 60 + i;
        if (s >= 0 && s < SECONDS && m->owner[learner][s] == lesson)
            mask |= UINT64_C(1) << i;
    }
    return mask;
}

static int index_of(struct slice name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (slice_is(name, names[i]))
            return i;
    fail_msg("unknown name %.*s", SLICE_ARG(name));
    return -1;
}

/* What was published so far: every mask that a take gave, kept as a consumer would. */
struct consumer {
    uint64_t masks[LEARNERS][LESSONS][SECONDS / 60 + 1];
};

static void note_masks(
    const struct model *m, struct consumer *c, const struct learner_masks *taken, int64_t minute)
{
    int learner = index_of(taken->learner, learner_names, LEARNERS);
    for (size_t i = 0; i < taken->n_masks; i++) {
        int lesson = index_of(taken->masks[i].lesson, lesson_names, LESSONS);
        assert_true(taken->masks[i].mask == model_mask(m, learner, lesson, minute));
        c->masks[learner][lesson][minute - base_s / 60] = taken->masks[i].mask;
    }
}

static void consume_partition(
    struct fixture *f, const struct model *m, struct consumer *c, int p, bool settle, struct arena *arena)
{
    struct outbox_minutes minutes;
    int64_t oldest;
    assert_in_time(f, outbox_minutes(f->outbox, p, arena, &minutes, &oldest));
    for (size_t i = 0; i < minutes.n; i++) {
        struct outbox_portion taken;
        fixture_take(f, p, minutes.minutes[i], arena, &taken);
        for (size_t k = 0; k < taken.n_learners; k++)
            note_masks(m, c, &taken.learners[k], minutes.minutes[i]);
        if (settle)
            assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    }
}

static void consume(struct fixture *f, const struct model *m, struct consumer *c, bool settle)
{
    struct arena arena = {0};
    for (int p = 0; p < f->config.redis.partitions; p++)
        consume_partition(f, m, c, p, settle, &arena);
    arena_free(&arena);
}

static void check_consumer(const struct model *m, const struct consumer *c)
{
    for (int learner = 0; learner < LEARNERS; learner++)
        for (int lesson = 0; lesson < LESSONS; lesson++)
            for (int minute = 0; minute <= SECONDS / 60; minute++)
                assert_true(c->masks[learner][lesson][minute] ==
                            model_mask(m, learner, lesson, base_s / 60 + minute));
}

static void check_sums(struct fixture *f, const struct model *m)
{
    struct arena arena = {0};
    for (int minute = 0; minute <= SECONDS / 60; minute++) {
        struct outbox_sums sums;
        assert_in_time(f, outbox_sums(f->outbox, base_s / 60 + minute, &arena, &sums));
        for (size_t i = 0; i < sums.n; i++) {
            int lesson = index_of(sums.sums[i].lesson, lesson_names, LESSONS);
            int64_t seconds = 0;
            int64_t learners = 0;
            for (int learner = 0; learner < LEARNERS; learner++) {
                uint64_t mask = model_mask(m, learner, lesson, base_s / 60 + minute);
                seconds += mask_count(mask);
                learners += mask != 0;
            }
            assert_int_equal(sums.sums[i].watched_seconds, seconds);
            assert_int_equal(sums.sums[i].learners, learners);
        }
    }
    arena_free(&arena);
}

static void submit_and_check(struct fixture *f, struct model *m, const struct random_run *runs, size_t n)
{
    struct store_run *store_runs = calloc(n, sizeof(*store_runs));
    for (size_t i = 0; i < n; i++)
        store_runs[i] = make_run(runs[i].learner, runs[i].lesson, base_s * 1000 + runs[i].start,
            runs[i].length, runs[i].media_from, runs[i].media_to);
    fixture_write(f, store_runs, n);
    for (size_t i = 0; i < n; i++) {
        unsigned counts[3];
        model_credit(m, &runs[i], counts);
        assert_int_equal(store_runs[i].status, STORE_WRITTEN);
        assert_counts(&store_runs[i], counts[0], counts[1], counts[2], 0);
    }
    free(store_runs);
}

static void test_random_runs_match_plain_sets(void **state)
{
    enum { ROUNDS = 12, RUNS = 60 };
    struct fixture *f = *state;
    const char *given = getenv("MINUTED_TEST_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("MINUTED_TEST_SEED=%u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        redis_process_command(&f->nodes[0], "FLUSHALL");
        struct model *m = calloc(1, sizeof(*m));
        struct consumer *c = calloc(1, sizeof(*c));
        memset(m->owner, -1, sizeof(m->owner));
        struct random_run runs[RUNS * 2];
        for (int i = 0; i < RUNS; i++)
            runs[i] = random_run(&seed);
        for (int i = RUNS; i < RUNS * 2; i++)
            runs[i] = runs[rand_r(&seed) % i]; /* repeated, out of order */
        for (size_t at = 0; at < RUNS * 2;) {
            size_t n = 1 + (size_t)(rand_r(&seed) % 30);
            n = n < RUNS * 2 - at ? n : RUNS * 2 - at;
            submit_and_check(f, m, runs + at, n);
            if (rand_r(&seed) % 3 == 0)
                consume(f, m, c, rand_r(&seed) % 2 == 0);
            at += n;
        }
        check_totals(f, m);
        check_sums(f, m);
        consume(f, m, c, true);
        check_consumer(m, c);
        assert_int_equal(count_dirty(f), 0);
        free(m);
        free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_second_is_credited_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_coverage_is_never_faster_than_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_media_beyond_what_intervals_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_coverage_at_the_end_of_media_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_coverage_has_no_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_late_below_the_horizon, setup, teardown),
        cmocka_unit_test(test_an_unsettled_clock_refuses_only_below_the_floor),
        cmocka_unit_test(test_a_floor_that_cannot_be_right),
        cmocka_unit_test_setup_teardown(test_functions_are_loaded_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_of_a_wrong_type_credits_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_redis_refuses_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settle_compares, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_take_of_an_epoch_that_is_over_is_not_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_left_out_learner_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sums_settle_compares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_lessons_that_grew_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_sum_of_which_a_part_cannot_be_read_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sums_that_are_being_retired_are_not_told_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_total_is_read_once_after_all_masks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_grown_minute_without_sums_is_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retire_raises_the_floor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watermarks_never_fall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_runs_match_plain_sets, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
