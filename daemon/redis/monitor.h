/*
 * Watches the Redis servers from a thread of its own, where blocking is allowed: finds them (one server,
 * the primary behind sentinels, or the shards of a cluster), checks once and again that each is set up to
 * keep what is accepted, loads the library of functions, compares clocks, and tells the workers where
 * partitions are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "redis/condition.h"
#include "redis/topology.h"

struct clock;
struct config;
struct monitor;
struct redis_library;

enum monitor_state {
    MONITOR_READY,       /* every server reached and set up as configured */
    MONITOR_UNREACHABLE, /* a server cannot be reached (yet) */
    MONITOR_WRONG /* a server is set up in a way that would lose what is accepted, or for another deployment
                   */
};

/*
 * Starts the thread, which also keeps CLOCK credible (base/credible_time.h). PROGRAM, the catalog's, is
 * copied; NULL: the servers may be used whichever program is theirs, also while one is being begun. Borrows
 * the rest until monitor_stop().
 */
struct monitor *monitor_start(const struct config *config, const char *program,
    const struct redis_library *library, struct clock *clock, struct log *log);
void monitor_stop(struct monitor *m);

/*
 * When the program closes, in Unix seconds (INT64_MAX: never): it is written into the deployment's settings,
 * where another daemon may write another time later. To be called for each catalog that was read; any thread.
 */
void monitor_set_closes(struct monitor *m, int64_t closes_s);

/*
 * Waits for the first look at the servers, at most TIMEOUT_MS. MESSAGE (at least 512 bytes) gets what is
 * wrong.
 */
enum monitor_state monitor_wait(struct monitor *m, int64_t timeout_ms, char message[static 512]);

/* The state now; any thread. MESSAGE as above. */
enum monitor_state monitor_state(struct monitor *m, char message[static 512]);

/*
 * Brings *CURRENT up to date, which the caller holds a reference to (NULL: none yet), and says what is
 * different now. TOPOLOGY_SAME where there is nothing new; it costs a load then. A topology that became
 * another one and the same again counts as TOPOLOGY_USABILITY. *CURRENT stays NULL while no server was ever
 * found. Any thread.
 */
enum topology_change monitor_follow(struct monitor *m, struct topology **current);

/* The version of the topology in force, 0 while there is none. Any thread. */
uint64_t monitor_version(const struct monitor *m);

/*
 * Looks completed so far. Whoever connects anew waits for two more: a look that began after the connection
 * was made then vouches for how the server is set up. What monitor_version() says after this call is no older
 * than those looks. Any thread.
 */
uint64_t monitor_looks(const struct monitor *m);

/*
 * How often a partition was found without what it had held, since the start; the log names the server. Any
 * thread.
 */
int64_t monitor_history_losses(const struct monitor *m);

/* A server answered that a key is elsewhere, or cannot be reached: look again soon. Any thread. */
void monitor_look(struct monitor *m);

/* Copies the servers' conditions; returns how many there are. Any thread. */
size_t monitor_servers(struct monitor *m, struct redis_condition out[static SERVERS_MAX]);
