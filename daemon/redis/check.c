/* What a Redis server must be before a run is accepted into it. */
#include "redis/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "config/config.h"
#include "redis/info.h"
#include "redis/keeping.h"
#include "redis/library.h"
#include "redis/permissions.h"
#include "redis/reply.h"
#include "redis/resp.h"

/* No clock shows so many seconds: they would not fit into milliseconds. */
#define SECONDS_MAX ((int64_t)1 << 40)

static enum check_result check_clock(redisContext *redis, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    int64_t system_ms = clock_system_ms();
    int64_t before = clock_boot_ms();
    redisReply *reply = client_words(redis, error, "TIME", NULL);
    int64_t after = clock_boot_ms();
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
    seen->clock_known = true;
    seen->clock_error_ms = (after - before) / 2;
    seen->clock_lead_ms = theirs - before - seen->clock_error_ms;
    seen->clock_skew_ms = theirs - system_ms - seen->clock_error_ms;
    return CHECK_GOOD;
}

/* A library's name says what is in it. Those of other builds are left alone. */
static enum check_result check_functions(
    redisContext *redis, const struct redis_library *library, struct log *log, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *list = client_words(redis, error, "FUNCTION", "LIST", "LIBRARYNAME", library->name, NULL);
    if (list == NULL) {
        condition_complain(seen, "has no functions (Redis 7.0 or newer is needed): %.160s", error);
        return redis->err != 0 ? CHECK_PASSING : CHECK_WRONG;
    }
    bool is_there = reply_at(list, 0) != NULL;
    freeReplyObject(list);
    switch (is_there ? LIBRARY_THERE : library_load(library, redis, error)) {
    case LIBRARY_THERE:
        return CHECK_GOOD;
    case LIBRARY_LOADED:
        log_event(log, LOG_INFO, "functions_loaded", "server=%s library=%s", seen->name, library->name);
        return CHECK_GOOD;
    case LIBRARY_REFUSED:
        break;
    }
    condition_complain(seen, "does not load the functions: %.180s", error);
    return CHECK_PASSING;
}

/* What daemons must agree on. The fields are a stored form, which other tools read. */
struct setting {
    const char *field;
    const char *name;   /* that operators know it by; NULL: the field's */
    const char *advice; /* for another value; NULL: none */
};

/* Stores the setting where it is not yet; a value of another daemon must be the same. */
static enum check_result check_setting(
    redisContext *redis, const struct setting *setting, const char *text, struct redis_condition *seen)
{
    const char *field = setting->field;
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
        condition_complain(seen, "was first used with %s = %.*s, this daemon is configured with %s%s%s",
            setting->name != NULL ? setting->name : field, ID_MAX, kept.ptr, text,
            setting->advice != NULL ? ": " : "", setting->advice != NULL ? setting->advice : "");
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
    return check_setting(redis, &(struct setting){.field = field}, text, seen);
}

/* Copies as much of a list of words as fits into OUT, of N bytes. */
static void copy_words(char *out, size_t n, const char *words)
{
    size_t len = strnlen(words, n);
    if (len == n)
        while (len > 0 && (len == n || words[len] != ' '))
            len--;
    memcpy(out, words, len);
    out[len] = '\0';
}

/*
 * What others have written there: the end of what was retired before its horizon, which the holder of the
 * lease writes before it retires it; and what `minuted --begin-program` has done and is doing.
 */
static enum check_result read_settings(redisContext *redis, struct redis_condition *seen)
{
    enum { EARLY, BEGINS, ENDED, CLOSES, FIELDS };
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(
        redis, error, "HMGET", KEY_SETTINGS, "early", SETTING_BEGINS, SETTING_ENDED, SETTING_CLOSES, NULL);
    const redisReply *early = reply_at(reply, EARLY);
    bool whole = reply_at(reply, FIELDS - 1) != NULL;
    bool good = whole && (early->type == REDIS_REPLY_NIL || reply_number(early, &seen->early_minute));
    if (!good)
        condition_complain(seen, "does not tell the deployment's settings: %.180s",
            reply == NULL ? error
            : whole       ? "early is no number"
                          : "unexpected reply");
    if (good) {
        seen->begins = reply_at(reply, BEGINS)->type != REDIS_REPLY_NIL;
        copy_words(seen->ended, sizeof(seen->ended), reply_text(reply_at(reply, ENDED)));
        copy_words(seen->closes, sizeof(seen->closes), reply_text(reply_at(reply, CLOSES)));
    }
    freeReplyObject(reply);
    return good ? CHECK_GOOD : CHECK_PASSING;
}

/*
 * Deployment and program are in the keys of records: with others, what is dirty here would become records
 * that nobody waits for.
 *
 * The field `dev` is "on" or "off". A daemon with --dev has a clock that can be moved: beside a real one it
 * would raise the floor for everybody, and what honest players send would be too late for good. A Redis that
 * has data but not yet this field becomes what the first daemon to come is.
 *
 * While a program is being begun, its daemons wait: what they credited now would be deleted with what is left
 * of the program before. The daemons of that one see at once that the program is not theirs any more.
 */
static enum check_result check_settings(
    const struct check_context *context, redisContext *redis, struct redis_condition *seen)
{
    static const struct setting dev = {.field = "dev"};
    static const struct setting deployment = {
        "deployment", "kafka.deployment", "use that name, or another Redis"};
    static const struct setting program = {
        "program", NULL, "minuted --begin-program ends the one before; or use another Redis"};
    const struct config *config = context->config;
    enum check_result result = check_setting(redis, &dev, config->dev ? "on" : "off", seen);
    if (result == CHECK_WRONG)
        condition_complain(seen,
            config->dev
                ? "was first used by a daemon without --dev, this daemon runs with it: use another Redis"
                : "was first used by a daemon with --dev, this daemon runs without it: use another Redis");
    if (result == CHECK_GOOD)
        result = check_setting(redis, &deployment, config->kafka.deployment, seen);
    if (result == CHECK_GOOD)
        result = read_settings(redis, seen);
    if (result == CHECK_GOOD && context->program != NULL)
        result = check_setting(redis, &program, context->program, seen);
    if (result == CHECK_GOOD && context->program != NULL && seen->begins) {
        condition_complain(seen,
            "is not used before minuted --begin-program has made room for the program %s", context->program);
        result = CHECK_PASSING;
    }
    if (result == CHECK_GOOD)
        result = check_number(redis, "redis.partitions", config->redis.partitions, seen);
    if (result == CHECK_GOOD)
        result = check_number(redis, "heartbeats.horizon_ms", config->heartbeats.horizon_ms, seen);
    return result;
}

/* Redis has WAITAOF since 7.2. Valkey names a redis_version of 7.2 or more, for clients that look at it. */
static bool knows_waitaof(const char *info)
{
    char version[INFO_VALUE_MAX];
    char *rest;
    long major = strtol(info_value(info, "redis_version", version), &rest, 10);
    long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
    return major > 7 || (major == 7 && minor >= 2);
}

static enum check_result check_info(const struct config *config, redisContext *redis,
    const struct redis_library *library, int64_t *permitted_ms, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *info = client_words(redis, error, "INFO", NULL);
    if (info == NULL || info->type != REDIS_REPLY_STRING) {
        condition_complain(seen, "%.200s", info == NULL ? error : "INFO is malformed");
        freeReplyObject(info);
        return CHECK_PASSING;
    }
    /* Replicas are counted here, since `connected_slaves` includes those that are still copying. */
    int online = 0;
    for (const char *at = info->str; (at = strstr(at, "state=online")) != NULL; at++)
        online++;
    bool waits_for_disks = config->redis.durability.fsync && config->redis.durability.replicas > 0;
    bool is_primary = info_is(info->str, "role", "master");
    enum check_result result = is_primary ? CHECK_PASSING : CHECK_REPLICA;
    seen->has_waitaof = knows_waitaof(info->str);
    if (!is_primary)
        condition_complain(seen, "is a replica, not the primary");
    else if (!info_is(info->str, "loading", "0")) /* such a server answers no more than INFO */
        condition_complain(seen, "is loading its data");
    else if (online < config->redis.durability.replicas)
        condition_complain(seen, "has %d replicas online; redis.durability asks for %d", online,
            config->redis.durability.replicas);
    else if (permissions_check(redis, library->commands, waits_for_disks, permitted_ms, seen))
        result = keeping_check(config, redis, info->str, seen);
    freeReplyObject(info);
    return result;
}

enum check_result check_server(const struct check_context *context, redisContext *redis, bool holds_settings,
    int64_t *permitted_ms, struct redis_condition *seen)
{
    enum check_result result = check_info(context->config, redis, context->library, permitted_ms, seen);
    seen->reached = redis->err == 0;
    if (result == CHECK_GOOD)
        result = check_clock(redis, seen);
    if (result == CHECK_GOOD)
        result = check_functions(redis, context->library, context->log, seen);
    if (result == CHECK_GOOD && holds_settings) {
        result = check_settings(context, redis, seen);
        seen->settings = result == CHECK_GOOD                    ? SETTINGS_OURS
                         : result == CHECK_WRONG || seen->begins ? SETTINGS_OTHERS
                                                                 : SETTINGS_UNKNOWN;
    }
    if (result == CHECK_GOOD) {
        /* A server that refuses heartbeats for now (it is full, misses its replicas, …) is still used:
         * settling and retiring are what may mend it. */
        char error[CLIENT_ERROR_MAX];
        redisReply *reply = client_words(redis, error, "FCALL", context->library->probe, "0", NULL);
        if (reply == NULL)
            snprintf(seen->refusal, sizeof(seen->refusal), "%.250s", error);
        freeReplyObject(reply);
        if (redis->err != 0) {
            condition_complain(seen, "does not answer a write: %.200s", error);
            result = CHECK_PASSING;
        }
    }
    assert(result == CHECK_GOOD || seen->problem[0] != '\0');
    return result;
}
