/*
 * What every librdkafka client of this daemon has in common: `kafka.properties` as they are, and the
 * library's messages in our log.
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/log.h"
#include "stream/kafka_trouble.h"

struct config;

/* Where a client's messages go; it outlives the client. */
struct kafka_client_ear {
    struct log *log; /* NULL: they are not logged */
    struct kafka_trouble trouble;
};

/*
 * The configuration of a client of BROKERS (NULL: of none yet) whose messages go to EAR (NULL: nowhere),
 * which is also its opaque. NULL with *ERROR set, naming the property, when librdkafka refuses one.
 * Properties that publishing rests on are set by the caller afterwards, and so prevail.
 */
rd_kafka_conf_t *kafka_client_conf(
    const struct config *config, const char *brokers, struct kafka_client_ear *ear, char **error);

/* The transactional.id of the deployment and its PROGRAM. */
enum { KAFKA_CLIENT_ID_MAX = 256 };
void kafka_client_id(const struct config *config, const char *program, char id[static KAFKA_CLIENT_ID_MAX]);

/*
 * Makes CONF the transactional producer of the deployment and its PROGRAM: what publishing rests on. Its
 * transactional.id is "<topic prefix>/<program>/<deployment>", none of which can hold a slash.
 */
void kafka_client_be_transactional(rd_kafka_conf_t *conf, const struct config *config, const char *program);

/* Sets a property whose name and value are right. */
void kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value);

/* Takes CONF. NULL with *ERROR set when the properties do not go together. */
rd_kafka_t *kafka_client_new(rd_kafka_conf_t *conf, char **error);

/*
 * The topics of the cluster that its ACLs let this user see, freed by rd_kafka_metadata_destroy(); no topic
 * is made by asking. The ear hears meanwhile what keeps the brokers from answering.
 */
rd_kafka_resp_err_t kafka_client_topics(
    rd_kafka_t *kafka, int timeout_ms, const struct rd_kafka_metadata **out);

/* The partitions of TOPIC; 0 when there is none of that name. */
int kafka_client_partitions(const struct rd_kafka_metadata *topics, const char *topic);

/* Whether it is Kafka's ACLs that do not show TOPIC to this user, as far as Kafka says so within TIMEOUT_MS.
 */
bool kafka_client_hidden(const struct config *config, const char *brokers, const char *topic, int timeout_ms);

/* A message to be freed. */
char *kafka_client_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
