/*
 * The outbox's connections and calls, shared by the files that make it up: outbox.c (minutes, take, settle),
 * outbox_sums.c, outbox_lease.c and outbox_retire.c.
 */
#pragma once

#include "base/buf.h"
#include "store/client.h"
#include "store/layout.h"
#include "store/monitor.h"
#include "store/outbox.h"

enum { OUTBOX_WAIT_MS = 1000 };

struct outbox {
    const struct config *config;
    struct monitor *monitor;
    struct log *log;
    struct topology *topology;
    redisContext *connections[SERVERS_MAX];
    struct key_prefix prefixes[PARTITIONS_MAX];
    struct buf command;
};

/* Takes over a reply that is no error; false when it is not of the right form. */
typedef bool take_reply(void *ctx, size_t index, const redisReply *reply);

/* Sends o->command, N commands, to the server of PARTITION. WHAT names the action in the log. */
bool outbox_call(struct outbox *o, int partition, size_t n, const char *what, take_reply *take, void *ctx);

/* The name of the server that the last call for PARTITION went to. */
const char *outbox_server(const struct outbox *o, int partition);

/* Acknowledgements that the barrier asks of replicas; 0 where the reply itself is the barrier. */
int outbox_replicas(const struct outbox *o);

/* Appends WAIT to o->command where REPLICAS is not 0: one command more to be answered. */
void outbox_append_wait(struct outbox *o, int replicas);

/* The same, one command, to the server that holds KEY. */
bool outbox_call_key(struct outbox *o, const char *key, const char *what, take_reply *take, void *ctx);

/* A take_reply for an integer: CTX is an int64_t. */
take_reply outbox_take_integer;

/* The minutes of an array reply, in its order. False when it is malformed. */
bool outbox_read_minutes(struct arena *arena, const redisReply *reply, struct outbox_minutes *out);
