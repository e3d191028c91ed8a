/* Which partition a learner belongs to. */
#include "redis/partition.h"

#include <stdio.h>
#include <xxhash.h>

uint64_t partition_hash(struct slice portal, struct slice learner)
{
    char joined[256];
    if (portal.len + 1 + learner.len > sizeof(joined)) { /* longer than any valid name */
        portal.len = 0;
        learner.len = learner.len < sizeof(joined) - 1 ? learner.len : sizeof(joined) - 1;
    }
    memcpy(joined, portal.ptr, portal.len);
    joined[portal.len] = '/';
    memcpy(joined + portal.len + 1, learner.ptr, learner.len);
    return XXH64(joined, portal.len + 1 + learner.len, 0);
}

unsigned partition_slot(struct slice tag)
{
    unsigned crc = 0;
    for (size_t i = 0; i < tag.len; i++) {
        crc ^= (unsigned)(unsigned char)tag.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return crc % CLUSTER_SLOTS;
}

void partition_tag(int p, int partitions, char tag[static PARTITION_TAG_MAX + 1])
{
    unsigned start = (unsigned)(p * CLUSTER_SLOTS / partitions);
    unsigned share = (unsigned)((p + 1) * CLUSTER_SLOTS / partitions) - start;
    unsigned slot;
    unsigned n = 0;
    do {
        int len = snprintf(tag, PARTITION_TAG_MAX + 1, "%d.%u", p, n++);
        slot = partition_slot((struct slice){tag, (size_t)len});
    } while (slot < start + share / 4 || slot >= start + share - share / 4);
}

void partition_prefix(struct key_prefix *prefix, int partition, int partitions)
{
    char tag[PARTITION_TAG_MAX + 1];
    partition_tag(partition, partitions, tag);
    prefix->len = (size_t)snprintf(prefix->text, sizeof(prefix->text), "minuted:{%s}:", tag);
}
