/*
 * Reading the topics: every partition of those that are asked for, committed records only, unless asked for
 * others. No consumer group: the caller alone knows how far it has come. One thread; a call waits no longer
 * than it was told to.
 *
 * Functions that return false have logged what failed, naming topic or brokers.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "stream/kafka_trouble.h"
#include "stream/stream_record.h"

struct config_property;
struct stream_reader;

/* All is borrowed until stream_reader_open() has returned, but for `log`. */
struct stream_options {
    const char *brokers;
    const char *client_id;
    const struct stream_topics *topics;
    bool read[TOPIC_COUNT]; /* these of the topics must exist; the others are not looked at */
    bool uncommitted;       /* ends are those of all that was written, also in transactions that are open */
    /* librdkafka's. Those of a producer are passed over, and those that reading rests on are ours. */
    const struct config_property *properties;
    size_t n_properties;
    int answer_ms;   /* the longest that a call waits for Kafka, unless its comment says otherwise */
    struct log *log; /* other threads write to it until stream_reader_close() */
    struct kafka_trouble *trouble; /* NULL, or what Kafka refuses, until stream_reader_close() */
};

/*
 * Connects, and looks up the topics. NULL with *AWAY set: no broker answered in time, which may be different
 * later, unlike a login that was refused.
 */
struct stream_reader *stream_reader_open(const struct stream_options *options, bool *away);
void stream_reader_close(struct stream_reader *r);

const char *stream_reader_topic_name(const struct stream_reader *r, enum topic topic);

/* Partitions of TOPIC, as of the last look. */
int stream_reader_partitions(const struct stream_reader *r, enum topic topic);

/* Looks for partitions that were added. Topics that Kafka tells nothing about stay as they are. */
void stream_reader_look_again(struct stream_reader *r);

/* The cluster's id, to be freed; "" when it tells none. */
char *stream_reader_cluster(struct stream_reader *r);

/*
 * The first offset that is still there, and the one after the last committed record. An end before READ, up
 * to which the caller has read, is asked for again for two seconds: a broker that has just become the leader
 * may not know yet how much was committed.
 */
bool stream_reader_bounds(struct stream_reader *r, enum topic topic, int partition, int64_t read,
    int64_t *low, int64_t *end) __attribute__((warn_unused_result));

/*
 * The offset of the partition's first record whose time is TIME_MS or later, whatever the order of the times;
 * RD_KAFKA_OFFSET_END where there is none.
 */
bool stream_reader_offset_at(struct stream_reader *r, enum topic topic, int partition, int64_t time_ms,
    int64_t *offset) __attribute__((warn_unused_result));

/* Where a partition's messages go: to be stored, or to be compared with what was stored. */
enum stream_queue { QUEUE_RECORDS, QUEUE_COMPARED, QUEUE_COUNT };

/* Reads the partition from OFFSET on into QUEUE. Messages that an earlier start has not brought never come.
 */
bool stream_reader_start(struct stream_reader *r, enum topic topic, int partition, int64_t offset,
    enum stream_queue queue) __attribute__((warn_unused_result));

/*
 * Takes up to MAX messages of QUEUE, waiting at most WAIT_MS for the first; the caller destroys each. Some
 * are errors, and the end of a partition is one (RD_KAFKA_RESP_ERR__PARTITION_EOF).
 */
size_t stream_reader_take(
    struct stream_reader *r, enum stream_queue queue, rd_kafka_message_t **messages, size_t max, int wait_ms);

enum topic stream_reader_topic_of(const struct stream_reader *r, const rd_kafka_message_t *message);

/*
 * The end of the partition that MESSAGE is of, as the last answer of Kafka's said, with what a transaction
 * that is still open holds back: RD_KAFKA_RESP_ERR__PARTITION_EOF comes before that, too.
 */
int64_t stream_reader_high(const struct stream_reader *r, const rd_kafka_message_t *message);

/* Whether MESSAGE says that Kafka's ACLs do not let the topic be read. It was logged. */
bool stream_reader_denied(const rd_kafka_message_t *message);

/* Whether MESSAGE says that Kafka does not have the offset that was to be read. */
bool stream_reader_offset_gone(const rd_kafka_message_t *message);

/*
 * A message that is no error as a record, whose strings and lists live in MESSAGE or ARENA, which is emptied
 * first. One without a value is a tombstone, which says that nothing of its key counts any more. False with
 * `problem` set as by stream_record_decode(), also when the key is not the record's.
 */
bool stream_reader_decode(const struct stream_reader *r, const rd_kafka_message_t *message,
    struct arena *arena, struct stream_record *record) __attribute__((warn_unused_result));
