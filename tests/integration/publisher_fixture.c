/* A publisher between a real redis-server and a mock cluster. */
#include "publisher_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis/resp.h"
#include "redis/topology.h"

static struct config_property properties[] = {
    {.name = (char[]){"reconnect.backoff.ms"}, .value = (char[]){"10"}},
    {.name = (char[]){"reconnect.backoff.max.ms"}, .value = (char[]){"100"}},
    {.name = (char[]){"linger.ms"}, .value = (char[]){"0"}},
};

const char *const publisher_topics[TOPICS] = {
    TOPIC_LEARNER_LESSONS, TOPIC_LEARNER_MINUTES, TOPIC_LESSON_MINUTES, TOPIC_WATERMARKS};

/* ---- beginning and ending ---- */

static void make_cluster(struct publisher_fixture *f, int brokers, const char *without)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "2", NULL, 0), RD_KAFKA_CONF_OK);
    f->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    f->cluster = rd_kafka_mock_cluster_new(f->handle, brokers);
    f->brokers = rd_kafka_mock_cluster_bootstraps(f->cluster);
    for (size_t i = 0; i < TOPICS; i++)
        if (without == NULL || strcmp(publisher_topics[i], without) != 0)
            assert_int_equal(rd_kafka_mock_topic_create(f->cluster, publisher_topics[i], PARTITIONS, 1), 0);
}

void publisher_fixture_make_cluster(struct publisher_fixture *f, const char *without)
{
    make_cluster(f, 1, without);
}

void publisher_fixture_make_cluster_of(struct publisher_fixture *f, int n)
{
    make_cluster(f, n, NULL);
}

/* From now on the server tells every command. */
static void listen_to_commands(struct publisher_fixture *f)
{
    f->commands = redisConnect(f->redis->nodes[0].endpoint.host, f->redis->nodes[0].endpoint.port);
    assert_true(f->commands != NULL && f->commands->err == 0);
    freeReplyObject(redisCommand(f->commands, "MONITOR"));
}

/* SHARDS 0: a single server. */
static int begin(void **state, bool dev, int shards)
{
    const char *const clustered[] = {"--cluster-enabled", "yes", NULL};
    struct publisher_fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    f->redis = fixture_new(shards == 0 ? 2 : 4 * shards, NOW_S * INT64_C(1000));
    struct config *config = &f->redis->config;
    config->kafka.format = FORMAT_JSON;
    config->kafka.properties = properties;
    config->kafka.n_properties = sizeof(properties) / sizeof(properties[0]);
    config->publish.grace_ms = GRACE_S * 1000;
    config->dev = dev;
    log_set_level(f->redis->log, getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR);
    for (int i = 0; i < (shards == 0 ? 1 : shards); i++)
        fixture_add_node(f->redis, shards == 0 ? NULL : clustered);
    if (shards != 0)
        redis_process_join_cluster(f->redis->nodes, shards);
    fixture_start_ready(f->redis, &f->redis->nodes[0]);
    listen_to_commands(f);
    f->records = calloc(READER_RECORDS_MAX, sizeof(*f->records));
    return f->records == NULL ? -1 : 0;
}

int publisher_fixture_begin(void **state)
{
    return begin(state, true, 0);
}

int publisher_fixture_begin_cluster(void **state)
{
    return begin(state, true, 3);
}

int publisher_fixture_begin_unsettled(void **state)
{
    return begin(state, false, 0);
}

void publisher_fixture_start(struct publisher_fixture *f)
{
    f->publisher = publisher_start(
        &f->redis->config, PROGRAM, f->brokers, "me", f->redis->monitor, &f->redis->clock, f->redis->log);
}

void publisher_fixture_stop(struct publisher_fixture *f)
{
    publisher_stop(f->publisher, PATIENCE_MS);
    f->publisher = NULL;
}

struct stop {
    struct publisher *publisher;
    int64_t deadline_ms;
    _Atomic bool ended;
};

static void *stop(void *ctx)
{
    struct stop *s = ctx;
    publisher_stop(s->publisher, s->deadline_ms);
    atomic_store(&s->ended, true);
    return NULL;
}

void publisher_fixture_stop_within(struct publisher_fixture *f, int64_t deadline_ms)
{
    enum { MOVES = 9 };
    pthread_t thread;
    struct stop s = {.publisher = f->publisher, .deadline_ms = deadline_ms};
    f->publisher = NULL;
    assert_int_equal(pthread_create(&thread, NULL, stop, &s), 0);
    /* The deadline counts from when the thread runs. All moves together are less than the producer's own
     * limit. */
    for (int i = 0; i < MOVES && !atomic_load(&s.ended); i++) {
        pause_ms(1000);
        move_clock(f, deadline_ms);
    }
    WAIT_UNTIL(atomic_load(&s.ended));
    pthread_join(thread, NULL);
}

int publisher_fixture_end(void **state)
{
    struct publisher_fixture *f = *state;
    if (f->publisher != NULL)
        publisher_fixture_stop(f);
    if (f->cluster != NULL)
        rd_kafka_mock_cluster_destroy(f->cluster);
    if (f->handle != NULL)
        rd_kafka_destroy(f->handle);
    redisFree(f->commands);
    fixture_free(f->redis);
    buf_free(&f->told);
    free(f->records);
    free(f);
    return 0;
}

/* ---- time ---- */

void set_now(struct publisher_fixture *f, int64_t now_s)
{
    fixture_set_clock(f->redis, now_s * 1000);
}

void hold_clock(struct publisher_fixture *f)
{
    atomic_store(&f->redis->clock.steady_ms, clock_monotonic_ms());
}

void move_clock(struct publisher_fixture *f, int64_t ms)
{
    atomic_fetch_add(&f->redis->clock.steady_ms, ms);
}

void pause_ms(int64_t ms)
{
    /* sleeps: between two looks, or to see that nothing happens while the clock is held */
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- Redis ---- */

const char *learner_in(const struct publisher_fixture *f, int partition, int n)
{
    static char names[8][16];
    static size_t next;
    char *name = names[next++ % 8];
    for (int i = 1, found = -1; found < n; i++) {
        snprintf(name, sizeof(names[0]), "t-%d", i);
        found += topology_partition_of(topology_hash_learner(SLICE_LITERAL("higher"), slice_of(name)),
                     f->redis->config.redis.partitions) == partition;
    }
    return name;
}

void watch(
    struct publisher_fixture *f, int64_t minute, const char *learner, const char *lesson, int from, int to)
{
    int64_t start_ms = (minute * 60 + from) * 1000;
    int64_t length_ms = (to - from) * INT64_C(1000);
    int64_t media_ms = (minute - MINUTE + 100) * 60000 + from * 500;
    struct store_run run =
        fixture_run(learner, lesson, start_ms, length_ms, media_ms, media_ms + length_ms / 2);
    run.portal = SLICE_LITERAL("higher");
    run.course = SLICE_LITERAL("live");
    fixture_write(f->redis, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
}

static redisReply *ask(struct publisher_fixture *f, const char *command, const char *key)
{
    redisReply *reply = redisCommand(f->redis->nodes[0].client, command, key);
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    return reply;
}

/* How much is owed of minutes that are due at NOW_S: members of the sets that PATTERN names. */
static size_t count_owed(struct publisher_fixture *f, int64_t now_s, bool dirty)
{
    size_t n = 0;
    redisReply *keys = ask(f, "KEYS %s", dirty ? "minuted:*:d:*" : "minuted:*:ld");
    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *members = ask(f, "SMEMBERS %s", keys->element[i]->str);
        for (size_t k = 0; k < members->elements; k++) {
            const char *minute = dirty ? strrchr(keys->element[i]->str, ':') + 1 : members->element[k]->str;
            n += (atoll(minute) + 1) * 60 + GRACE_S <= now_s;
        }
        freeReplyObject(members);
    }
    freeReplyObject(keys);
    return n;
}

bool settled(struct publisher_fixture *f)
{
    int64_t now_s = clock_now_ms(&f->redis->clock) / 1000;
    return count_owed(f, now_s, true) == 0 && count_owed(f, now_s, false) == 0;
}

bool all_settled(struct publisher_fixture *f)
{
    return count_owed(f, INT64_MAX, true) == 0 && count_owed(f, INT64_MAX, false) == 0;
}

size_t count_dirty(struct publisher_fixture *f)
{
    return count_owed(f, INT64_MAX, true);
}

void set_owner(struct publisher_fixture *f, const char *owner)
{
    if (owner[0] == '\0')
        freeReplyObject(ask(f, "DEL %s", KEY_PUBLISHER));
    else
        freeReplyObject(ask(f, "SET " KEY_PUBLISHER " %s", owner));
}

bool is_owner(struct publisher_fixture *f, const char *owner)
{
    redisReply *reply = ask(f, "GET %s", KEY_PUBLISHER);
    bool is = strcmp(reply->type == REDIS_REPLY_STRING ? reply->str : "", owner) == 0;
    freeReplyObject(reply);
    return is;
}

/* Reads what the server has told, up to a command of our own. */
static void read_commands(struct publisher_fixture *f)
{
    static int marks;
    char mark[32];
    snprintf(mark, sizeof(mark), "mark-%d", ++marks);
    freeReplyObject(ask(f, "ECHO %s", mark));
    for (;;) {
        redisReply *line = NULL;
        assert_int_equal(redisGetReply(f->commands, (void **)&line), REDIS_OK);
        bool marked = strstr(line->str, mark) != NULL;
        buf_append_string(&f->told, line->str);
        buf_append_char(&f->told, '\n');
        freeReplyObject(line);
        if (marked)
            break;
    }
}

size_t count_commands_until(struct publisher_fixture *f, const char *word, const char *stop)
{
    size_t n = 0;
    read_commands(f);
    buf_append_char(&f->told, '\0');
    const char *end = stop == NULL ? NULL : strstr(f->told.data, stop);
    for (const char *at = f->told.data; (at = strstr(at, word)) != NULL && (end == NULL || at < end); at++)
        n++;
    f->told.len--;
    return n;
}

size_t count_commands(struct publisher_fixture *f, const char *word)
{
    return count_commands_until(f, word, NULL);
}

size_t count_taken(struct publisher_fixture *f)
{
    return count_commands(f, "\"SSCAN\"");
}

/* ---- the publisher and Kafka ---- */

const struct publish_counters *counters(const struct publisher_fixture *f)
{
    return publisher_counters(f->publisher);
}

bool describes(struct publisher_fixture *f, const char *part)
{
    char text[256];
    publisher_describe(f->publisher, text);
    return strstr(text, part) != NULL;
}

size_t read_topic(struct publisher_fixture *f, const char *topic)
{
    return kafka_read(f->brokers, topic, PARTITIONS, f->records);
}

const struct read_record *last_of(const struct publisher_fixture *f, size_t n, const char *key)
{
    const struct read_record *last = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(f->records[i].key, key) == 0)
            last = &f->records[i];
    assert_non_null(last);
    return last;
}
