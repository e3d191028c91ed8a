/* One record of each topic as the publisher writes it. */
#include "published_records.h"

#include <assert.h>

#include "publish/record.h"
#include "store/values.h"

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

void published_records_write(bool json, struct published_record out[PUBLISHED_TOPICS])
{
    const int64_t minute = PUBLISHED_MINUTE / 60;
    struct record_writer w = {.format = json ? FORMAT_JSON : FORMAT_PROTOBUF};
    struct lesson_mask mask = {.lesson = slice_of("l-1"),
        .course = slice_of("c-1"),
        .mask = PUBLISHED_MASK,
        .watched_seconds = 4321,
        .covered_seconds = 1234,
        .last_minute = minute + 7};
    struct learner_masks learner = {.portal = slice_of("higher"), .learner = slice_of(PUBLISHED_LEARNER)};
    struct lesson_sum sum = {slice_of("l-1"), slice_of("c-1"), 77, 3};
    keep(&out[0], record_learner_lesson(&w, minute, &learner, &mask));
    keep(&out[1], record_learner_minute(&w, minute, &learner, &mask));
    keep(&out[2], record_lesson_minute(&w, minute, &sum));
    keep(&out[3], record_watermark(&w, "winter", PUBLISHED_MINUTE + 60, PUBLISHED_MINUTE - 86400, 0));
    record_writer_free(&w);
}
