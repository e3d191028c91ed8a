/*
 * The four kinds of records: their topics, keys and values. Pure.
 *
 * A record says an absolute value, so that consumers may read it any number of times. Its fields are those of
 * proto/records.proto in either format; JSON takes names and order from there.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"
#include "store/values.h"

struct learner_masks;
struct lesson_mask;
struct lesson_sum;

enum record_kind {
    RECORD_LEARNER_LESSON,
    RECORD_LEARNER_MINUTE,
    RECORD_LESSON_MINUTE,
    RECORD_WATERMARK,
    RECORD_KINDS
};

/* The topic that holds records of KIND and no other. */
const char *record_topic(enum record_kind kind);

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

/* Set `format` and zero the rest. */
struct record_writer {
    enum record_format format;
    struct buf key;
    struct buf route;
    struct buf value;
};

void record_writer_free(struct record_writer *w);

/* MINUTE (Unix seconds / 60) is the one whose mask was taken: it dates the record. */
struct record record_learner_lesson(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask);
struct record record_learner_minute(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask);
struct record record_lesson_minute(struct record_writer *w, int64_t minute, const struct lesson_sum *sum);
/* Watermarks in Unix seconds. */
struct record record_watermark(struct record_writer *w, const char *deployment, int64_t published_through,
    int64_t final_through, int64_t now_ms);
