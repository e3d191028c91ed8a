/* What every librdkafka client of this daemon has in common. */
#include "publish/kafka_client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
    const struct kafka_client_ear *ear = rd_kafka_opaque(kafka);
    if (ear == NULL || ear->log == NULL)
        return;
    enum log_level ours = level <= SYSLOG_WARNING ? LOG_WARN : level < SYSLOG_INFO ? LOG_INFO : LOG_DEBUG;
    log_event(ear->log, ours, "kafka_client", "kind=%s message=%s", kind, LOG_QUOTE(message));
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct kafka_client_ear *ear = opaque;
    (void)kafka;
    if (ear == NULL)
        return;
    kafka_trouble_note(&ear->trouble, (rd_kafka_resp_err_t)code, reason);
    if (ear->log != NULL)
        log_event(ear->log, LOG_WARN, "kafka_error", "code=%s error=%s",
            rd_kafka_err2name((rd_kafka_resp_err_t)code), LOG_QUOTE(reason));
}

/* ---- making a client ---- */

void kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, NULL, 0);
    assert(result == RD_KAFKA_CONF_OK);
}

rd_kafka_conf_t *kafka_client_conf(
    const struct config *config, const char *brokers, struct kafka_client_ear *ear, char **error)
{
    char why[ERROR_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    kafka_client_set(conf, "client.id", "minuted");
    kafka_client_set(conf, "reconnect.backoff.max.ms", "2000"); /* One publisher overruns no broker. */
    kafka_client_set(conf, "compression.type", "lz4");          /* A seventh of the bytes for no more work. */
    rd_kafka_conf_set_opaque(conf, ear);
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

void kafka_client_id(const struct config *config, const char *program, char id[static KAFKA_CLIENT_ID_MAX])
{
    snprintf(
        id, KAFKA_CLIENT_ID_MAX, "%s/%s/%s", config->kafka.topic_prefix, program, config->kafka.deployment);
}

void kafka_client_be_transactional(rd_kafka_conf_t *conf, const struct config *config, const char *program)
{
    char id[KAFKA_CLIENT_ID_MAX];
    kafka_client_id(config, program, id);
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
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka, 1, NULL, out, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_poll(kafka, 0); /* on_error() is called here */
    return code;
}

/* A consumer makes no topic by naming it. Who comes without a name is seldom one whom ACLs tell apart. */
bool kafka_client_hidden(const struct config *config, const char *brokers, const char *topic, int timeout_ms)
{
    char *error = NULL;
    bool hidden = false;
    const struct rd_kafka_metadata *found;
    rd_kafka_conf_t *conf = kafka_client_conf(config, brokers, NULL, &error);
    char protocol[32] = "";
    size_t size = sizeof(protocol);
    bool named = conf != NULL &&
                 rd_kafka_conf_get(conf, "security.protocol", protocol, &size) == RD_KAFKA_CONF_OK &&
                 strcmp(protocol, "plaintext") != 0;
    rd_kafka_t *kafka = !named ? NULL : rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    if (kafka == NULL) {
        free(error);
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    if (rd_kafka_metadata(kafka, 0, handle, &found, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        hidden = found->topic_cnt == 1 && kafka_trouble_is_acl(found->topics[0].err);
        rd_kafka_metadata_destroy(found);
    }
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(kafka);
    return hidden;
}

int kafka_client_partitions(const struct rd_kafka_metadata *topics, const char *topic)
{
    for (int i = 0; i < topics->topic_cnt; i++)
        if (strcmp(topics->topics[i].topic, topic) == 0)
            return topics->topics[i].partition_cnt;
    return 0;
}
