/*
 * Reads the records of the evidence's program and learners from Kafka: every partition of both learner
 * topics, committed records only, from the evidence's first minute on. No consumer group is joined. The
 * records are decoded by the ledger, which shares no code with the publisher that encodes them.
 */
#include "load/verify_kafka.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "stream/stream_record.h"

enum { TOPICS = 2, REACH_MS = 10000, POLL_MS = 100, ENDS_MS = 2000, ERROR_MAX = 128 };

static const enum topic topics[TOPICS] = {TOPIC_LEARNER_MINUTES, TOPIC_LEARNER_LESSONS};

struct source {
    enum topic topic;
    int32_t partition;
    int64_t next; /* the offset to be read next; -1 while that is not known */
    bool at_end;
};

struct kafka_reading {
    const struct config *config;
    const struct evidence *evidence;
    struct stream_topics names;
    int64_t deadline_ms;
    struct holding *holding;
    struct verification *v;
    rd_kafka_t *kafka;
    struct source *sources; /* ordered by topic, then by partition */
    size_t first[TOPICS];   /* source of partition 0 */
    size_t n_sources;
    size_t n_at_end;
    struct arena arena;         /* for one record */
    char last_error[ERROR_MAX]; /* what the client last complained of */
};

/* ---- connecting ---- */

static void note_error(struct kafka_reading *r, const char *text)
{
    snprintf(r->last_error, sizeof(r->last_error), "%s", text);
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    (void)kafka;
    (void)code;
    note_error(opaque, reason);
}

static bool set(struct kafka_reading *r, rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[ERROR_MAX];
    return rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK ||
           verification_refuse(r->v, "kafka.properties: %.80s: %s", name, error);
}

static bool connect_kafka(struct kafka_reading *r)
{
    static const struct {
        const char *name;
        const char *value;
    } ours[] = {
        {"client.id", "minuted-bench"},
        {"group.id", "minuted-bench"}, /* the consumer wants one; it never joins it */
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"},
        {"fetch.wait.max.ms", "100"},
    };
    const struct config *config = r->config;
    char error[ERROR_MAX] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, r);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, NULL);
    bool good = true;
    for (size_t i = 0; good && i < config->kafka.n_properties; i++)
        good = set(r, conf, config->kafka.properties[i].name, config->kafka.properties[i].value);
    /* What verification rests on is set after the configuration's properties, and so prevails. */
    for (size_t i = 0; good && i < sizeof(ours) / sizeof(ours[0]); i++)
        good = set(r, conf, ours[i].name, ours[i].value);
    if (good && set(r, conf, "bootstrap.servers", config->kafka.brokers)) {
        r->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
        if (r->kafka != NULL)
            return true;
        verification_refuse(r->v, "kafka.properties: %s", error);
    }
    rd_kafka_conf_destroy(conf);
    return false;
}

static int left_ms(const struct kafka_reading *r, int most)
{
    int64_t left = r->deadline_ms - clock_monotonic_ms();
    return left < 0 ? 0 : left < most ? (int)left : most;
}

/* What librdkafka says of its connections tells more than the error of a call. */
static bool refuse_brokers(struct kafka_reading *r, const char *what, rd_kafka_resp_err_t err)
{
    rd_kafka_poll(r->kafka, 0); /* on_error() is called here */
    return verification_refuse(r->v, "kafka %.60s: %s: %s%s%s", r->config->kafka.brokers, what,
        rd_kafka_err2str(err), r->last_error[0] != '\0' ? ": " : "", r->last_error);
}

/* ---- partitions ---- */

static bool add_topic(struct kafka_reading *r, int index, const rd_kafka_metadata_t *all)
{
    const char *name = r->names.names[topics[index]];
    const rd_kafka_metadata_topic_t *found = NULL;
    for (int i = 0; found == NULL && i < all->topic_cnt; i++)
        if (strcmp(all->topics[i].topic, name) == 0)
            found = &all->topics[i];
    if (found == NULL || found->partition_cnt == 0)
        return verification_refuse(r->v, "kafka %.80s: topic %s: %s", r->config->kafka.brokers, name,
            found == NULL ? "it does not exist; create it with minuted --create-topics"
                          : rd_kafka_err2str(found->err));
    size_t n = r->n_sources + (size_t)found->partition_cnt;
    r->sources = mem_realloc(r->sources, n * sizeof(*r->sources));
    r->first[index] = r->n_sources;
    for (int32_t p = 0; p < found->partition_cnt; p++)
        r->sources[r->n_sources++] = (struct source){topics[index], p, -1, false};
    return true;
}

static bool list_sources(struct kafka_reading *r)
{
    const rd_kafka_metadata_t *all = NULL;
    /* all topics: to ask for one by name might make it */
    rd_kafka_resp_err_t err = rd_kafka_metadata(r->kafka, 1, NULL, &all, left_ms(r, REACH_MS));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refuse_brokers(r, "topics", err);
    bool good = true;
    for (int i = 0; good && i < TOPICS; i++)
        good = add_topic(r, i, all);
    rd_kafka_metadata_destroy(all);
    return good;
}

static int64_t first_time_ms(const struct kafka_reading *r)
{
    return r->evidence->first_minute * MINUTE_SECONDS * 1000;
}

/* The sources in order, each with TIME_MS where its offset goes. */
static rd_kafka_topic_partition_list_t *list_partitions(const struct kafka_reading *r, int64_t time_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)r->n_sources);
    for (size_t i = 0; i < r->n_sources; i++)
        rd_kafka_topic_partition_list_add(list, r->names.names[r->sources[i].topic], r->sources[i].partition)
            ->offset = time_ms;
    return list;
}

/* In place of the times in LIST, the offsets of the first records that are not older. */
static bool ask_offsets(struct kafka_reading *r, rd_kafka_topic_partition_list_t *list, int wait_ms)
{
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(r->kafka, list, wait_ms);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        err = list->elems[i].err;
    return err == RD_KAFKA_RESP_ERR_NO_ERROR || refuse_brokers(r, "offsets", err);
}

/*
 * From the first record of the evidence's minutes on: record time is the start of the minute, and of a total
 * that of its last minute, which is never before. A partition that has none yet is read from its beginning,
 * since the first may come at any moment.
 */
static bool start(struct kafka_reading *r)
{
    rd_kafka_topic_partition_list_t *list = list_partitions(r, first_time_ms(r));
    bool good = ask_offsets(r, list, left_ms(r, REACH_MS));
    for (int i = 0; good && i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t err = good ? rd_kafka_assign(r->kafka, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        good = refuse_brokers(r, "assign", err);
    rd_kafka_topic_partition_list_destroy(list);
    return good;
}

static struct source *source_of(struct kafka_reading *r, const rd_kafka_message_t *m)
{
    int topic = strcmp(rd_kafka_topic_name(m->rkt), r->names.names[topics[0]]) == 0 ? 0 : 1;
    return &r->sources[r->first[topic] + (size_t)m->partition];
}

static void note_progress(struct kafka_reading *r, struct source *s, int64_t next, bool at_end)
{
    s->next = next;
    r->n_at_end += (size_t)at_end - (size_t)s->at_end;
    s->at_end = at_end;
}

/* ---- records ---- */

static struct slice content_type_of(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "content-type", &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        value == NULL)
        return (struct slice){"", 0};
    return (struct slice){value, len};
}

static void take_record(struct kafka_reading *r, const rd_kafka_message_t *m, enum topic topic)
{
    struct stream_record record = {.topic = topic, .partition = m->partition, .offset = m->offset};
    struct slice key = {m->key, m->key_len};
    struct slice value = {m->payload, m->len};
    if (rd_kafka_message_timestamp(m, NULL) < first_time_ms(r))
        return;
    arena_reset(&r->arena);
    if (!stream_record_decode(content_type_of(m), value, &r->arena, &record)) {
        verification_refuse(r->v, "kafka topic %s partition %d offset %" PRId64 ": %s", r->names.names[topic],
            m->partition, m->offset, record.problem);
        return;
    }
    if (!stream_record_has_key(&record, key)) {
        verification_refuse(r->v,
            "kafka topic %s partition %d offset %" PRId64 ": its key belongs to another record",
            r->names.names[topic], m->partition, m->offset);
        return;
    }
    size_t learner;
    if (!slice_is(record.program, r->evidence->program) ||
        !evidence_find_learner(r->evidence, record.portal, record.learner, &learner))
        return;
    if (record.topic == TOPIC_LEARNER_MINUTES)
        holding_take_mask(
            r->holding, learner, record.lesson, record.minute_start / MINUTE_SECONDS, record.mask);
    else
        holding_take_total(r->holding, learner, record.lesson, record.watched_seconds);
}

/* ---- until all is there ---- */

static bool is_complete(const struct kafka_reading *r)
{
    return holding_complete(r->holding) && r->n_at_end == r->n_sources;
}

/*
 * A partition that was at its end may have grown behind a broker that is away. Asked as for a time, since
 * rd_kafka_query_watermark_offsets() waits for a broker without limit, whatever its argument says.
 */
static bool check_ends(struct kafka_reading *r)
{
    rd_kafka_topic_partition_list_t *list = list_partitions(r, RD_KAFKA_OFFSET_END);
    bool good = ask_offsets(r, list, ENDS_MS);
    for (size_t i = 0; good && i < r->n_sources; i++) {
        const struct source *s = &r->sources[i];
        if (s->next < list->elems[i].offset)
            good = verification_refuse(r->v,
                "kafka topic %s partition %d could not be read to its end in time%s%s",
                r->names.names[s->topic], s->partition, r->last_error[0] != '\0' ? ": " : "", r->last_error);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return good;
}

static bool read_records(struct kafka_reading *r)
{
    while (!is_complete(r) && r->v->problem[0] == '\0' && clock_monotonic_ms() < r->deadline_ms) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(r->kafka, left_ms(r, POLL_MS));
        if (m == NULL)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            note_progress(r, source_of(r, m), m->offset, true);
        } else if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            note_error(r, rd_kafka_message_errstr(m));
        } else {
            struct source *s = source_of(r, m);
            note_progress(r, s, m->offset + 1, false);
            take_record(r, m, s->topic);
        }
        rd_kafka_message_destroy(m);
    }
    return r->v->problem[0] == '\0' && (is_complete(r) || check_ends(r));
}

bool verify_read_kafka(const struct config *config, const struct evidence *evidence, int64_t deadline_ms,
    struct holding *holding, struct verification *v)
{
    struct kafka_reading r = {.config = config,
        .evidence = evidence,
        .names = stream_topics_of(config->kafka.topic_prefix),
        .deadline_ms = deadline_ms,
        .holding = holding,
        .v = v};
    bool good = connect_kafka(&r) && list_sources(&r) && start(&r) && read_records(&r);
    if (r.kafka != NULL) {
        rd_kafka_consumer_close(r.kafka);
        rd_kafka_destroy(r.kafka);
    }
    arena_free(&r.arena);
    free(r.sources);
    return good;
}
