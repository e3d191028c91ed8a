/*
 * Kafka's side of following: every partition of the four topics, committed records only. No consumer group:
 * the caller alone knows how far it has come.
 *
 * Functions that return false have logged what failed, naming topic or brokers.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "ledger/record.h"

struct reader;

/*
 * Connects to BROKERS and looks up TOPICS, which are copied; all must exist. PROPERTIES are librdkafka's,
 * NAME=VALUE. LOG is borrowed, and written to by other threads until reader_close(). NULL with *AWAY set: no
 * broker answered within 15 s, which may be different later.
 */
struct reader *reader_open(const char *brokers, const struct ledger_topics *topics,
    const char *const *properties, size_t n_properties, struct log *log, bool *away);
void reader_close(struct reader *r);

const char *reader_topic_name(const struct reader *r, enum topic topic);

/* Partitions of TOPIC, as of the last look. */
int reader_partitions(const struct reader *r, enum topic topic);

/* Looks for partitions that were added. Topics that Kafka tells nothing about stay as they are. */
void reader_look_again(struct reader *r);

/* The cluster's id, to be freed; "" when it tells none. */
char *reader_cluster(struct reader *r);

/*
 * The first offset that is still there, and the one after the last committed record. An end before READ, up
 * to which the caller has read, is asked for again for two seconds: a broker that has just become the leader
 * may not know yet how much was committed.
 */
bool reader_bounds(struct reader *r, enum topic topic, int partition, int64_t read, int64_t *low,
    int64_t *end) __attribute__((warn_unused_result));

/* Where a partition's messages go: to be stored, or to be compared with what was stored. */
enum reader_queue { QUEUE_RECORDS, QUEUE_COMPARED, QUEUE_COUNT };

/* Reads the partition from OFFSET on into QUEUE. Messages that an earlier start has not brought never come.
 */
bool reader_start(struct reader *r, enum topic topic, int partition, int64_t offset, enum reader_queue queue)
    __attribute__((warn_unused_result));

/*
 * Takes up to MAX messages of QUEUE, waiting at most WAIT_MS for them all; the caller destroys each. Some are
 * errors, and the end of a partition is one (RD_KAFKA_RESP_ERR__PARTITION_EOF).
 */
size_t reader_take(
    struct reader *r, enum reader_queue queue, rd_kafka_message_t **messages, size_t max, int wait_ms);

enum topic reader_topic_of(const struct reader *r, const rd_kafka_message_t *message);

/* Whether MESSAGE says that Kafka does not have the offset that was to be read. */
bool reader_offset_gone(const rd_kafka_message_t *message);

/*
 * A message that is no error as a record, whose strings and lists live in MESSAGE or ARENA, which is emptied
 * first. False with `problem` set as by ledger_record_decode(), also when the key is not the record's.
 */
bool reader_decode(const struct reader *r, const rd_kafka_message_t *message, struct arena *arena,
    struct ledger_record *record) __attribute__((warn_unused_result));
