/* Replies of Redis: limits, and typed access. */
#include "redis/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* ---- building ---- */

/* Returns NULL, which hiredis takes for a lack of memory, so that nothing more is read from this connection.
 */
static void *refuse(const redisReadTask *task, const char *why)
{
    struct reply_progress *progress = task->privdata;
    progress->broken = why;
    return NULL;
}

static redisReply *new_reply(const redisReadTask *task)
{
    redisReply *reply = mem_zalloc(sizeof(*reply));
    reply->type = task->type;
    if (task->parent != NULL) {
        redisReply *array = task->parent->obj;
        array->element[task->idx] = reply;
    }
    return reply;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct reply_progress *progress = task->privdata;
    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS &&
        task->type != REDIS_REPLY_ERROR)
        return refuse(task, "a reply of a type that was not asked for");
    progress->bytes += len;
    if (progress->bytes > REPLY_BYTES_MAX)
        return refuse(task, "a reply that is too long");
    redisReply *reply = new_reply(task);
    reply->str = mem_strndup(text, len);
    reply->len = len;
    return reply;
}

static void *create_array(const redisReadTask *task, element_count n)
{
    struct reply_progress *progress = task->privdata;
    if (task->type != REDIS_REPLY_ARRAY)
        return refuse(task, "a reply of a type that was not asked for");
    size_t depth = 1;
    for (const redisReadTask *outer = task->parent; outer != NULL; outer = outer->parent)
        depth++;
    if (depth > REPLY_DEPTH_MAX)
        return refuse(task, "arrays that are nested too deeply");
    if ((size_t)n > REPLY_ELEMENTS_MAX - progress->elements)
        return refuse(task, "a reply with too many elements");
    progress->elements += (size_t)n;
    redisReply *reply = new_reply(task);
    reply->elements = (size_t)n;
    reply->element = mem_zalloc(((size_t)n + 1) * sizeof(redisReply *));
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = new_reply(task);
    reply->integer = value;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    redisReply *reply = new_reply(task);
    reply->type = REDIS_REPLY_NIL;
    return reply;
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value;
    (void)text;
    (void)len;
    return refuse(task, "a reply of a type that was not asked for");
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)value;
    return refuse(task, "a reply of a type that was not asked for");
}
#endif

/* hiredis takes the table without const, and does not write to it. */
static const redisReplyObjectFunctions builders = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = freeReplyObject,
};

/* ---- reading ---- */

static enum reply_read give_up(redisContext *redis, const char *why)
{
    redis->err = REDIS_ERR_PROTOCOL;
    snprintf(redis->errstr, sizeof(redis->errstr), "%s", why);
    return REPLY_BROKEN;
}

/* What is wrong with an item that has begun and is not whole; NULL: nothing yet. */
static const char *judge_unread(const redisReader *reader)
{
    const char *item = reader->buf + reader->pos;
    size_t len = reader->len - reader->pos;
    bool has_line = memmem(item, len < REPLY_LINE_MAX ? len : REPLY_LINE_MAX, "\r\n", 2) != NULL;
    if (!has_line)
        return len < REPLY_LINE_MAX ? NULL : "a line without an end";
    /* Everything but a string ends with its first line, so that this line is a string's length. */
    return len > REPLY_BYTES_MAX || strtoull(item, NULL, 10) > REPLY_BYTES_MAX ? "a reply that is too long"
                                                                               : NULL;
}

enum reply_read reply_next(redisContext *redis, struct reply_progress *progress, redisReply **reply)
{
    redisReader *reader = redis->reader;
    void *got = NULL;
    *reply = NULL;
    if (redis->err != 0)
        return REPLY_BROKEN;
    reader->fn = (redisReplyObjectFunctions *)&builders;
    reader->privdata = progress;
    if (redisGetReplyFromReader(redis, &got) != REDIS_OK)
        return progress->broken != NULL ? give_up(redis, progress->broken) : REPLY_BROKEN;
    if (got != NULL) {
        *progress = (struct reply_progress){0};
        *reply = got;
        return REPLY_READ;
    }
    const char *wrong = judge_unread(reader);
    return wrong != NULL ? give_up(redis, wrong) : REPLY_NONE_YET;
}

bool reply_unread(const redisContext *redis)
{
    return redis->reader->len > redis->reader->pos;
}

/* ---- typed access ---- */

static bool is_type(const redisReply *reply, int type)
{
    return reply != NULL && reply->type == type;
}

bool reply_is_error(const redisReply *reply)
{
    return is_type(reply, REDIS_REPLY_ERROR);
}

bool reply_is_error_code(const redisReply *reply, const char *code)
{
    return reply_is_error(reply) && strncmp(reply->str, code, strlen(code)) == 0;
}

bool reply_string(const redisReply *reply, struct slice *out)
{
    if (!is_type(reply, REDIS_REPLY_STRING))
        return false;
    *out = (struct slice){reply->str, reply->len};
    return true;
}

const char *reply_text(const redisReply *reply)
{
    return is_type(reply, REDIS_REPLY_STRING) ? reply->str : "";
}

bool reply_integer(const redisReply *reply, int64_t *out)
{
    if (!is_type(reply, REDIS_REPLY_INTEGER))
        return false;
    *out = reply->integer;
    return true;
}

bool reply_number(const redisReply *reply, int64_t *out)
{
    const char *text = reply_text(reply);
    char *end;
    size_t sign = text[0] == '-';
    if (text[sign] < '0' || text[sign] > '9')
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end != text + reply->len)
        return false;
    *out = value;
    return true;
}

bool reply_is_array(const redisReply *reply)
{
    return is_type(reply, REDIS_REPLY_ARRAY);
}

const redisReply *reply_at(const redisReply *reply, size_t i)
{
    return reply_is_array(reply) && i < reply->elements ? reply->element[i] : NULL;
}
