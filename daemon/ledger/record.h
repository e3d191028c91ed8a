/*
 * minuted's records as plain structs, whichever way they were written. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

enum topic {
    TOPIC_LEARNER_LESSONS,
    TOPIC_LEARNER_MINUTES,
    TOPIC_LESSON_MINUTES,
    TOPIC_WATERMARKS,
    TOPIC_COUNT
};

/* "minuted.learner-lessons" and so on. */
extern const char *const ledger_topic_names[TOPIC_COUNT];

/*
 * A record's times are Unix seconds of the years 2000 to 2999, and its sums are no more than can be watched
 * in them. So sums over many records stay within 64 bits.
 */
#define RECORD_TIME_MIN INT64_C(946684800)
#define RECORD_TIME_MAX INT64_C(32503680000)

/* The fields that a topic has are set; the others are empty. */
struct ledger_record {
    enum topic topic;
    int partition;
    int64_t offset;
    struct slice portal;
    struct slice learner;
    struct slice course;
    struct slice lesson;
    struct slice deployment; /* the watermark's key */
    int64_t minute_start;    /* or last_minute_start */
    int64_t watched_seconds;
    int64_t covered_seconds;
    int64_t learners;
    int64_t published_through;
    int64_t final_through;
    uint64_t mask;
    const char *problem; /* why it could not be decoded, a literal */
};

/*
 * Decodes VALUE by its `content-type` header (empty: protobuf) into *R, whose topic, partition and offset are
 * set; strings live in ARENA, KEY or VALUE. False with `problem` set when it is no record of the topic, or
 * contradicts itself, such as by a mask and a sum that differ or by more seconds than have passed.
 */
bool ledger_record_decode(struct slice content_type, struct slice key, struct slice value,
    struct arena *arena, struct ledger_record *r) __attribute__((warn_unused_result));

/*
 * Whether KEY is the key that the record's values make. Kafka compacts by key, and consumers upsert by key: a
 * record under another record's key would take that record's place.
 */
bool ledger_record_has_key(const struct ledger_record *r, struct slice key);
