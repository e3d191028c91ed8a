/*
 * minuted-ledger follow: the topics into SQLite.
 *
 *     offsets from SQLite -> assign every partition -> poll -> decode -> record and offset in one transaction
 *
 * No consumer group: the database alone knows how far it has come, so there is nothing to get out of step.
 */
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/record.h"

enum { BATCH_RECORDS = 1000, BATCH_MS = 200, POLL_MS = 50, ANSWER_MS = 15000, PROPERTIES_MAX = 64 };

struct options {
    const char *brokers;
    const char *database;
    const char *properties[PROPERTIES_MAX];
    int n_properties;
    double until_idle_s; /* negative: follow for ever */
    bool from_start;
};

struct follow {
    const struct options *options;
    struct database *db;
    rd_kafka_t *kafka;
    rd_kafka_topic_partition_list_t *assignment;
    bool *at_end; /* of each partition assigned */
    int partitions_at_end;
    struct arena arena; /* of one batch's records */
    int batched;
    int64_t batch_since_ms;
    int64_t last_record_ms;
    uint64_t stored;
    uint64_t skipped;
    sigset_t signals;
};

/* SIGINT and SIGTERM are blocked, and looked for between two polls. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

static bool signal_came(const sigset_t *set)
{
    struct timespec at_once = {0, 0};
    return sigtimedwait(set, NULL, &at_once) > 0;
}

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "minuted-ledger: %s: %s\n", what, why);
    return false;
}

/* ---- connecting ---- */

static bool set_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return true;
    return complain("property", error);
}

static bool set_given_property(rd_kafka_conf_t *conf, const char *given)
{
    const char *equals = strchr(given, '=');
    if (equals == NULL)
        return complain(given, "--property NAME=VALUE is wanted");
    char *name = mem_strndup(given, (size_t)(equals - given));
    bool set = set_property(conf, name, equals + 1);
    free(name);
    return set;
}

static bool connect_kafka(struct follow *f)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = set_property(conf, "bootstrap.servers", f->options->brokers) &&
                set_property(conf, "group.id", "minuted-ledger") &&
                set_property(conf, "enable.auto.commit", "false") &&
                set_property(conf, "isolation.level", "read_committed") &&
                set_property(conf, "enable.partition.eof", "true") &&
                set_property(conf, "auto.offset.reset", "earliest") && set_property(conf, "log_level", "3") &&
                set_property(conf, "fetch.wait.max.ms", "100");
    for (int i = 0; good && i < f->options->n_properties; i++)
        good = set_given_property(conf, f->options->properties[i]);
    if (good) {
        f->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
        if (f->kafka != NULL)
            return rd_kafka_poll_set_consumer(f->kafka) == RD_KAFKA_RESP_ERR_NO_ERROR;
        complain("kafka", error);
    }
    rd_kafka_conf_destroy(conf);
    return false;
}

/* ---- where to start ---- */

/* A stored offset that the topic does not have any more, or not yet, belongs to another topic of that name.
 */
static bool check_offset(struct follow *f, enum topic topic, int partition, int64_t *next)
{
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(f->kafka, topic_names[topic], partition, &low, &high, ANSWER_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return complain(topic_names[topic], rd_kafka_err2str(err));
    if (*next > high) {
        fprintf(stderr,
            "minuted-ledger: topic %s partition %d was made anew: reading it from the beginning\n",
            topic_names[topic], partition);
        *next = low;
        return database_forget_offsets(f->db, topic, partition);
    }
    if (*next < low)
        *next = low;
    return true;
}

static bool assign_partition(struct follow *f, enum topic topic, int partition)
{
    int64_t next = 0;
    if (!f->options->from_start && !database_offset(f->db, topic, partition, &next))
        return false;
    if (!check_offset(f, topic, partition, &next))
        return false;
    rd_kafka_topic_partition_list_add(f->assignment, topic_names[topic], partition)->offset = next;
    return true;
}

static bool assign_topic(struct follow *f, enum topic topic)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(f->kafka, topic_names[topic], NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(f->kafka, 0, handle, &metadata, ANSWER_MS);
    rd_kafka_topic_destroy(handle);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return complain(f->options->brokers, rd_kafka_err2str(err));
    const rd_kafka_metadata_topic_t *found = &metadata->topics[0];
    bool good = found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt > 0;
    if (!good)
        fprintf(stderr, "minuted-ledger: topic %s: %s; 'minuted --create-topics' makes it\n",
            topic_names[topic], rd_kafka_err2str(found->err));
    for (int p = 0; good && p < found->partition_cnt; p++)
        good = assign_partition(f, topic, p);
    rd_kafka_metadata_destroy(metadata);
    return good;
}

static bool assign_all(struct follow *f)
{
    f->assignment = rd_kafka_topic_partition_list_new(TOPIC_COUNT);
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        if (!assign_topic(f, topic))
            return false;
    f->at_end = mem_zalloc((size_t)f->assignment->cnt * sizeof(*f->at_end));
    rd_kafka_resp_err_t err = rd_kafka_assign(f->kafka, f->assignment);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR || complain("assignment", rd_kafka_err2str(err));
}

/* ---- records ---- */

static enum topic topic_of(const rd_kafka_message_t *message)
{
    enum topic topic = 0;
    while (topic < TOPIC_COUNT - 1 && strcmp(topic_names[topic], rd_kafka_topic_name(message->rkt)) != 0)
        topic++;
    return topic;
}

static struct slice content_type_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "content-type", &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct slice){"", 0};
    return (struct slice){value, size};
}

static bool store(struct follow *f, const rd_kafka_message_t *message)
{
    struct record r = {
        .topic = topic_of(message), .partition = message->partition, .offset = message->offset};
    struct slice key = {message->key, message->key_len};
    struct slice value = {message->payload, message->len};
    if (record_decode(content_type_of(message), key, value, &f->arena, &r)) {
        f->stored++;
        return database_store(f->db, &r);
    }
    f->skipped++;
    fprintf(stderr, "minuted-ledger: %s partition %d offset %lld is not a record of minuted: passed over\n",
        topic_names[r.topic], r.partition, (long long)r.offset);
    return database_skip(f->db, r.topic, r.partition, r.offset);
}

static bool end_batch(struct follow *f)
{
    if (f->batched == 0)
        return true;
    f->batched = 0;
    arena_reset(&f->arena);
    return database_commit(f->db);
}

static bool add_to_batch(struct follow *f, const rd_kafka_message_t *message)
{
    f->last_record_ms = clock_monotonic_ms();
    if (f->batched == 0) {
        f->batch_since_ms = f->last_record_ms;
        if (!database_begin(f->db))
            return false;
    }
    f->batched++;
    return store(f, message) && (f->batched < BATCH_RECORDS || end_batch(f));
}

static int place_of(const struct follow *f, const rd_kafka_message_t *message)
{
    for (int i = 0; i < f->assignment->cnt; i++)
        if (f->assignment->elems[i].partition == message->partition &&
            strcmp(f->assignment->elems[i].topic, rd_kafka_topic_name(message->rkt)) == 0)
            return i;
    return 0;
}

static void mark_end(struct follow *f, const rd_kafka_message_t *message, bool at_end)
{
    bool *was = &f->at_end[place_of(f, message)];
    f->partitions_at_end += (at_end ? 1 : 0) - (*was ? 1 : 0);
    *was = at_end;
}

/* False when following must end. */
static bool take(struct follow *f, const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        mark_end(f, message, false);
        return add_to_batch(f, message);
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        mark_end(f, message, true);
        return true;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return complain("kafka", rd_kafka_message_errstr(message));
    default: /* librdkafka goes on by itself */
        complain("kafka", rd_kafka_message_errstr(message));
        return true;
    }
}

/* ---- following ---- */

static bool is_idle(const struct follow *f)
{
    double idle_s = (double)(clock_monotonic_ms() - f->last_record_ms) / 1000.0;
    return f->options->until_idle_s >= 0 && f->partitions_at_end == f->assignment->cnt &&
           idle_s >= f->options->until_idle_s;
}

static bool follow(struct follow *f)
{
    f->last_record_ms = clock_monotonic_ms();
    while (!signal_came(&f->signals) && !is_idle(f)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(f->kafka, POLL_MS);
        bool good = message == NULL || take(f, message);
        if (message != NULL)
            rd_kafka_message_destroy(message);
        if (good && f->batched > 0 && clock_monotonic_ms() - f->batch_since_ms >= BATCH_MS)
            good = end_batch(f);
        if (!good)
            return false;
    }
    return end_batch(f);
}

static void close_follow(struct follow *f)
{
    if (f->kafka != NULL) {
        rd_kafka_consumer_close(f->kafka);
        rd_kafka_destroy(f->kafka);
    }
    if (f->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(f->assignment);
    free(f->at_end);
    arena_free(&f->arena);
    database_close(f->db);
}

/* ---- the command line ---- */

static const char usage[] =
    "Usage: minuted-ledger follow --brokers HOST:PORT[,...] --db FILE [options]\n"
    "\n"
    "Reads minuted's topics into SQLite: records by key, each with its offset in one transaction. Reading\n"
    "everything again changes nothing.\n"
    "\n"
    "  -b, --brokers LIST          Kafka's brokers\n"
    "  -d, --db FILE               the database; made when missing\n"
    "  -p, --property NAME=VALUE   any property of librdkafka; may be repeated\n"
    "  -u, --until-idle SECONDS    end when every partition was read and nothing came for so long\n"
    "  -s, --from-start            read from the beginning, whatever was read before\n"
    "  -h, --help                  print this\n";

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;
    *seconds = strtod(text, &end);
    return end != text && *end == '\0' && *seconds >= 0;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {{"brokers", required_argument, NULL, 'b'},
        {"db", required_argument, NULL, 'd'}, {"property", required_argument, NULL, 'p'},
        {"until-idle", required_argument, NULL, 'u'}, {"from-start", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    *o = (struct options){.until_idle_s = -1};
    while ((option = getopt_long(argc, argv, "b:d:p:u:sh", long_options, NULL)) != -1) {
        if (option == 'b')
            o->brokers = optarg;
        else if (option == 'd')
            o->database = optarg;
        else if (option == 'p' && o->n_properties < PROPERTIES_MAX)
            o->properties[o->n_properties++] = optarg;
        else if (option == 's')
            o->from_start = true;
        else if (option == 'h')
            return EXIT_GOOD;
        else if (option != 'u' || !parse_seconds(optarg, &o->until_idle_s))
            return EXIT_USAGE;
    }
    return o->brokers != NULL && o->database != NULL && optind == argc ? -1 : EXIT_USAGE;
}

int follow_command(int argc, char **argv)
{
    struct options options;
    char *error = NULL;
    int status = parse(argc, argv, &options);
    if (status >= 0) {
        fputs(usage, status == EXIT_GOOD ? stdout : stderr);
        return status;
    }
    struct follow f = {.options = &options, .db = database_open(options.database, true, &error)};
    if (f.db == NULL) {
        fprintf(stderr, "minuted-ledger: %s\n", error);
        free(error);
        return EXIT_FAILED;
    }
    block_signals(&f.signals);
    bool good = connect_kafka(&f) && assign_all(&f) && follow(&f);
    close_follow(&f);
    if (good)
        printf("%llu records stored, %llu passed over\n", (unsigned long long)f.stored,
            (unsigned long long)f.skipped);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
