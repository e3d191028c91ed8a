/* Plain sets that forget nothing, and a consumer that keeps what was published. */
#include "retire_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "credit/mask.h"
#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "redis/resp.h"
#include "store/values.h"

const char *const retire_learner_names[RETIRE_LEARNERS] = {"anna", "bo", "chen", "dora", "emil", "fu"};
const char *const retire_lesson_names[RETIRE_LESSONS] = {"l1", "l2", "l3"};

/* -1: the partition has none. */
int64_t retire_floor_of(struct fixture *f, int partition)
{
    struct key_prefix prefix;
    topology_key_prefix(&prefix, partition, RETIRE_PARTITIONS);
    redisReply *reply = redisCommand(f->nodes[0].client, "GET %sfloor", prefix.text);
    int64_t floor = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : -1;
    freeReplyObject(reply);
    return floor;
}

struct retire_model *retire_model_new(void)
{
    struct retire_model *m = calloc(1, sizeof(*m));
    memset(m->owner, -1, sizeof(m->owner));
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        m->floor[p] = -1;
    return m;
}

static int index_of(struct slice name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (slice_is(name, names[i]))
            return i;
    fail_msg("unknown name %.*s", SLICE_ARG(name));
    return -1;
}

static uint64_t mask_of(const struct retire_model *m, int learner, int lesson, int64_t minute)
{
    uint64_t mask = 0;
    for (int i = 0; i < MINUTE_SECONDS; i++)
        if (m->owner[learner][(minute - (RETIRE_BASE_S / MINUTE_SECONDS)) * MINUTE_SECONDS + i] == lesson)
            mask |= UINT64_C(1) << i;
    return mask;
}

static void sum_of(
    const struct retire_model *m, int lesson, int64_t minute, int64_t *seconds, int64_t *learners)
{
    *seconds = 0;
    *learners = 0;
    for (int learner = 0; learner < RETIRE_LEARNERS; learner++) {
        uint64_t mask = mask_of(m, learner, lesson, minute);
        *seconds += mask_count(mask);
        *learners += mask != 0;
    }
}

/* Gives out the seconds of RUN from FIRST_MINUTE on. */
struct retire_expected retire_model_credit(
    struct retire_model *m, int learner, int lesson, const struct store_run *run, int64_t first_minute)
{
    struct retire_expected e = {0};
    for (int64_t s = run->claim.first_second; s < run->claim.end_second; s++) {
        signed char *owner = &m->owner[learner][s - RETIRE_BASE_S];
        if (s / MINUTE_SECONDS < first_minute)
            e.late++;
        else if (*owner == lesson)
            e.duplicate++;
        else if (*owner >= 0)
            e.contested++;
        else
            e.credited++;
        if (s / MINUTE_SECONDS >= first_minute && *owner < 0)
            *owner = (signed char)lesson;
    }
    return e;
}

void retire_check_floors(struct fixture *f, struct retire_model *m)
{
    int64_t horizon = retire_horizon_minute(f) + 1; /* the other daemon's clock may be ahead */
    m->horizon = horizon > m->horizon ? horizon : m->horizon;
    for (int p = 0; p < RETIRE_PARTITIONS; p++) {
        int64_t floor = retire_floor_of(f, p);
        assert_true(floor >= m->floor[p]);
        m->floor[p] = floor;
        struct arena arena = {0};
        struct outbox_minutes minutes;
        int64_t oldest;
        assert_in_time(f, outbox_minutes(f->outbox, p, &arena, &minutes, &oldest));
        /* Nothing unpublished is retired; what still is not an hour later is held. */
        assert_true(oldest >= floor || oldest + 60 < m->horizon);
        arena_free(&arena);
    }
}

/* ---- publishing, as the publisher does ---- */

void retire_note_learner(struct retire_model *m, const struct learner_masks *taken, int64_t minute)
{
    int learner = index_of(taken->learner, retire_learner_names, RETIRE_LEARNERS);
    for (size_t i = 0; i < taken->n_masks; i++) {
        int lesson = index_of(taken->masks[i].lesson, retire_lesson_names, RETIRE_LESSONS);
        uint64_t *published = &m->published[learner][lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)];
        assert_true(taken->masks[i].mask == mask_of(m, learner, lesson, minute));
        assert_true((*published & ~taken->masks[i].mask) == 0);
        *published = taken->masks[i].mask;
    }
}

void retire_publish_minutes(struct fixture *f, struct retire_model *m, int partition, bool settle)
{
    struct arena arena = {0};
    struct outbox_minutes minutes;
    int64_t oldest;
    assert_in_time(f, outbox_minutes(f->outbox, partition, &arena, &minutes, &oldest));
    for (size_t i = 0; i < minutes.n; i++) {
        struct outbox_portion taken;
        fixture_take(f, partition, minutes.minutes[i], &arena, &taken);
        for (size_t k = 0; k < taken.n_learners; k++)
            retire_note_learner(m, &taken.learners[k], minutes.minutes[i]);
        if (settle)
            assert_in_time(f, outbox_settle(f->outbox, &taken, 1));
    }
    arena_free(&arena);
}

void retire_note_sum(struct retire_model *m, const struct lesson_sum *sum, int64_t minute)
{
    int lesson = index_of(sum->lesson, retire_lesson_names, RETIRE_LESSONS);
    int64_t seconds;
    int64_t learners;
    sum_of(m, lesson, minute, &seconds, &learners);
    assert_int_equal(sum->watched_seconds, seconds); /* so it never falls: no second is ever taken back */
    assert_int_equal(sum->learners, learners);
    m->seconds_published[lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)] = seconds;
    m->learners_published[lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)] = learners;
}

void retire_publish_sums(struct fixture *f, struct retire_model *m, int partition, bool settle)
{
    struct arena arena = {0};
    struct outbox_minutes grown;
    assert_in_time(f, outbox_grown(f->outbox, partition, &arena, &grown));
    for (size_t i = 0; i < grown.n; i++) {
        struct outbox_sums sums;
        assert_in_time(f, outbox_sums(f->outbox, grown.minutes[i], &arena, &sums));
        for (size_t k = 0; k < sums.n; k++)
            retire_note_sum(m, &sums.sums[k], grown.minutes[i]);
        if (settle)
            assert_in_time(f, outbox_settle_sums(f->outbox, &sums));
    }
    arena_free(&arena);
}

void retire_publish_all(struct fixture *f, struct retire_model *m)
{
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        retire_publish_minutes(f, m, p, true);
    for (int p = 0; p < RETIRE_PARTITIONS; p++)
        retire_publish_sums(f, m, p, true);
}

void retire_check_consumer(const struct retire_model *m)
{
    for (int64_t minute = (RETIRE_BASE_S / MINUTE_SECONDS);
         minute < (RETIRE_BASE_S / MINUTE_SECONDS) + RETIRE_MINUTES; minute++)
        for (int lesson = 0; lesson < RETIRE_LESSONS; lesson++) {
            int64_t seconds;
            int64_t learners;
            sum_of(m, lesson, minute, &seconds, &learners);
            assert_int_equal(
                m->seconds_published[lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)], seconds);
            assert_int_equal(
                m->learners_published[lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)], learners);
            for (int learner = 0; learner < RETIRE_LEARNERS; learner++)
                assert_true(m->published[learner][lesson][minute - (RETIRE_BASE_S / MINUTE_SECONDS)] ==
                            mask_of(m, learner, lesson, minute));
        }
}

int retire_learner_index(struct slice name)
{
    return index_of(name, retire_learner_names, RETIRE_LEARNERS);
}

int retire_lesson_index(struct slice name)
{
    return index_of(name, retire_lesson_names, RETIRE_LESSONS);
}

/* ---- the daemons ---- */

/* Nothing crashes here, so nothing need reach the disk. */
struct retire_pair *retire_pair_new(void)
{
    static const char *const in_memory[] = {"--appendonly", "no", NULL};
    struct retire_pair *pair = calloc(1, sizeof(*pair));
    for (int i = 0; i < RETIRE_DAEMONS; i++) {
        pair->daemons[i] = fixture_new(RETIRE_PARTITIONS, (RETIRE_BASE_S + 30) * 1000LL + 26LL * HOUR_MS);
        pair->daemons[i]->config.redis.durability.fsync = false;
        if (i == 0)
            fixture_add_node(pair->daemons[0], in_memory);
        fixture_start_ready(pair->daemons[i], &pair->daemons[0]->nodes[0]);
    }
    return pair;
}

void retire_pair_free(struct retire_pair *pair)
{
    for (int i = RETIRE_DAEMONS - 1; i >= 0; i--)
        fixture_free(pair->daemons[i]);
    free(pair);
}

struct store_run retire_run(int learner, int lesson, int64_t start_s, int64_t length_s)
{
    return fixture_run(retire_learner_names[learner], retire_lesson_names[lesson], start_s * 1000,
        length_s * 1000, 0, length_s * 1000);
}

int64_t retire_horizon_minute(struct fixture *f)
{
    return (clock_now_ms(&f->clock) - f->config.heartbeats.horizon_ms) / MINUTE_MS;
}

int64_t retire_some(struct fixture *f)
{
    int64_t floor;
    assert_in_time(f, fixture_retire(f, clock_now_ms(&f->clock), &floor));
    return floor;
}

void retire_weigh_bucket(struct fixture *f, int64_t bucket)
{
    static const char weight[128 * 1024];
    for (int p = 0; p < RETIRE_PARTITIONS; p++) {
        struct key_prefix prefix;
        topology_key_prefix(&prefix, p, RETIRE_PARTITIONS);
        freeReplyObject(redisCommand(f->nodes[0].client, "HSET %sw:%lld weight %b", prefix.text,
            (long long)bucket, weight, sizeof(weight)));
    }
}

void retire_set_memory_short(struct fixture *f, bool is_short)
{
    /* beside this, what the test itself uses is little */
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory 0");
    redis_process_command(&f->nodes[0], "SETRANGE ballast 20000000 x");
    redisReply *info = redisCommand(f->nodes[0].client, "INFO memory");
    const char *used = strstr(info->str, "used_memory:");
    long long limit = is_short ? strtoll(used + sizeof("used_memory:") - 1, NULL, 10) / 100 * 115 : 0;
    freeReplyObject(info);
    redis_process_command(&f->nodes[0], "CONFIG SET maxmemory %lld", limit);
}
