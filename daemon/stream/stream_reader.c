/* Reading the topics. */
#include "stream/stream_reader.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"

enum { LOOK_AGAIN_MS = 1000, PATIENCE_FIRST_MS = 1000, LEADER_WAIT_MS = 200, END_TRIES = 10, PAUSE_MS = 5 };

struct read_topic {
    rd_kafka_topic_t *handle; /* NULL: the topic is not read */
    int partitions;
    bool *started; /* by partition */
    bool denied;   /* by an ACL; it is told once */
};

struct stream_reader {
    struct log *log;
    struct kafka_trouble *trouble;
    struct kafka_trouble own_trouble; /* if the caller has none */
    int answer_ms;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queues[QUEUE_COUNT]; /* what all partitions bring */
    struct stream_topics names;
    struct read_topic topics[TOPIC_COUNT];
};

/* ---- connecting ---- */

/* syslog's levels. Called from librdkafka's threads. */
static void write_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    enum log_level ours = level <= 3 ? LOG_WARN : level <= 6 ? LOG_INFO : LOG_DEBUG;
    /* The properties of a publishing daemon are those of its producer, too. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "is a producer property") != NULL)
        ours = LOG_DEBUG;
    const struct stream_reader *r = rd_kafka_opaque(kafka);
    log_event(r->log, ours, "kafka_log", "facility=%s text=%s", facility, LOG_QUOTE(text));
}

static void write_error(rd_kafka_t *kafka, int err, const char *reason, void *reader)
{
    struct stream_reader *r = reader;
    (void)kafka;
    kafka_trouble_note(r->trouble, (rd_kafka_resp_err_t)err, reason);
    log_event(r->log, LOG_WARN, "kafka_error", "error=%s reason=%s",
        rd_kafka_err2name((rd_kafka_resp_err_t)err), LOG_QUOTE(reason));
}

static bool set_property(struct log *log, rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return true;
    log_event(log, LOG_ERROR, "kafka_property", "property=%s error=%s", name, LOG_QUOTE(error));
    return false;
}

static rd_kafka_t *connect_kafka(struct stream_reader *r, const struct stream_options *o)
{
    const struct {
        const char *name;
        const char *value;
    } ours[] = {
        {"isolation.level", o->uncommitted ? "read_uncommitted" : "read_committed"},
        {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"}, /* a topic made anew must be noticed, not read from wherever */
    };
    char error[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, r);
    rd_kafka_conf_set_log_cb(conf, write_log);
    rd_kafka_conf_set_error_cb(conf, write_error);
    bool good = set_property(o->log, conf, "client.id", o->client_id) &&
                set_property(o->log, conf, "fetch.wait.max.ms", "100") &&
                set_property(o->log, conf, "log_level", log_enabled(o->log, LOG_DEBUG) ? "7" : "5");
    for (size_t i = 0; good && i < o->n_properties; i++)
        good = set_property(o->log, conf, o->properties[i].name, o->properties[i].value);
    good = good && set_property(o->log, conf, "bootstrap.servers", o->brokers);
    for (size_t i = 0; good && i < sizeof(ours) / sizeof(ours[0]); i++)
        good = set_property(o->log, conf, ours[i].name, ours[i].value);
    rd_kafka_t *kafka = good ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error)) : NULL;
    if (kafka == NULL)
        rd_kafka_conf_destroy(conf);
    if (good && kafka == NULL)
        log_event(o->log, LOG_ERROR, "kafka_property", "error=%s", LOG_QUOTE(error));
    return kafka;
}

/* ---- topics ---- */

/* What is left until a moment of the monotonic clock; librdkafka takes 0 for "at once" in most calls only. */
static int remaining_ms(int64_t until_ms)
{
    int64_t left = until_ms - clock_monotonic_ms();
    return left > 1 ? (int)left : 1;
}

/*
 * A topic just made may have no leaders for a moment. Kafka is asked again and again, with more patience each
 * time, since librdkafka would not end its waiting when a login is refused.
 */
static rd_kafka_resp_err_t count_partitions(
    struct stream_reader *r, struct read_topic *t, int *n, int wait_ms)
{
    int64_t until = clock_monotonic_ms() + wait_ms;
    int patience_ms = PATIENCE_FIRST_MS;
    rd_kafka_resp_err_t err;
    bool again;
    *n = 0;
    do {
        const rd_kafka_metadata_t *metadata = NULL;
        int left_ms = remaining_ms(until);
        err = rd_kafka_metadata(
            r->kafka, 0, t->handle, &metadata, left_ms < patience_ms ? left_ms : patience_ms);
        patience_ms *= 2;
        again = err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            err = metadata->topics[0].err;
            *n = metadata->topics[0].partition_cnt;
            rd_kafka_metadata_destroy(metadata);
            again = err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        }
        rd_kafka_poll(r->kafka, again ? LEADER_WAIT_MS : 0); /* write_error() is called here */
    } while (again && !r->trouble->refused && clock_monotonic_ms() < until);
    return err;
}

/* Partitions are only ever added; a topic with fewer was made anew, and its bounds will tell. */
static void grow(struct read_topic *t, int partitions)
{
    if (partitions <= t->partitions)
        return;
    t->started = mem_realloc(t->started, (size_t)partitions * sizeof(*t->started));
    memset(t->started + t->partitions, 0, (size_t)(partitions - t->partitions) * sizeof(*t->started));
    t->partitions = partitions;
}

static void deny(struct stream_reader *r, enum topic topic)
{
    if (!r->topics[topic].denied)
        log_event(r->log, LOG_ERROR, "kafka_denied", "operation=Read topic=%s hint=%s", r->names.names[topic],
            LOG_QUOTE("Kafka's ACLs do not allow it to this user"));
    r->topics[topic].denied = true;
    r->trouble->refused = true;
    kafka_trouble_acl(r->trouble->text, sizeof(r->trouble->text), "Read", "Topic", r->names.names[topic]);
}

/* Looks TOPIC up. False with *AWAY set as stream_reader_open() says. */
static bool find_topic(
    struct stream_reader *r, enum topic topic, const char *brokers, int64_t until_ms, bool *away)
{
    struct read_topic *t = &r->topics[topic];
    int n;
    t->handle = rd_kafka_topic_new(r->kafka, r->names.names[topic], NULL);
    rd_kafka_resp_err_t err = count_partitions(r, t, &n, remaining_ms(until_ms));
    grow(t, n);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && n > 0)
        return true;
    bool refused = err != RD_KAFKA_RESP_ERR_NO_ERROR && r->trouble->refused;
    if (kafka_trouble_is_acl(err)) {
        deny(r, topic);
        return false;
    }
    *away = !refused &&
            (err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        log_event(r->log, LOG_ERROR, "topic_missing", "topic=%s brokers=%s hint=%s", r->names.names[topic],
            LOG_QUOTE(brokers), LOG_QUOTE("create it with minuted --create-topics"));
    else
        log_event(r->log, LOG_ERROR, "kafka_unreachable", "brokers=%s topic=%s error=%s", LOG_QUOTE(brokers),
            r->names.names[topic],
            LOG_QUOTE(r->trouble->text[0] != '\0' ? r->trouble->text : rd_kafka_err2str(err)));
    return false;
}

struct stream_reader *stream_reader_open(const struct stream_options *options, bool *away)
{
    struct stream_reader *r = mem_zalloc(sizeof(*r));
    int64_t until_ms = clock_monotonic_ms() + options->answer_ms;
    *away = false;
    r->log = options->log;
    r->trouble = options->trouble != NULL ? options->trouble : &r->own_trouble;
    kafka_trouble_forget(r->trouble);
    r->answer_ms = options->answer_ms;
    r->names = *options->topics;
    r->kafka = connect_kafka(r, options);
    bool good = r->kafka != NULL;
    for (int i = 0; good && i < QUEUE_COUNT; i++)
        r->queues[i] = rd_kafka_queue_new(r->kafka);
    for (enum topic topic = 0; good && topic < TOPIC_COUNT; topic++)
        if (options->read[topic])
            good = find_topic(r, topic, options->brokers, until_ms, away);
    if (good)
        return r;
    stream_reader_close(r);
    return NULL;
}

void stream_reader_close(struct stream_reader *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        struct read_topic *t = &r->topics[i];
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
    free(r);
}

const char *stream_reader_topic_name(const struct stream_reader *r, enum topic topic)
{
    return r->names.names[topic];
}

int stream_reader_partitions(const struct stream_reader *r, enum topic topic)
{
    return r->topics[topic].partitions;
}

void stream_reader_look_again(struct stream_reader *r)
{
    for (int i = 0; i < TOPIC_COUNT; i++) {
        struct read_topic *t = &r->topics[i];
        int n;
        if (t->handle != NULL && count_partitions(r, t, &n, LOOK_AGAIN_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            grow(t, n);
    }
}

/* ---- partitions ---- */

static bool complain(
    struct stream_reader *r, enum topic topic, int partition, const char *event, rd_kafka_resp_err_t err)
{
    log_event(r->log, LOG_ERROR, event, "topic=%s partition=%d error=%s", r->names.names[topic], partition,
        LOG_QUOTE(rd_kafka_err2str(err)));
    return false;
}

char *stream_reader_cluster(struct stream_reader *r)
{
    char *told = rd_kafka_clusterid(r->kafka, r->answer_ms);
    char *id = mem_strdup(told == NULL ? "" : told);
    if (told != NULL)
        rd_kafka_mem_free(r->kafka, told);
    return id;
}

/*
 * The partitions of a topic just made, or of a broker just gone, have a new leader in a moment. The partition
 * was counted before, so a broker that does not know it has only not heard of it yet.
 */
static bool may_pass(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

bool stream_reader_bounds(
    struct stream_reader *r, enum topic topic, int partition, int64_t read, int64_t *low, int64_t *end)
{
    int64_t until_ms = clock_monotonic_ms() + r->answer_ms;
    rd_kafka_resp_err_t err;
    for (int tries = 1;; tries++) {
        err = rd_kafka_query_watermark_offsets(
            r->kafka, r->names.names[topic], partition, low, end, remaining_ms(until_ms));
        bool behind = err == RD_KAFKA_RESP_ERR_NO_ERROR && *end < read && tries < END_TRIES;
        if (!(behind || may_pass(err)) || clock_monotonic_ms() >= until_ms)
            break;
        rd_kafka_poll(r->kafka, LEADER_WAIT_MS);
    }
    return err == RD_KAFKA_RESP_ERR_NO_ERROR || complain(r, topic, partition, "offsets_unknown", err);
}

bool stream_reader_offset_at(
    struct stream_reader *r, enum topic topic, int partition, int64_t time_ms, int64_t *offset)
{
    int64_t until_ms = clock_monotonic_ms() + r->answer_ms;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked =
        rd_kafka_topic_partition_list_add(list, r->names.names[topic], partition);
    rd_kafka_resp_err_t err;
    for (;;) {
        asked->offset = time_ms;
        err = rd_kafka_offsets_for_times(r->kafka, list, remaining_ms(until_ms));
        err = err == RD_KAFKA_RESP_ERR_NO_ERROR ? asked->err : err;
        if (!may_pass(err) || clock_monotonic_ms() >= until_ms)
            break;
        rd_kafka_poll(r->kafka, LEADER_WAIT_MS);
    }
    *offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR || complain(r, topic, partition, "offsets_unknown", err);
}

bool stream_reader_start(
    struct stream_reader *r, enum topic topic, int partition, int64_t offset, enum stream_queue queue)
{
    struct read_topic *t = &r->topics[topic];
    if (t->started[partition])
        rd_kafka_consume_stop(t->handle, partition);
    t->started[partition] = rd_kafka_consume_start_queue(t->handle, partition, offset, r->queues[queue]) == 0;
    return t->started[partition] || complain(r, topic, partition, "read_failed", rd_kafka_last_error());
}

/* librdkafka waits until a time of the system's clock: if that is put back meanwhile, it waits for so much
 * longer. So the waiting is done here. */
size_t stream_reader_take(
    struct stream_reader *r, enum stream_queue queue, rd_kafka_message_t **messages, size_t max, int wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    size_t n = 0;
    rd_kafka_poll(r->kafka, 0); /* write_error() is called here */
    for (;;) {
        ssize_t more = rd_kafka_consume_batch_queue(r->queues[queue], 0, messages + n, max - n);
        n += more > 0 ? (size_t)more : 0;
        for (size_t i = n - (more > 0 ? (size_t)more : 0); i < n; i++)
            if (stream_reader_denied(messages[i]))
                deny(r, stream_reader_topic_of(r, messages[i]));
        if (n == max || (n > 0 && more <= 0) || clock_monotonic_ms() >= until_ms)
            return n;
        nanosleep(&(struct timespec){0, PAUSE_MS * INT64_C(1000000)}, NULL);
    }
}

enum topic stream_reader_topic_of(const struct stream_reader *r, const rd_kafka_message_t *message)
{
    enum topic topic = 0;
    while (topic < TOPIC_COUNT - 1 && r->topics[topic].handle != message->rkt &&
           strcmp(r->names.names[topic], rd_kafka_topic_name(message->rkt)) != 0)
        topic++;
    return topic;
}

int64_t stream_reader_high(const struct stream_reader *r, const rd_kafka_message_t *message)
{
    int64_t low;
    int64_t high;
    rd_kafka_resp_err_t err = rd_kafka_get_watermark_offsets(
        r->kafka, rd_kafka_topic_name(message->rkt), message->partition, &low, &high);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? high : RD_KAFKA_OFFSET_INVALID;
}

bool stream_reader_denied(const rd_kafka_message_t *message)
{
    return kafka_trouble_is_acl(message->err);
}

bool stream_reader_offset_gone(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

bool stream_reader_decode(const struct stream_reader *r, const rd_kafka_message_t *message,
    struct arena *arena, struct stream_record *record)
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
    *record = (struct stream_record){.topic = stream_reader_topic_of(r, message),
        .partition = message->partition,
        .offset = message->offset};
    arena_reset(arena);
    if (message->payload == NULL)
        return stream_record_read_key(key, record);
    if (stream_record_decode(type, value, arena, record) && !stream_record_has_key(record, key))
        record->problem = "its key belongs to another record";
    return record->problem == NULL;
}
