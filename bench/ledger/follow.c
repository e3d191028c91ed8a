/*
 * minuted-ledger follow: the topics into SQLite.
 *
 *     offsets from SQLite -> start every partition -> [ take a batch -> decode -> store in one transaction ]
 *
 * The database alone knows how far it has come, so there is nothing that could get out of step with it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/reader.h"

enum { BATCH_RECORDS = 1000, BATCH_MS = 200, LOOK_AGAIN_MS = 60000, RECORD_MEMORY = 4 << 20 };

struct partition {
    bool started;
    bool at_end;
    int64_t low;  /* the first offset that Kafka had, and where to go on, */
    int64_t next; /* both as of the start */
};

struct follow {
    const struct options *options;
    struct log *log;
    struct database *db;
    struct reader *reader;
    struct partition *partitions[TOPIC_COUNT];
    int n_partitions[TOPIC_COUNT];
    struct arena arena; /* of the record being decoded */
    int64_t last_record_ms;
    int64_t last_look_ms;
    uint64_t stored;
    uint64_t passed;
};

/* ---- where to start ---- */

static void grow(struct follow *f, enum topic topic)
{
    int n = reader_partitions(f->reader, topic);
    if (n <= f->n_partitions[topic])
        return;
    f->partitions[topic] = mem_realloc(f->partitions[topic], (size_t)n * sizeof(struct partition));
    for (int p = f->n_partitions[topic]; p < n; p++)
        f->partitions[topic][p] = (struct partition){0};
    f->n_partitions[topic] = n;
}

/* A stored offset beyond the end is one of a topic that is no more. */
static bool find_bounds(struct follow *f, enum topic topic, bool *made_anew)
{
    *made_anew = false;
    for (int i = 0; i < f->n_partitions[topic]; i++) {
        struct partition *p = &f->partitions[topic][i];
        int64_t end;
        if (p->started)
            continue;
        if (!database_offset(f->db, topic, i, &p->next) || !reader_bounds(f->reader, topic, i, &p->low, &end))
            return false;
        *made_anew = *made_anew || p->next > end;
    }
    return true;
}

/* The offsets of a topic made anew are forgotten, those of all its partitions. */
static bool forget_offsets(struct follow *f, enum topic topic)
{
    log_event(f->log, LOG_WARN, "topic_made_anew", "topic=%s action=%s", topic_names[topic],
        LOG_QUOTE("reading it from the beginning"));
    for (int i = 0; i < f->n_partitions[topic]; i++) {
        f->partitions[topic][i].next = 0;
        if (!database_forget_offsets(f->db, topic, i))
            return false;
    }
    return true;
}

static bool place(struct follow *f, enum topic topic, int partition, bool from_start)
{
    struct partition *p = &f->partitions[topic][partition];
    bool missed = p->next < p->low;
    if (missed)
        log_event(f->log, p->next == 0 ? LOG_INFO : LOG_WARN, "records_missed",
            "topic=%s partition=%d offsets=%lld-%lld reason=%s", topic_names[topic], partition,
            (long long)p->next, (long long)p->low - 1, LOG_QUOTE("deleted before they were read"));
    if (missed && !database_miss(f->db, topic, partition, p->low))
        return false;
    if (missed || from_start)
        p->next = p->low;
    return true;
}

/* Where to go on in each partition that was not started yet. */
static bool place_topic(struct follow *f, enum topic topic, bool from_start)
{
    bool made_anew;
    grow(f, topic);
    if (!find_bounds(f, topic, &made_anew) || (made_anew && !forget_offsets(f, topic)))
        return false;
    for (int p = 0; p < f->n_partitions[topic]; p++)
        if (!f->partitions[topic][p].started && !place(f, topic, p, from_start))
            return false;
    return true;
}

static bool start_topic(struct follow *f, enum topic topic)
{
    for (int i = 0; i < f->n_partitions[topic]; i++) {
        struct partition *p = &f->partitions[topic][i];
        if (!p->started && !reader_start(f->reader, topic, i, p->next))
            return false;
        p->started = true;
    }
    return true;
}

/* All places first: once there are fetches, a broker answers other questions only after each. */
static bool start_all(struct follow *f, bool from_start)
{
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        if (!place_topic(f, topic, from_start))
            return false;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        if (!start_topic(f, topic))
            return false;
    return true;
}

/* Kafka has not the offset that was to be read next. */
static bool restart_topic(struct follow *f, enum topic topic)
{
    for (int i = 0; i < f->n_partitions[topic]; i++)
        f->partitions[topic][i] = (struct partition){0};
    return place_topic(f, topic, false) && start_topic(f, topic);
}

static bool start_added(struct follow *f)
{
    if (clock_monotonic_ms() - f->last_look_ms < LOOK_AGAIN_MS)
        return true;
    reader_look_again(f->reader);
    f->last_look_ms = clock_monotonic_ms();
    return start_all(f, false);
}

/* ---- records ---- */

static struct slice content_type_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "content-type", &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        value == NULL)
        return (struct slice){"", 0};
    return (struct slice){value, size};
}

static bool store_record(struct follow *f, const rd_kafka_message_t *message)
{
    struct record r = {.topic = reader_topic_of(f->reader, message),
        .partition = message->partition,
        .offset = message->offset};
    struct slice key = {message->key, message->key_len};
    struct slice value = {message->payload, message->len};
    f->last_record_ms = clock_monotonic_ms();
    f->partitions[r.topic][r.partition].at_end = false;
    arena_reset(&f->arena);
    if (record_decode(content_type_of(message), key, value, &f->arena, &r) && !record_has_key(&r, key))
        r.problem = "its key is another's";
    if (r.problem == NULL) {
        f->stored++;
        return database_store(f->db, &r);
    }
    f->passed++;
    log_event(f->log, LOG_WARN, "record_passed_over", "topic=%s partition=%d offset=%lld reason=%s",
        topic_names[r.topic], r.partition, (long long)r.offset, LOG_QUOTE(r.problem));
    return database_pass(f->db, r.topic, r.partition, r.offset);
}

/* What librdkafka does not get over by itself ends the following, or starts the topic again. */
static bool take_error(struct follow *f, const rd_kafka_message_t *message)
{
    enum topic topic = reader_topic_of(f->reader, message);
    bool fatal = message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                 message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                 message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return restart_topic(f, topic);
    log_event(f->log, fatal ? LOG_ERROR : LOG_WARN, "topic_error", "topic=%s partition=%d error=%s",
        topic_names[topic], message->partition, LOG_QUOTE(rd_kafka_message_errstr(message)));
    return !fatal;
}

static bool is_record(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_end(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
}

static bool store_batch(struct follow *f, rd_kafka_message_t **messages, size_t n)
{
    size_t records = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_end(messages[i]))
            f->partitions[reader_topic_of(f->reader, messages[i])][messages[i]->partition].at_end = true;
        if (!is_record(messages[i]))
            continue;
        if ((records++ == 0 && !database_begin(f->db)) || !store_record(f, messages[i]))
            return false;
    }
    return records == 0 || database_commit(f->db);
}

/* Errors wait until the batch's records are stored: what starts a topic again also forgets its offsets. */
static bool take_batch(struct follow *f)
{
    rd_kafka_message_t *messages[BATCH_RECORDS];
    size_t n = reader_take(f->reader, messages, BATCH_RECORDS, BATCH_MS);
    bool good = store_batch(f, messages, n);
    for (size_t i = 0; i < n; i++) {
        if (good && !is_record(messages[i]) && !is_end(messages[i]))
            good = take_error(f, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    return good;
}

/* ---- following ---- */

/* Blocked, so that they are looked for between two batches. */
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

static bool all_at_end(const struct follow *f)
{
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        for (int p = 0; p < f->n_partitions[topic]; p++)
            if (!f->partitions[topic][p].at_end)
                return false;
    return true;
}

static bool is_idle(const struct follow *f)
{
    double idle_s = (double)(clock_monotonic_ms() - f->last_record_ms) / 1000.0;
    return f->options->until_idle_s >= 0 && idle_s >= f->options->until_idle_s && all_at_end(f);
}

static bool follow(struct follow *f, const sigset_t *signals)
{
    f->last_look_ms = clock_monotonic_ms();
    f->last_record_ms = f->last_look_ms;
    while (!signal_came(signals) && !is_idle(f))
        if (!take_batch(f) || !start_added(f))
            return false;
    return true;
}

static bool print_sums(struct follow *f)
{
    int64_t seconds;
    int64_t learners;
    if (!database_number(f->db, "SELECT sum(watched_seconds) FROM learner_lessons", &seconds) ||
        !database_number(f->db,
            "SELECT count(*) FROM (SELECT DISTINCT portal, learner_id FROM learner_lessons)", &learners))
        return false;
    printf("%llu records stored, %llu passed over; the ledger has %lld seconds of %lld learners\n",
        (unsigned long long)f->stored, (unsigned long long)f->passed, (long long)seconds,
        (long long)learners);
    return true;
}

static void close_follow(struct follow *f)
{
    reader_close(f->reader);
    database_close(f->db);
    arena_free(&f->arena);
    for (int i = 0; i < TOPIC_COUNT; i++)
        free(f->partitions[i]);
    log_free(f->log);
}

int follow_command(const struct options *o)
{
    struct follow f = {.options = o, .log = log_new(o->log_level), .arena = {.limit = RECORD_MEMORY}};
    sigset_t signals;
    block_signals(&signals);
    f.db = command_open_database(o->database, true);
    if (f.db != NULL)
        f.reader = reader_open(o->brokers, o->properties, o->n_properties, f.log);
    bool good = f.reader != NULL && start_all(&f, o->from_start) && follow(&f, &signals) && print_sums(&f);
    close_follow(&f);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
