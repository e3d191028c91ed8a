/*
 * An outbox in memory, for testing the publisher without Redis: the functions of store/outbox.h over a table
 * of masks that the test fills. A `struct monitor` stands for Redis, so that several publishers can share
 * one.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_PARTITIONS = 2, FAKE_ROWS_MAX = 64, FAKE_MARKS_MAX = 64 };

/* What a learner watched of a lesson in a minute. Portal and course are always "higher" and "live". */
struct fake_row {
    int64_t minute;
    int partition;
    const char *learner;
    const char *lesson;
    uint64_t mask;
    bool dirty;
    bool grown; /* the minute's sums are not published */
    bool unreadable;
};

struct monitor {
    pthread_mutex_t lock;
    int64_t grace_s;
    struct fake_row rows[FAKE_ROWS_MAX];
    size_t n_rows;
    size_t take_max; /* learners a take gives, always the first dirty ones */
    int64_t take_ms; /* how long a take needs */
    char owner[128];
    int64_t marks[2];                        /* published_through, final_through */
    int64_t published_asked[FAKE_MARKS_MAX]; /* what each call wished published_through to be */
    size_t n_asked;
    int64_t floor;
    bool away[FAKE_PARTITIONS]; /* the partition's server does not answer */
    _Atomic size_t takes;
    int64_t first_take_ms;        /* monotonic */
    size_t takes_of_look;         /* portions since minutes were listed */
    size_t takes_most;            /* of one look */
    size_t settles;               /* learners settled */
    size_t takes_to_first_settle; /* and with the first of them */
};

void fake_init(struct monitor *redis, int64_t grace_s);

/* LEARNER watches the seconds of MASK; the strings are borrowed. */
void fake_watch(struct monitor *redis, int partition, int64_t minute, const char *learner, const char *lesson,
    uint64_t mask);

/* Whether nothing due at NOW_S is owed to Kafka any more. */
bool fake_is_settled(struct monitor *redis, int64_t now_s);

/* Who holds the lease, for tests to set; "" for nobody. */
void fake_set_owner(struct monitor *redis, const char *owner);
bool fake_is_owner(struct monitor *redis, const char *owner);

void fake_set_away(struct monitor *redis, int partition, bool away);
size_t fake_settles(struct monitor *redis);
