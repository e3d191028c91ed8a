/* Retiring old buckets: the floor rises, and Redis gets its memory back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct outbox;

enum { RETIRE_MAX = 8 /* buckets a call: far less than a lease lasts */ };

/* What a call may do. */
struct retire_terms {
    int64_t now_ms;
    int64_t max;  /* buckets, at most RETIRE_MAX */
    bool settled; /* the clock is: floors are set where none are, and minutes may be retired early */
};

/*
 * Retires what is older than the horizon: oldest bucket first, in every partition before the next bucket,
 * only where nothing is dirty. An hour later a bucket goes but for learners who cannot be published, unless
 * these are more than a thousand. Where no partition has a floor yet, it sets them all. With
 * redis.early_retire, while a server is above its memory's high-water mark, also the oldest younger bucket
 * that frees enough memory on that server, and all buckets before it; none younger than early_retire. *FLOOR
 * gets the lowest floor of all partitions (Unix seconds / 60): no second before it can be claimed any more; 0
 * when a partition has none yet. False as in outbox_minutes.h.
 */
bool outbox_retire(struct outbox *o, const struct retire_terms *terms, int64_t *floor)
    __attribute__((warn_unused_result));

/* Partitions whose floor, at the last call, was beyond what it can be: they take no runs. */
int64_t outbox_wrong_floors(const struct outbox *o);

/* Minutes that this outbox has retired although the horizon still let them be claimed. */
int64_t outbox_early_minutes(const struct outbox *o);
