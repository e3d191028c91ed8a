/*
 * What Kafka was told of this deployment: the last records of the topic of watermarks, read to its end. Read
 * after init_transactions, when nobody else can add to them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "publish/lease.h"
#include "publish/producer.h"
#include "redis/topology.h"
#include "stream/kafka_trouble.h"

struct config;
struct log;

/* The last take of a partition that Kafka was told of. */
struct told_take {
    int64_t id; /* the epoch; 0: it was told of none */
    int64_t taken;
};

struct told {
    struct told_take partitions[PARTITIONS_MAX];
    struct watermark watermark; /* zeroed: there was none */
};

/*
 * Reads it from BROKERS. CALLER has a turn as in producer.h. False when Kafka did not tell it, with WHY, or
 * the caller gave it up.
 */
bool told_read(const struct config *config, const char *program, const char *brokers,
    struct producer_caller caller, struct log *log, struct told *out, char why[static KAFKA_TROUBLE_MAX])
    __attribute__((warn_unused_result));
