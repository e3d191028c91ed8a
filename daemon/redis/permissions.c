/* Whether a server's ACL lets this daemon send what it will send. */
#include "redis/permissions.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "redis/client.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { ASK_EVERY_MS = 60000, COMMANDS_MAX = 64 };

/* What the room redis/ sends. */
static const char *const own_commands[] = {"INFO", "TIME", "CONFIG GET appendfsync",
    "FUNCTION LIST LIBRARYNAME x", "FUNCTION LOAD x", "FUNCTION DELETE x", "FCALL x 0", "WAIT 0 1", "PING",
    "GET " PERMISSIONS_KEY, "SET " PERMISSIONS_KEY " x", "HGET " PERMISSIONS_KEY " x",
    "HSET " PERMISSIONS_KEY " x x", "HSETNX " PERMISSIONS_KEY " x x", "HGETALL " PERMISSIONS_KEY,
    "HDEL " PERMISSIONS_KEY " x", "HMGET " PERMISSIONS_KEY " x", NULL};

/* What is asked for, and what came of it. */
struct permissions {
    const char *commands[COMMANDS_MAX];
    size_t n;
    struct buf transaction;
    struct redis_condition *seen;
};

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

static void ask_for(struct permissions *a, const char *const *commands)
{
    for (; *commands != NULL; commands++) {
        assert(a->n < COMMANDS_MAX);
        a->commands[a->n++] = *commands;
        append_words(&a->transaction, *commands);
    }
}

static void take_permission(void *ctx, size_t index, const redisReply *reply)
{
    struct permissions *a = ctx;
    if (index < a->n && a->seen->problem[0] == '\0' && reply_is_error_code(reply, "NOPERM"))
        condition_complain(a->seen, "%.180s (%.60s)", reply->str, a->commands[index]);
}

/*
 * The commands of a transaction are checked against the ACL as they are queued, and none of them is done when
 * the transaction is discarded.
 */
bool permissions_check(redisContext *redis, const char *const *commands, bool waits_for_disks,
    int64_t *permitted_ms, struct redis_condition *seen)
{
    static const char *const disks[] = {"WAITAOF 0 0 1", NULL};
    char error[CLIENT_ERROR_MAX];
    struct permissions a = {.seen = seen};
    int64_t now_ms = clock_monotonic_ms();
    if (*permitted_ms != 0 && now_ms - *permitted_ms < ASK_EVERY_MS)
        return true;
    *permitted_ms = 0;
    /* A transaction is opened only once it is sure that it can be discarded. */
    redisReply *none = client_words(redis, error, "DISCARD", NULL);
    bool may_discard = none == NULL && strncmp(error, "NOPERM", 6) != 0 && redis->err == 0;
    redisReply *begun = may_discard ? client_words(redis, error, "MULTI", NULL) : NULL;
    bool good = begun != NULL && begun->type == REDIS_REPLY_STATUS;
    if (!good)
        condition_complain(
            seen, "%.200s", none != NULL || begun != NULL ? "a transaction is not understood" : error);
    freeReplyObject(none);
    freeReplyObject(begun);
    if (!good)
        return false;
    ask_for(&a, own_commands);
    ask_for(&a, commands);
    if (waits_for_disks)
        ask_for(&a, disks);
    append_words(&a.transaction, "DISCARD");
    if (!client_pipeline(redis, &a.transaction, a.n + 1, take_permission, &a, error))
        condition_complain(seen, "does not answer: %.200s", error);
    buf_free(&a.transaction);
    if (seen->problem[0] != '\0')
        return false;
    *permitted_ms = now_ms;
    return true;
}
