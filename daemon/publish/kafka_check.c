/*
 * Whether `kafka.properties` can work: a producer is made as the publisher makes it, only without brokers,
 * and let go.
 */
#include "publish/kafka_check.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/problems.h"
#include "publish/kafka_client.h"

enum { SCRAM_SINCE = 0x02060100 }; /* of rd_kafka_version() */

enum { WHY_MAX = 512, VALUE_MAX = 256, MESSAGE_TIMEOUT_MIN_MS = 1000 };

/* The opaque of the clients made here. */
struct check {
    const struct config *config;
    struct problems *problems;
    struct problems *notes;
    char topic_problem[WHY_MAX];
};

/* ---- which property a message is about ---- */

/* The property with the longest name that TEXT holds; else the first whose name begins with a word in `…`. */
static const struct config_property *find_named(const struct config *config, const char *text)
{
    const struct config_property *found = NULL;
    for (size_t i = 0; i < config->kafka.n_properties; i++) {
        const struct config_property *property = &config->kafka.properties[i];
        bool longer = found == NULL || strlen(property->name) > strlen(found->name);
        if (longer && strstr(text, property->name) != NULL)
            found = property;
    }
    for (const char *at = strchr(text, '`'); found == NULL && at != NULL; at = strchr(at + 1, '`'))
        for (size_t i = 0, len = strcspn(at + 1, "`="); found == NULL && i < config->kafka.n_properties; i++)
            if (len > 0 && strncmp(config->kafka.properties[i].name, at + 1, len) == 0)
                found = &config->kafka.properties[i];
    return found;
}

static void add(struct problems *problems, const struct config_property *property, const char *text)
{
    int len = (int)strcspn(text, "\n");
    problems_add(
        problems, property->source, property->line, "kafka.properties.%s: %.*s", property->name, len, text);
}

/* Names the property that TEXT is about. If none can be identified, the message belongs to the first one. */
static void add_about_all(const struct config *config, struct problems *problems, const char *text)
{
    const struct config_property *property = find_named(config, text);
    if (property == NULL && strstr(text, "SASL mechanism") != NULL) {
        /* librdkafka spells the name of this property in two ways. */
        property = find_named(config, "sasl.mechanisms");
        if (property == NULL)
            property = find_named(config, "sasl.mechanism");
    }
    if (property != NULL) {
        add(problems, property, text);
        return;
    }
    const struct config_property *first = config->kafka.n_properties > 0 ? config->kafka.properties : NULL;
    problems_add(problems, first != NULL ? first->source : "kafka.properties",
        first != NULL ? first->line : 0, "kafka.properties: %.*s", (int)strcspn(text, "\n"), text);
}

/* ---- each by itself ---- */

static bool is_number(const char *text)
{
    char *end;
    if (text[0] == '\0')
        return false;
    strtod(text, &end); /* librdkafka takes hexadecimal numbers too. */
    return *end == '\0';
}

/* librdkafka reads the number that a value begins with and ignores the rest: 60s would be 60 ms. */
static bool is_cut_number(rd_kafka_conf_t *conf, const struct config_property *property)
{
    char read[VALUE_MAX] = "";
    size_t size = sizeof(read);
    return property->value[0] != '\0' && strchr("+-.0123456789", property->value[0]) != NULL &&
           !is_number(property->value) &&
           rd_kafka_conf_get(conf, property->name, read, &size) == RD_KAFKA_CONF_OK && is_number(read);
}

/* ---- all together ---- */

static void on_log(const rd_kafka_t *kafka, int level, const char *kind, const char *message)
{
    struct check *c = rd_kafka_opaque(kafka);
    static const char thread[] = "[thrd:app]: ";
    (void)level;
    if (strncmp(message, thread, sizeof(thread) - 1) != 0)
        return; /* only this thread's messages are about the configuration */
    message += sizeof(thread) - 1;
    if (strcmp(kind, "TOPICCONF") == 0)
        snprintf(c->topic_problem, sizeof(c->topic_problem), "%s", message);
    else if (strcmp(kind, "CONFWARN") == 0 && c->notes != NULL &&
             strstr(message, "`bootstrap.servers`") == NULL)
        add_about_all(c->config, c->notes, message);
}

static void get(rd_kafka_conf_t *conf, const char *name, char value[static VALUE_MAX])
{
    size_t size = VALUE_MAX;
    value[0] = '\0';
    if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK)
        value[0] = '\0'; /* a library that was built without it */
}

/* What librdkafka accepts although nothing could ever be published with it. */
static void check_sense(struct check *c, rd_kafka_conf_t *conf)
{
    char protocol[VALUE_MAX], mechanism[VALUE_MAX], method[VALUE_MAX], unsecured[VALUE_MAX],
        timeout[VALUE_MAX];
    get(conf, "security.protocol", protocol);
    get(conf, "sasl.mechanisms", mechanism);
    get(conf, "sasl.oauthbearer.method", method);
    get(conf, "enable.sasl.oauthbearer.unsecure.jwt", unsecured);
    get(conf, "message.timeout.ms", timeout);
    if (strcmp(c->config->kafka.brokers, "embedded") == 0 && strcmp(protocol, "plaintext") != 0)
        add_about_all(
            c->config, c->problems, "kafka.brokers is 'embedded', whose `security.protocol` is plaintext");
    if (strncmp(protocol, "sasl_", 5) == 0 && strcmp(mechanism, "OAUTHBEARER") == 0 &&
        strcmp(method, "oidc") != 0 && strcmp(unsecured, "true") != 0)
        add_about_all(c->config, c->problems,
            "Unsupported SASL mechanism: OAUTHBEARER without sasl.oauthbearer.method oidc gets no token");
    if (strncmp(protocol, "sasl_", 5) == 0 && strncmp(mechanism, "SCRAM-", 6) == 0 &&
        rd_kafka_version() < SCRAM_SINCE) {
        char text[WHY_MAX];
        snprintf(text, sizeof(text),
            "SASL mechanism %s needs librdkafka 2.6.1, and this is %s: before, it repeats a nonce in the "
            "login, "
            "which Kafka 4 refuses; use PLAIN with TLS, or a client certificate",
            mechanism, rd_kafka_version_str());
        add_about_all(c->config, c->problems, text);
    }
    long timeout_ms = strtol(timeout, NULL, 10);
    if (timeout_ms > 0 && timeout_ms < MESSAGE_TIMEOUT_MIN_MS)
        add_about_all(c->config, c->problems,
            "`message.timeout.ms` is less than 1000, so records would be given up before a broker can "
            "answer");
}

/* PROTOCOL NULL: as configured. */
static void try_client(struct check *c, const char *protocol)
{
    char why[WHY_MAX];
    char *error = NULL;
    rd_kafka_conf_t *conf = kafka_client_conf(c->config, NULL, NULL, &error);
    if (conf == NULL) {
        problems_add(c->problems, "kafka", 0, "%s", error);
        free(error);
        return;
    }
    kafka_client_be_transactional(conf, c->config, "any");
    rd_kafka_conf_set_error_cb(conf, NULL); /* it would take the opaque for a log */
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (protocol == NULL)
        check_sense(c, conf);
    else
        kafka_client_set(conf, "security.protocol", protocol);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (kafka == NULL) {
        add_about_all(c->config, c->problems, why);
        rd_kafka_conf_destroy(conf);
        return;
    }
    /* Properties of topics are judged only when a topic is made. */
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, "any", NULL);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    else
        add_about_all(c->config, c->problems,
            c->topic_problem[0] != '\0' ? c->topic_problem : rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_destroy(kafka);
}

/* ---- the interface ---- */

bool kafka_check_properties(const struct config *config, struct problems *problems, struct problems *notes)
{
    struct check check = {.config = config, .problems = problems, .notes = notes};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool has_tls_files = false;
    for (size_t i = 0; i < config->kafka.n_properties; i++) {
        const struct config_property *property = &config->kafka.properties[i];
        char why[WHY_MAX] = "";
        has_tls_files = has_tls_files || strncmp(property->name, "ssl.", 4) == 0;
        if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
            add(problems, property,
                property->secret && strstr(why, property->value) != NULL ? "its file is not valid" : why);
        else if (is_cut_number(conf, property))
            add(problems, property, "expected a plain number, without a unit");
    }
    rd_kafka_conf_destroy(conf);
    if (problems->n == 0)
        try_client(&check, NULL);
    check.notes = NULL; /* they are the same */
    /* Whoever names certificates expects them to be read, which librdkafka does only if the protocol needs
     * them. */
    if (problems->n == 0 && has_tls_files)
        try_client(&check, "ssl");
    return problems->n == 0;
}
