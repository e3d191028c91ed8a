/*
 * Where a learner's keys are: which partition the learner belongs to, the hash tag that puts a partition's
 * keys on one server of a cluster, where the Redis servers are, and which of them holds which partition and
 * which key. The monitor makes a new topology at every look; whoever keeps connections follows it by
 * monitor_follow(), which compares the new one with the one that was followed until then. Pure.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/slice.h"

struct redis_login;

enum { PARTITIONS_MAX = 256, SERVERS_MAX = 64, CLUSTER_SLOTS = 16384, TOPOLOGY_TAG_MAX = 15 };

/* Bytes of the list of ended programs, with its NUL: those that tokens may still be of are the last few. */
enum { TOPOLOGY_ENDED_MAX = 256 };

/* ---- from a learner to a partition, and from a key to a slot ---- */

/* XXH64 with seed 0 of `portal/learner`. */
uint64_t topology_hash_learner(struct slice portal, struct slice learner);

static inline int topology_partition_of(uint64_t hash, int partitions)
{
    return (int)(hash % (uint64_t)partitions);
}

/* The cluster's slot of a hash tag: CRC16 (XMODEM) modulo 16384. */
unsigned topology_slot_of(struct slice tag);

/*
 * The tag of partition P of PARTITIONS: the first `p.n` (n = 0, 1, …) whose slot lies in the middle half of
 * the p-th share of the slots, so that 2, 4, 8, … shards of equal slots hold equally many partitions.
 */
void topology_tag(int p, int partitions, char tag[static TOPOLOGY_TAG_MAX + 1]);

/* What a partition's keys begin with: "minuted:{tag}:". */
struct key_prefix {
    char text[32];
    size_t len;
};

void topology_key_prefix(struct key_prefix *prefix, int partition, int partitions);

/* ---- the servers ---- */

/* What makes a write durable on more than one server; redis/barrier.h has the commands. */
struct barrier {
    int steps;    /* 0: there is no barrier, the reply to a write is enough; 1: memory; 2: and disks */
    int replicas; /* that must acknowledge each step */
};

/* Where a server is; the address is numeric, so connecting to it does not block. */
struct redis_server {
    char name[300];                  /* as endpoint_format() */
    struct endpoint endpoint;        /* a host name is looked up anew at every look */
    struct endpoint_address address; /* of the name: the one that answered; zeroed while none is known */
    const struct redis_login *login; /* borrowed from the configuration; NULL: none */
    bool usable;                     /* reached at the last look, and set up to keep what is accepted */
    struct barrier barrier;          /* of the configuration, on the server as the last look found it */
    int64_t early_minute; /* Unix seconds / 60; up to it, says the deployment, minutes were retired early; 0:
                             none */
};

/* Immutable once it is shared; counted references. */
struct topology {
    _Atomic int references;
    uint64_t version; /* the monitor's count of changes */
    size_t n_servers;
    struct redis_server servers[SERVERS_MAX]; /* no two of one name */
    char ended[TOPOLOGY_ENDED_MAX]; /* programs that the deployment has ended, the last one first, a space
                                       between two; those that do not fit are left out */
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
    TOPOLOGY_USABILITY,  /* whether a server may be used, how its writes are waited for, what was retired
                            early,  which programs have ended */
    TOPOLOGY_SLOTS,      /* which server holds a key that is no partition's */
    TOPOLOGY_PARTITIONS, /* which server holds a partition */
    TOPOLOGY_ADDRESSES,  /* where a server is: the one at the new address is another server */
    TOPOLOGY_SERVERS     /* which servers there are, by their names and in their order */
};

enum topology_change topology_compare(const struct topology *before, const struct topology *after);

/* Whether PROGRAM is one of those that the deployment is known to have ended. */
bool topology_has_ended(const struct topology *t, struct slice program);

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
