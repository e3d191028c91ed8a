/* The keys of a server. */
#include "publish/outbox_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/outbox.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { KEYS = 1000 /* of an answer, as a rule */ };

#define HEAD "minuted:{" /* of a partition's keys; its number follows */

struct scan_call {
    const struct outbox *o;
    size_t server;
    uint64_t *cursor;
    struct arena *arena;
    struct outbox_keys *out;
};

/* The partition of KEY, if SERVER holds it; else -1. */
static int partition_of(const struct outbox *o, size_t server, struct slice key, struct slice *name)
{
    const size_t n = sizeof(HEAD) - 1;
    int p = 0;
    if (key.len <= n || memcmp(key.ptr, HEAD, n) != 0)
        return -1;
    for (size_t i = n; i < key.len && key.ptr[i] >= '0' && key.ptr[i] <= '9' && p < PARTITIONS_MAX; i++)
        p = 10 * p + key.ptr[i] - '0';
    if (p >= outbox_partitions(o))
        return -1;
    const struct key_prefix *prefix = &o->prefixes[p];
    if (key.len <= prefix->len || memcmp(key.ptr, prefix->text, prefix->len) != 0 ||
        topology_server_of_partition(o->topology, p) != server)
        return -1;
    *name = (struct slice){key.ptr + prefix->len, key.len - prefix->len};
    return p;
}

static bool take_keys(void *ctx, size_t index, const redisReply *reply)
{
    const struct scan_call *call = ctx;
    const redisReply *keys = reply_at(reply, 1);
    struct slice text;
    (void)index;
    if (!reply_string(reply_at(reply, 0), &text) || !reply_is_array(keys))
        return false;
    *call->cursor = strtoull(text.ptr, NULL, 10);
    call->out->items = arena_alloc(call->arena, keys->elements * sizeof(*call->out->items));
    call->out->seen = keys->elements;
    for (size_t i = 0; i < keys->elements; i++) {
        struct outbox_key *found = &call->out->items[call->out->n];
        if (!reply_string(keys->element[i], &text))
            return false;
        found->partition = partition_of(call->o, call->server, text, &found->name);
        if (found->partition < 0)
            continue;
        found->name.ptr = arena_strndup(call->arena, found->name.ptr, found->name.len);
        call->out->n++;
    }
    return true;
}

bool outbox_scan(struct outbox *o, size_t server, const char *type, uint64_t *cursor, struct arena *arena,
    const char *what, struct outbox_keys *out)
{
    struct scan_call call = {o, server, cursor, arena, out};
    char from[24];
    *out = (struct outbox_keys){.n = 0};
    snprintf(from, sizeof(from), "%" PRIu64, *cursor);
    resp_begin(&o->command, type == NULL ? 6 : 8);
    resp_arg(&o->command, SLICE_LITERAL("SCAN"));
    resp_arg(&o->command, slice_of(from));
    resp_arg(&o->command, SLICE_LITERAL("MATCH"));
    resp_arg(&o->command, SLICE_LITERAL(HEAD "*"));
    resp_arg(&o->command, SLICE_LITERAL("COUNT"));
    resp_int(&o->command, KEYS);
    if (type != NULL) {
        resp_arg(&o->command, SLICE_LITERAL("TYPE"));
        resp_arg(&o->command, slice_of(type));
    }
    return outbox_call_server(o, server, what, take_keys, &call);
}
