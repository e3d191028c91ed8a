/*
 * The outbox is what Redis still owes to Kafka. Here are its connections and requests, which all of its other
 * files and the ways back share. One thread; calls block, with a time limit on every command.
 *
 *     write o->command -> outbox_queue -> … -> outbox_flush: one write a server, one wait for them all
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "redis/client.h"
#include "redis/condition.h"
#include "redis/resp.h"

struct clock;
struct config;
struct log;
struct monitor;

/* What the outbox asks of the monitor; the functions are as in redis/monitor.h, which says more. */
struct outbox_monitor {
    void *ctx;
    enum topology_change (*follow)(void *ctx, struct topology **current);
    void (*look)(void *ctx);
    size_t (*servers)(void *ctx, struct redis_condition out[static SERVERS_MAX]);
};

/* A connection, and what is to be sent on it. */
struct outbox_link {
    redisContext *redis; /* NULL: none */
    uint64_t number;     /* 0: none */
    struct buf commands;
};

/* Whether a partition holds what Kafka was told of (publish/epochs.h). The last three wait for a way back. */
enum outbox_state {
    PARTITION_UNKNOWN, /* it was not compared yet */
    PARTITION_WHOLE,
    PARTITION_EMPTY,
    PARTITION_ROLLED_BACK,
    PARTITION_FOREIGN
};

/* The epoch of a partition, as the last barrier made it, and what Kafka was told of the partition. */
struct outbox_epoch {
    int64_t id;         /* Unix ms of the making of what the partition holds; 0: not known yet */
    int64_t taken;      /* how often it was taken from, this time included */
    int64_t told_id;    /* the epoch that Kafka was told of; 0: of none */
    int64_t told_taken; /* the last take of it that Kafka was told of */
    bool untold;        /* the last one was taken in this transaction, which is to tell it */
    enum outbox_state state;
};

struct outbox {
    const struct config *config;
    struct outbox_monitor monitor;
    const struct clock *clock; /* dates epochs */
    struct log *log;
    struct topology *topology;
    struct outbox_link links[SERVERS_MAX];
    uint64_t connections; /* made so far: each has a number of its own */
    uint64_t fences;      /* sent so far, the same */
    struct key_prefix prefixes[PARTITIONS_MAX];
    struct outbox_epoch epochs[PARTITIONS_MAX];
    struct buf command;              /* being written, for the next request */
    struct outbox_request *requests; /* queued */
    size_t n_requests;
    size_t room;
    int64_t waited_us;    /* for answers */
    int64_t wrong_floors; /* partitions whose floor cannot be right */
    int64_t early_end; /* up to which minute the deployment's settings say that minutes were retired early */
    int64_t early_minutes; /* retired before the horizon */
    int64_t early_from;    /* the floor before such a retirement that is not yet told; 0: there is none */
    int64_t early_bucket;  /* where the search for a bucket that is worth it goes on */
};

/* Borrows everything until outbox_free(). Connects lazily. */
struct outbox *outbox_new(
    const struct config *config, struct monitor *monitor, const struct clock *clock, struct log *log);
/* The same with another monitor, of which a copy is kept. For tests: theirs changes when they want it to. */
struct outbox *outbox_new_with(const struct config *config, const struct outbox_monitor *monitor,
    const struct clock *clock, struct log *log);

void outbox_free(struct outbox *o);

/* Number of partitions, from the configuration. */
int outbox_partitions(const struct outbox *o);

/* How many partitions lie on servers that may be used, as the monitor's last look says. */
int outbox_usable(struct outbox *o);

/* How long, in microseconds since outbox_new(), answers were waited for: the servers' share of the time. */
int64_t outbox_waited_us(const struct outbox *o);

/* Takes over a reply, which may be an error; false when it is not of the right form. */
typedef bool take_reply(void *ctx, size_t index, const redisReply *reply);

/*
 * Queues o->command, N commands, for the server of PARTITION, and clears it. CTX and DONE live until the
 * flush, which gives each reply to TAKE and then says in *DONE whether all was well.
 */
void outbox_queue(struct outbox *o, int partition, size_t n, take_reply *take, void *ctx, bool *done);

/*
 * The same of one command that writes in any case, so that a barrier behind it needs no other write: the
 * partition is not taken from.
 */
void outbox_queue_write(struct outbox *o, int partition, take_reply *take, void *ctx, bool *done);

/*
 * Sends what is queued, to each server in one go, and waits for the answers. WHAT names the action in the
 * log. BARRIER: what was read is durable at the configured level where *DONE says that all was well, and what
 * was read before over the same connection; each request is a partition's, whose epoch is known then. True
 * when it was everywhere.
 */
bool outbox_flush(struct outbox *o, const char *what, bool barrier);

/* Both, of one request and without a barrier. */
bool outbox_call(struct outbox *o, int partition, size_t n, const char *what, take_reply *take, void *ctx);

/*
 * One command, to the server that holds KEY. BARRIER: the command writes, and it counts as done only when
 * that is durable at the configured level.
 */
bool outbox_call_key(
    struct outbox *o, const char *key, const char *what, bool barrier, take_reply *take, void *ctx);

/* One command, to server SERVER of o->topology, for what is asked of a server and not of a partition. */
bool outbox_call_server(struct outbox *o, size_t server, const char *what, take_reply *take, void *ctx);

/*
 * The number of the connection to the server of PARTITION that is open now, 0 where none is. Two answers that
 * are equal and not 0: all that was read between them came from the same server, and over one connection.
 */
uint64_t outbox_connection(const struct outbox *o, int partition);

/* After a commit: what was to be told of partitions' epochs was told. */
void outbox_note_told(struct outbox *o);

/* The last take of PARTITION's epoch that Kafka was told of; 0: of none. */
int64_t outbox_told(const struct outbox *o, int partition);

/* After a transaction that failed, or with a lease that is lost: by the next one others may have published
 * more. */
void outbox_forget_untold(struct outbox *o);

/*
 * Takes over what the monitor has found, unless something is queued: that goes to the servers that were known
 * when its first request was. False while no server is known; o->command is cleared then.
 */
bool outbox_follow(struct outbox *o) __attribute__((warn_unused_result));

/* The name of the server that the last request for PARTITION went to. */
const char *outbox_server(const struct outbox *o, int partition);

/* A take_reply for an integer: CTX is an int64_t. */
take_reply outbox_take_integer;

struct outbox_minutes {
    int64_t *minutes; /* Unix seconds / 60; in the caller's arena */
    size_t n;
};

/* The minutes of an array reply, in its order; what is no number is left out. False when it is malformed. */
bool outbox_read_minutes(struct arena *arena, const redisReply *reply, struct outbox_minutes *out);
