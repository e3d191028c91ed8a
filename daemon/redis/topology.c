/* Where a learner's keys are. */
#include "redis/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

/* ---- from a learner to a partition, and from a key to a slot ---- */

uint64_t topology_hash_learner(struct slice portal, struct slice learner)
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

unsigned topology_slot_of(struct slice tag)
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

void topology_tag(int p, int partitions, char tag[static TOPOLOGY_TAG_MAX + 1])
{
    unsigned start = (unsigned)(p * CLUSTER_SLOTS / partitions);
    unsigned share = (unsigned)((p + 1) * CLUSTER_SLOTS / partitions) - start;
    unsigned slot;
    unsigned n = 0;
    do {
        int len = snprintf(tag, TOPOLOGY_TAG_MAX + 1, "%d.%u", p, n++);
        slot = topology_slot_of((struct slice){tag, (size_t)len});
    } while (slot < start + share / 4 || slot >= start + share - share / 4);
}

void topology_key_prefix(struct key_prefix *prefix, int partition, int partitions)
{
    char tag[TOPOLOGY_TAG_MAX + 1];
    topology_tag(partition, partitions, tag);
    prefix->len = (size_t)snprintf(prefix->text, sizeof(prefix->text), "minuted:{%s}:", tag);
}

/* ---- the servers ---- */

struct topology *topology_new(void)
{
    struct topology *t = mem_zalloc(sizeof(*t));
    atomic_init(&t->references, 1);
    return t;
}

struct topology *topology_copy(const struct topology *t)
{
    struct topology *copy = mem_alloc(sizeof(*copy));
    memcpy(copy, t, sizeof(*copy));
    atomic_init(&copy->references, 1);
    return copy;
}

struct topology *topology_ref(struct topology *t)
{
    int before = atomic_fetch_add(&t->references, 1);
    assert(before > 0);
    (void)before;
    return t;
}

void topology_unref(struct topology *t)
{
    if (t == NULL)
        return;
    int before = atomic_fetch_sub(&t->references, 1);
    assert(before > 0);
    if (before == 1)
        free(t);
}

enum topology_change topology_compare(const struct topology *before, const struct topology *after)
{
    enum topology_change change = TOPOLOGY_SAME;
    if (before->n_servers != after->n_servers)
        return TOPOLOGY_SERVERS;
    if (memcmp(before->server_of, after->server_of, sizeof(before->server_of)) != 0)
        change = TOPOLOGY_PARTITIONS;
    else if (memcmp(before->server_of_slot, after->server_of_slot, sizeof(before->server_of_slot)) != 0)
        change = TOPOLOGY_SLOTS;
    else if (strcmp(before->ended, after->ended) != 0)
        change = TOPOLOGY_USABILITY;
    for (size_t i = 0; i < before->n_servers; i++) {
        const struct redis_server *was = &before->servers[i];
        const struct redis_server *is = &after->servers[i];
        enum topology_change one = TOPOLOGY_SAME;
        if (strcmp(was->name, is->name) != 0)
            one = TOPOLOGY_SERVERS;
        else if (!endpoint_address_equal(&was->address, &is->address))
            one = TOPOLOGY_ADDRESSES;
        else if (was->usable != is->usable || was->barrier.steps != is->barrier.steps ||
                 was->early_minute != is->early_minute)
            one = TOPOLOGY_USABILITY;
        change = one > change ? one : change;
    }
    return change;
}

bool topology_has_ended(const struct topology *t, struct slice program)
{
    for (const char *at = t->ended; *at != '\0'; at += *at == ' ') {
        size_t len = strcspn(at, " ");
        if (slice_equal((struct slice){at, len}, program))
            return true;
        at += len;
    }
    return false;
}

int topology_find_server(const struct topology *t, const char *name)
{
    for (size_t i = 0; i < t->n_servers; i++)
        if (strcmp(t->servers[i].name, name) == 0)
            return (int)i;
    return -1;
}

size_t topology_server_of_key(const struct topology *t, const char *key)
{
    int16_t server = t->server_of_slot[topology_slot_of(slice_of(key))];
    return server < 0 ? 0 : (size_t)server;
}
