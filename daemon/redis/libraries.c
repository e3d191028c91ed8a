/* The libraries of Redis Functions that daemons have loaded. */
#include "redis/libraries.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "redis/client.h"
#include "redis/library.h"
#include "redis/reply.h"
#include "redis/resp.h"

#define FIELD "library:"
#define PREFIX "minuted_" /* what the name of every build's library begins with */

enum {
    LOOK_EVERY_MS = 3600 * 1000,
    UNUSED_S = 24 * 3600, /* after so long without a word of it a library is deleted */
    FORGET_S =
        2 * UNUSED_S, /* after so long its field goes too; a server that was away meanwhile begins anew */
    NAME_MAX_LEN = 64
};

/* The number that the text of element I is; 0 where it is none. */
static int64_t number_at(const redisReply *array, size_t i)
{
    int64_t number;
    return reply_number(reply_at(array, i), &number) ? number : 0;
}

/* Writes that LIBRARY is in use at NOW_S. */
static bool name_library(redisContext *redis, const char *library, int64_t now_s)
{
    char error[CLIENT_ERROR_MAX];
    char field[sizeof(FIELD) + NAME_MAX_LEN];
    char now[24];
    snprintf(field, sizeof(field), FIELD "%s", library);
    snprintf(now, sizeof(now), "%lld", (long long)now_s);
    redisReply *reply = client_words(redis, error, "HSET", KEY_SETTINGS, field, now, NULL);
    bool good = reply != NULL;
    freeReplyObject(reply);
    return good;
}

/* What is known when the libraries of a server are looked at. */
struct inventory {
    const char *ours;           /* the library that this daemon uses */
    redisContext *holder;       /* of the settings */
    const redisReply *settings; /* as they were when the look began */
    int64_t now_s;
    struct log *log;
};

/*
 * Deletes LIBRARY of the server REDIS where it has long been unused. A library that was never named, or whose
 * time cannot be read, gets its day from now on.
 */
static void judge_library(redisContext *redis, const char *library, const struct inventory *inventory)
{
    char error[CLIENT_ERROR_MAX];
    const redisReply *settings = inventory->settings; /* fields and values in turn */
    int64_t named_s = 0;
    if (strlen(library) > NAME_MAX_LEN || strcmp(library, inventory->ours) == 0)
        return;
    for (size_t i = 0; reply_at(settings, i + 1) != NULL; i += 2) {
        const char *field = reply_text(reply_at(settings, i));
        if (strncmp(field, FIELD, strlen(FIELD)) == 0 && strcmp(field + strlen(FIELD), library) == 0) {
            named_s = number_at(settings, i + 1);
            break;
        }
    }
    if (named_s <= 0) {
        (void)name_library(inventory->holder, library, inventory->now_s);
    } else if (inventory->now_s - named_s > UNUSED_S) {
        redisReply *reply = client_words(redis, error, "FUNCTION", "DELETE", library, NULL);
        if (reply != NULL)
            log_event(inventory->log, LOG_INFO, "functions_deleted", "library=%s named_s=%lld reason=unused",
                library, (long long)named_s);
        freeReplyObject(reply);
    }
}

static void judge_server(redisContext *redis, const struct inventory *inventory)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *list = client_words(redis, error, "FUNCTION", "LIST", "LIBRARYNAME", PREFIX "*", NULL);
    for (size_t i = 0; reply_at(list, i) != NULL; i++) {
        const redisReply *library = reply_at(list, i);
        for (size_t k = 0; reply_at(library, k + 1) != NULL; k += 2)
            if (strcmp(reply_text(reply_at(library, k)), "library_name") == 0 &&
                strncmp(reply_text(reply_at(library, k + 1)), PREFIX, strlen(PREFIX)) == 0)
                judge_library(redis, reply_text(reply_at(library, k + 1)), inventory);
    }
    freeReplyObject(list);
}

void libraries_look(struct libraries *l, const struct redis_library *ours, redisContext *const *servers,
    size_t n, size_t settings, struct log *log)
{
    char error[CLIENT_ERROR_MAX];
    redisContext *holder = settings < n ? servers[settings] : NULL;
    if (holder == NULL || clock_monotonic_ms() < l->due_ms)
        return;
    redisReply *reply = client_words(holder, error, "TIME", NULL);
    int64_t now_s = number_at(reply, 0);
    freeReplyObject(reply);
    if (now_s <= 0 || !name_library(holder, ours->name, now_s))
        return;
    redisReply *all = client_words(holder, error, "HGETALL", KEY_SETTINGS, NULL);
    if (reply_is_array(all)) {
        struct inventory inventory = {ours->name, holder, all, now_s, log};
        for (size_t i = 0; i < n; i++)
            if (servers[i] != NULL)
                judge_server(servers[i], &inventory);
        for (size_t i = 0; reply_at(all, i + 1) != NULL; i += 2) {
            const char *field = reply_text(reply_at(all, i));
            int64_t named_s = number_at(all, i + 1);
            if (strncmp(field, FIELD, strlen(FIELD)) == 0 && strcmp(field + strlen(FIELD), ours->name) != 0 &&
                named_s > 0 && now_s - named_s > FORGET_S)
                freeReplyObject(client_words(holder, error, "HDEL", KEY_SETTINGS, field, NULL));
        }
        l->due_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
    }
    freeReplyObject(all);
}
