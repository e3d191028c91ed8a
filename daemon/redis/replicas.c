/* The replicas that may be promoted. */
#include "redis/replicas.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/client.h"
#include "redis/info.h"
#include "redis/keeping.h"
#include "redis/reply.h"
#include "redis/resolver.h"

enum {
    KNOWN_MAX = 256,     /* replicas of all primaries; of further ones nothing is known */
    ASK_EVERY_MS = 10000 /* how they are set up */
};

/* A replica and what it said. Until it has answered, it is taken for one that may be promoted. */
struct replica {
    struct redis_server server;
    int64_t named_ms; /* when a primary named it last, monotonic */
    int64_t asked_ms; /* when it was asked last; 0: never */
    bool spared;      /* it is never promoted */
    char fault[128];  /* why it would not be used as a primary; "" when it would be, or is not known */
};

struct replicas {
    const struct config *config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    bool stopping;
    size_t n;
    struct replica items[KNOWN_MAX];
};

static struct replica *find_replica(struct replicas *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->items[i].server.name, name) == 0)
            return &r->items[i];
    return NULL;
}

/* ---- asking a replica ---- */

/* A sentinel passes over a replica of priority 0, and a cluster one that is told not to fail over. */
static bool is_spared(redisContext *redis, const char *info)
{
    char error[CLIENT_ERROR_MAX];
    if (!info_is(info, "cluster_enabled", "1"))
        return info_is(info, "slave_priority", "0");
    redisReply *reply = client_words(redis, error, "CONFIG", "GET", "cluster-replica-no-failover", NULL);
    bool spared = strcmp(reply_text(reply_at(reply, 1)), "yes") == 0;
    freeReplyObject(reply);
    return spared;
}

/* Asks REPLICA, a copy. False when it did not answer; what is known of it stays then. */
static bool ask_replica(const struct config *config, struct resolver *resolver, struct replica *replica)
{
    char error[CLIENT_ERROR_MAX];
    struct redis_condition seen = {0};
    redisContext *redis = client_find(resolver, &replica->server, error);
    if (redis == NULL)
        return false;
    redisReply *info = NULL;
    if (client_login(redis, &replica->server, error))
        info = client_words(redis, error, "INFO", NULL);
    bool answered = info != NULL && info->type == REDIS_REPLY_STRING;
    if (answered) {
        replica->spared = is_spared(redis, info->str);
        enum check_result result = keeping_check(config, redis, info->str, &seen);
        snprintf(replica->fault, sizeof(replica->fault), "%.127s", result == CHECK_WRONG ? seen.problem : "");
    }
    freeReplyObject(info);
    redisFree(redis);
    return answered;
}

/* The replica to be asked next; NULL if none is due. */
static struct replica *next_replica(struct replicas *r)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].asked_ms == 0 || now_ms - r->items[i].asked_ms >= ASK_EVERY_MS)
            return &r->items[i];
    return NULL;
}

static void *run(void *ctx)
{
    struct replicas *r = ctx;
    struct resolver *resolver = resolver_new();
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        struct replica *next = next_replica(r);
        if (next == NULL) {
            struct timespec at = clock_deadline(ASK_EVERY_MS / 10);
            pthread_cond_timedwait(&r->changed, &r->lock, &at);
            continue;
        }
        struct replica asked = *next;
        pthread_mutex_unlock(&r->lock);
        bool answered = ask_replica(r->config, resolver, &asked);
        pthread_mutex_lock(&r->lock);
        struct replica *replica = find_replica(r, asked.server.name); /* the list may be another by now */
        if (replica == NULL)
            continue;
        replica->asked_ms = clock_monotonic_ms();
        if (answered) {
            replica->spared = asked.spared;
            memcpy(replica->fault, asked.fault, sizeof(replica->fault));
        }
    }
    pthread_mutex_unlock(&r->lock);
    resolver_free(resolver);
    return NULL;
}

/* ---- the primary's list ---- */

/* Reads `slaveN:ip=HOST,port=PORT,state=online,…`. False for another line, or a replica that is not online.
 */
static bool read_line(const char *line, struct endpoint *out)
{
    unsigned port = 0;
    char state[16] = "";
    *out = (struct endpoint){0};
    _Static_assert(ENDPOINT_HOST_MAX == 255, "as the format below says");
    if (sscanf(line, "slave%*u:ip=%255[^,],port=%u,state=%15[a-z_]", out->host, &port, state) != 3)
        return false;
    out->port = (uint16_t)port;
    return strcmp(state, "online") == 0 && port > 0 && port <= UINT16_MAX;
}

/* The entry of the replica at ENDPOINT; NULL when there are too many. */
static struct replica *note_replica(
    struct replicas *r, const struct endpoint *endpoint, const struct redis_login *login)
{
    struct redis_server server = {.endpoint = *endpoint, .login = login};
    endpoint_format(endpoint, server.name);
    struct replica *replica = find_replica(r, server.name);
    if (replica == NULL && r->n < KNOWN_MAX) {
        replica = &r->items[r->n++];
        *replica = (struct replica){.server = server};
        pthread_cond_signal(&r->changed);
    }
    if (replica != NULL)
        replica->named_ms = clock_monotonic_ms();
    return replica;
}

/* Replicas that no primary has named for a while are not asked any more. */
static void forget_replicas(struct replicas *r)
{
    int64_t now_ms = clock_monotonic_ms();
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (now_ms - r->items[i].named_ms < ASK_EVERY_MS)
            r->items[n++] = r->items[i];
    r->n = n;
}

void replicas_look(
    struct replicas *r, redisContext *redis, const struct redis_server *primary, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    int asked = r->config->redis.durability.replicas;
    int promotable = 0;
    if (asked == 0 && !r->config->redis.durability.fsync)
        return; /* for development: nothing is promised */
    redisReply *info = client_words(redis, error, "INFO", "replication", NULL);
    pthread_mutex_lock(&r->lock);
    forget_replicas(r);
    for (const char *line = reply_text(info); line != NULL; line = strchr(line, '\n')) {
        struct endpoint endpoint;
        line += *line == '\n';
        if (!read_line(line, &endpoint))
            continue;
        const struct replica *replica = note_replica(r, &endpoint, primary->login);
        if (replica != NULL && replica->spared)
            continue;
        promotable++;
        if (replica != NULL && replica->fault[0] != '\0')
            snprintf(seen->risk, sizeof(seen->risk),
                "its replica %.60s would not be used after a failover: it %.127s", replica->server.name,
                replica->fault);
    }
    pthread_mutex_unlock(&r->lock);
    freeReplyObject(info);
    if (promotable > asked)
        snprintf(seen->risk, sizeof(seen->risk),
            "%d of its replicas may be promoted, and redis.durability waits for %d of them: "
            "a failover can lose what was accepted",
            promotable, asked);
}

/* ---- the interface ---- */

struct replicas *replicas_new(const struct config *config)
{
    struct replicas *r = mem_zalloc(sizeof(*r));
    r->config = config;
    pthread_mutex_init(&r->lock, NULL);
    clock_init_condition(&r->changed);
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        abort();
    return r;
}

void replicas_free(struct replicas *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
