/*
 * What the topics say of learners: their masks of `learner-minutes`, and their greatest totals of
 * `learner-lessons`. A reading passes over both, up to where they ended when it began, and keeps one share of
 * the learners, so that memory is bounded however many there are. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "redis/topology.h"

struct config;
struct log;
struct stream_reader;

/* ---- reading ---- */

enum { RECALL_WHY_MAX = 320 };

/* No learner of a partition is wanted. */
#define RECALL_NOTHING INT64_MAX

/* Which records are kept. Everything is borrowed. */
struct recall_terms {
    const char *program;
    int partitions;                       /* of Redis */
    int64_t first_minute[PARTITIONS_MAX]; /* of each; RECALL_NOTHING: none of its learners */
    bool totals[PARTITIONS_MAX];          /* of each: totals are wanted, too */
    int64_t last_minute;                  /* records of later minutes are passed over: they cannot be right */
    int slice; /* of SLICES: learners of a partition whose hash leaves this remainder */
    int slices;
};

/* A minute of a learner and a lesson. */
struct recall_mask {
    uint64_t mask;
    uint32_t minute; /* Unix seconds / 60 */
    uint32_t lesson; /* its place among the lessons */
};

/* The greatest total of a learner and a lesson, by (epoch, seconds). */
struct recall_total {
    int64_t epoch;
    uint32_t lesson;
    uint32_t watched_seconds;
    uint32_t last_minute;
    struct slice covered; /* as functions.lua stores intervals */
};

struct recall_learner {
    struct slice portal;
    struct slice learner;
    int partition;
    struct recall_mask *masks; /* as the topic has them, in its order */
    size_t n_masks;
    size_t masks_room;
    struct recall_total *totals;
    size_t n_totals;
    size_t totals_room;
};

struct recall_lesson {
    struct slice id;
    struct slice course; /* of the last record */
};

struct recall;

/*
 * Connects to the Kafka of CONFIG and looks where its topics end. NULL with WHY when it cannot be read, or
 * tells no ends. *CLUSTER gets the cluster's id, to be freed; "" when it tells none.
 */
struct recall *recall_open(
    const struct config *config, struct log *log, char **cluster, char why[static RECALL_WHY_MAX]);
void recall_close(struct recall *e);

/* The readings begin at the first records of FIRST_MINUTE or later ones; 0: at the first of all. */
bool recall_seek(struct recall *e, int64_t first_minute) __attribute__((warn_unused_result));

/* In how many shares the learners must be read so that each fits into BYTES of memory. */
int recall_slices(const struct recall *e, int64_t bytes);

/* How far a reading is; false ends it. */
typedef bool recall_progress(void *ctx, int64_t records, int64_t of_records);

/*
 * Reads what TERMS ask for, in place of what was read before. False with WHY when it did not come to the end;
 * WHY is "" when PROGRESS has ended it.
 */
bool recall_read(struct recall *e, const struct recall_terms *terms, recall_progress *progress, void *ctx,
    char why[static RECALL_WHY_MAX]) __attribute__((warn_unused_result));

/* Whether the topic of minutes begins later than it once did: its oldest evidence was deleted. */
bool recall_is_cut(const struct recall *e);

/* Records of the last reading that are not minuted's, or contradict themselves. */
int64_t recall_malformed(const struct recall *e);
/* And those of other programs. */
int64_t recall_foreign(const struct recall *e);

size_t recall_learners(const struct recall *e);
const struct recall_learner *recall_learner(const struct recall *e, size_t i);
/* A lesson's place is the same in every reading. */
const struct recall_lesson *recall_lesson(const struct recall *e, size_t i);

/* ---- one learner ---- */

/* What the evidence says of a lesson of a learner. */
struct recall_sum {
    uint32_t lesson;
    uint64_t seconds;                 /* of all masks */
    uint64_t before;                  /* of masks before KEPT, without those that another lesson has */
    uint32_t last_minute;             /* 0: no mask */
    const struct recall_total *total; /* NULL: the topic has none */
};

struct recall_summary {
    struct recall_mask *masks; /* from the minute KEPT on, in order: one for each minute and lesson */
    size_t n_masks;
    struct recall_sum *sums;
    size_t n_sums;
};

/*
 * Sums up what the topics say of L, in ARENA. A second that two lessons have is that lesson's whose record
 * stands first in the topic.
 */
struct recall_summary recall_sum_up(const struct recall_learner *l, int64_t kept, struct arena *arena);
