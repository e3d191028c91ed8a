/* Marks of what Redis holds. */
#include "redis/history.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "redis/client.h"
#include "redis/reply.h"
#include "redis/resp.h"

/* One look at the marks of a server. */
struct marks {
    struct history *history;
    int partition[PARTITIONS_MAX]; /* those of the server */
    size_t n;
    bool missing[PARTITIONS_MAX]; /* by index, as above */
    size_t n_missing;
    size_t n_gone;
    char since[HISTORY_MARK_MAX]; /* the oldest mark that is gone */
};

static void key(struct buf *b, int partition, int partitions)
{
    struct key_prefix prefix;
    topology_key_prefix(&prefix, partition, partitions);
    resp_key(b, &prefix, "history");
}

static void note_gone(struct marks *m, int partition)
{
    char *mark = m->history->mark[partition];
    if (mark[0] == '\0')
        return;
    if (m->n_gone++ == 0 || strcmp(mark, m->since) < 0)
        memcpy(m->since, mark, sizeof(m->since));
    m->history->losses++;
    mark[0] = '\0';
}

/* A partition that has just moved to another shard answers with an error: the next look knows where it is. */
static void take_mark(void *ctx, size_t index, const redisReply *reply)
{
    struct marks *m = ctx;
    int partition = m->partition[index];
    char *mark = m->history->mark[partition];
    m->missing[index] = reply->type == REDIS_REPLY_NIL;
    m->n_missing += m->missing[index];
    if (m->missing[index])
        note_gone(m, partition);
    int64_t since_ms; /* a mark is a number; anything else says nothing of what was lost */
    if (!reply_number(reply, &since_ms) || strncmp(mark, reply->str, HISTORY_MARK_MAX - 1) == 0)
        return;
    note_gone(m, partition);
    snprintf(mark, HISTORY_MARK_MAX, "%s", reply->str);
}

/* The next look reads whether the mark was made. A server without room for a mark takes no heartbeats either.
 */
static void ignore(void *ctx, size_t index, const redisReply *reply)
{
    (void)ctx;
    (void)index;
    (void)reply;
}

bool history_look(struct history *h, redisContext *redis, const struct topology *t, size_t server,
    int partitions, struct log *log, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    struct buf commands = {0};
    struct marks m = {.history = h};
    for (int p = 0; p < partitions; p++)
        if (topology_server_of_partition(t, p) == server)
            m.partition[m.n++] = p;
    for (size_t i = 0; i < m.n; i++) {
        resp_begin(&commands, 2);
        resp_arg(&commands, SLICE_LITERAL("GET"));
        key(&commands, m.partition[i], partitions);
    }
    bool good = client_pipeline(redis, &commands, m.n, take_mark, &m, error);
    buf_free(&commands);
    if (good && m.n_missing > 0) {
        for (size_t i = 0; i < m.n; i++) {
            if (!m.missing[i])
                continue;
            resp_begin(&commands, 4);
            resp_arg(&commands, SLICE_LITERAL("SET"));
            key(&commands, m.partition[i], partitions);
            resp_int(&commands, clock_system_ms());
            resp_arg(&commands, SLICE_LITERAL("NX"));
        }
        good = client_pipeline(redis, &commands, m.n_missing, ignore, NULL, error);
        buf_free(&commands);
    }
    if (!good)
        condition_complain(seen, "does not tell its history: %.200s", error);
    if (m.n_gone > 0)
        log_event(log, LOG_ERROR, "history_gone", "server=%s partitions=%zu of=%zu since_ms=%s", seen->name,
            m.n_gone, m.n, LOG_QUOTE(m.since));
    return good;
}
