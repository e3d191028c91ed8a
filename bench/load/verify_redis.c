/*
 * Reads what Redis holds of the evidence's learners: every mask in the buckets of its minutes, and every
 * total. Learners are asked for by name, in batches of one partition, so that neither side holds more than a
 * batch.
 *
 * Servers and keys are found by the daemon's own functions: a mistake there makes seconds missing, which the
 * verification reports. What a key holds is decoded here, by stored.c.
 */
#include "load/verify_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "load/stored.h"
#include "redis/client.h"
#include "redis/discovery.h"
#include "redis/resolver.h"
#include "redis/resp.h"
#include "redis/topology.h"

enum { BATCH = 500 };

/* The learners of one partition whom the reading has still to ask for. */
struct learner_batch {
    size_t n;
    size_t learners[BATCH];
};

struct redis_reading {
    const struct config *config;
    const struct topology *servers;
    const struct evidence *evidence;
    struct holding *holding;
    struct verification *v;
    redisContext *connections[SERVERS_MAX]; /* made when first needed */
    struct learner_batch *batches;          /* by partition */
    int64_t first_bucket;
    size_t n_buckets;
    struct buf commands;
};

/* ---- finding the servers ---- */

/* A Redis in which nothing was ever stored passes: that all is lost there is for the verdict to say. */
static bool check_partitions(
    const struct config *config, redisContext *redis, const char *server, struct verification *v)
{
    char configured[16];
    char error[CLIENT_ERROR_MAX];
    snprintf(configured, sizeof(configured), "%d", config->redis.partitions);
    redisReply *reply = client_words(redis, error, "HGET", KEY_SETTINGS, "redis.partitions", NULL);
    bool good = true;
    if (reply == NULL)
        good = verification_refuse(v, "redis server %.80s: " KEY_SETTINGS ": %.120s", server, error);
    else if (reply->type != REDIS_REPLY_NIL &&
             (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, configured) != 0))
        good =
            verification_refuse(v, "redis server %.120s was first used with redis.partitions = %.16s, not %s",
                server, reply->type == REDIS_REPLY_STRING ? reply->str : "?", configured);
    freeReplyObject(reply);
    return good;
}

static redisContext *connect_to(const struct redis_server *server, struct verification *v)
{
    char error[CLIENT_ERROR_MAX];
    redisContext *redis = client_connect(server, error);
    if (redis == NULL)
        verification_refuse(v, "redis server %.80s: %.160s", server->name, error);
    return redis;
}

/* Finds the servers, and of each an address that answers. */
static bool find_servers(
    const struct config *config, struct resolver *resolver, struct topology *t, struct verification *v)
{
    char error[512];
    if (discovery_find(config, resolver, t, error) != DISCOVERY_FOUND)
        return verification_refuse(v, "%.255s", error);
    for (size_t i = 0; i < t->n_servers; i++) {
        redisContext *redis = client_find(resolver, &t->servers[i], error);
        if (redis == NULL)
            return verification_refuse(v, "redis server %.80s: %.160s", t->servers[i].name, error);
        redisFree(redis);
    }
    return true;
}

bool verify_find_redis(const struct config *config, struct topology *t, struct verification *v)
{
    struct resolver *resolver = resolver_new();
    bool found = find_servers(config, resolver, t, v);
    resolver_free(resolver);
    if (!found)
        return false;
    const struct redis_server *server = &t->servers[topology_server_of_key(t, KEY_SETTINGS)];
    redisContext *redis = connect_to(server, v);
    if (redis == NULL)
        return false;
    bool good = check_partitions(config, redis, server->name, v);
    redisFree(redis);
    return good;
}

/* ---- values ---- */

/* A value of w:<bucket>. */
static bool take_masks(struct redis_reading *r, size_t learner, int64_t bucket, const redisReply *value)
{
    struct slice lessons;
    if (!stored_masks((struct slice){value->str, value->len}, &lessons))
        return false;
    while (lessons.len > 0) {
        struct stored_lesson lesson;
        if (!stored_next_lesson(&lessons, &lesson))
            return false;
        for (int i = 0; i < STORED_MINUTES; i++)
            holding_take_mask(r->holding, learner, lesson.id, bucket * STORED_MINUTES + i, lesson.masks[i]);
    }
    return true;
}

/* ---- replies ---- */

struct asked_batch {
    struct redis_reading *r;
    const struct learner_batch *batch;
    const struct redis_server *server;
};

static void refuse_value(const struct asked_batch *a, const char *key, size_t learner, const char *why)
{
    char name[EVIDENCE_LEARNER_MAX + 1];
    evidence_learner(a->r->evidence, learner, name);
    verification_refuse(a->r->v, "redis server %.60s: %s of %.80s: %.80s", a->server->name, key, name, why);
}

static const char *why_no_array(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR ? reply->str : "not a hash";
}

static void take_bucket(const struct asked_batch *a, int64_t bucket, const redisReply *reply)
{
    char key[32];
    snprintf(key, sizeof(key), "w:%" PRId64, bucket);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != a->batch->n) {
        refuse_value(a, key, a->batch->learners[0], why_no_array(reply));
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *value = reply->element[i];
        size_t learner = a->batch->learners[i];
        if (value->type != REDIS_REPLY_NIL &&
            (value->type != REDIS_REPLY_STRING || !take_masks(a->r, learner, bucket, value)))
            refuse_value(a, key, learner, "the masks are malformed");
    }
}

static void take_totals(const struct asked_batch *a, size_t learner, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        refuse_value(a, "t", learner, why_no_array(reply));
        return;
    }
    /* The elements are the lessons of t:<learner>, each with its value behind it. */
    for (size_t i = 0; i < reply->elements; i += 2) {
        const redisReply *lesson = reply->element[i];
        const redisReply *value = reply->element[i + 1];
        int64_t seconds;
        if (lesson->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            stored_total((struct slice){value->str, value->len}, &seconds))
            holding_take_total(a->r->holding, learner, (struct slice){lesson->str, lesson->len}, seconds);
        else
            refuse_value(a, "t", learner, "a total is malformed");
    }
}

static void take_reply(void *ctx, size_t index, const redisReply *reply)
{
    const struct asked_batch *a = ctx;
    if (index < a->r->n_buckets)
        take_bucket(a, a->r->first_bucket + (int64_t)index, reply);
    else
        take_totals(a, a->batch->learners[index - a->r->n_buckets], reply);
}

/* ---- asking ---- */

static void write_commands(struct redis_reading *r, int partition, const struct learner_batch *batch)
{
    struct slice portal = slice_of(r->evidence->portal);
    struct key_prefix prefix;
    char name[EVIDENCE_LEARNER_MAX + 1];
    topology_key_prefix(&prefix, partition, r->config->redis.partitions);
    buf_clear(&r->commands);
    for (size_t b = 0; b < r->n_buckets; b++) {
        resp_begin(&r->commands, 2 + batch->n);
        resp_arg(&r->commands, SLICE_LITERAL("HMGET"));
        resp_key_number(&r->commands, &prefix, "w", r->first_bucket + (int64_t)b);
        for (size_t i = 0; i < batch->n; i++) {
            char field[2 * EVIDENCE_LEARNER_MAX];
            struct slice learner = evidence_learner(r->evidence, batch->learners[i], name);
            int len = snprintf(field, sizeof(field), "%.*s/%.*s", SLICE_ARG(portal), SLICE_ARG(learner));
            resp_arg(&r->commands, (struct slice){field, (size_t)len});
        }
    }
    for (size_t i = 0; i < batch->n; i++) {
        resp_begin(&r->commands, 2);
        resp_arg(&r->commands, SLICE_LITERAL("HGETALL"));
        resp_key_totals(
            &r->commands, &prefix, portal, evidence_learner(r->evidence, batch->learners[i], name));
    }
}

/* Asks for the batch of PARTITION and empties it. */
static bool read_batch(struct redis_reading *r, int partition)
{
    struct learner_batch *batch = &r->batches[partition];
    int server = r->servers->server_of[partition];
    struct asked_batch asked = {r, batch, &r->servers->servers[server]};
    char error[CLIENT_ERROR_MAX];
    if (batch->n == 0)
        return true;
    if (r->connections[server] == NULL)
        r->connections[server] = connect_to(asked.server, r->v);
    if (r->connections[server] == NULL)
        return false;
    write_commands(r, partition, batch);
    if (!client_pipeline(
            r->connections[server], &r->commands, r->n_buckets + batch->n, take_reply, &asked, error))
        return verification_refuse(r->v, "redis server %.80s: %.160s", asked.server->name, error);
    batch->n = 0;
    return r->v->problem[0] == '\0';
}

bool verify_read_redis(const struct config *config, const struct topology *t, const struct evidence *evidence,
    struct holding *holding, struct verification *v)
{
    int64_t end_minute = evidence->first_minute + (int64_t)evidence->n_minutes;
    int64_t first_bucket = evidence->first_minute / STORED_MINUTES;
    struct redis_reading r = {
        .config = config,
        .servers = t,
        .evidence = evidence,
        .holding = holding,
        .v = v,
        .batches = mem_zalloc((size_t)config->redis.partitions * sizeof(*r.batches)),
        .first_bucket = first_bucket,
        .n_buckets = (size_t)((end_minute + STORED_MINUTES - 1) / STORED_MINUTES - first_bucket),
    };
    struct slice portal = slice_of(evidence->portal);
    char name[EVIDENCE_LEARNER_MAX + 1];
    bool good = true;
    for (size_t i = 0; good && i < evidence->n_learners; i++) {
        uint64_t hash = topology_hash_learner(portal, evidence_learner(evidence, i, name));
        int partition = topology_partition_of(hash, config->redis.partitions);
        struct learner_batch *batch = &r.batches[partition];
        batch->learners[batch->n++] = i;
        good = batch->n < BATCH || read_batch(&r, partition);
    }
    for (int p = 0; good && p < config->redis.partitions; p++)
        good = read_batch(&r, p);
    for (size_t i = 0; i < t->n_servers; i++)
        if (r.connections[i] != NULL)
            redisFree(r.connections[i]);
    buf_free(&r.commands);
    free(r.batches);
    return good;
}
