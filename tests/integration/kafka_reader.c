/* Reads whole topics. */
#include "kafka_reader.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patience.h"

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    if (rd_kafka_conf_set(conf, name, value, NULL, 0) != RD_KAFKA_CONF_OK)
        abort();
}

static rd_kafka_t *open_consumer(const char *brokers, const char *topic, int partitions)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "reader");
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.partition.eof", "true");
    set(conf, "enable.auto.commit", "false");
    set(conf, "fetch.wait.max.ms", "20");
    set(conf, "log_level", "2");
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    if (consumer == NULL)
        abort();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = 0;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

static void copy_text(char *out, size_t size, const void *bytes, size_t len)
{
    snprintf(out, size, "%.*s", (int)len, (const char *)bytes);
}

static void copy_header(const rd_kafka_message_t *m, const char *name, char *out, size_t size)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    out[0] = '\0';
    if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR)
        copy_text(out, size, value, len);
}

static void copy_record(const rd_kafka_message_t *m, const char *topic, struct read_record *out)
{
    *out = (struct read_record){.topic = topic, .partition = m->partition};
    out->time_ms = rd_kafka_message_timestamp(m, NULL);
    copy_text(out->key, sizeof(out->key), m->key, m->key_len);
    copy_text(out->value, sizeof(out->value), m->payload, m->len);
    copy_header(m, "content-type", out->content_type, sizeof(out->content_type));
    copy_header(m, "schema", out->schema, sizeof(out->schema));
}

size_t kafka_read(
    const char *brokers, const char *topic, int partitions, struct read_record out[READER_RECORDS_MAX])
{
    size_t n = 0;
    int ended = 0;
    rd_kafka_t *consumer = open_consumer(brokers, topic, partitions);
    while (ended < partitions) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, PATIENCE_MS);
        if (m == NULL || n == READER_RECORDS_MAX) {
            fprintf(stderr, "%s: %zu records and no end\n", topic, n);
            abort();
        }
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            copy_record(m, topic, &out[n++]);
        else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ended++;
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return n;
}
