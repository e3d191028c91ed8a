/*
 * The monitor's thread: look, tell, wait for the next second or for a worker's wish.
 */
#include "redis/monitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/check.h"
#include "redis/client.h"
#include "redis/discovery.h"
#include "redis/history.h"
#include "redis/key.h"
#include "redis/libraries.h"
#include "redis/resolver.h"

enum { LOOK_EVERY_MS = 1000, LOOK_PAUSE_MS = 5, REACHED_MS = 10000, LEAVE_MS = 3000 };
#define NEVER_MS (INT64_MIN / 2)

/* What the thread alone uses: a connection to each server of the last look. */
struct seen_server {
    struct redis_server where;
    redisContext *redis;
    int64_t permitted_ms; /* as check_server() keeps it */
    int64_t missing_ms;   /* since when the name does not lead here any more, monotonic; 0: it does */
};

struct monitor {
    struct check_context context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    bool stopping;
    bool look_wanted;
    enum monitor_state state;
    char message[512];
    struct topology *topology;
    struct redis_condition servers[SERVERS_MAX];
    int64_t reached_ms[SERVERS_MAX]; /* monotonic; of servers[] */
    size_t n_servers;
    /* read without it */
    _Atomic uint64_t version;
    _Atomic uint64_t looks;
    _Atomic bool clock_wrong;
    _Atomic int64_t history_losses;
    /* the thread's own */
    struct resolver *resolver;
    struct seen_server connections[SERVERS_MAX];
    size_t n_connections;
    struct history history;
    struct libraries libraries;
};

/* ---- a look ---- */

struct look {
    struct topology *topology; /* NULL when the servers could not be found */
    enum monitor_state state;
    char message[512];
    struct redis_condition servers[SERVERS_MAX];
};

static void close_connection(struct seen_server *connection)
{
    if (connection->redis != NULL)
        redisFree(connection->redis);
    connection->redis = NULL;
    connection->permitted_ms = 0;
    connection->missing_ms = 0;
}

static void close_connections(struct monitor *m)
{
    for (size_t i = 0; i < m->n_connections; i++)
        close_connection(&m->connections[i]);
    m->n_connections = 0;
}

/*
 * A connection to where the name does not lead any more is one to a server that may be another by now. Name
 * servers that give some of a name's addresses in turn do not count: the address must be missing for a while.
 */
static void leave_old_address(struct monitor *m, struct seen_server *connection)
{
    struct endpoint_addresses found;
    int64_t now_ms = clock_monotonic_ms();
    bool there = false;
    if (connection->redis == NULL || !resolver_find(m->resolver, &connection->where.endpoint, &found))
        return;
    for (size_t i = 0; i < found.n; i++)
        there = there || endpoint_address_equal(&found.items[i], &connection->where.address);
    if (there || found.n == ENDPOINT_ADDRESSES_MAX)
        connection->missing_ms = 0;
    else if (connection->missing_ms == 0)
        connection->missing_ms = now_ms;
    else if (now_ms - connection->missing_ms >= LEAVE_MS)
        close_connection(connection);
}

/* False with SEEN's problem filled when there is no connection on which the server may be asked. */
static bool keep_connected(struct monitor *m, struct seen_server *connection, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    leave_old_address(m, connection);
    if (connection->redis != NULL)
        return true;
    connection->redis = client_find(m->resolver, &connection->where, error);
    seen->away = connection->redis == NULL;
    if (seen->away)
        condition_complain(seen, "cannot be reached: %.200s", error);
    else if (client_login(connection->redis, &connection->where, error))
        return true;
    else
        condition_complain(seen, "%.250s", error);
    close_connection(connection);
    return false;
}

static enum check_result check_one(struct monitor *m, struct look *look, size_t i)
{
    struct topology *t = look->topology;
    struct seen_server *connection = &m->connections[i];
    struct redis_condition *seen = &look->servers[i];
    snprintf(seen->name, sizeof(seen->name), "%s", t->servers[i].name);
    bool connected = keep_connected(m, connection, seen);
    t->servers[i].address = connection->where.address;
    if (!connected)
        return CHECK_PASSING;
    bool holds_settings = topology_server_of_key(t, KEY_SETTINGS) == i;
    enum check_result result = check_server(
        &m->context, connection->redis, &t->servers[i], holds_settings, &connection->permitted_ms, seen);
    int partitions = m->context.config->redis.partitions;
    if (result == CHECK_GOOD &&
        !history_look(&m->history, connection->redis, t, i, partitions, m->context.log, seen))
        result = CHECK_PASSING;
    atomic_store(&m->history_losses, m->history.losses);
    seen->away = connection->redis->err != 0;
    /* A reply that was not understood may have left the connection in any state, even inside a transaction,
     * where every later question would be answered QUEUED. So the next look asks over a new one. */
    if (seen->away || result != CHECK_GOOD)
        close_connection(connection);
    return result;
}

static void look_at_libraries(struct monitor *m, const struct topology *t)
{
    redisContext *servers[SERVERS_MAX];
    for (size_t i = 0; i < t->n_servers; i++)
        servers[i] = t->servers[i].usable ? m->connections[i].redis : NULL;
    libraries_look(&m->libraries, m->context.library, servers, t->n_servers,
        topology_server_of_key(t, KEY_SETTINGS), m->context.log);
    for (size_t i = 0; i < t->n_servers; i++)
        if (m->connections[i].redis != NULL && m->connections[i].redis->err != 0)
            close_connection(&m->connections[i]);
}

static void check_all(struct monitor *m, struct look *look)
{
    struct topology *t = look->topology;
    if (m->topology == NULL || topology_compare(m->topology, t) == TOPOLOGY_SERVERS) {
        close_connections(m);
        for (size_t i = 0; i < t->n_servers; i++)
            m->connections[i] = (struct seen_server){.where = t->servers[i]};
        m->n_connections = t->n_servers;
    }
    look->state = MONITOR_READY;
    for (size_t i = 0; i < t->n_servers; i++) {
        enum check_result result = check_one(m, look, i);
        t->servers[i].usable = result == CHECK_GOOD;
        if (result == CHECK_GOOD || look->state == MONITOR_WRONG)
            continue;
        look->state = result == CHECK_WRONG ? MONITOR_WRONG : MONITOR_UNREACHABLE;
        snprintf(look->message, sizeof(look->message), "redis server %.200s: %s", look->servers[i].name,
            look->servers[i].problem);
    }
    look_at_libraries(m, t);
}

/* The servers of the last look stay in force while none can be found: their connections tell how they are. */
static void look_around(struct monitor *m, struct look *look)
{
    struct topology *t = topology_new();
    *look = (struct look){.topology = t};
    switch (discovery_find(m->context.config, m->resolver, t, look->message)) {
    case DISCOVERY_FOUND:
        check_all(m, look);
        return;
    case DISCOVERY_WRONG:
        look->state = MONITOR_WRONG;
        break;
    case DISCOVERY_UNREACHABLE:
        look->state = MONITOR_UNREACHABLE;
        break;
    }
    topology_unref(t);
    look->topology = NULL;
}

/* ---- telling ---- */

/* A server that cannot be asked leaves the verdict as it was. */
static void tell_clock(struct monitor *m, const struct look *look)
{
    bool asked = false;
    bool wrong = false;
    for (size_t i = 0; i < look->topology->n_servers; i++) {
        asked = asked || look->servers[i].reached;
        wrong = wrong || !condition_clock_agrees(&look->servers[i]);
    }
    if (asked)
        atomic_store(&m->clock_wrong, wrong);
}

/* When a server was reached last is kept by its name. */
static void tell_servers(struct monitor *m, const struct look *look)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t reached_ms[SERVERS_MAX];
    for (size_t i = 0; i < look->topology->n_servers; i++) {
        int known = m->topology == NULL ? -1 : topology_find_server(m->topology, look->servers[i].name);
        reached_ms[i] = known < 0 ? NEVER_MS : m->reached_ms[known];
        if (look->servers[i].reached)
            reached_ms[i] = now_ms;
        m->servers[i] = look->servers[i];
    }
    memcpy(m->reached_ms, reached_ms, sizeof(reached_ms));
    m->n_servers = look->topology->n_servers;
}

static void tell_topology(struct monitor *m, struct topology *t)
{
    if (m->topology != NULL && topology_compare(m->topology, t) == TOPOLOGY_SAME) {
        topology_unref(t);
        return;
    }
    t->version = atomic_load(&m->version) + 1;
    topology_unref(m->topology);
    m->topology = t;
    atomic_store(&m->version, t->version);
}

/* No server can be found: those known before are not usable until one is. */
static void tell_unusable(struct monitor *m)
{
    for (size_t i = 0; i < m->n_servers; i++)
        m->servers[i].away = true;
    if (m->topology == NULL)
        return;
    struct topology *t = topology_copy(m->topology);
    for (size_t i = 0; i < t->n_servers; i++)
        t->servers[i].usable = false;
    tell_topology(m, t);
}

static void tell(struct monitor *m, struct look *look)
{
    pthread_mutex_lock(&m->lock);
    bool news = look->state != m->state || strcmp(look->message, m->message) != 0;
    m->state = look->state;
    memcpy(m->message, look->message, sizeof(m->message));
    if (look->topology != NULL) {
        tell_clock(m, look);
        tell_servers(m, look);
        tell_topology(m, look->topology);
    } else {
        tell_unusable(m);
    }
    bool first = atomic_fetch_add(&m->looks, 1) == 0;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (look->state != MONITOR_READY && (news || first))
        log_event(m->context.log, LOG_WARN, "redis_not_ready", "problem=%s", LOG_QUOTE(look->message));
    else if (news || first)
        log_event(m->context.log, LOG_INFO, "redis_checked", "result=ready");
}

/* ---- the thread ---- */

/* False when the monitor stops. */
static bool wait_for_next(struct monitor *m)
{
    struct timespec at = clock_deadline(LOOK_EVERY_MS);
    pthread_mutex_lock(&m->lock);
    while (!m->stopping && !m->look_wanted)
        if (pthread_cond_timedwait(&m->changed, &m->lock, &at) != 0)
            break;
    m->look_wanted = false;
    bool go_on = !m->stopping;
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

static void *run(void *ctx)
{
    struct monitor *m = ctx;
    struct look *look = mem_alloc(sizeof(*look));
    do {
        look_around(m, look);
        tell(m, look);
        /* wishes come in bursts: a short pause lets one look serve them all */
        struct timespec pause = {0, LOOK_PAUSE_MS * 1000000};
        nanosleep(&pause, NULL);
    } while (wait_for_next(m));
    close_connections(m);
    free(look);
    return NULL;
}

/* ---- the interface ---- */

struct monitor *monitor_start(
    const struct config *config, const struct redis_library *library, struct log *log)
{
    struct monitor *m = mem_zalloc(sizeof(*m));
    m->context = (struct check_context){config, library, log};
    m->state = MONITOR_UNREACHABLE;
    m->resolver = resolver_new();
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&m->thread, NULL, run, m) != 0)
        abort();
    return m;
}

void monitor_stop(struct monitor *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    topology_unref(m->topology);
    resolver_free(m->resolver);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

enum monitor_state monitor_wait(struct monitor *m, int64_t timeout_ms, char message[static 512])
{
    struct timespec at = clock_deadline(timeout_ms);
    pthread_mutex_lock(&m->lock);
    while (atomic_load(&m->looks) == 0)
        if (pthread_cond_timedwait(&m->changed, &m->lock, &at) != 0)
            break;
    pthread_mutex_unlock(&m->lock);
    return monitor_state(m, message);
}

enum monitor_state monitor_state(struct monitor *m, char message[static 512])
{
    pthread_mutex_lock(&m->lock);
    memcpy(message, m->message, sizeof(m->message));
    enum monitor_state state = m->state;
    pthread_mutex_unlock(&m->lock);
    return state;
}

enum topology_change monitor_follow(struct monitor *m, struct topology **current)
{
    struct topology *before = *current;
    enum topology_change change = TOPOLOGY_SERVERS;
    if (before != NULL && before->version == monitor_version(m))
        return TOPOLOGY_SAME;
    pthread_mutex_lock(&m->lock);
    struct topology *now = m->topology == NULL ? NULL : topology_ref(m->topology);
    pthread_mutex_unlock(&m->lock);
    if (now == NULL)
        return TOPOLOGY_SAME;
    if (before != NULL)
        change = topology_compare(before, now);
    if (change == TOPOLOGY_SAME)
        change = TOPOLOGY_USABILITY;
    topology_unref(before);
    *current = now;
    return change;
}

uint64_t monitor_version(const struct monitor *m)
{
    return atomic_load_explicit(&m->version, memory_order_relaxed);
}

bool monitor_clock_trusted(const struct monitor *m)
{
    return !atomic_load_explicit(&m->clock_wrong, memory_order_relaxed);
}

uint64_t monitor_looks(const struct monitor *m)
{
    return atomic_load_explicit(&m->looks, memory_order_relaxed);
}

int64_t monitor_history_losses(const struct monitor *m)
{
    return atomic_load_explicit(&m->history_losses, memory_order_relaxed);
}

void monitor_look(struct monitor *m)
{
    pthread_mutex_lock(&m->lock);
    m->look_wanted = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

size_t monitor_servers(struct monitor *m, struct redis_condition *out, size_t max)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&m->lock);
    size_t n = m->n_servers < max ? m->n_servers : max;
    for (size_t i = 0; i < n; i++) {
        out[i] = m->servers[i];
        out[i].reached = now - m->reached_ms[i] < REACHED_MS;
    }
    pthread_mutex_unlock(&m->lock);
    return n;
}
