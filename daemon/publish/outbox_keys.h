/*
 * The keys of a server, a few at a time, for those who walk through all of them. A cursor belongs to the
 * connection that it came over, and whether a server holds a partition is the topology's word: who walks
 * looks after both.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct outbox;

/* A key of a partition. */
struct outbox_key {
    int partition;
    struct slice name; /* what stands behind the partition's prefix; NUL-terminated, in the arena */
};

struct outbox_keys {
    struct outbox_key *items; /* in the arena */
    size_t n;
    size_t seen; /* keys that the server has named, of whomever */
};

/*
 * Asks server SERVER of o->topology for some keys of TYPE, such as "hash" (NULL: of any), from *CURSOR on,
 * where 0 is the beginning. OUT gets those of the partitions that the server holds, in ARENA. *CURSOR becomes
 * where the next ones begin; 0: these were the last. WHAT and the result are as in outbox_call_server().
 */
bool outbox_scan(struct outbox *o, size_t server, const char *type, uint64_t *cursor, struct arena *arena,
    const char *what, struct outbox_keys *out) __attribute__((warn_unused_result));
