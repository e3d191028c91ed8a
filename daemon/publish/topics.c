/* The topics, with their policies. */
#include "publish/topics.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config.h"
#include "publish/kafka_client.h"
#include "publish/record.h"

enum { PARTITIONS = 12, COPIES_MAX = 3, REACH_MS = 10000, STEP_MS = 2000, ANSWER_MS = 30000, PROPERTIES = 3 };

/* ms */
#define DAYS_400 "34560000000"
#define HOUR "3600000"

struct topic_policy {
    int partitions;
    struct {
        const char *name;
        const char *value;
    } properties[PROPERTIES]; /* ended by a NULL name */
};

static const struct topic_policy policies[RECORD_KINDS] = {
    [RECORD_LEARNER_LESSON] = {PARTITIONS, {{"cleanup.policy", "compact"}}},
    [RECORD_LEARNER_MINUTE] = {PARTITIONS, {{"cleanup.policy", "delete"}, {"retention.ms", DAYS_400}}},
    [RECORD_LESSON_MINUTE] = {PARTITIONS, {{"cleanup.policy", "compact,delete"}, {"retention.ms", DAYS_400}}},
    /* Read to its end whenever a publisher connects, so it is compacted soon. */
    [RECORD_WATERMARK] = {1, {{"cleanup.policy", "compact"}, {"segment.ms", HOUR}}},
};

static bool read_results(rd_kafka_event_t *event, const char *brokers, char **error)
{
    size_t n = 0;
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *error = kafka_client_error("kafka %s: %s", brokers,
            event == NULL ? "no answer in time" : rd_kafka_event_error_string(event));
        return false;
    }
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            printf("%s: %s\n", name,
                err == RD_KAFKA_RESP_ERR_NO_ERROR ? "created" : "exists and is left as it is");
            continue;
        }
        good = false;
        if (*error != NULL)
            continue;
        if (kafka_trouble_is_acl(err))
            *error = kafka_client_error("Kafka's ACLs do not allow Create on Topic %s, nor on Cluster", name);
        else
            *error = kafka_client_error("topic %s: %s", name, rd_kafka_topic_result_error_string(results[i]));
    }
    return good;
}

static bool create(rd_kafka_t *kafka, const char *prefix, const char *brokers, int replicas, char **error)
{
    rd_kafka_NewTopic_t *topics[RECORD_KINDS];
    for (int i = 0; i < RECORD_KINDS; i++) {
        const struct topic_policy *policy = &policies[i];
        char name[RECORD_TOPIC_MAX];
        char why[256];
        record_topic((enum record_kind)i, prefix, name);
        topics[i] = rd_kafka_NewTopic_new(name, policy->partitions, replicas, why, sizeof(why));
        for (int k = 0; k < PROPERTIES && policy->properties[k].name != NULL; k++)
            rd_kafka_NewTopic_set_config(topics[i], policy->properties[k].name, policy->properties[k].value);
        if (replicas > 1)
            rd_kafka_NewTopic_set_config(topics[i], "min.insync.replicas", "2");
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_CreateTopics(kafka, topics, RECORD_KINDS, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ANSWER_MS);
    bool good = read_results(event, brokers, error);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, RECORD_KINDS);
    return good;
}

bool topics_create(const struct config *config, const char *brokers, char **error)
{
    const struct rd_kafka_metadata *found;
    struct kafka_client_ear ear = {.log = NULL};
    bool good = false;
    *error = NULL;
    rd_kafka_conf_t *conf = kafka_client_conf(config, brokers, &ear, error);
    rd_kafka_t *kafka = conf == NULL ? NULL : kafka_client_new(conf, error);
    if (kafka == NULL)
        return false;
    int64_t until_ms = clock_monotonic_ms() + REACH_MS;
    rd_kafka_resp_err_t err;
    do
        err = kafka_client_topics(kafka, STEP_MS, &found);
    while (err != RD_KAFKA_RESP_ERR_NO_ERROR && !ear.trouble.refused && clock_monotonic_ms() < until_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *error = kafka_client_error("kafka.brokers %s: %s", brokers,
            ear.trouble.text[0] != '\0' ? ear.trouble.text : rd_kafka_err2str(err));
    } else {
        int n = found->broker_cnt;
        rd_kafka_metadata_destroy(found);
        good = create(kafka, config->kafka.topic_prefix, brokers, n < COPIES_MAX ? n : COPIES_MAX, error);
    }
    rd_kafka_destroy(kafka);
    return good;
}
