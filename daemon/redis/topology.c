/* Where the Redis servers are, and which of them holds what. */
#include "redis/topology.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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
    for (size_t i = 0; i < before->n_servers; i++) {
        const struct redis_server *was = &before->servers[i];
        const struct redis_server *is = &after->servers[i];
        enum topology_change one = TOPOLOGY_SAME;
        if (strcmp(was->name, is->name) != 0)
            one = TOPOLOGY_SERVERS;
        else if (!endpoint_address_equal(&was->address, &is->address))
            one = TOPOLOGY_ADDRESSES;
        else if (was->usable != is->usable || was->has_waitaof != is->has_waitaof)
            one = TOPOLOGY_USABILITY;
        change = one > change ? one : change;
    }
    return change;
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
    int16_t server = t->server_of_slot[partition_slot(slice_of(key))];
    return server < 0 ? 0 : (size_t)server;
}
