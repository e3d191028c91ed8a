/*
 * The four kinds of records: their topics, keys and values. Pure.
 *
 * A record says an absolute value, so that consumers may read it any number of times. Its fields are those of
 * proto/records.proto in either format; JSON takes names and order from there.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"
#include "store/values.h"

struct learner_masks;
struct lesson_mask;
struct lesson_sum;
struct learner_total;
struct watermark;

enum record_kind {
    RECORD_LEARNER_LESSON,
    RECORD_LEARNER_MINUTE,
    RECORD_LESSON_MINUTE,
    RECORD_WATERMARK,
    RECORD_KINDS
};

enum { RECORD_TOPIC_MAX = 96 };

/* The topic that holds records of KIND and no other: "<PREFIX>.learner-lessons" and so on. PREFIX is an id.
 */
void record_topic(enum record_kind kind, const char *prefix, char name[static RECORD_TOPIC_MAX]);

/* What the records' header `content-type` says. */
const char *record_content_type(enum record_format format);

/* A record; everything in it lives until the writer writes the next one. */
struct record {
    enum record_kind kind;
    const char *schema; /* the message's full name, "minuted.v1.LearnerLesson" */
    struct slice key;
    struct slice route; /* the partition is chosen by this: records with the same one stay in order */
    struct slice value;
    int64_t time_ms;
};

/* Set the first three, which are borrowed, and zero the rest. */
struct record_writer {
    enum record_format format;
    const char *program; /* the catalog's */
    const char *deployment;
    struct buf key;
    struct buf route;
    struct buf value;
    struct arena message; /* the message's strings and list */
};

void record_writer_free(struct record_writer *w);

/* Dated by the last minute, which only rises. */
struct record record_learner_lesson(struct record_writer *w, const struct learner_total *of);
/* MASK has its total. MINUTE (Unix seconds / 60) is the one whose mask was taken. */
struct record record_learner_minute(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask);
struct record record_lesson_minute(struct record_writer *w, int64_t minute, const struct lesson_sum *sum);

/* The deployment's watermark; its published_through dates it. HELD_BY[p]: partition p cannot be published. */
struct record record_watermark(
    struct record_writer *w, const struct watermark *watermark, const bool *held_by, int partitions);

/*
 * The state of a partition. Its time is EPOCH + TAKEN ms, so that it rises with both; or NOW_MS, if that is
 * earlier: an epoch that was made while clocks were ahead is no time that Kafka would take.
 */
struct record record_epoch(
    struct record_writer *w, int partition, int64_t epoch, int64_t taken, int64_t now_ms);
