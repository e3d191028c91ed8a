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
#include "stream/stream_reader.h"

enum { BATCH_RECORDS = 1000, BATCH_MS = 200, RECORD_MEMORY = 4 << 20, ANSWER_MS = 15000 };

struct follow {
    const struct ledger_options *options;
    struct log *log;
    struct database *db;
    struct stream_reader *reader;
    struct places *places;
    struct arena arena; /* of the record being decoded */
    int64_t last_record_ms;
    uint64_t stored;
    uint64_t passed;
};

/* ---- records ---- */

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
    struct stream_record r;
    places_set_end(
        f->places, stream_reader_topic_of(f->reader, message), message->partition, is_end(message));
    if (!is_record(message))
        return database_reach(
            f->db, stream_reader_topic_of(f->reader, message), message->partition, message->offset);
    f->last_record_ms = clock_monotonic_ms();
    if (stream_reader_decode(f->reader, message, &f->arena, &r)) {
        f->stored++;
        return database_store(f->db, &r);
    }
    f->passed++;
    log_event(f->log, LOG_WARN, "record_passed_over", "topic=%s partition=%d offset=%lld reason=%s",
        stream_reader_topic_name(f->reader, r.topic), r.partition, (long long)r.offset, LOG_QUOTE(r.problem));
    return database_pass(f->db, r.topic, r.partition, r.offset);
}

/*
 * Stores the records of a batch and the ends of partitions in one transaction. The errors that librdkafka
 * reports in place of records are taken after that, because looking at the topics again begins with the
 * stored offsets. If an offset is gone, `follow` looks at the topics again; if a topic or partition is
 * unknown or may not be read, it ends. From every other error librdkafka recovers.
 */
static bool take_batch(struct follow *f)
{
    rd_kafka_message_t *messages[BATCH_RECORDS];
    size_t n = stream_reader_take(f->reader, QUEUE_RECORDS, messages, BATCH_RECORDS, BATCH_MS);
    size_t stored = 0;
    bool good = true;
    for (size_t i = 0; good && i < n; i++)
        if (is_record(messages[i]) || is_end(messages[i]))
            good = (stored++ > 0 || database_begin(f->db)) && store_message(f, messages[i]);
    good = good && (stored == 0 || database_commit(f->db));
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_message_t *message = messages[i];
        if (good && stream_reader_offset_gone(message)) {
            good = places_restart(f->places, stream_reader_topic_of(f->reader, message));
        } else if (good && !is_record(message) && !is_end(message)) {
            bool fatal = stream_reader_denied(message) ||
                         message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                         message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                         message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
            log_event(f->log, fatal ? LOG_ERROR : LOG_WARN, "topic_error", "topic=%s partition=%d error=%s",
                stream_reader_topic_name(f->reader, stream_reader_topic_of(f->reader, message)),
                message->partition, LOG_QUOTE(rd_kafka_message_errstr(message)));
            good = !fatal;
        }
        rd_kafka_message_destroy(messages[i]);
    }
    return good;
}

/* ---- following ---- */

static bool signal_came(const sigset_t *set)
{
    struct timespec at_once = {0, 0};
    return sigtimedwait(set, NULL, &at_once) > 0;
}

static bool follow(struct follow *f, const sigset_t *signals)
{
    const struct ledger_options *o = f->options;
    const struct stream_topics topics = stream_topics_of(o->topic_prefix);
    const struct stream_options stream = {.brokers = o->brokers,
        .client_id = "minuted-ledger",
        .topics = &topics,
        .read = {true, true, true, true},
        .properties = o->properties,
        .n_properties = o->n_properties,
        .answer_ms = ANSWER_MS,
        .log = f->log};
    bool away;
    /* Without --until-idle, a Kafka that is away is waited for, until a signal ends the waiting. */
    do {
        f->reader = stream_reader_open(&stream, &away);
        if (f->reader == NULL && (!away || o->until_idle_s >= 0))
            return false;
    } while (f->reader == NULL && !signal_came(signals));
    if (f->reader == NULL)
        return true;
    f->places = places_new(f->db, f->reader, f->log, o);
    if (!places_start(f->places))
        return false;
    f->last_record_ms = clock_monotonic_ms();
    while (!signal_came(signals)) {
        double idle_s = (double)(clock_monotonic_ms() - f->last_record_ms) / 1000.0;
        if (o->until_idle_s >= 0 && idle_s >= o->until_idle_s && places_all_at_end(f->places))
            return true;
        if (!take_batch(f) || !places_look_again(f->places))
            return false;
    }
    return true;
}

static const char seconds_query[] = "SELECT sum(watched_seconds) FROM learner_lessons";
static const char learners_query[] =
    "SELECT count(*) FROM (SELECT DISTINCT program, portal, learner_id FROM learner_lessons)";

enum exit_status follow_command(const struct ledger_options *o)
{
    struct follow f = {.options = o, .log = log_new(o->log_level), .arena = {.limit = RECORD_MEMORY}};
    sigset_t signals;
    /* The signals that end `follow` are blocked: it looks for them between two batches. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    f.db = commands_open_database(o->database, o->topic_prefix);
    int64_t seconds;
    int64_t learners;
    bool good = f.db != NULL && follow(&f, &signals) && database_number(f.db, seconds_query, &seconds) &&
                database_number(f.db, learners_query, &learners);
    if (good)
        printf("%llu records stored, %llu passed over; the database has %lld seconds of %lld learners\n",
            (unsigned long long)f.stored, (unsigned long long)f.passed, (long long)seconds,
            (long long)learners);
    places_free(f.places);
    stream_reader_close(f.reader);
    database_close(f.db);
    arena_free(&f.arena);
    log_free(f.log);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
