/* Finding the Redis servers. */
#include "store/discovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static bool resolve(const struct endpoint *endpoint, struct redis_server *out, char error[static 512])
{
    *out = (struct redis_server){0};
    endpoint_format(endpoint, out->name);
    if (endpoint_resolve(endpoint, &out->addr, &out->addr_len))
        return true;
    snprintf(error, 512, "redis server %s: %s", out->name,
        errno == ENOENT ? "the name is not known" : strerror(errno));
    return false;
}

static bool add_server(
    struct topology *t, const char *host, long long port, int *index, char error[static 512])
{
    struct endpoint endpoint = {.port = (uint16_t)port};
    snprintf(endpoint.host, sizeof(endpoint.host), "%s", host);
    char name[300];
    endpoint_format(&endpoint, name);
    for (size_t i = 0; i < t->n_servers; i++) {
        if (strcmp(t->servers[i].name, name) == 0) {
            *index = (int)i;
            return true;
        }
    }
    if (t->n_servers == SERVERS_MAX) {
        snprintf(error, 512, "the cluster has more than %d primaries", SERVERS_MAX);
        return false;
    }
    *index = (int)t->n_servers;
    return resolve(&endpoint, &t->servers[t->n_servers++], error);
}

static bool is_slot_row(const redisReply *row)
{
    return row->type == REDIS_REPLY_ARRAY && row->elements >= 3 &&
           row->element[0]->type == REDIS_REPLY_INTEGER && row->element[1]->type == REDIS_REPLY_INTEGER &&
           row->element[2]->type == REDIS_REPLY_ARRAY && row->element[2]->elements >= 2 &&
           row->element[2]->element[0]->type == REDIS_REPLY_STRING && row->element[0]->integer >= 0 &&
           row->element[1]->integer < CLUSTER_SLOTS;
}

static bool read_slots(const redisReply *rows, const char *asked, struct topology *t, char error[static 512])
{
    for (size_t i = 0; i < rows->elements; i++) {
        const redisReply *row = rows->element[i];
        int index;
        if (!is_slot_row(row)) {
            snprintf(error, 512, "redis server %s: CLUSTER SLOTS is malformed", asked);
            return false;
        }
        const redisReply *node = row->element[2];
        if (!add_server(t, node->element[0]->str, node->element[1]->integer, &index, error))
            return false;
        for (long long slot = row->element[0]->integer; slot <= row->element[1]->integer; slot++)
            t->server_of_slot[slot] = (int16_t)index;
    }
    return true;
}

static bool place_partitions(const struct config *config, struct topology *t, char error[static 512])
{
    for (int p = 0; p < config->redis.partitions; p++) {
        char tag[PARTITION_TAG_MAX + 1];
        partition_tag(p, config->redis.partitions, tag);
        unsigned slot = cluster_slot(slice_of(tag));
        if (t->server_of_slot[slot] < 0) {
            snprintf(error, 512, "no primary of the redis cluster holds slot %u of partition %d", slot, p);
            return false;
        }
        t->server_of[p] = t->server_of_slot[slot];
    }
    return true;
}

static enum discovery discover_cluster(const struct config *config, redisContext *redis, const char *asked,
    struct topology *t, char error[static 512])
{
    char why[CLIENT_ERROR_MAX];
    redisReply *rows = client_words(redis, why, "CLUSTER", "SLOTS", NULL);
    if (rows == NULL || rows->type != REDIS_REPLY_ARRAY) {
        snprintf(error, 512, "redis server %.200s: CLUSTER SLOTS: %.200s", asked,
            rows == NULL ? why : "unexpected reply");
        freeReplyObject(rows);
        return DISCOVERY_UNREACHABLE;
    }
    memset(t->server_of_slot, -1, sizeof(t->server_of_slot));
    bool found = read_slots(rows, asked, t, error) && place_partitions(config, t, error);
    freeReplyObject(rows);
    return found ? DISCOVERY_FOUND : DISCOVERY_UNREACHABLE;
}

/* Value of FIELD in a flat array of fields and values. */
static const char *flat_field(const redisReply *row, const char *field)
{
    for (size_t i = 0; i + 1 < row->elements; i += 2)
        if (row->element[i]->type == REDIS_REPLY_STRING && strcmp(row->element[i]->str, field) == 0 &&
            row->element[i + 1]->type == REDIS_REPLY_STRING)
            return row->element[i + 1]->str;
    return NULL;
}

static enum discovery discover_sentinel(
    redisContext *redis, const char *asked, struct topology *t, char error[static 512])
{
    char why[CLIENT_ERROR_MAX];
    redisReply *masters = client_words(redis, why, "SENTINEL", "MASTERS", NULL);
    if (masters == NULL || masters->type != REDIS_REPLY_ARRAY) {
        snprintf(
            error, 512, "redis sentinel %.200s: %.200s", asked, masters == NULL ? why : "unexpected reply");
        freeReplyObject(masters);
        return DISCOVERY_UNREACHABLE;
    }
    enum discovery result = DISCOVERY_WRONG;
    const char *host = masters->elements == 1 ? flat_field(masters->element[0], "ip") : NULL;
    const char *port = masters->elements == 1 ? flat_field(masters->element[0], "port") : NULL;
    int index;
    if (host == NULL || port == NULL)
        snprintf(error, 512,
            "redis sentinel %s watches %zu primaries: minuted needs sentinels that watch exactly one", asked,
            masters->elements);
    else if (add_server(t, host, strtoll(port, NULL, 10), &index, error))
        result = DISCOVERY_FOUND;
    freeReplyObject(masters);
    return result;
}

static enum redis_mode mode_of(const char *info)
{
    if (strstr(info, "redis_mode:cluster") != NULL)
        return REDIS_CLUSTER;
    return strstr(info, "redis_mode:sentinel") != NULL ? REDIS_SENTINEL : REDIS_SINGLE;
}

/* False when the server does not say what it is: to take it for a single one would move every partition to
 * it. */
static bool find_mode(const struct config *config, redisContext *redis, const char *asked,
    enum redis_mode *mode, char error[static 512])
{
    char why[CLIENT_ERROR_MAX];
    *mode = config->redis.mode;
    if (*mode != REDIS_AUTO)
        return true;
    redisReply *info = client_words(redis, why, "INFO", "server", NULL);
    bool told = info != NULL && info->type == REDIS_REPLY_STRING;
    if (told)
        *mode = mode_of(info->str);
    else
        snprintf(error, 512, "redis server %.200s does not answer: %.200s", asked,
            info == NULL ? why : "unexpected reply");
    freeReplyObject(info);
    return told;
}

static enum discovery take_single(
    const struct config *config, const struct redis_server *asked, struct topology *t, char error[static 512])
{
    if (config->redis.servers.n > 1) {
        snprintf(error, 512,
            "redis.servers names %zu servers, but %s is a single one: name one server, or a cluster's "
            "or sentinels' addresses",
            config->redis.servers.n, asked->name);
        return DISCOVERY_WRONG;
    }
    t->servers[t->n_servers++] = *asked;
    return DISCOVERY_FOUND;
}

static enum discovery discover_by(const struct config *config, redisContext *redis,
    const struct redis_server *asked, struct topology *t, char error[static 512])
{
    enum redis_mode mode;
    if (!find_mode(config, redis, asked->name, &mode, error))
        return DISCOVERY_UNREACHABLE;
    switch (mode) {
    case REDIS_CLUSTER:
        return discover_cluster(config, redis, asked->name, t, error);
    case REDIS_SENTINEL:
        return discover_sentinel(redis, asked->name, t, error);
    default:
        return take_single(config, asked, t, error);
    }
}

static enum discovery ask(
    const struct config *config, const struct endpoint *endpoint, struct topology *t, char error[static 512])
{
    struct redis_server asked;
    char why[CLIENT_ERROR_MAX];
    if (!resolve(endpoint, &asked, error))
        return DISCOVERY_UNREACHABLE;
    redisContext *redis = client_connect(&asked, why);
    if (redis == NULL) {
        snprintf(error, 512, "redis server %.200s: %.200s", asked.name, why);
        return DISCOVERY_UNREACHABLE;
    }
    enum discovery result = discover_by(config, redis, &asked, t, error);
    redisFree(redis);
    return result;
}

static void forget(struct topology *t)
{
    t->n_servers = 0;
    memset(t->server_of, 0, sizeof(t->server_of));
    memset(t->server_of_slot, 0, sizeof(t->server_of_slot));
}

/* The first configured server that can tell is believed. */
enum discovery discover(const struct config *config, struct topology *t, char error[static 512])
{
    enum discovery result = DISCOVERY_UNREACHABLE;
    for (size_t i = 0; i < config->redis.servers.n && result == DISCOVERY_UNREACHABLE; i++) {
        forget(t);
        result = ask(config, &config->redis.servers.items[i], t, error);
    }
    return result;
}
