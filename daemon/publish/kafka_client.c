/* What every librdkafka client of this daemon has in common. */
#include "publish/kafka_client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"

enum { ERROR_MAX = 512 };
enum { SYSLOG_WARNING = 4, SYSLOG_INFO = 6 }; /* librdkafka's levels; <syslog.h> has names of ours */

char *kafka_client_error(const char *format, ...)
{
    char text[2 * ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return mem_strdup(text);
}

/* ---- the library's messages ---- */

static void on_log(const rd_kafka_t *kafka, int level, const char *kind, const char *message)
{
    struct log *log = rd_kafka_opaque(kafka);
    if (log == NULL)
        return;
    enum log_level ours = level <= SYSLOG_WARNING ? LOG_WARN : level < SYSLOG_INFO ? LOG_INFO : LOG_DEBUG;
    log_event(log, ours, "kafka_client", "kind=%s message=%s", kind, LOG_QUOTE(message));
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct log *log = opaque;
    (void)kafka;
    if (log != NULL)
        log_event(log, LOG_WARN, "kafka_error", "code=%s error=%s",
            rd_kafka_err2name((rd_kafka_resp_err_t)code), LOG_QUOTE(reason));
}

/* ---- making a client ---- */

void kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, NULL, 0);
    assert(result == RD_KAFKA_CONF_OK);
}

rd_kafka_conf_t *kafka_client_conf(
    const struct config *config, const char *brokers, struct log *log, char **error)
{
    char why[ERROR_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    kafka_client_set(conf, "client.id", "minuted");
    kafka_client_set(conf, "reconnect.backoff.max.ms", "2000"); /* One publisher overruns no broker. */
    kafka_client_set(conf, "compression.type", "lz4");          /* A seventh of the bytes for no more work. */
    rd_kafka_conf_set_opaque(conf, log);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    for (size_t i = 0; i < config->kafka.n_properties; i++) {
        const struct config_property *property = &config->kafka.properties[i];
        if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            *error = kafka_client_error("kafka.properties: %s: %s", property->name, why);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    if (brokers != NULL &&
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        *error = kafka_client_error("kafka.brokers: %s", why);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

void kafka_client_be_transactional(rd_kafka_conf_t *conf, const struct config *config, const char *program)
{
    char id[256];
    snprintf(id, sizeof(id), "%s/%s/%s", config->kafka.topic_prefix, program, config->kafka.deployment);
    kafka_client_set(conf, "transactional.id", id);
    kafka_client_set(conf, "enable.idempotence", "true");
    kafka_client_set(conf, "acks", "all");
}

rd_kafka_t *kafka_client_new(rd_kafka_conf_t *conf, char **error)
{
    char why[ERROR_MAX];
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (kafka == NULL) {
        *error = kafka_client_error("kafka.properties: %s", why);
        rd_kafka_conf_destroy(conf);
    }
    return kafka;
}

/* ---- topics ---- */

rd_kafka_resp_err_t kafka_client_topics(
    rd_kafka_t *kafka, int timeout_ms, const struct rd_kafka_metadata **out)
{
    /* Asking for one topic by name would make it, where brokers are set so, with their policy. */
    return rd_kafka_metadata(kafka, 1, NULL, out, timeout_ms);
}

int kafka_client_partitions(const struct rd_kafka_metadata *topics, const char *topic)
{
    for (int i = 0; i < topics->topic_cnt; i++)
        if (strcmp(topics->topics[i].topic, topic) == 0)
            return topics->topics[i].partition_cnt;
    return 0;
}
