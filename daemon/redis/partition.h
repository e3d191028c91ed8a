/*
 * Which partition a learner belongs to, and the hash tag that puts a partition's keys on one server of a
 * cluster. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum { CLUSTER_SLOTS = 16384, PARTITION_TAG_MAX = 15 };

/* XXH64 with seed 0 of `portal/learner`. */
uint64_t partition_hash(struct slice portal, struct slice learner);

static inline int partition_of_hash(uint64_t hash, int partitions)
{
    return (int)(hash % (uint64_t)partitions);
}

/* The cluster's slot of a hash tag: CRC16 (XMODEM) modulo 16384. */
unsigned partition_slot(struct slice tag);

/*
 * The tag of partition P of PARTITIONS: the first `p.n` (n = 0, 1, …) whose slot lies in the middle half of
 * the p-th share of the slots, so that 2, 4, 8, … shards of equal slots hold equally many partitions.
 */
void partition_tag(int p, int partitions, char tag[static PARTITION_TAG_MAX + 1]);

/* What a partition's keys begin with: "minuted:{tag}:". */
struct key_prefix {
    char text[32];
    size_t len;
};

void partition_prefix(struct key_prefix *prefix, int partition, int partitions);
