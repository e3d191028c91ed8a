/*
 * minuted-ledger follow: the topics into SQLite.
 *
 *     offsets from SQLite -> compare, start every partition -> [ take a batch -> decode -> store in one
 * transaction ]
 *
 * The database alone knows how far it has come, so there is nothing that could get out of step with it.
 */
#include "ledger/follow.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/places.h"
#include "ledger/reader.h"

enum { BATCH_RECORDS = 1000, BATCH_MS = 200, RECORD_MEMORY = 4 << 20 };

struct follow {
    const struct ledger_options *options;
    struct log *log;
    struct database *db;
    struct reader *reader;
    struct places *places;
    struct arena arena; /* of the record being decoded */
    int64_t last_record_ms;
    uint64_t stored;
    uint64_t passed;
};

/* ---- records ---- */

static bool store_record(struct follow *f, const rd_kafka_message_t *message)
{
    struct ledger_record r;
    f->last_record_ms = clock_monotonic_ms();
    if (reader_decode(f->reader, message, &f->arena, &r)) {
        f->stored++;
        return database_store(f->db, &r);
    }
    f->passed++;
    log_event(f->log, LOG_WARN, "record_passed_over", "topic=%s partition=%d offset=%lld reason=%s",
        ledger_topic_names[r.topic], r.partition, (long long)r.offset, LOG_QUOTE(r.problem));
    return database_pass(f->db, r.topic, r.partition, r.offset);
}

/*
 * Takes an error that librdkafka reports in place of a record. If the offset is gone, `follow` looks at the
 * topics again; if the topic or partition is unknown, it ends. From every other error librdkafka recovers.
 */
static bool take_error(struct follow *f, const rd_kafka_message_t *message)
{
    enum topic topic = reader_topic_of(f->reader, message);
    bool fatal = message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                 message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                 message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (reader_offset_gone(message))
        return places_restart(f->places, topic);
    log_event(f->log, fatal ? LOG_ERROR : LOG_WARN, "topic_error", "topic=%s partition=%d error=%s",
        ledger_topic_names[topic], message->partition, LOG_QUOTE(rd_kafka_message_errstr(message)));
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

/*
 * The end of a partition is stored as well as its records. Behind the last record stand the marks of its
 * transaction. If only the record's offset were stored and the topic deleted both by age, it would seem to
 * begin after records that were never read.
 */
static bool store_message(struct follow *f, const rd_kafka_message_t *message)
{
    places_set_end(f->places, reader_topic_of(f->reader, message), message->partition, is_end(message));
    if (is_record(message))
        return store_record(f, message);
    return database_reach(f->db, reader_topic_of(f->reader, message), message->partition, message->offset);
}

static bool store_batch(struct follow *f, rd_kafka_message_t **messages, size_t n)
{
    size_t stored = 0;
    for (size_t i = 0; i < n; i++)
        if ((is_record(messages[i]) || is_end(messages[i])) &&
            ((stored++ == 0 && !database_begin(f->db)) || !store_message(f, messages[i])))
            return false;
    return stored == 0 || database_commit(f->db);
}

/*
 * Errors are taken after the batch's records are stored, because looking at the topics again begins with the
 * stored offsets.
 */
static bool take_batch(struct follow *f)
{
    rd_kafka_message_t *messages[BATCH_RECORDS];
    size_t n = reader_take(f->reader, QUEUE_RECORDS, messages, BATCH_RECORDS, BATCH_MS);
    bool good = store_batch(f, messages, n);
    for (size_t i = 0; i < n; i++) {
        if (good && !is_record(messages[i]) && !is_end(messages[i]))
            good = take_error(f, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    return good;
}

/* ---- following ---- */

/* Blocks the signals that end `follow`, which looks for them between two batches. */
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

static bool is_idle(const struct follow *f)
{
    double idle_s = (double)(clock_monotonic_ms() - f->last_record_ms) / 1000.0;
    return f->options->until_idle_s >= 0 && idle_s >= f->options->until_idle_s &&
           places_all_at_end(f->places);
}

/*
 * Waits until Kafka is there, unless --until-idle asks for an end. True without a reader means that a signal
 * ended the waiting.
 */
static bool open_reader(struct follow *f, const sigset_t *signals)
{
    const struct ledger_options *o = f->options;
    bool away;
    do {
        f->reader = reader_open(o->brokers, o->properties, o->n_properties, f->log, &away);
        if (f->reader == NULL && (!away || o->until_idle_s >= 0))
            return false;
    } while (f->reader == NULL && !signal_came(signals));
    return true;
}

static bool follow(struct follow *f, const sigset_t *signals)
{
    if (f->reader == NULL)
        return true;
    f->places = places_new(f->db, f->reader, f->log, f->options);
    if (!places_start(f->places))
        return false;
    f->last_record_ms = clock_monotonic_ms();
    while (!signal_came(signals) && !is_idle(f))
        if (!take_batch(f) || !places_look_again(f->places))
            return false;
    return true;
}

/* total() never overflows; sum() would end the program over malformed totals that older versions stored. */
static const char sum_query[] = "SELECT CAST(total(watched_seconds) AS INTEGER) FROM learner_lessons";

static bool print_sums(struct follow *f)
{
    int64_t seconds;
    int64_t learners;
    if (!database_number(f->db, sum_query, &seconds) ||
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
    places_free(f->places);
    reader_close(f->reader);
    database_close(f->db);
    arena_free(&f->arena);
    log_free(f->log);
}

enum exit_status follow_command(const struct ledger_options *o)
{
    struct follow f = {.options = o, .log = log_new(o->log_level), .arena = {.limit = RECORD_MEMORY}};
    sigset_t signals;
    block_signals(&signals);
    f.db = commands_open_database(o->database, true);
    bool good = f.db != NULL && open_reader(&f, &signals) && follow(&f, &signals) && print_sums(&f);
    close_follow(&f);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
