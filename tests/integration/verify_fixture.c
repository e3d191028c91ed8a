/* Learners of a load, for the tests of its verification. */
#include "verify_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "credit/mask.h"
#include "redis/resp.h"
#include "store/values.h"

enum { TOPIC_PARTITIONS = 3, LESSONS = 3 };

static const char *const lessons[LESSONS] = {"l1", "lesson-2", "x"};
static char topic_prefix[] = "north";

/* ---- what the learners did ---- */

int64_t scene_start_of(size_t i)
{
    return BASE_S + (int64_t)(i * 37 % 200);
}

int64_t scene_length_of(size_t i)
{
    return 30 + (int64_t)(i * 13 % 60);
}

void scene_name(const struct scene *s, size_t i, char name[static NAME_MAX_LEN + 1])
{
    snprintf(name, NAME_MAX_LEN + 1, "%s%zu", s->prefix, i);
}

static void note_accepted(struct scene *s, size_t learner)
{
    struct minute_mask pieces[MINUTES];
    int64_t start = scene_start_of(learner);
    size_t n = mask_split(start, start + scene_length_of(learner), pieces, MINUTES);
    for (size_t i = 0; i < n; i++)
        s->masks[learner * MINUTES + (size_t)(pieces[i].minute - BASE_S / 60)] |= pieces[i].mask;
    s->accepted_s += (uint64_t)scene_length_of(learner);
}

void scene_watch(struct scene *s, const char *learner, const char *lesson, int64_t start_s, int64_t length_s)
{
    struct store_run run = fixture_run(learner, lesson, start_s * 1000, length_s * 1000, 0, length_s * 1000);
    fixture_write(s->redis, &run, 1);
    assert_int_equal(run.credited_seconds, length_s);
}

static void watch_all(struct scene *s)
{
    struct store_run *runs = calloc(LEARNERS, sizeof(*runs));
    char(*names)[NAME_MAX_LEN + 1] = calloc(LEARNERS, sizeof(*names));
    assert_true(runs != NULL && names != NULL);
    for (size_t i = 0; i < LEARNERS; i++) {
        int64_t length_ms = scene_length_of(i) * 1000;
        scene_name(s, i, names[i]);
        runs[i] =
            fixture_run(names[i], lessons[i % LESSONS], scene_start_of(i) * 1000, length_ms, 0, length_ms);
        note_accepted(s, i);
    }
    fixture_write(s->redis, runs, LEARNERS);
    for (size_t i = 0; i < LEARNERS; i++)
        assert_int_equal(runs[i].credited_seconds, scene_length_of(i));
    free(runs);
    free(names);
}

/* ---- publishing ---- */

void scene_topic(const struct scene *s, enum record_kind kind, char name[static RECORD_TOPIC_MAX])
{
    record_topic(kind, s->config.kafka.topic_prefix, name);
}

static void produce(struct scene *s, struct record r)
{
    char topic[RECORD_TOPIC_MAX];
    const char *type = record_content_type(s->writer.format);
    int32_t partition = (int32_t)(topology_hash_learner(r.route, SLICE_LITERAL("")) % TOPIC_PARTITIONS);
    scene_topic(s, r.kind, topic);
    rd_kafka_resp_err_t err =
        rd_kafka_producev(s->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY(r.key.ptr, r.key.len), RD_KAFKA_V_VALUE((void *)r.value.ptr, r.value.len),
            RD_KAFKA_V_TIMESTAMP(r.time_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_HEADER("content-type", type, -1), RD_KAFKA_V_END);
    assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void flush(struct scene *s)
{
    assert_int_equal(rd_kafka_flush(s->producer, PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void produce_taken(struct scene *s, const struct outbox_portion *taken)
{
    char withheld[NAME_MAX_LEN + 1] = "";
    if (s->withheld != NOBODY)
        scene_name(s, (size_t)s->withheld, withheld);
    for (size_t i = 0; i < taken->n_learners; i++) {
        const struct learner_masks *learner = &taken->learners[i];
        for (size_t k = 0; k < learner->n_masks; k++) {
            struct learner_total total = {learner->portal, learner->learner, learner->masks[k].total};
            if (!slice_is(learner->learner, withheld))
                produce(s, record_learner_minute(&s->writer, taken->minute, learner, &learner->masks[k]));
            produce(s, record_learner_lesson(&s->writer, &total));
        }
    }
}

static void publish_minute(struct scene *s, int partition, int64_t minute, struct arena *arena)
{
    struct outbox_portion taken = {.partition = partition, .minute = minute};
    do {
        fixture_take_portion(s->redis, arena, &taken);
        produce_taken(s, &taken);
        assert_in_time(s->redis, outbox_settle(s->redis->outbox, &taken, 1));
    } while (taken.cursor != 0);
}

void scene_publish(struct scene *s)
{
    struct arena arena = {0};
    for (int p = 0; p < PARTITIONS; p++) {
        struct outbox_minutes minutes;
        int64_t oldest;
        assert_in_time(s->redis, outbox_minutes(s->redis->outbox, p, &arena, &minutes, &oldest));
        for (size_t i = 0; i < minutes.n; i++)
            publish_minute(s, p, minutes.minutes[i], &arena);
    }
    arena_free(&arena);
    flush(s);
}

static struct lesson_total about(const char *lesson, int64_t seconds)
{
    return (struct lesson_total){.lesson = slice_of(lesson),
        .course = SLICE_LITERAL("course"),
        .watched_seconds = seconds,
        .last_minute = BASE_S / 60,
        .epoch = BASE_S * 1000};
}

void scene_publish_mask(struct scene *s, size_t learner, const char *lesson, uint64_t mask)
{
    char name[NAME_MAX_LEN + 1];
    scene_name(s, learner, name);
    struct lesson_total total = about(lesson, 0);
    struct lesson_mask m = {total.lesson, mask, &total};
    struct learner_masks who = {SLICE_LITERAL("basic"), slice_of(name), &m, 1, false};
    produce(s, record_learner_minute(&s->writer, BASE_S / 60, &who, &m));
    flush(s);
}

void scene_publish_total(struct scene *s, size_t learner, const char *lesson, int64_t seconds)
{
    char name[NAME_MAX_LEN + 1];
    scene_name(s, learner, name);
    struct lesson_total total = about(lesson, seconds);
    struct learner_total who = {SLICE_LITERAL("basic"), slice_of(name), &total};
    produce(s, record_learner_lesson(&s->writer, &who));
    flush(s);
}

void scene_publish_unreadable(struct scene *s, int64_t time_ms)
{
    char topic[RECORD_TOPIC_MAX];
    scene_topic(s, RECORD_LEARNER_MINUTE, topic);
    rd_kafka_resp_err_t err = rd_kafka_producev(s->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(1),
        RD_KAFKA_V_KEY("k", 1), RD_KAFKA_V_VALUE((char[]){"what"}, 4), RD_KAFKA_V_TIMESTAMP(time_ms),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
    flush(s);
}

/* ---- the scene ---- */

static rd_kafka_t *new_producer(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "2", NULL, 0), RD_KAFKA_CONF_OK);
    if (brokers != NULL)
        assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0), RD_KAFKA_CONF_OK);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    assert_non_null(producer);
    return producer;
}

static void make_cluster(struct scene *s)
{
    s->handle = new_producer(NULL);
    s->cluster = rd_kafka_mock_cluster_new(s->handle, 1);
    for (int i = 0; i < 2; i++) {
        char topic[RECORD_TOPIC_MAX];
        scene_topic(s, i == 0 ? RECORD_LEARNER_MINUTE : RECORD_LEARNER_LESSON, topic);
        assert_int_equal(rd_kafka_mock_topic_create(s->cluster, topic, TOPIC_PARTITIONS, 1), 0);
    }
    s->config.kafka.brokers = strdup(rd_kafka_mock_cluster_bootstraps(s->cluster));
    assert_non_null(s->config.kafka.brokers);
    s->producer = new_producer(s->config.kafka.brokers);
    const rd_kafka_metadata_t *metadata; /* asked for now, or the first record waits for it for a second */
    assert_int_equal(
        rd_kafka_metadata(s->producer, 1, NULL, &metadata, PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_metadata_destroy(metadata);
}

struct scene *scene_new(struct fixture *redis)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->redis = redis;
    s->config = redis->config;
    s->config.kafka.topic_prefix = topic_prefix;
    s->writer.program = "course-1";
    s->withheld = NOBODY;
    snprintf(s->prefix, sizeof(s->prefix), "%06llx-", (unsigned long long)clock_monotonic_us() & 0xffffff);
    s->evidence = (struct evidence){.program = s->writer.program,
        .portal = "basic",
        .prefix = s->prefix,
        .n_learners = LEARNERS,
        .first_minute = BASE_S / 60,
        .n_minutes = MINUTES,
        .masks = s->masks,
        .lessons = lessons,
        .n_lessons = LESSONS};
    make_cluster(s);
    watch_all(s);
    return s;
}

void scene_free(struct scene *s)
{
    record_writer_free(&s->writer);
    rd_kafka_destroy(s->producer);
    rd_kafka_mock_cluster_destroy(s->cluster);
    rd_kafka_destroy(s->handle);
    free(s->config.kafka.brokers);
    free(s);
}

int scene_group_begin(void **state)
{
    struct fixture *redis = fixture_new(PARTITIONS, (BASE_S + 7200) * 1000);
    *state = redis;
    fixture_start_ready(redis, fixture_add_node(redis, NULL));
    return 0;
}

int scene_group_end(void **state)
{
    fixture_free(*state);
    return 0;
}

int scene_begin(void **state)
{
    *state = scene_new(*state);
    return 0;
}

int scene_end(void **state)
{
    scene_free(*state);
    return 0;
}

/* ---- verdicts ---- */

void scene_verify(struct scene *s, int64_t wait_ms)
{
    verify(&s->config, &s->evidence, wait_ms, &s->v);
    assert_true(s->v.asked);
    assert_int_equal(s->v.expected_s, s->accepted_s);
}

int64_t scene_verify_in_vain(struct scene *s)
{
    int64_t wait_ms = SHORT_MS;
    scene_verify(s, wait_ms);
    while (s->v.problem[0] != '\0' && wait_ms < PATIENCE_MS) {
        print_message("%lld ms were too few: %s\n", (long long)wait_ms, s->v.problem);
        wait_ms *= 2;
        scene_verify(s, wait_ms);
    }
    return wait_ms;
}

void assert_verdict(const struct scene *s, uint64_t lost, uint64_t extra)
{
    assert_string_equal(s->v.problem, "");
    assert_int_equal(s->v.lost_s, lost);
    assert_int_equal(s->v.extra_s, extra);
}

void assert_places(
    const struct scene *s, int64_t redis, int64_t redis_total, int64_t kafka, int64_t kafka_total)
{
    assert_int_equal((int64_t)(s->v.expected_s - s->v.redis_s), redis);
    assert_int_equal((int64_t)(s->v.expected_s - s->v.redis_total_s), redis_total);
    assert_int_equal((int64_t)(s->v.expected_s - s->v.kafka_s), kafka);
    assert_int_equal((int64_t)(s->v.expected_s - s->v.kafka_total_s), kafka_total);
}

void assert_problem(const struct scene *s, const char *text)
{
    if (strstr(s->v.problem, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", s->v.problem, text);
    assert_int_equal(s->v.lost_s, 0);
    assert_int_equal(s->v.extra_s, 0);
}

/* ---- making things wrong in Redis ---- */

struct redis_process *scene_node(const struct scene *s)
{
    return &s->redis->nodes[0];
}

static void get(const struct scene *s, struct value *v)
{
    redisReply *reply = redisCommand(scene_node(s)->client, "HGET %s %s", v->key, v->field);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_true(reply->len < sizeof(v->bytes) / 2);
    memcpy(v->bytes, reply->str, reply->len);
    v->len = reply->len;
    freeReplyObject(reply);
}

void scene_put(const struct scene *s, const struct value *v)
{
    redisReply *reply =
        redisCommand(scene_node(s)->client, "HSET %s %s %b", v->key, v->field, v->bytes, v->len);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
}

struct value scene_masks(const struct scene *s, size_t learner)
{
    struct value v;
    struct key_prefix prefix;
    char name[NAME_MAX_LEN + 1];
    scene_name(s, learner, name);
    topology_key_prefix(&prefix, fixture_partition_of(s->redis, name), PARTITIONS);
    snprintf(v.key, sizeof(v.key), "%.*sw:%lld", (int)prefix.len, prefix.text, (long long)(BASE_S / 600));
    snprintf(v.field, sizeof(v.field), "basic/%s", name);
    get(s, &v);
    return v;
}

struct value scene_total(const struct scene *s, size_t learner)
{
    struct value v;
    struct key_prefix prefix;
    char name[NAME_MAX_LEN + 1];
    scene_name(s, learner, name);
    topology_key_prefix(&prefix, fixture_partition_of(s->redis, name), PARTITIONS);
    snprintf(v.key, sizeof(v.key), "%.*st:basic/%s", (int)prefix.len, prefix.text, name);
    snprintf(v.field, sizeof(v.field), "%s", lessons[learner % LESSONS]);
    get(s, &v);
    return v;
}

/* The format, the lesson's length, its name, then the masks. */
char *value_slot(struct value *v, int slot)
{
    return v->bytes + 2 + v->bytes[1] + 8 * slot;
}
