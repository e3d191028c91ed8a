/* What a Redis server must be before a run is accepted into it. */
#include "redis/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config.h"
#include "embedded/functions_lua.h"
#include "redis/keys.h"
#include "redis/libraries.h"
#include "redis/reply.h"
#include "redis/resp.h"

/* What no clock says: seconds beyond it do not fit into milliseconds. */
#define SECONDS_MAX ((int64_t)1 << 40)

/* The value of "NAME:value\r\n" in INFO's text, into VALUE; "" when missing. */
static const char *info_value(const char *info, const char *name, char value[static 64])
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            size_t n = strcspn(line + len + 1, "\r\n");
            snprintf(value, 64, "%.*s", (int)n, line + len + 1);
            break;
        }
    }
    return value;
}

/* 0 when missing, and where it is no number. */
static int64_t info_number(const char *info, const char *name)
{
    char value[64];
    long long number = strtoll(info_value(info, name, value), NULL, 10);
    return number > 0 ? number : 0;
}

static bool info_is(const char *info, const char *name, const char *wanted)
{
    char value[64];
    return strcmp(info_value(info, name, value), wanted) == 0;
}

/* `connected_slaves` counts those that are still copying, too. */
static int count_online_replicas(const char *info)
{
    int n = 0;
    for (const char *at = strstr(info, "state=online"); at != NULL; at = strstr(at + 1, "state=online"))
        n++;
    return n;
}

static enum check_result check_role(
    const struct config *config, const char *info, struct redis_condition *seen)
{
    if (!info_is(info, "loading", "0")) {
        condition_complain(seen, "is loading its data");
        return CHECK_PASSING;
    }
    if (!info_is(info, "role", "master")) {
        condition_complain(seen, "is a replica, not the primary");
        return CHECK_PASSING;
    }
    int online = count_online_replicas(info);
    if (config->redis.durability == DURABILITY_REPLICAS && online < config->redis.replicas) {
        condition_complain(
            seen, "has %d replicas online; redis.durability asks for %d", online, config->redis.replicas);
        return CHECK_PASSING;
    }
    return CHECK_GOOD;
}

static enum check_result check_memory(const char *info, struct redis_condition *seen)
{
    char value[64];
    seen->used_memory = info_number(info, "used_memory");
    seen->max_memory = info_number(info, "maxmemory");
    if (info_is(info, "maxmemory_policy", "noeviction"))
        return CHECK_GOOD;
    condition_complain(seen,
        "has maxmemory-policy %.40s, which would evict what was accepted; set maxmemory-policy noeviction",
        info_value(info, "maxmemory_policy", value));
    return CHECK_WRONG;
}

/* Whether CONFIG GET says that NAME is WANTED. */
static enum check_result check_directive(
    redisContext *redis, const char *name, const char *wanted, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(redis, error, "CONFIG", "GET", name, NULL);
    bool readable = reply_is_array(reply) && reply->elements == 2;
    const char *value = reply_text(reply_at(reply, 1));
    bool good = readable && strcmp(value, wanted) == 0;
    if (!readable)
        condition_complain(
            seen, "cannot be asked for %s: %.150s", name, reply == NULL ? error : "unexpected reply");
    else if (!good)
        condition_complain(
            seen, "has %s %.30s; redis.durability fsync needs %s %s", name, value, name, wanted);
    freeReplyObject(reply);
    if (good)
        return CHECK_GOOD;
    return redis->err != 0 ? CHECK_PASSING : CHECK_WRONG;
}

static enum check_result check_fsync(
    const struct config *config, redisContext *redis, const char *info, struct redis_condition *seen)
{
    if (config->redis.durability != DURABILITY_FSYNC)
        return CHECK_GOOD;
    if (!info_is(info, "aof_enabled", "1")) {
        condition_complain(
            seen, "has appendonly no; redis.durability fsync needs appendonly yes and appendfsync always");
        return CHECK_WRONG;
    }
    enum check_result result = check_directive(redis, "appendfsync", "always", seen);
    if (result == CHECK_GOOD) /* yes would answer before the disk does, for as long as the log is rewritten */
        result = check_directive(redis, "no-appendfsync-on-rewrite", "no", seen);
    return result;
}

static enum check_result check_clock(redisContext *redis, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    int64_t before = clock_system_ms();
    redisReply *reply = client_words(redis, error, "TIME", NULL);
    int64_t after = clock_system_ms();
    int64_t seconds = 0;
    int64_t us = 0;
    bool readable = reply_number(reply_at(reply, 0), &seconds) && reply_number(reply_at(reply, 1), &us);
    const char *why = reply == NULL ? error : "unexpected reply";
    freeReplyObject(reply);
    if (!readable || seconds <= 0 || seconds > SECONDS_MAX || us < 0 || us >= 1000000) {
        condition_complain(seen, "does not tell its time: %.180s", why);
        return CHECK_PASSING;
    }
    int64_t theirs = seconds * 1000 + us / 1000;
    seen->clock_error_ms = (after - before) / 2;
    seen->clock_skew_ms = theirs - before - seen->clock_error_ms;
    if (condition_clock_agrees(seen))
        return CHECK_GOOD;
    condition_complain(seen, "has a clock %+lld ms off this machine's, at most %d are allowed",
        (long long)seen->clock_skew_ms, CLOCK_SKEW_MAX_MS);
    return CHECK_PASSING;
}

static enum check_result load_functions(redisContext *redis, struct log *log, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(redis, error, "FUNCTION", "LOAD", (const char *)functions_lua, NULL);
    if (reply != NULL)
        log_event(log, LOG_INFO, "functions_loaded", "server=%s library=%s", seen->name, STORE_LIBRARY);
    bool good = reply != NULL || (redis->err == 0 && store_library_exists(error));
    freeReplyObject(reply);
    if (good)
        return CHECK_GOOD;
    condition_complain(seen, "does not load the functions: %.180s", error);
    return CHECK_PASSING;
}

/* The name says what is in the library, so one of that name is the right one. Other builds' are left alone.
 */
static enum check_result check_functions(redisContext *redis, struct log *log, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *list = client_words(redis, error, "FUNCTION", "LIST", "LIBRARYNAME", STORE_LIBRARY, NULL);
    if (list == NULL) {
        condition_complain(seen, "has no functions (Redis 7.0 or newer is needed): %.160s", error);
        return redis->err != 0 ? CHECK_PASSING : CHECK_WRONG;
    }
    bool loaded = reply_at(list, 0) != NULL;
    freeReplyObject(list);
    return loaded ? CHECK_GOOD : load_functions(redis, log, seen);
}

/* Stores FIELD where it is not yet; a value of another daemon must be the same. */
static enum check_result check_setting(
    redisContext *redis, const char *field, const char *text, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(redis, error, "HGET", KEY_SETTINGS, field, NULL);
    if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
        freeReplyObject(reply);
        freeReplyObject(client_words(redis, error, "HSETNX", KEY_SETTINGS, field, text, NULL));
        reply = client_words(redis, error, "HGET", KEY_SETTINGS, field, NULL);
    }
    enum check_result result = CHECK_GOOD;
    struct slice kept;
    if (!reply_string(reply, &kept)) {
        condition_complain(
            seen, "does not keep the deployment's settings: %.180s", reply == NULL ? error : "no value");
        result = CHECK_PASSING;
    } else if (strcmp(kept.ptr, text) != 0) {
        condition_complain(
            seen, "was first used with %s = %.24s, this daemon is configured with %s", field, kept.ptr, text);
        result = CHECK_WRONG;
    }
    freeReplyObject(reply);
    return result;
}

static enum check_result check_number(
    redisContext *redis, const char *field, int64_t value, struct redis_condition *seen)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return check_setting(redis, field, text, seen);
}

/*
 * The field `dev` is "on" or "off". A daemon with --dev has a clock that can be moved: beside a real one it
 * would raise the floor for everybody, and what honest players send would be too late for good. A Redis that
 * has data but not yet this field becomes what the first daemon to come is.
 */
static enum check_result check_dev(
    const struct config *config, redisContext *redis, struct redis_condition *seen)
{
    enum check_result result = check_setting(redis, "dev", config->dev ? "on" : "off", seen);
    if (result == CHECK_WRONG)
        condition_complain(seen,
            config->dev
                ? "was first used by a daemon without --dev, this daemon runs with it: use another Redis"
                : "was first used by a daemon with --dev, this daemon runs without it: use another Redis");
    return result;
}

static enum check_result check_settings(
    const struct config *config, redisContext *redis, struct redis_condition *seen)
{
    enum check_result result = check_dev(config, redis, seen);
    if (result == CHECK_GOOD)
        result = check_number(redis, "redis.partitions", config->redis.partitions, seen);
    if (result == CHECK_GOOD)
        result = check_number(redis, "heartbeats.horizon_ms", config->heartbeats.horizon_ms, seen);
    return result;
}

/*
 * What this daemon asks of Redis, functions.lua included. An ACL that forbids one of them is to be told now,
 * not by the first heartbeat or the first minute that is retired. The key is nobody's.
 */
#define KEY_PERMISSIONS "minuted:permissions"

static const char *const commands[] = {"INFO", "TIME", "CONFIG GET appendfsync",
    "FUNCTION LIST LIBRARYNAME " STORE_LIBRARY, "FUNCTION LOAD x", "FUNCTION DELETE x", "FCALL x 0",
    "WAIT 0 1", "PING", "GET " KEY_PERMISSIONS, "SET " KEY_PERMISSIONS " x", "DEL " KEY_PERMISSIONS,
    "UNLINK " KEY_PERMISSIONS, "EXISTS " KEY_PERMISSIONS, "HGET " KEY_PERMISSIONS " x",
    "HSET " KEY_PERMISSIONS " x x", "HSETNX " KEY_PERMISSIONS " x x", "HMGET " KEY_PERMISSIONS " x",
    "HGETALL " KEY_PERMISSIONS, "HVALS " KEY_PERMISSIONS, "HDEL " KEY_PERMISSIONS " x",
    "HINCRBY " KEY_PERMISSIONS " x 1", "MEMORY USAGE " KEY_PERMISSIONS, "SADD " KEY_PERMISSIONS " x",
    "SREM " KEY_PERMISSIONS " x", "SMEMBERS " KEY_PERMISSIONS, "SISMEMBER " KEY_PERMISSIONS " x",
    "SSCAN " KEY_PERMISSIONS " 0", "ZADD " KEY_PERMISSIONS " 0 x", "ZREM " KEY_PERMISSIONS " x",
    "ZRANGEBYSCORE " KEY_PERMISSIONS " 0 0", "ZREVRANGEBYSCORE " KEY_PERMISSIONS " 0 0"};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]), PERMISSIONS_EVERY_MS = 60000 };

static void append_words(struct buf *b, const char *text)
{
    size_t n = 1;
    for (const char *at = text; *at != '\0'; at++)
        n += *at == ' ';
    resp_begin(b, n);
    for (; n > 0; n--) {
        size_t len = strcspn(text, " ");
        resp_arg(b, (struct slice){text, len});
        text += len + (n > 1);
    }
}

static void take_permission(void *ctx, size_t index, const redisReply *reply)
{
    struct redis_condition *seen = ctx;
    if (index < N_COMMANDS && seen->problem[0] == '\0' && reply_is_error_code(reply, "NOPERM"))
        condition_complain(seen, "%.180s (%.60s)", reply->str, commands[index]);
}

/* Opens a transaction, once it is sure that it can be discarded. */
static bool begin_transaction(redisContext *redis, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *none = client_words(redis, error, "DISCARD", NULL);
    bool may_discard = none == NULL && strncmp(error, "NOPERM", 6) != 0 && redis->err == 0;
    redisReply *begun = may_discard ? client_words(redis, error, "MULTI", NULL) : NULL;
    bool good = begun != NULL && begun->type == REDIS_REPLY_STATUS;
    if (!good)
        condition_complain(
            seen, "%.200s", none != NULL || begun != NULL ? "a transaction is not understood" : error);
    freeReplyObject(none);
    freeReplyObject(begun);
    return good;
}

/*
 * A transaction is checked against the ACL as its commands are queued, and nothing of it is done when it is
 * discarded.
 */
static enum check_result check_permissions(redisContext *redis, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    struct buf transaction = {0};
    if (!begin_transaction(redis, seen))
        return CHECK_PASSING;
    for (size_t i = 0; i < N_COMMANDS; i++)
        append_words(&transaction, commands[i]);
    append_words(&transaction, "DISCARD");
    if (!client_pipeline(redis, &transaction, N_COMMANDS + 1, take_permission, seen, error))
        condition_complain(seen, "does not answer: %.200s", error);
    buf_free(&transaction);
    return seen->problem[0] == '\0' ? CHECK_GOOD : CHECK_PASSING;
}

/* Asked for once a connection, and then once a minute. */
static enum check_result keep_permitted(
    redisContext *redis, int64_t *permitted_ms, struct redis_condition *seen)
{
    int64_t now_ms = clock_monotonic_ms();
    if (*permitted_ms != 0 && now_ms - *permitted_ms < PERMISSIONS_EVERY_MS)
        return CHECK_GOOD;
    enum check_result result = check_permissions(redis, seen);
    *permitted_ms = result == CHECK_GOOD ? now_ms : 0;
    return result;
}

static enum check_result check_info(
    const struct config *config, redisContext *redis, int64_t *permitted_ms, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *info = client_words(redis, error, "INFO", NULL);
    if (info == NULL || info->type != REDIS_REPLY_STRING) {
        condition_complain(seen, "%.200s", info == NULL ? error : "INFO is malformed");
        freeReplyObject(info);
        return CHECK_PASSING;
    }
    enum check_result result = check_role(config, info->str, seen);
    if (result == CHECK_GOOD) /* a server that is loading its data answers no more than INFO */
        result = keep_permitted(redis, permitted_ms, seen);
    if (result == CHECK_GOOD)
        result = check_memory(info->str, seen);
    if (result == CHECK_GOOD)
        result = check_fsync(config, redis, info->str, seen);
    freeReplyObject(info);
    return result;
}

/*
 * A server that refuses heartbeats for now (it is full, misses its replicas, …) is still used: settling and
 * retiring are what may mend it.
 */
static enum check_result check_writes(redisContext *redis, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(redis, error, "FCALL", STORE_FUNCTION("probe"), "0", NULL);
    if (reply == NULL)
        snprintf(seen->refusal, sizeof(seen->refusal), "%.250s", error);
    freeReplyObject(reply);
    if (redis->err == 0)
        return CHECK_GOOD;
    condition_complain(seen, "does not answer a write: %.200s", error);
    return CHECK_PASSING;
}

enum check_result check_server(const struct config *config, redisContext *redis,
    const struct redis_server *server, bool holds_settings, int64_t *permitted_ms, struct log *log,
    struct redis_condition *seen)
{
    snprintf(seen->name, sizeof(seen->name), "%s", server->name);
    seen->problem[0] = '\0';
    seen->refusal[0] = '\0';
    enum check_result result = check_info(config, redis, permitted_ms, seen);
    seen->reached = redis->err == 0;
    if (result == CHECK_GOOD)
        result = check_clock(redis, seen);
    if (result == CHECK_GOOD)
        result = check_functions(redis, log, seen);
    if (result == CHECK_GOOD && holds_settings)
        result = check_settings(config, redis, seen);
    if (result == CHECK_GOOD)
        result = check_writes(redis, seen);
    return result;
}
