/* Records as the publisher writes them. */
#include "published_records.h"

#include <assert.h>

#include "publish/lease.h"
#include "publish/record.h"
#include "store/values.h"

/* The video's stretches from 500 ms to 6 s and from 7 s to 2^32 - 1 ms. */
#define COVERED "\xf4\x01\0\0\x70\x17\0\0\x58\x1b\0\0\xff\xff\xff\xff"

static struct slice keep_bytes(char *room, size_t size, struct slice s)
{
    assert(s.len <= size);
    memcpy(room, s.ptr, s.len);
    return (struct slice){room, s.len};
}

static void keep(struct published_record *out, struct record r)
{
    out->key = keep_bytes(out->key_bytes, sizeof(out->key_bytes), r.key);
    out->value = keep_bytes(out->value_bytes, sizeof(out->value_bytes), r.value);
}

void published_records_write(bool json, struct published_record out[PUBLISHED_RECORDS])
{
    const int64_t minute = PUBLISHED_MINUTE / 60;
    const bool held_by[] = {false, true, false, true};
    struct record_writer w = {
        .format = json ? FORMAT_JSON : FORMAT_PROTOBUF, .program = "winter-2023", .deployment = "north"};
    struct lesson_total total = {.lesson = SLICE_LITERAL("l-1"),
        .course = SLICE_LITERAL("c-1"),
        .watched_seconds = 4321,
        .covered_seconds = 6 + (4294967 - 7),
        .last_minute = minute + 7,
        .covered = SLICE_LITERAL(COVERED),
        .epoch = PUBLISHED_EPOCH};
    struct lesson_mask mask = {total.lesson, PUBLISHED_MASK, &total};
    struct learner_masks learner = {
        .portal = SLICE_LITERAL("higher"), .learner = SLICE_LITERAL(PUBLISHED_LEARNER)};
    struct learner_total whole = {learner.portal, learner.learner, &total};
    struct lesson_sum sum = {
        .lesson = total.lesson, .course = total.course, .watched_seconds = 77, .learners = 3};
    struct watermark watermark = {
        .published_through = PUBLISHED_MINUTE + 60, .final_through = PUBLISHED_MINUTE - 86400};
    keep(&out[0], record_learner_lesson(&w, &whole));
    keep(&out[1], record_learner_minute(&w, minute, &learner, &mask));
    keep(&out[2], record_lesson_minute(&w, minute, &sum));
    keep(&out[3], record_watermark(&w, &watermark, held_by, sizeof(held_by) / sizeof(held_by[0])));
    keep(&out[PUBLISHED_OF_PARTITION], record_epoch(&w, 9, PUBLISHED_EPOCH, 17, INT64_MAX));
    record_writer_free(&w);
}
