/* A publisher over an outbox in memory and a mock cluster. */
#include "publisher_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static char deployment[] = "winter";
static struct config_property properties[] = {
    {.name = (char[]){"reconnect.backoff.ms"}, .value = (char[]){"10"}},
    {.name = (char[]){"reconnect.backoff.max.ms"}, .value = (char[]){"100"}},
    {.name = (char[]){"linger.ms"}, .value = (char[]){"0"}},
};

const char *const fixture_topics[TOPICS] = {
    TOPIC_LEARNER_LESSONS, TOPIC_LEARNER_MINUTES, TOPIC_LESSON_MINUTES, TOPIC_WATERMARKS};

void fixture_set_now(struct fixture *f, int64_t now_s)
{
    atomic_store(&f->clock.offset_ms, now_s * 1000 - clock_system_ms());
}

static void make_cluster(struct fixture *f, int brokers, const char *without)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "2", NULL, 0), RD_KAFKA_CONF_OK);
    f->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    f->cluster = rd_kafka_mock_cluster_new(f->handle, brokers);
    f->brokers = rd_kafka_mock_cluster_bootstraps(f->cluster);
    for (size_t i = 0; i < TOPICS; i++)
        if (without == NULL || strcmp(fixture_topics[i], without) != 0)
            assert_int_equal(rd_kafka_mock_topic_create(f->cluster, fixture_topics[i], PARTITIONS, 1), 0);
}

void fixture_make_cluster(struct fixture *f, const char *without)
{
    make_cluster(f, 1, without);
}

void fixture_make_cluster_of(struct fixture *f, int n)
{
    make_cluster(f, n, NULL);
}

int fixture_begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    fake_init(&f->redis, GRACE_S);
    fixture_set_now(f, NOW_S);
    f->config.kafka.deployment = deployment;
    f->config.kafka.format = FORMAT_JSON;
    f->config.kafka.properties = properties;
    f->config.kafka.n_properties = sizeof(properties) / sizeof(properties[0]);
    f->config.publish.grace_ms = GRACE_S * 1000;
    f->log = log_new(getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR);
    f->records = calloc(READER_RECORDS_MAX, sizeof(*f->records));
    return f->records == NULL ? -1 : 0;
}

void fixture_start(struct fixture *f)
{
    f->publisher = publisher_start(&f->config, f->brokers, "me", &f->redis, &f->clock, f->log);
}

void fixture_stop(struct fixture *f)
{
    publisher_stop(f->publisher, STOP_MS);
    f->publisher = NULL;
}

int fixture_end(void **state)
{
    struct fixture *f = *state;
    if (f->publisher != NULL)
        fixture_stop(f);
    if (f->cluster != NULL)
        rd_kafka_mock_cluster_destroy(f->cluster);
    if (f->handle != NULL)
        rd_kafka_destroy(f->handle);
    log_free(f->log);
    free(f->records);
    free(f);
    return 0;
}

const struct publish_counters *counters(const struct fixture *f)
{
    return publisher_counters(f->publisher);
}

void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

int64_t monotonic_ms(void)
{
    return clock_monotonic_ms();
}

bool settled(struct fixture *f)
{
    return fake_is_settled(&f->redis, clock_now_ms(&f->clock) / 1000);
}

bool describes(struct fixture *f, const char *part)
{
    char text[256];
    publisher_describe(f->publisher, text);
    return strstr(text, part) != NULL;
}

size_t read_topic(struct fixture *f, const char *topic)
{
    return kafka_read(f->brokers, topic, PARTITIONS, f->records);
}

const struct read_record *last_of(const struct fixture *f, size_t n, const char *key)
{
    const struct read_record *last = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(f->records[i].key, key) == 0)
            last = &f->records[i];
    assert_non_null(last);
    return last;
}
