/* A broker inside this process: librdkafka's mock cluster. */
#include "publish/embedded_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/mem.h"
#include "publish/kafka_client.h"
#include "publish/record.h"

enum { EMBEDDED_PARTITIONS = 4 };

struct embedded_kafka {
    rd_kafka_t *handle; /* the mock cluster needs one to live in */
    rd_kafka_mock_cluster_t *cluster;
};

struct embedded_kafka *embedded_kafka_start(const char *prefix, struct log *log, char **error)
{
    char text[256] = "no broker";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct embedded_kafka *k = mem_zalloc(sizeof(*k));
    kafka_client_set(conf, "log_level", "3");
    k->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (k->handle == NULL) {
        rd_kafka_conf_destroy(conf);
    } else {
        k->cluster = rd_kafka_mock_cluster_new(k->handle, 1);
    }
    if (k->cluster == NULL) {
        *error = kafka_client_error("embedded kafka: %s", text);
        embedded_kafka_stop(k);
        return NULL;
    }
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        char topic[RECORD_TOPIC_MAX];
        record_topic((enum record_kind)kind, prefix, topic);
        int partitions = kind == RECORD_WATERMARK ? 1 : EMBEDDED_PARTITIONS;
        rd_kafka_resp_err_t err = rd_kafka_mock_topic_create(k->cluster, topic, partitions, 1);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            *error = kafka_client_error("embedded kafka: topic %s: %s", topic, rd_kafka_err2str(err));
            embedded_kafka_stop(k);
            return NULL;
        }
    }
    log_event(log, LOG_INFO, "embedded_kafka", "brokers=%s", embedded_kafka_brokers(k));
    return k;
}

const char *embedded_kafka_brokers(const struct embedded_kafka *k)
{
    return rd_kafka_mock_cluster_bootstraps(k->cluster);
}

void embedded_kafka_stop(struct embedded_kafka *k)
{
    if (k == NULL)
        return;
    if (k->cluster != NULL)
        rd_kafka_mock_cluster_destroy(k->cluster);
    if (k->handle != NULL)
        rd_kafka_destroy(k->handle);
    free(k);
}
