/* Kafka's side of following. */
#include "ledger/reader.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum { ANSWER_MS = 15000, LOOK_AGAIN_MS = 1000, LEADER_WAIT_MS = 200, LEADER_TRIES = 50, END_TRIES = 10 };

struct reader_topic {
    rd_kafka_topic_t *handle;
    int partitions;
    bool *started; /* by partition */
};

struct reader {
    struct log *log;
    char *brokers;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queues[QUEUE_COUNT]; /* what all partitions bring */
    struct ledger_topics names;
    struct reader_topic topics[TOPIC_COUNT];
};

/* ---- connecting ---- */

/* syslog's levels. Called from librdkafka's threads. */
static void write_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    enum log_level ours = level <= 3 ? LOG_WARN : level <= 6 ? LOG_INFO : LOG_DEBUG;
    log_event(rd_kafka_opaque(kafka), ours, "kafka_log", "facility=%s text=%s", facility, LOG_QUOTE(text));
}

static void write_error(rd_kafka_t *kafka, int err, const char *reason, void *log)
{
    (void)kafka;
    log_event(log, LOG_WARN, "kafka_error", "error=%s reason=%s", rd_kafka_err2name((rd_kafka_resp_err_t)err),
        LOG_QUOTE(reason));
}

static bool set_property(struct reader *r, rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return true;
    log_event(r->log, LOG_ERROR, "kafka_property", "property=%s error=%s", name, LOG_QUOTE(error));
    return false;
}

static bool connect_kafka(struct reader *r, const char *const *properties, size_t n_properties)
{
    static const struct {
        const char *name;
        const char *value;
    } ours[] = {
        {"client.id", "minuted-ledger"},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"}, /* a topic made anew must be noticed, not read from wherever */
        {"fetch.wait.max.ms", "100"},
    };
    char error[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, r->log);
    rd_kafka_conf_set_log_cb(conf, write_log);
    rd_kafka_conf_set_error_cb(conf, write_error);
    bool good = set_property(r, conf, "bootstrap.servers", r->brokers) &&
                set_property(r, conf, "log_level", log_enabled(r->log, LOG_DEBUG) ? "7" : "5");
    for (size_t i = 0; good && i < sizeof(ours) / sizeof(ours[0]); i++)
        good = set_property(r, conf, ours[i].name, ours[i].value);
    for (size_t i = 0; good && i < n_properties; i++) {
        const char *equals = strchr(properties[i], '=');
        char *name = mem_strndup(properties[i], (size_t)(equals - properties[i]));
        good = set_property(r, conf, name, equals + 1);
        free(name);
    }
    if (good) {
        r->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
        if (r->kafka != NULL)
            return true;
        log_event(r->log, LOG_ERROR, "kafka_property", "error=%s", LOG_QUOTE(error));
    }
    rd_kafka_conf_destroy(conf);
    return false;
}

/* ---- topics ---- */

/* A topic just made may have no leaders for a moment. */
static rd_kafka_resp_err_t count_partitions(struct reader *r, struct reader_topic *t, int *n, int wait_ms)
{
    int64_t until = clock_monotonic_ms() + wait_ms;
    rd_kafka_resp_err_t err;
    *n = 0;
    do {
        const rd_kafka_metadata_t *metadata = NULL;
        err = rd_kafka_metadata(r->kafka, 0, t->handle, &metadata, wait_ms);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            err = metadata->topics[0].err;
            *n = metadata->topics[0].partition_cnt;
            rd_kafka_metadata_destroy(metadata);
        }
    } while (err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE && rd_kafka_poll(r->kafka, LEADER_WAIT_MS) >= 0 &&
             clock_monotonic_ms() < until);
    return err;
}

/* Partitions are only ever added; a topic with fewer was made anew, and its bounds will tell. */
static void grow(struct reader_topic *t, int partitions)
{
    if (partitions <= t->partitions)
        return;
    t->started = mem_realloc(t->started, (size_t)partitions * sizeof(*t->started));
    memset(t->started + t->partitions, 0, (size_t)(partitions - t->partitions) * sizeof(*t->started));
    t->partitions = partitions;
}

struct reader *reader_open(const char *brokers, const struct ledger_topics *topics,
    const char *const *properties, size_t n_properties, struct log *log, bool *away)
{
    struct reader *r = mem_zalloc(sizeof(*r));
    *away = false;
    r->log = log;
    r->brokers = mem_strdup(brokers);
    r->names = *topics;
    bool good = connect_kafka(r, properties, n_properties);
    for (int i = 0; good && i < QUEUE_COUNT; i++)
        r->queues[i] = rd_kafka_queue_new(r->kafka);
    for (enum topic topic = 0; good && topic < TOPIC_COUNT; topic++) {
        struct reader_topic *t = &r->topics[topic];
        int n;
        t->handle = rd_kafka_topic_new(r->kafka, r->names.names[topic], NULL);
        rd_kafka_resp_err_t err = count_partitions(r, t, &n, ANSWER_MS);
        grow(t, n);
        good = err == RD_KAFKA_RESP_ERR_NO_ERROR && n > 0;
        if (good)
            continue;
        *away = err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            log_event(log, LOG_ERROR, "topic_missing", "topic=%s brokers=%s hint=%s", r->names.names[topic],
                LOG_QUOTE(brokers), LOG_QUOTE("create it with minuted --create-topics"));
        else
            log_event(log, LOG_ERROR, "kafka_unreachable", "brokers=%s topic=%s error=%s", LOG_QUOTE(brokers),
                r->names.names[topic], LOG_QUOTE(rd_kafka_err2str(err)));
    }
    if (good)
        return r;
    reader_close(r);
    return NULL;
}

void reader_close(struct reader *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        struct reader_topic *t = &r->topics[i];
        for (int p = 0; p < t->partitions; p++)
            if (t->started[p])
                rd_kafka_consume_stop(t->handle, p);
        free(t->started);
        if (t->handle != NULL)
            rd_kafka_topic_destroy(t->handle);
    }
    for (int i = 0; i < QUEUE_COUNT; i++)
        if (r->queues[i] != NULL)
            rd_kafka_queue_destroy(r->queues[i]);
    if (r->kafka != NULL)
        rd_kafka_destroy(r->kafka);
    free(r->brokers);
    free(r);
}

const char *reader_topic_name(const struct reader *r, enum topic topic)
{
    return r->names.names[topic];
}

int reader_partitions(const struct reader *r, enum topic topic)
{
    return r->topics[topic].partitions;
}

void reader_look_again(struct reader *r)
{
    for (int i = 0; i < TOPIC_COUNT; i++) {
        int n;
        if (count_partitions(r, &r->topics[i], &n, LOOK_AGAIN_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            grow(&r->topics[i], n);
    }
}

/* ---- partitions ---- */

static bool complain(
    struct reader *r, enum topic topic, int partition, const char *event, rd_kafka_resp_err_t err)
{
    log_event(r->log, LOG_ERROR, event, "topic=%s partition=%d error=%s", r->names.names[topic], partition,
        LOG_QUOTE(rd_kafka_err2str(err)));
    return false;
}

char *reader_cluster(struct reader *r)
{
    char *told = rd_kafka_clusterid(r->kafka, ANSWER_MS);
    char *id = mem_strdup(told == NULL ? "" : told);
    if (told != NULL)
        rd_kafka_mem_free(r->kafka, told);
    return id;
}

bool reader_bounds(
    struct reader *r, enum topic topic, int partition, int64_t read, int64_t *low, int64_t *end)
{
    rd_kafka_resp_err_t err;
    for (int tries = 1;; tries++) {
        err =
            rd_kafka_query_watermark_offsets(r->kafka, r->names.names[topic], partition, low, end, ANSWER_MS);
        /*
         * The partitions of a topic just made, or of a broker just gone, have a new leader in a moment. The
         * partition was counted before, so a broker that does not know it has only not heard of it yet.
         */
        bool may_pass =
            err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
            err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
        bool behind = err == RD_KAFKA_RESP_ERR_NO_ERROR && *end < read;
        if (!(may_pass && tries < LEADER_TRIES) && !(behind && tries < END_TRIES))
            break;
        rd_kafka_poll(r->kafka, LEADER_WAIT_MS);
    }
    return err == RD_KAFKA_RESP_ERR_NO_ERROR || complain(r, topic, partition, "offsets_unknown", err);
}

bool reader_start(struct reader *r, enum topic topic, int partition, int64_t offset, enum reader_queue queue)
{
    struct reader_topic *t = &r->topics[topic];
    if (t->started[partition])
        rd_kafka_consume_stop(t->handle, partition);
    t->started[partition] = rd_kafka_consume_start_queue(t->handle, partition, offset, r->queues[queue]) == 0;
    return t->started[partition] || complain(r, topic, partition, "read_failed", rd_kafka_last_error());
}

size_t reader_take(
    struct reader *r, enum reader_queue queue, rd_kafka_message_t **messages, size_t max, int wait_ms)
{
    rd_kafka_poll(r->kafka, 0); /* write_error() is called here */
    ssize_t n = rd_kafka_consume_batch_queue(r->queues[queue], wait_ms, messages, max);
    return n > 0 ? (size_t)n : 0;
}

enum topic reader_topic_of(const struct reader *r, const rd_kafka_message_t *message)
{
    enum topic topic = 0;
    while (topic < TOPIC_COUNT - 1 && r->topics[topic].handle != message->rkt &&
           strcmp(r->names.names[topic], rd_kafka_topic_name(message->rkt)) != 0)
        topic++;
    return topic;
}

bool reader_offset_gone(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

bool reader_decode(const struct reader *r, const rd_kafka_message_t *message, struct arena *arena,
    struct ledger_record *record)
{
    struct slice key = {message->key, message->key_len};
    struct slice value = {message->payload, message->len};
    struct slice type = {"", 0};
    rd_kafka_headers_t *headers;
    const void *text;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "content-type", &text, &size) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        text != NULL)
        type = (struct slice){text, size};
    *record = (struct ledger_record){
        .topic = reader_topic_of(r, message), .partition = message->partition, .offset = message->offset};
    arena_reset(arena);
    if (ledger_record_decode(type, value, arena, record) && !ledger_record_has_key(record, key))
        record->problem = "its key belongs to another record";
    return record->problem == NULL;
}
