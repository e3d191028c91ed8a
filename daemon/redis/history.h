/*
 * Whether Redis still holds what was accepted before: each partition carries a mark, made once by the first
 * daemon that looks, and a mark that is missing or another one means that the partition's masks and totals
 * are gone with it (a server that came back empty, a flush). The monitor's; its thread alone.
 *
 * A daemon remembers the marks that it has seen, so it can only tell of a loss that happens while it runs;
 * whoever publishes sees others by what Kafka was told (publish/epochs.h). Heartbeats go on: what is accepted
 * from then on is kept as ever, and Kafka still has what was published.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "redis/condition.h"
#include "redis/topology.h"

enum { HISTORY_MARK_MAX = 24 };

struct history {
    char mark[PARTITIONS_MAX]
             [HISTORY_MARK_MAX]; /* Unix ms at which the partition was first used; "" unknown */
    int64_t losses;              /* marks found missing or changed, since the start */
};

/*
 * Reads the marks of T's partitions on server SERVER (an index), makes those that are missing, and logs what
 * is gone. False with SEEN's problem filled when the connection fails.
 */
bool history_look(struct history *h, redisContext *redis, const struct topology *t, size_t server,
    int partitions, struct log *log, struct redis_condition *seen) __attribute__((warn_unused_result));
