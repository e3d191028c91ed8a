/*
 * What Redis still owes to Kafka, for the publisher's thread: which minutes are dirty, what their masks
 * and totals are, and that they are settled once a transaction has committed. Blocking, on connections of
 * its own, with a time limit on every command.
 *
 *     outbox_minutes -> outbox_take -> (produce, commit) -> outbox_settle          masks and totals
 *     outbox_grown   -> outbox_sums -> (produce, commit) -> outbox_settle_sums     lesson minutes
 *     outbox_retire: raise the floor, give memory back
 *
 * Every function that returns false could not reach a server or was refused by it: the failure is logged, and
 * a broken connection is made anew at the next call. Nothing is lost by giving up half-way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "store/values.h"

struct config;
struct monitor;
struct log;
struct outbox;

enum {
    OUTBOX_TAKE_MAX = 500,   /* learners of a portion, as a rule */
    OUTBOX_PORTIONS_MAX = 16 /* in one call */
};

/* Borrows everything until outbox_free(). Connects lazily. */
struct outbox *outbox_new(const struct config *config, struct monitor *monitor, struct log *log);
void outbox_free(struct outbox *o);

/*
 * The lease `minuted:publisher`: HOLDER takes it when it is free or already its own, for TTL_MS.
 * *HELD says whether HOLDER has it now; *OWNER (at least 128 bytes) who has it.
 */
bool outbox_lease(struct outbox *o, const char *holder, int64_t ttl_ms, bool *held, char owner[static 128])
    __attribute__((warn_unused_result));
/* Gives the lease up if HOLDER has it. */
bool outbox_release(struct outbox *o, const char *holder);

struct outbox_minutes {
    int64_t *minutes; /* Unix seconds / 60, newest first; in the caller's arena */
    size_t n;
};

/*
 * Up to MAX dirty minutes of PARTITION that are due at NOW_S (Unix seconds) or before; all dirty ones when
 * NOW_S is INT64_MAX. *OLDEST is the oldest of all those, INT64_MAX when there is none.
 */
bool outbox_minutes(struct outbox *o, int partition, int64_t now_s, size_t max, struct arena *arena,
    struct outbox_minutes *out, int64_t *oldest) __attribute__((warn_unused_result));

/*
 * A portion of a minute's dirty learners. Set `partition` and `minute` and zero the rest for the first one;
 * the next goes on where it ended, also after a settling, when what lies before is empty and slow to pass.
 */
struct outbox_portion {
    int64_t minute;
    int partition;
    bool resumed;                   /* the caller's: the first portion was another transaction's */
    bool done;                      /* the last call for it went well */
    uint64_t cursor;                /* where the next portion begins; 0: this was the last */
    uint64_t connection;            /* the outbox's: over which the names and the cursor came */
    struct learner_masks *learners; /* in the arena */
    size_t n_learners;
    size_t n_unreadable; /* left out, since their keys hold what they should not: they stay dirty */
};

/*
 * Takes N portions, at most OUTBOX_PORTIONS_MAX. Where it is done the values are durable at the configured
 * level: the barrier between take and produce is within. It is not done where the server was lost or replaced
 * on the way, also since the portion before: that minute is to be begun anew. The portions of a minute, from
 * the first to the last, together hold every learner who was dirty all the while; one may come twice, with no
 * less the second time. True when all are done.
 */
bool outbox_take(struct outbox *o, struct outbox_portion *portions, size_t n, struct arena *arena);

/* After the commit: each learner leaves the dirty set unless one of its masks grew meanwhile. As above. */
bool outbox_settle(struct outbox *o, struct outbox_portion *portions, size_t n);

/* Minutes of PARTITION whose lesson sums grew since they were published, newest first, up to MAX. */
bool outbox_grown(struct outbox *o, int partition, size_t max, struct arena *arena,
    struct outbox_minutes *out) __attribute__((warn_unused_result));

/*
 * A minute's sums over every partition. `partition_seconds[p]` is what settle compares. In the arena. Empty
 * where the minute is no longer listed as grown: another daemon has published all of it since.
 */
struct outbox_sums {
    int64_t minute;
    struct lesson_sum *sums;
    size_t n;
    int64_t *partition_seconds;
};

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
    __attribute__((warn_unused_result));
/* After the commit: the minute leaves `ld` of each partition whose sums did not grow meanwhile. */
bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums) __attribute__((warn_unused_result));

/*
 * Retires what is older than the horizon at NOW_MS: oldest bucket first, in every partition before the next
 * bucket, only where nothing is dirty. At most a bounded number of buckets a call. With redis.early_retire,
 * while a server is above its memory's high-water mark, also the oldest younger bucket that frees enough
 * memory on that server, and all buckets before it; none younger than early_retire. *FLOOR gets the lowest
 * floor of all partitions (Unix seconds / 60): no second before it can be claimed any more; 0 when a
 * partition has none yet.
 */
bool outbox_retire(struct outbox *o, int64_t now_ms, int64_t *floor) __attribute__((warn_unused_result));

/* Minutes that this outbox has retired although the horizon still let them be claimed. */
int64_t outbox_early_minutes(const struct outbox *o);

/*
 * Raises the stored watermarks (Unix seconds) to the given ones, and gives back the greatest of both, so
 * that a watermark never falls when another daemon takes over.
 */
bool outbox_watermark(struct outbox *o, int64_t *published_through, int64_t *final_through)
    __attribute__((warn_unused_result));

/* How long, in microseconds since outbox_new(), answers were waited for: the servers' share of the time. */
int64_t outbox_waited_us(const struct outbox *o);

/* Number of partitions, from the configuration. */
int outbox_partitions(const struct outbox *o);
