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
#include "ledger/decode.h"

struct reader;

/*
 * Connects to BROKERS and looks up the topics; all must exist. PROPERTIES are librdkafka's, NAME=VALUE. LOG
 * is borrowed, and written to by other threads until reader_close().
 */
struct reader *reader_open(
    const char *brokers, const char *const *properties, size_t n_properties, struct log *log);
void reader_close(struct reader *r);

/* Partitions of TOPIC, as of the last look. */
int reader_partitions(const struct reader *r, enum topic topic);

/* Looks for partitions that were added; what cannot be found out now stays as it is. */
void reader_look_again(struct reader *r);

/* The first offset that is still there, and the one after the last committed record. */
bool reader_bounds(struct reader *r, enum topic topic, int partition, int64_t *low, int64_t *end)
    __attribute__((warn_unused_result));

/* Reads the partition from OFFSET on, from now on or anew. */
bool reader_start(struct reader *r, enum topic topic, int partition, int64_t offset)
    __attribute__((warn_unused_result));

/*
 * Up to MAX messages, waiting at most WAIT_MS for them all; each to be destroyed by the caller. Some are
 * errors, RD_KAFKA_RESP_ERR__PARTITION_EOF among them.
 */
size_t reader_take(struct reader *r, rd_kafka_message_t **messages, size_t max, int wait_ms);

enum topic reader_topic_of(const struct reader *r, const rd_kafka_message_t *message);
