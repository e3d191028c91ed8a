/*
 * Where the Redis servers are, and which of them holds which partition and which key. The monitor makes a new
 * topology at every look; whoever keeps connections follows it by monitor_follow(), which compares the new
 * one with the one that was followed until then. Pure.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "redis/partition.h"

struct redis_login;

enum { PARTITIONS_MAX = 256, SERVERS_MAX = 64 };

/* Where a server is; the address is numeric, so connecting to it does not block. */
struct redis_server {
    char name[300];                  /* as endpoint_format() */
    struct endpoint endpoint;        /* a host name is looked up anew at every look */
    struct endpoint_address address; /* of the name: the one that answered; zeroed while none is known */
    const struct redis_login *login; /* borrowed from the configuration; NULL: none */
    bool usable;                     /* reached at the last look, and set up to keep what is accepted */
    bool has_waitaof;                /* Redis from 7.2 on, and Valkey */
};

/* Immutable once it is shared; counted references. */
struct topology {
    _Atomic int references;
    uint64_t version; /* the monitor's count of changes */
    size_t n_servers;
    struct redis_server servers[SERVERS_MAX]; /* no two of one name */
    int server_of[PARTITIONS_MAX];
    int16_t server_of_slot[CLUSTER_SLOTS]; /* all 0 where there is but one server */
};

/* A zeroed topology, or a copy of T, with one reference, which is the caller's. */
struct topology *topology_new(void);
struct topology *topology_copy(const struct topology *t);

struct topology *topology_ref(struct topology *t);
void topology_unref(struct topology *t);

/*
 * What is different about another topology. They are in order: where a value is right, all that the values
 * above it say may be different too.
 */
enum topology_change {
    TOPOLOGY_SAME,
    TOPOLOGY_USABILITY,  /* whether a server may be used, and how its writes are waited for */
    TOPOLOGY_SLOTS,      /* which server holds a key that is no partition's */
    TOPOLOGY_PARTITIONS, /* which server holds a partition */
    TOPOLOGY_ADDRESSES,  /* where a server is: the one at the new address is another server */
    TOPOLOGY_SERVERS     /* which servers there are, by their names and in their order */
};

enum topology_change topology_compare(const struct topology *before, const struct topology *after);

/* The index of the server NAME; -1 where there is none. */
int topology_find_server(const struct topology *t, const char *name);

/* The index of the server that holds PARTITION. */
static inline size_t topology_server_of_partition(const struct topology *t, int partition)
{
    assert(partition >= 0 && partition < PARTITIONS_MAX);
    return (size_t)t->server_of[partition];
}

/* The index of the server that holds KEY, which carries no hash tag. */
size_t topology_server_of_key(const struct topology *t, const char *key);
