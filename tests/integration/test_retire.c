/*
 * The floor: what the horizon lets in, what retiring leaves, and what is made up for. Against a real
 * redis-server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "redis/resp.h"
#include "retire_model.h"
#include "store/apply.h"
#include "store/functions.h"

static struct fixture *first_of(void **state)
{
    const struct retire_pair *pair = *state;
    return pair->daemons[0];
}

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

static struct store_run submit_one(
    struct fixture *f, int learner, int lesson, int64_t start_s, int64_t length_s)
{
    struct store_run run = retire_run(learner, lesson, start_s, length_s);
    fixture_write(f, &run, 1);
    return run;
}

/* Some buckets a call: until nothing moves any more. */
static int64_t retire_all(struct fixture *f)
{
    int64_t floor = retire_some(f);
    for (int64_t before = -1; before != floor;) {
        before = floor;
        floor = retire_some(f);
    }
    return floor;
}

static bool is_dirty(struct fixture *f, int partition)
{
    struct arena arena = {0};
    struct outbox_minutes minutes;
    int64_t oldest;
    assert_in_time(f, outbox_minutes(f->outbox, partition, &arena, &minutes, &oldest));
    arena_free(&arena);
    return minutes.n > 0;
}

static int other_partition(struct fixture *f)
{
    int other = 1;
    while (fixture_partition_of(f, retire_learner_names[other]) ==
           fixture_partition_of(f, retire_learner_names[0]))
        other++;
    return other;
}

/* ---- cases ---- */

static void test_a_run_at_exactly_the_horizon(void **state)
{
    struct fixture *f = first_of(state); /* half a minute past a full one: it stays for the test */
    int64_t first = retire_horizon_minute(f);
    assert_int_equal(submit_one(f, 0, 0, first * 60 - 60, 60).status, STORE_TOO_LATE);
    assert_int_equal(submit_one(f, 0, 0, first * 60 - 1, 1).status, STORE_TOO_LATE);
    struct store_run both = submit_one(f, 0, 0, first * 60 - 1, 2);
    assert_int_equal(both.status, STORE_WRITTEN);
    assert_int_equal(both.credited_seconds, 1);
    assert_int_equal(both.late_seconds, 1);
    assert_int_equal(submit_one(f, 0, 0, first * 60, 60).credited_seconds, 59);
}

static void test_a_partition_where_nothing_was_ever_written(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int written = fixture_partition_of(f, retire_learner_names[0]);
    int other = 1;
    while (fixture_partition_of(f, retire_learner_names[other]) == written)
        other++;
    int64_t start_s = retire_horizon_minute(f) * 60 + 600;
    struct store_run run = submit_one(f, 0, 0, start_s, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    assert_int_equal(retire_floor_of(f, written), -1); /* whoever writes a run sets no floor */
    int64_t first = retire_some(f);
    assert_true(first > 0 && first <= retire_horizon_minute(f));
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        assert_int_equal(retire_floor_of(f, p), first);
    retire_publish_all(f, m);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 2LL * HOUR_MS);
    int64_t floor = retire_all(f);
    assert_true(floor > run.claim.first_second / 60 && floor <= retire_horizon_minute(f));
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        assert_int_equal(retire_floor_of(f, p), floor);
    assert_int_equal(submit_one(f, other, 0, start_s, 30).status, STORE_TOO_LATE);
    free(m);
}

/* A worker has worked out its horizon, then everything is retired, then its call arrives. */
static void test_a_horizon_of_before_the_retiring(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t old_horizon = retire_horizon_minute(f);
    struct store_run run = submit_one(f, 0, 0, old_horizon * 60, 60);
    assert_int_equal(run.credited_seconds, 60);
    retire_model_credit(m, 0, 0, &run, 0);
    retire_publish_all(f, m);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 2LL * HOUR_MS);
    assert_true(retire_all(f) > old_horizon);

    struct key_prefix prefix;
    struct buf command = {0};
    struct apply_scratch scratch = {0};
    struct store_run again = retire_run(0, 1, old_horizon * 60, 60);
    struct store_run_queue queue = STAILQ_HEAD_INITIALIZER(queue);
    STAILQ_INSERT_TAIL(&queue, &again, link);
    topology_key_prefix(&prefix, fixture_partition_of(f, retire_learner_names[0]), RETIRE_PARTITIONS);
    struct apply_terms terms = {
        .horizon_minute = old_horizon, .limit_minute = INT32_MAX, .settled = true, .grace_s = 70};
    apply_encode(&command, &scratch, &prefix, &queue, &terms);
    redisReply *reply;
    assert_int_equal(redisAppendFormattedCommand(f->nodes[0].client, command.data, command.len), REDIS_OK);
    assert_int_equal(redisGetReply(f->nodes[0].client, (void **)&reply), REDIS_OK);
    assert_true(apply_decode((struct slice){reply->str, reply->len}, &queue));
    assert_int_equal(again.status, STORE_TOO_LATE);
    assert_int_equal(again.late_seconds, 60);
    freeReplyObject(reply);
    buf_free(&command);
    apply_scratch_free(&scratch);
    free(m);
}

static void retire_bucket(struct fixture *f, int partition, int64_t bucket)
{
    struct key_prefix prefix;
    topology_key_prefix(&prefix, partition, RETIRE_PARTITIONS);
    redis_process_command(&f->nodes[0],
        "FCALL " STORE_FUNCTION("retire") " 17 %sfloor %sdue %sw:%lld %sepoch left_out held a b c d e f g h "
                                          "i j %sl:%lld %lld 70 0",
        prefix.text, prefix.text, prefix.text, (long long)bucket, prefix.text, prefix.text,
        (long long)bucket * 10 - 10, (long long)bucket);
}

/* A sweep ends half-way: one partition has retired the bucket, another still takes claims on it. */
static void test_a_sweep_that_ends_half_way(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int other = other_partition(f);
    int64_t start_s = retire_horizon_minute(f) * 60;
    struct store_run runs[2] = {retire_run(0, 0, start_s, 30), retire_run(other, 0, start_s, 30)};
    fixture_write(f, runs, 2);
    retire_model_credit(m, 0, 0, &runs[0], 0);
    retire_model_credit(m, other, 0, &runs[1], 0);
    retire_publish_all(f, m);

    int p = fixture_partition_of(f, retire_learner_names[0]);
    int64_t bucket = start_s / 600;
    retire_bucket(f, p, bucket);
    assert_int_equal(retire_floor_of(f, p), (bucket + 1) * 10);
    retire_bucket(f, p, bucket); /* another daemon, which has not seen it */
    retire_bucket(f, p, bucket + 5);
    assert_int_equal(retire_floor_of(f, p), (bucket + 1) * 10);
    assert_int_equal(submit_one(f, 0, 0, start_s + 30, 10).status, STORE_TOO_LATE);
    struct store_run more = submit_one(f, other, 0, start_s + 30, 10);
    assert_int_equal(more.credited_seconds, 10);
    retire_model_credit(m, other, 0, &more, 0);
    retire_publish_all(f, m); /* both partitions' part is in the sum */
    retire_check_consumer(m);
    free(m);
}

static int64_t read_sum(struct fixture *f, int64_t minute)
{
    struct arena arena = {0};
    struct outbox_sums sums;
    assert_in_time(f, outbox_sums(f->outbox, minute, &arena, &sums));
    int64_t seconds = sums.n == 0 ? 0 : sums.sums[0].watched_seconds;
    assert_in_time(f, sums.n > 0 || outbox_settle_sums(f->outbox, &sums)); /* of nothing: settles nothing */
    arena_free(&arena);
    return seconds;
}

/* Sums that one partition has given back and another has not, read by a publisher that listed them before. */
static void test_sums_that_are_being_retired(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t bucket = retire_horizon_minute(f) / 10 + 1;
    int64_t start_s = bucket * 600;
    for (int i = 0; i < RETIRE_LEARNERS; i++) {
        struct store_run run = submit_one(f, i, 0, start_s, 30);
        retire_model_credit(m, i, 0, &run, 0);
    }
    assert_int_equal(read_sum(f, start_s / 60), RETIRE_LEARNERS * 30);
    retire_publish_all(f, m); /* by another daemon, which then begins to give them back */
    for (int p = 0; p < RETIRE_PARTITIONS; p++) {
        retire_bucket(f, p, bucket - 1);
        retire_bucket(f, p, bucket);
    }
    retire_bucket(f, fixture_partition_of(f, retire_learner_names[0]), bucket + 1);
    assert_int_equal(read_sum(f, start_s / 60), 0);
    retire_check_consumer(m);
    free(m);
}

/* A partition that is first used late has its floor far beyond a minute that still waits for Kafka. */
static void test_a_partition_is_first_used_late(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int other = other_partition(f);
    int64_t start_s = retire_horizon_minute(f) * 60 + 1200;
    struct store_run run = submit_one(f, 0, 0, start_s, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 2LL * HOUR_MS);
    struct store_run late = submit_one(f, other, 0, clock_now_ms(&f->clock) / 1000 - 3600, 30);
    retire_model_credit(m, other, 0, &late, 0);
    assert_int_equal(read_sum(f, start_s / 60), 30);
    retire_publish_all(f, m);
    retire_check_consumer(m);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 24LL * HOUR_MS);
    assert_in_range(retire_all(f), retire_horizon_minute(f) - 10, retire_horizon_minute(f));
    free(m);
}

/* Retiring is what gives memory back: it works without any, whatever is still dirty. */
static void test_retiring_over_maxmemory(void **state)
{
    struct fixture *f = first_of(state);
    int64_t start_s = retire_horizon_minute(f) * 60;
    for (int i = 0; i < RETIRE_LEARNERS; i++)
        submit_one(f, i, 0, start_s, 30);
    int p = fixture_partition_of(f, retire_learner_names[0]);
    struct key_prefix prefix;
    topology_key_prefix(&prefix, p, RETIRE_PARTITIONS);
    (void)retire_all(f);
    redis_process_command(&f->nodes[0], "DEL %sdue", prefix.text);
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 1");
    fixture_set_clock(f, clock_now_ms(&f->clock) + 2LL * HOUR_MS);
    (void)retire_some(f);
    assert_true(is_dirty(f, p)); /* due again */
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 0");
}

static bool retire_unsettled(struct fixture *f, int64_t max, int64_t *floor)
{
    struct retire_terms terms = {.now_ms = clock_now_ms(&f->clock), .max = max};
    return outbox_retire(f->outbox, &terms, floor);
}

/* It may be ahead by a day: it sets no floor, and raises one by no more than it is allowed to. */
static void test_a_clock_that_is_not_settled(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int p = fixture_partition_of(f, retire_learner_names[0]);
    int64_t floor;
    struct store_run run = submit_one(f, 0, 0, retire_horizon_minute(f) * 60 + 600, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    retire_publish_all(f, m);
    assert_in_time(f, retire_unsettled(f, RETIRE_MAX, &floor));
    assert_int_equal(floor, 0);
    assert_int_equal(retire_floor_of(f, p), -1);
    int64_t first = retire_all(f);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 2LL * HOUR_MS);
    assert_in_time(f, retire_unsettled(f, 0, &floor));
    assert_int_equal(floor, first);
    assert_in_time(f, retire_unsettled(f, 1, &floor));
    assert_int_equal(floor, first + 10);
    free(m);
}

/* A partition that was never used cannot be closed yet: the others give nothing back before it is. */
static void test_an_unused_partition_is_closed_first(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t start_s = retire_horizon_minute(f) * 60;
    struct store_run run = submit_one(f, 0, 0, start_s, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    retire_publish_all(f, m);
    int used = fixture_partition_of(f, retire_learner_names[0]);
    int unused = (used + 1) % RETIRE_PARTITIONS;
    struct key_prefix prefix;
    topology_key_prefix(&prefix, unused, RETIRE_PARTITIONS);
    (void)retire_all(f);
    int64_t floor = retire_floor_of(f, used);
    redis_process_command(&f->nodes[0], "DEL %sfloor", prefix.text);
    redis_process_command(&f->nodes[0], "SADD %sd:%lld basic/x", prefix.text, (long long)floor - 1);
    fixture_set_clock(f, clock_now_ms(&f->clock) + 30LL * MINUTE_MS);
    (void)retire_some(f);
    assert_int_equal(retire_floor_of(f, used), floor);
    redis_process_command(&f->nodes[0], "DEL %sd:%lld", prefix.text, (long long)floor - 1);
    assert_true(retire_all(f) > floor);
    assert_int_equal(retire_floor_of(f, unused), retire_floor_of(f, used));
    free(m);
}

/* Seconds within the horizon that were refused all the same. */
static uint64_t count_forfeited(struct fixture *f)
{
    return atomic_load(&store_counters(f->store)->forfeited_seconds);
}

/* Each learner's 30 seconds, so many hours ago; published where SETTLED. */
static void submit_hours_ago(struct fixture *f, struct retire_model *m, int hours, bool settled)
{
    for (int i = 0; i < RETIRE_LEARNERS; i++) {
        struct store_run run = submit_one(f, i, 0, clock_now_ms(&f->clock) / 1000 - hours * 3600LL, 30);
        retire_model_credit(m, i, 0, &run, 0);
    }
    if (settled)
        retire_publish_all(f, m);
}

static void make_memory_short(struct fixture *f)
{
    retire_set_memory_short(f, true);
    fixture_wait_for_look(f);
}

/* Something else fills the server: whatever is allowed, no floor rises, and what a phone brings late is
 * credited. */
static void test_early_retirement_spares_what_frees_nothing(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t now_s = clock_now_ms(&f->clock) / 1000;
    f->config.redis.early_retire_ms = 2LL * HOUR_MS;
    submit_hours_ago(f, m, 6, true);
    int64_t before = retire_all(f);
    make_memory_short(f);
    assert_int_equal(retire_all(f), before);
    assert_int_equal(outbox_early_minutes(f->outbox), 0);
    assert_int_equal(submit_one(f, 0, 1, now_s - 23LL * 3600, 30).credited_seconds, 30);
    assert_int_equal(submit_one(f, 0, 1, now_s - 3LL * 3600, 30).credited_seconds, 30);
    free(m);
}

/* Minuted's own data fill the server: the floor stays nevertheless, where nobody has allowed more. */
static void test_early_retirement_is_off_unless_allowed(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    submit_hours_ago(f, m, 6, true);
    retire_weigh_bucket(f, clock_now_ms(&f->clock) / 1000 / 600 - 36);
    int64_t before = retire_all(f);
    make_memory_short(f);
    assert_int_equal(retire_all(f), before);
    free(m);
}

/* Buckets that matter go, the oldest first and one at a time, and those before them; younger ones than
 * allowed stay. */
static void test_early_retirement_frees_what_matters(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t now_s = clock_now_ms(&f->clock) / 1000;
    int64_t horizon = retire_horizon_minute(f);
    f->config.redis.early_retire_ms = 6LL * HOUR_MS;
    submit_hours_ago(f, m, 8, true);
    submit_hours_ago(f, m, 7, true);
    submit_hours_ago(f, m, 5, true);
    for (int hours = 8; hours >= 5; hours--)
        retire_weigh_bucket(f, now_s / 600 - hours * 6LL);
    retire_all(f);
    make_memory_short(f);
    int64_t eight = (now_s / 600 - 48) * 10 + 10;
    int64_t seven = (now_s / 600 - 42) * 10 + 10;
    assert_int_equal(retire_some(f), eight);
    assert_int_equal(outbox_early_minutes(f->outbox), eight - horizon);
    assert_int_equal(retire_some(f), seven);
    assert_int_equal(retire_all(f) < now_s / 60 - 360, true);
    assert_int_equal(outbox_early_minutes(f->outbox), retire_all(f) - horizon);
    assert_int_equal(submit_one(f, 0, 1, now_s - 8LL * 3600, 30).status, STORE_TOO_LATE);
    assert_int_equal(count_forfeited(f), 30);
    assert_int_equal(submit_one(f, 0, 1, now_s - 25LL * 3600, 30).status, STORE_TOO_LATE); /* anyway */
    assert_int_equal(count_forfeited(f), 30);
    assert_int_equal(submit_one(f, 0, 1, now_s - 5LL * 3600, 30).status, STORE_WRITTEN);
    free(m);
}

/* Kafka is away: a bucket that cannot go yet does not cost those before it. */
static void test_early_retirement_waits_for_what_is_dirty(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int64_t now_s = clock_now_ms(&f->clock) / 1000;
    f->config.redis.early_retire_ms = 6LL * HOUR_MS;
    submit_hours_ago(f, m, 8, false);
    retire_weigh_bucket(f, now_s / 600 - 48);
    int64_t before = retire_all(f);
    make_memory_short(f);
    retire_all(f);
    assert_int_equal(retire_floor_of(f, fixture_partition_of(f, retire_learner_names[0])),
        before == 0 ? retire_horizon_minute(f) / 10 * 10 : before);
    retire_publish_all(f, m);
    assert_int_equal(retire_all(f), (now_s / 600 - 48) * 10 + 10);
    free(m);
}

/* What COMMAND says of the key of a partition. */
static int64_t ask(struct fixture *f, const char *command, int partition, const char *key)
{
    struct key_prefix prefix;
    char text[256];
    topology_key_prefix(&prefix, partition, RETIRE_PARTITIONS);
    snprintf(text, sizeof(text), "%s %s%s", command, prefix.text, key);
    redisReply *reply = redisCommand(f->nodes[0].client, text);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    int64_t integer = reply->integer;
    freeReplyObject(reply);
    return integer;
}

/* Somebody's minute cannot be published, since it cannot be read or Kafka refuses it. */
static void test_who_cannot_be_published_keeps_no_bucket(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int p = fixture_partition_of(f, retire_learner_names[0]);
    int64_t start_s = retire_horizon_minute(f) * 60 / 600 * 600 + 600;
    char masks[32];
    snprintf(masks, sizeof(masks), "w:%lld", (long long)start_s / 600);
    for (int learner = RETIRE_LEARNERS - 1; learner >= 0; learner--) {
        struct store_run run = submit_one(f, learner, 0, start_s, 30);
        retire_model_credit(m, learner, 0, &run, 0);
        if (learner > 0)
            retire_publish_all(f, m);
    }
    struct store_run second = submit_one(f, 0, 1, start_s + 60, 30); /* of the same bucket */
    retire_model_credit(m, 0, 1, &second, 0);
    for (int q = 0; q < RETIRE_PARTITIONS; q++)
        retire_publish_sums(f, m, q, true);
    int64_t together = ask(f, "HLEN", p, masks);
    assert_true(together > 1);

    fixture_set_clock(f, clock_now_ms(&f->clock) + 60LL * MINUTE_MS);
    retire_all(f);
    assert_int_equal(retire_floor_of(f, p), start_s / 60);
    assert_int_equal(ask(f, "HLEN", p, masks), together);

    fixture_set_clock(f, clock_now_ms(&f->clock) + 60LL * MINUTE_MS);
    assert_in_range(retire_all(f), retire_horizon_minute(f) - 10, retire_horizon_minute(f));
    retire_check_floors(f, m);
    assert_int_equal(ask(f, "HLEN", p, masks), 1);
    assert_int_equal(ask(f, "EXISTS", p, "held"), 1);
    assert_true(is_dirty(f, p));
    assert_int_equal(submit_one(f, 1, 0, start_s, 10).status, STORE_TOO_LATE);

    retire_publish_all(f, m);
    retire_check_consumer(m);
    assert_int_equal(ask(f, "EXISTS", p, masks), 0);
    assert_int_equal(ask(f, "EXISTS", p, "held"), 0);
    free(m);
}

/* If a wrong clock has raised the floor, and it was lowered, what is settled keeps its seconds. */
static void test_a_held_bucket_that_is_opened_again_lets_nobody_go(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int p = fixture_partition_of(f, retire_learner_names[0]);
    int64_t start_s = retire_horizon_minute(f) * 60 / 600 * 600 + 600;
    char masks[32], floor[32];
    snprintf(masks, sizeof(masks), "w:%lld", (long long)start_s / 600);
    struct store_run run = submit_one(f, 0, 0, start_s, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    for (int q = 0; q < RETIRE_PARTITIONS; q++)
        retire_publish_sums(f, m, q, true);
    int64_t now_ms = clock_now_ms(&f->clock);
    fixture_set_clock(f, now_ms + 2LL * HOUR_MS);
    retire_all(f);
    assert_int_equal(ask(f, "EXISTS", p, "held"), 1);
    fixture_set_clock(f, now_ms);
    struct key_prefix prefix;
    topology_key_prefix(&prefix, p, RETIRE_PARTITIONS);
    snprintf(floor, sizeof(floor), "%lld", (long long)start_s / 60);
    redis_process_command(&f->nodes[0], "SET %sfloor %s", prefix.text, floor);
    retire_publish_minutes(f, m, p, true);
    assert_int_equal(ask(f, "EXISTS", p, masks), 1);
    struct store_run again = submit_one(f, 0, 0, start_s, 30);
    assert_int_equal(again.status, STORE_WRITTEN);
    assert_int_equal(again.duplicate_seconds, 30);
    free(m);
}

/* `due` was lost, by an operator's hand: what it named is still published before its bucket goes. */
static void test_a_lost_due_is_made_up_for_at_the_horizon(void **state)
{
    struct fixture *f = first_of(state);
    struct retire_model *m = retire_model_new();
    int p = fixture_partition_of(f, retire_learner_names[0]);
    struct store_run run = submit_one(f, 0, 0, retire_horizon_minute(f) * 60, 30);
    retire_model_credit(m, 0, 0, &run, 0);
    struct key_prefix prefix;
    topology_key_prefix(&prefix, p, RETIRE_PARTITIONS);
    (void)retire_all(f);
    redis_process_command(&f->nodes[0], "DEL %sdue", prefix.text);
    assert_false(is_dirty(f, p));
    retire_publish_all(f, m); /* the sums only */
    fixture_set_clock(f, clock_now_ms(&f->clock) + 30LL * MINUTE_MS);
    retire_all(f);
    assert_true(retire_floor_of(f, p) <= run.claim.first_second / 60);
    assert_true(is_dirty(f, p));
    retire_publish_all(f, m);
    retire_check_consumer(m);
    assert_true(retire_all(f) > run.claim.first_second / 60);
    free(m);
}

/* The same, where the minute is still being watched: the next second makes it due again. */
static void test_a_lost_due_is_made_up_for_by_the_next_second(void **state)
{
    struct fixture *f = first_of(state);
    int p = fixture_partition_of(f, retire_learner_names[0]);
    int64_t start_s = retire_horizon_minute(f) * 60;
    submit_one(f, 0, 0, start_s, 30);
    struct key_prefix prefix;
    topology_key_prefix(&prefix, p, RETIRE_PARTITIONS);
    (void)retire_all(f);
    redis_process_command(&f->nodes[0], "DEL %sdue", prefix.text);
    submit_one(f, 0, 0, start_s + 30, 1);
    assert_true(is_dirty(f, p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_run_at_exactly_the_horizon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_partition_where_nothing_was_ever_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_horizon_of_before_the_retiring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sweep_that_ends_half_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sums_that_are_being_retired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_partition_is_first_used_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retiring_over_maxmemory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_not_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_unused_partition_is_closed_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_retirement_spares_what_frees_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_retirement_is_off_unless_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_retirement_frees_what_matters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_retirement_waits_for_what_is_dirty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_cannot_be_published_keeps_no_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_held_bucket_that_is_opened_again_lets_nobody_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_due_is_made_up_for_at_the_horizon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_due_is_made_up_for_by_the_next_second, setup, teardown),
    };
    return cmocka_run_group_tests_name("retire", tests, NULL, NULL);
}
