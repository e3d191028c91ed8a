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

enum { TOPIC_NAME_MAX = 96 };

struct stream_topics {
    char names[TOPIC_COUNT][TOPIC_NAME_MAX];
};

/* The topics' full names: "<PREFIX>.learner-lessons" and so on. PREFIX is an id. */
struct stream_topics stream_topics_of(const char *prefix);

/*
 * A record's times are Unix seconds of the years 2000 to 2999, its epochs the same in milliseconds, and its
 * sums are no more than can be watched in them. So sums over many records stay within 64 bits.
 */
#define RECORD_TIME_MIN INT64_C(946684800)
#define RECORD_TIME_MAX INT64_C(32503680000)

/* What Redis keeps of one video at most, where a video's time has 32 bits. */
enum { RECORD_STRETCHES_MAX = 500 };
#define RECORD_MEDIA_MS_MAX INT64_C(0xffffffff)

/* What a partition of Redis may be, and how often it may have been taken from. */
enum { RECORD_PARTITIONS_MAX = 256 };
#define RECORD_TAKEN_MAX (INT64_C(1) << 53)

struct stream_numbers {
    const int64_t *items;
    size_t n;
};

/* The fields that a topic has are set; the others are empty. */
struct stream_record {
    enum topic topic;
    int partition; /* the topic's */
    int64_t offset;
    struct slice program;
    struct slice portal;
    struct slice learner;
    struct slice course;
    struct slice lesson;
    int64_t minute_start; /* or last_minute_start */
    int64_t watched_seconds;
    int64_t covered_seconds;
    struct stream_numbers covered; /* stretches of the video in ms: from, to in turn; sorted and disjoint */
    int64_t learners;
    uint64_t mask;
    int64_t epoch; /* of a total, or of a partition of Redis; Unix ms */
    /* The other fields are those of watermarks. */
    struct slice deployment;
    int64_t redis_partition; /* -1: this is the deployment's, which has the next three */
    int64_t published_through;
    int64_t final_through;
    struct stream_numbers held_by; /* partitions of Redis, ascending */
    int64_t taken;                 /* from the partition, in its epoch */
    bool tombstone;                /* what there was of this key is deleted; only what the key says is set */
    const char *problem;           /* why it could not be decoded, a literal */
};

/*
 * Decodes VALUE by its `content-type` header (empty: protobuf) into *R, whose topic, partition and offset are
 * set; strings and lists live in ARENA or VALUE. False with `problem` set when it is no record of the topic,
 * or contradicts itself, such as by a mask and a sum that differ or by more seconds than have passed.
 *
 * A protobuf string counts up to its first NUL. No id has one, and the key that such a record would have to
 * have tells it from another's.
 */
bool stream_record_decode(struct slice content_type, struct slice value, struct arena *arena,
    struct stream_record *r) __attribute__((warn_unused_result));

/*
 * Reads the KEY of a record without a value, a tombstone, into *R, whose topic, partition and offset are set
 * and whose strings live in KEY. False with `problem` set when it is no key of the topic.
 */
bool stream_record_read_key(struct slice key, struct stream_record *r) __attribute__((warn_unused_result));

/*
 * Whether KEY is the key that the record's values make. Kafka compacts by key, and consumers upsert by key: a
 * record under another record's key would take that record's place.
 */
bool stream_record_has_key(const struct stream_record *r, struct slice key);
