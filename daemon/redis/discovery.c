/* Finding the Redis servers. */
#include "redis/discovery.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "redis/reply.h"

enum { NAMES_MAX = 200 };

/* What the functions below work on. */
struct asking {
    const struct config *config;
    redisContext *redis;
    const struct redis_server *asked; /* over REDIS */
    struct topology *t;
    char *error; /* 512 bytes */
};

static void __attribute__((format(printf, 2, 3))) complain(const struct asking *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = snprintf(a->error, 512, "redis server %.200s: ", a->asked->name);
    vsnprintf(a->error + len, 512 - (size_t)len, format, args);
    va_end(args);
}

static void init_server(
    const struct config *config, const struct endpoint *endpoint, struct redis_server *out)
{
    *out = (struct redis_server){.endpoint = *endpoint, .login = &config->redis.login};
    endpoint_format(endpoint, out->name);
}

/* The index of the server at ENDPOINT, which is added where it is new; -1 when there are too many. */
static int add_server(const struct asking *a, const struct endpoint *endpoint)
{
    struct topology *t = a->t;
    struct redis_server server;
    init_server(a->config, endpoint, &server);
    int known = topology_find_server(t, server.name);
    if (known >= 0)
        return known;
    if (t->n_servers == SERVERS_MAX) {
        complain(a, "names more than %d primaries", SERVERS_MAX);
        return -1;
    }
    t->servers[t->n_servers] = server;
    return (int)t->n_servers++;
}

/* ---- a cluster ---- */

/* The address that a node is told by where its name is not known: behind its id, among other names and
 * addresses of it, as fields and values. */
static bool read_ip(const redisReply *node, struct slice *ip)
{
    const redisReply *more = reply_at(node, 3);
    struct slice field;
    for (size_t i = 0; reply_at(more, i + 1) != NULL; i += 2)
        if (reply_string(reply_at(more, i), &field) && slice_equal(field, SLICE_LITERAL("ip")))
            return reply_string(reply_at(more, i + 1), ip) && ip->len > 0;
    return false;
}

/*
 * Host and port of a node. A node that does not know what it is called by gives a null or empty host: it is
 * the one that was asked. "?" stands for a node whose host name has not been told to it, or not yet to the
 * node that was asked: its address has to do.
 */
static bool read_node(const struct asking *a, const redisReply *node, struct endpoint *out)
{
    struct slice host;
    int64_t port;
    const redisReply *name = reply_at(node, 0);
    if (!reply_integer(reply_at(node, 1), &port) || port < 1 || port > UINT16_MAX)
        return false;
    if (name != NULL && name->type == REDIS_REPLY_NIL)
        host = (struct slice){"", 0};
    else if (!reply_string(name, &host))
        return false;
    if (slice_equal(host, SLICE_LITERAL("?")) && !read_ip(node, &host)) {
        complain(
            a, "names no host of a node in CLUSTER SLOTS: cluster-announce-hostname of that node is missing");
        return false;
    }
    if (host.len > ENDPOINT_HOST_MAX || memchr(host.ptr, '\0', host.len) != NULL)
        return false;
    *out = a->asked->endpoint;
    if (out->is_unix && host.len == 0)
        return true;
    if (host.len > 0)
        *out = (struct endpoint){0};
    memcpy(out->host, host.ptr, host.len);
    out->port = (uint16_t)port;
    return true;
}

static enum discovery discover_cluster(const struct asking *a)
{
    struct topology *t = a->t;
    char why[CLIENT_ERROR_MAX];
    redisReply *rows = client_words(a->redis, why, "CLUSTER", "SLOTS", NULL);
    bool good = reply_is_array(rows);
    if (!good)
        complain(a, "does not answer CLUSTER SLOTS: %.200s", rows == NULL ? why : "unexpected reply");
    memset(t->server_of_slot, -1, sizeof(t->server_of_slot));
    for (size_t i = 0; good && i < rows->elements; i++) {
        /* Each row is a range of slots: the first, the last, their primary, its replicas. */
        const redisReply *row = rows->element[i];
        int64_t first, last;
        struct endpoint endpoint;
        good = reply_integer(reply_at(row, 0), &first) && reply_integer(reply_at(row, 1), &last) &&
               first >= 0 && last < CLUSTER_SLOTS && read_node(a, reply_at(row, 2), &endpoint);
        if (!good) {
            if (a->error[0] == '\0')
                complain(a, "gives a malformed answer to CLUSTER SLOTS");
            break;
        }
        int index = add_server(a, &endpoint);
        good = index >= 0;
        for (int64_t slot = first; good && slot <= last; slot++)
            t->server_of_slot[slot] = (int16_t)index;
    }
    freeReplyObject(rows);
    for (int p = 0; good && p < a->config->redis.partitions; p++) {
        char tag[TOPOLOGY_TAG_MAX + 1];
        topology_tag(p, a->config->redis.partitions, tag);
        unsigned slot = topology_slot_of(slice_of(tag));
        if (t->server_of_slot[slot] < 0) {
            snprintf(a->error, 512, "no primary of the redis cluster holds slot %u of partition %d", slot, p);
            return DISCOVERY_UNREACHABLE;
        }
        t->server_of[p] = t->server_of_slot[slot];
    }
    return good ? DISCOVERY_FOUND : DISCOVERY_UNREACHABLE;
}

/* ---- sentinels ---- */

/* Value of FIELD in a flat array of fields and values; "" when missing. */
static const char *flat_field(const redisReply *row, const char *field)
{
    for (size_t i = 0; reply_at(row, i + 1) != NULL; i += 2)
        if (strcmp(reply_text(reply_at(row, i)), field) == 0)
            return reply_text(reply_at(row, i + 1));
    return "";
}

/* The row of the primary group NAME; NULL if the sentinel watches none of that name. */
static const redisReply *find_primary(const redisReply *rows, const char *name)
{
    for (size_t i = 0; reply_at(rows, i) != NULL; i++)
        if (strcmp(flat_field(reply_at(rows, i), "name"), name) == 0)
            return reply_at(rows, i);
    return NULL;
}

/* "one, two and 3 more" */
static void list_primaries(const redisReply *rows, char text[static NAMES_MAX])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < rows->elements; i++) {
        const char *name = flat_field(rows->element[i], "name");
        size_t left = rows->elements - i;
        if (len + strlen(name) + sizeof(", and 9999999 more") > NAMES_MAX) {
            snprintf(text + len, NAMES_MAX - len, " and %zu more", left);
            return;
        }
        len += (size_t)snprintf(text + len, NAMES_MAX - len, "%s%s", i > 0 ? ", " : "", name);
    }
}

/* The address in ROW of SENTINEL MASTERS. */
static enum discovery take_primary(const struct asking *a, const redisReply *row)
{
    const char *ip = flat_field(row, "ip");
    const char *port = flat_field(row, "port");
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    struct endpoint endpoint = {.port = (uint16_t)number};
    snprintf(endpoint.host, sizeof(endpoint.host), "%s", ip);
    if (ip[0] == '\0' || strlen(ip) > ENDPOINT_HOST_MAX || port[0] < '0' || port[0] > '9' || *end != '\0' ||
        number < 1 || number > UINT16_MAX) {
        complain(a, "gives a malformed answer to SENTINEL MASTERS");
        return DISCOVERY_UNREACHABLE;
    }
    return add_server(a, &endpoint) >= 0 ? DISCOVERY_FOUND : DISCOVERY_UNREACHABLE;
}

static enum discovery discover_sentinel(const struct asking *a)
{
    char why[CLIENT_ERROR_MAX];
    char names[NAMES_MAX];
    const char *wanted = a->config->redis.primary;
    redisReply *rows = client_words(a->redis, why, "SENTINEL", "MASTERS", NULL);
    enum discovery result = DISCOVERY_UNREACHABLE;
    const redisReply *row = wanted != NULL ? find_primary(rows, wanted) : reply_at(rows, 0);
    if (!reply_is_array(rows)) {
        complain(a, "does not answer SENTINEL MASTERS: %.200s", rows == NULL ? why : "unexpected reply");
    } else if (rows->elements == 0) {
        complain(a, "is a sentinel that watches no primary");
    } else if (wanted != NULL && row == NULL) {
        /* Another sentinel may be told of it already, and this one soon. */
        list_primaries(rows, names);
        complain(a, "is a sentinel of no primary %.64s (redis.primary), but of %s", wanted, names);
        result = DISCOVERY_ELSEWHERE;
    } else if (wanted == NULL && rows->elements > 1) {
        list_primaries(rows, names);
        complain(
            a, "is a sentinel of %zu primaries: redis.primary must name one of %s", rows->elements, names);
        result = DISCOVERY_WRONG;
    } else {
        result = take_primary(a, row);
    }
    freeReplyObject(rows);
    return result;
}

/* ---- whatever it is ---- */

/* REDIS_AUTO when the server does not say what it is. It is not taken for a single server then, since every
 * partition would move to it. */
static enum redis_mode find_mode(const struct asking *a)
{
    char why[CLIENT_ERROR_MAX];
    enum redis_mode mode = a->config->redis.mode;
    if (mode != REDIS_AUTO)
        return mode;
    redisReply *info = client_words(a->redis, why, "INFO", "server", NULL);
    const char *name = strstr(reply_text(info), "redis_mode:");
    if (name == NULL) /* Valkey's word for it */
        name = strstr(reply_text(info), "server_mode:");
    name = name == NULL ? "" : strchr(name, ':') + 1;
    if (strncmp(name, "cluster", strlen("cluster")) == 0)
        mode = REDIS_CLUSTER;
    else if (strncmp(name, "sentinel", strlen("sentinel")) == 0)
        mode = REDIS_SENTINEL;
    else if (strncmp(name, "standalone", strlen("standalone")) == 0)
        mode = REDIS_SINGLE;
    else
        complain(a, "does not say what it is: %.200s", info == NULL ? why : "unexpected reply");
    freeReplyObject(info);
    return mode;
}

static enum discovery ask(const struct config *config, struct resolver *resolver,
    const struct endpoint *endpoint, struct topology *t, char error[static 512])
{
    struct redis_server asked;
    struct asking a = {config, NULL, &asked, t, error};
    char why[CLIENT_ERROR_MAX];
    error[0] = '\0';
    init_server(config, endpoint, &asked);
    a.redis = client_find(resolver, &asked, why);
    if (a.redis == NULL) {
        complain(&a, "cannot be reached: %.200s", why);
        return DISCOVERY_UNREACHABLE;
    }
    /* sentinels often know no users, and no password, where the servers that they watch do */
    bool let_in = client_login(a.redis, &asked, why);
    enum redis_mode mode = find_mode(&a);
    enum discovery result = DISCOVERY_UNREACHABLE;
    if (mode == REDIS_SENTINEL) {
        result = discover_sentinel(&a);
    } else if (mode != REDIS_AUTO && let_in && config->redis.primary != NULL) {
        complain(&a, "is no sentinel, but redis.primary is given, which only sentinels are asked for");
        result = DISCOVERY_WRONG;
    } else if (mode == REDIS_CLUSTER && let_in) {
        result = discover_cluster(&a);
    } else if (mode == REDIS_SINGLE && let_in && config->redis.servers.n > 1) {
        snprintf(error, 512,
            "redis.servers names %zu servers, but %s is a single one: name one server, or a cluster's "
            "or sentinels' addresses",
            config->redis.servers.n, asked.name);
        result = DISCOVERY_WRONG;
    } else if (mode == REDIS_SINGLE && let_in) {
        t->servers[t->n_servers++] = asked;
        result = DISCOVERY_FOUND;
    }
    if (!let_in && result == DISCOVERY_UNREACHABLE)
        complain(&a, "%.250s", why);
    redisFree(a.redis);
    return result;
}

enum discovery discovery_find(
    const struct config *config, struct resolver *resolver, struct topology *t, char error[static 512])
{
    char elsewhere[512] = "";
    for (size_t i = 0; i < config->redis.servers.n; i++) {
        t->n_servers = 0; /* nothing of what the server before it said is kept */
        memset(t->server_of, 0, sizeof(t->server_of));
        memset(t->server_of_slot, 0, sizeof(t->server_of_slot));
        enum discovery result = ask(config, resolver, &config->redis.servers.items[i], t, error);
        if (result == DISCOVERY_ELSEWHERE)
            memcpy(elsewhere, error, sizeof(elsewhere));
        else if (result != DISCOVERY_UNREACHABLE)
            return result;
    }
    /* If a sentinel could be asked, what it says tells more than that others are away. */
    if (elsewhere[0] == '\0')
        return DISCOVERY_UNREACHABLE;
    memcpy(error, elsewhere, sizeof(elsewhere));
    return DISCOVERY_ELSEWHERE;
}
