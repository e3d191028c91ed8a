/*
 * Writing what the topics say of learners into Redis: `minuted --rebuild` into partitions that have lost it,
 * `minuted --lower-floor` into those whose floor was raised wrongly. Whoever restores a partition names
 * itself in the partition's epoch: of two, the younger goes on, and the older is refused. All that is written
 * is durable at the configured level before it counts as done. One thread; calls block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "publish/recall.h"
#include "redis/topology.h"

struct outbox;

enum { RESTORE_WHY_MAX = 320, RESTORE_TOKEN_MAX = 64 };

/* ---- where partitions stand ---- */

enum restore_lost {
    RESTORE_WHOLE,
    RESTORE_EMPTY,
    RESTORE_ROLLED_BACK,
    RESTORE_FOREIGN,
    RESTORE_LEFT_OUT /* whole, but for learners whose values could not be read */
};

/* A learner whom a pass has left out, and what that pass would have gone by. */
struct restore_left_out {
    struct slice portal;
    struct slice learner;
    enum restore_lost lost; /* RESTORE_EMPTY or RESTORE_ROLLED_BACK */
    int64_t kept;
    bool seen; /* in the topics, by restore_learners() */
};

struct restore_state {
    enum restore_lost lost;
    int64_t kept;     /* the first minute that the partition may still hold, and that no rebuilding before has
                         compared; the floor, if it says nothing */
    int64_t restored; /* up to where one has; 0: there was none */
    int64_t floor;    /* 0: none */
    int64_t slices;   /* of a rebuilding that has begun; 0: none has */
    int64_t slice;    /* the next one */
    struct restore_left_out *left_out; /* in the arena that the states were read into */
    size_t n_left_out;
};

/* What the deployment says. */
struct restore_deployment {
    int64_t final_through; /* Unix seconds */
    int64_t early_minute;  /* up to which minute floors were raised on purpose */
    bool published;        /* somebody holds the lease */
};

bool restore_read_states(struct outbox *o, struct arena *arena,
    struct restore_state states[static PARTITIONS_MAX]) __attribute__((warn_unused_result));
bool restore_read_deployment(struct outbox *o, struct restore_deployment *d)
    __attribute__((warn_unused_result));

/* ---- restoring ---- */

/* Set the first two, zero the rest. */
struct restore {
    struct outbox *outbox;
    char token[RESTORE_TOKEN_MAX];
    char why[RESTORE_WHY_MAX]; /* what ended it; "": nothing did */
    struct arena arena;
    struct arena states;    /* for what restore_read_states() reads */
    int64_t new_seconds;    /* that masks had not */
    int64_t taken_seconds;  /* that other lessons had */
    int64_t ahead_seconds;  /* that only Kafka's totals had, of minutes that were not yet published */
    int64_t older_seconds;  /* of which there is no evidence in the topic any more */
    int64_t older_learners; /* that have such */
    int64_t learners;
    int64_t left_out; /* learners whose values in Redis cannot be read; each was told on standard error, and
                         is noted in Redis for another run */
};

void restore_free(struct restore *r);

/*
 * The following functions return false with `why` set when nothing more can be done. While a server is away
 * they wait for it, half a minute; GO_ON is asked meanwhile, and false ends them with `why` empty.
 */
typedef bool restore_go_on(void *ctx);

/* Takes the fence of PARTITION. What its state says from then on is changed by nobody else. */
bool restore_claim(struct restore *r, int partition) __attribute__((warn_unused_result));

/*
 * Merges what E says of its learners [FIRST, FIRST + N) into their partitions, STATES. Of a partition that is
 * whole but for some learners, these alone are restored. FLOOR: only masks of
 * minutes before the partition's floor are put back, into a partition that is whole.
 */
bool restore_learners(struct restore *r, const struct recall *e, size_t first, size_t n,
    const struct restore_state *states, bool floor, restore_go_on *go_on, void *ctx)
    __attribute__((warn_unused_result));

/*
 * After all passes over PARTITION, which is whole but for some learners: those of whom the topics say nothing
 * (any more) have nothing to wait for.
 */
bool restore_release(struct restore *r, const struct recall *e, int partition,
    const struct restore_state *states, restore_go_on *go_on, void *ctx) __attribute__((warn_unused_result));

/* The pass SLICE is the next one of SLICES; what came before is done. */
bool restore_next(struct restore *r, int partition, int64_t slices, int64_t slice)
    __attribute__((warn_unused_result));

/* PARTITION is whole again; its new epoch begins. */
bool restore_end(struct restore *r, int partition, int64_t *epoch) __attribute__((warn_unused_result));

/* A lesson's sum of a minute in a partition, of what is published. */
struct restore_sum {
    int partition;
    int64_t minute;
    struct slice lesson;
    struct slice course;
    int64_t seconds;
    int64_t learners;
};

/* Puts back what a wrong floor has freed of a minute's sums: N of one partition and minute. */
bool restore_sums(struct restore *r, const struct restore_sum *sums, size_t n, restore_go_on *go_on,
    void *ctx) __attribute__((warn_unused_result));

/* Lowers the floor of PARTITION from what it was; *FLOOR gets what it is then. */
bool restore_lower_floor(struct restore *r, int partition, int64_t from, int64_t to, int64_t *floor)
    __attribute__((warn_unused_result));
