/*
 * What Redis holds, in C: a learner's masks, totals and minutes, and a lesson's sums. Pure. functions.lua
 * writes these values.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* The first byte of every value. A mask is stored as two halves of 30 bits, since Lua's numbers are doubles.
 */
enum { VALUE_FORMAT = 1, VALUE_HALF_BITS = 30 };
#define VALUE_HALF_MASK (((uint64_t)1 << VALUE_HALF_BITS) - 1)

/* What a learner has of a lesson, of all time. */
struct lesson_total {
    struct slice lesson;
    struct slice course;
    int64_t watched_seconds;
    int64_t covered_seconds;
    int64_t last_minute;  /* the newest minute with a watched second, Unix seconds / 60 */
    struct slice covered; /* sorted and disjoint stretches of the video: [from, to) in ms, u32 each */
    int64_t epoch;        /* of the partition that has it */
};

struct learner_total {
    struct slice portal;
    struct slice learner;
    const struct lesson_total *total;
};

/* One lesson of one learner in the minute that was taken. */
struct lesson_mask {
    struct slice lesson;
    uint64_t mask;                    /* of the minute */
    const struct lesson_total *total; /* NULL until it was read */
};

struct learner_masks {
    struct slice portal;
    struct slice learner;
    struct lesson_mask *masks;
    size_t n_masks;
    bool left_out; /* of what was taken */
};

/* What one minute holds of a lesson. */
struct lesson_sum {
    struct slice lesson;
    struct slice course;
    int64_t watched_seconds;
    int64_t learners;
    int64_t published_seconds; /* of the watched ones */
    bool unreadable;           /* a part of it; then it cannot be told, and the numbers mean nothing */
};

/* A lesson's watched seconds in one minute. */
struct store_minute {
    int64_t minute; /* Unix seconds / 60 */
    struct slice lesson;
    uint64_t mask; /* never 0 */
};

struct minutes {
    struct store_minute *items; /* oldest minute first; in the arena, lessons point into the value */
    size_t n;
};

/* Reads a value of w:<BUCKET>. False when it is malformed. */
bool values_decode_minutes(struct slice value, int64_t bucket, struct arena *arena, struct minutes *out)
    __attribute__((warn_unused_result));

/* Appends a lesson's published mask of a minute, as `settle` compares it. */
void values_encode_mask(struct buf *b, struct slice lesson, uint64_t mask);

/*
 * Reads what a value of w:<bucket> says of MINUTE into OUT's masks: those with a second, without their
 * totals; lessons point into VALUE. False when it is malformed, also when a lesson's name is no id, which no
 * record could have.
 */
bool values_decode_masks(struct slice value, int64_t minute, struct arena *arena, struct learner_masks *out)
    __attribute__((warn_unused_result));

/* A value of t:<learner> into OUT (without lesson and epoch), which points into it. False when it is
 * malformed, also when the course's name is no id. */
bool values_decode_total(struct slice value, struct lesson_total *out) __attribute__((warn_unused_result));

/* A value of l:<minute> into OUT (without the lesson), which points into it. False when it is malformed, also
 * when the course's name is no id. */
bool values_decode_sum(struct slice value, struct lesson_sum *out) __attribute__((warn_unused_result));
