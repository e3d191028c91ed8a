/*
 * Watches the Redis servers from a thread of its own, where blocking is allowed: finds them (one server,
 * the primary behind sentinels, or the shards of a cluster), checks once and again that each is set up to
 * keep what is accepted, loads the functions, compares clocks, and tells the workers where partitions are.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "redis/partition.h"

struct config;
struct monitor;
struct redis_login;

enum { PARTITIONS_MAX = 256, SERVERS_MAX = 64 };

/*
 * A daemon whose clock is further from a server's judges nothing: it would anchor sessions in the past,
 * refuse live runs for good, or raise the floor for everybody. Its store admits nothing and its publisher
 * stands by.
 */
enum { CLOCK_SKEW_MAX_MS = 2000 };

/* Where a server is; the address is numeric, so connecting to it does not block. */
struct redis_server {
    char name[300];                  /* as endpoint_format() */
    struct endpoint endpoint;        /* a host name is looked up anew at every look */
    struct endpoint_address address; /* of the name: the one that answered; zeroed while none is known */
    const struct redis_login *login; /* borrowed from the configuration; NULL: none */
    bool usable;                     /* reached at the last look, and set up to keep what is accepted */
};

/* Whether a connection to A is one to B: the same name at the same address. */
bool redis_server_same(const struct redis_server *a, const struct redis_server *b);

/* Which server holds which partition. Immutable; counted references. */
struct topology {
    _Atomic int references;
    uint64_t version; /* grows with every change */
    size_t n_servers;
    struct redis_server servers[SERVERS_MAX];
    int server_of[PARTITIONS_MAX];
    int16_t server_of_slot[CLUSTER_SLOTS]; /* all 0 where there is but one server */
};

/* The index of the server that holds KEY, which carries no hash tag. */
int topology_server_of_key(const struct topology *t, const char *key);

void topology_unref(struct topology *t);

/* One server's condition at the last look; copied out. */
struct monitor_server {
    char name[300];
    bool reached;      /* within the last 10 s */
    bool away;         /* not reached at the last look */
    char problem[256]; /* why it may not be used; "" when it may */
    char refusal[256]; /* why it would refuse heartbeats now, though it may be used; "" when it would not */
    int64_t clock_skew_ms; /* the server's TIME less this machine's */
    int64_t used_memory;   /* bytes */
    int64_t max_memory;    /* bytes; 0: no limit */
};

enum monitor_state {
    MONITOR_READY,       /* every server reached and set up as configured */
    MONITOR_UNREACHABLE, /* a server cannot be reached (yet) */
    MONITOR_WRONG /* a server is set up in a way that would lose what is accepted, or for another deployment
                   */
};

/* Starts the thread. Borrows everything until monitor_stop(). */
struct monitor *monitor_start(const struct config *config, const struct clock *clock, struct log *log);
void monitor_stop(struct monitor *m);

/*
 * Waits for the first look at the servers, at most TIMEOUT_MS. MESSAGE (at least 512 bytes) gets what is
 * wrong.
 */
enum monitor_state monitor_wait(struct monitor *m, int64_t timeout_ms, char message[static 512]);

/* The state now; any thread. MESSAGE as above. */
enum monitor_state monitor_state(struct monitor *m, char message[static 512]);

/* The current topology with a reference for the caller; NULL while the servers were never reached. */
struct topology *monitor_topology(struct monitor *m);

/* The current topology's version, 0 while there is none: a cheap way to see that it changed. */
uint64_t monitor_version(const struct monitor *m);

/*
 * Looks completed so far. Whoever connects anew waits for two more: a look that began after the connection
 * was made then vouches for how the server is set up.
 */
uint64_t monitor_looks(const struct monitor *m);

/*
 * How often a partition was found without what it had held, since the start; the log names the server. Any
 * thread.
 */
int64_t monitor_history_losses(const struct monitor *m);

/* A server answered that a key is elsewhere, or cannot be reached: look again soon. Any thread. */
void monitor_look(struct monitor *m);

/* Whether no server that was asked contradicts this machine's clock; true while none could be asked. Any
 * thread. */
bool monitor_clock_trusted(const struct monitor *m);

/* Copies up to MAX servers' conditions; returns how many. */
size_t monitor_servers(struct monitor *m, struct monitor_server *out, size_t max);
