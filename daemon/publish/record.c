/* The four kinds of records. */
#include "publish/record.h"

#include <assert.h>
#include <inttypes.h>

#include "base/json_write.h"
#include "credit/mask.h"
#include "proto/records.pb-c.h"
#include "publish/topics.h"
#include "store/values.h"

static_assert(RECORD_KINDS == 4, "each kind of record has a topic");

const char *record_content_type(enum record_format format)
{
    return format == FORMAT_JSON ? "application/json" : "application/protobuf";
}

const char *record_topic(enum record_kind kind)
{
    static const char *const topics[RECORD_KINDS] = {
        [RECORD_LEARNER_LESSON] = TOPIC_LEARNER_LESSONS,
        [RECORD_LEARNER_MINUTE] = TOPIC_LEARNER_MINUTES,
        [RECORD_LESSON_MINUTE] = TOPIC_LESSON_MINUTES,
        [RECORD_WATERMARK] = TOPIC_WATERMARKS,
    };
    return topics[kind];
}

void record_writer_free(struct record_writer *w)
{
    buf_free(&w->key);
    buf_free(&w->route);
    buf_free(&w->value);
}

/* ---- values ---- */

static void write_json(struct buf *b, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *at = (const char *)message + field->offset;
        buf_append_char(b, i == 0 ? '{' : ',');
        json_write_string(b, slice_of(field->name));
        buf_append_char(b, ':');
        if (field->type == PROTOBUF_C_TYPE_BYTES) {
            const ProtobufCBinaryData *bytes = at;
            json_write_string(b, (struct slice){(const char *)bytes->data, bytes->len});
        } else if (field->type == PROTOBUF_C_TYPE_FIXED64) { /* a mask: more bits than a JSON number keeps */
            buf_printf(b, "\"%015" PRIx64 "\"", *(const uint64_t *)at);
        } else {
            assert(field->type == PROTOBUF_C_TYPE_INT64);
            buf_append_int(b, *(const int64_t *)at);
        }
    }
    buf_append_char(b, '}');
}

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

/* ---- records ---- */

static void begin(struct record_writer *w)
{
    buf_clear(&w->key);
    buf_clear(&w->route);
    buf_clear(&w->value);
}

static void append_path(struct buf *b, struct slice part)
{
    if (b->len > 0)
        buf_append_char(b, '/');
    buf_append_slice(b, part);
}

static struct record finish(
    struct record_writer *w, enum record_kind kind, const ProtobufCMessage *message, int64_t time_ms)
{
    if (w->format == FORMAT_JSON) {
        write_json(&w->value, message);
    } else {
        char *room = buf_reserve(&w->value, protobuf_c_message_get_packed_size(message));
        w->value.len += protobuf_c_message_pack(message, (uint8_t *)room);
    }
    return (struct record){
        .kind = kind,
        .schema = message->descriptor->name,
        .key = buf_slice(&w->key),
        .route = w->route.len > 0 ? buf_slice(&w->route) : buf_slice(&w->key),
        .value = buf_slice(&w->value),
        .time_ms = time_ms,
    };
}

static void write_learner_key(
    struct record_writer *w, const struct learner_masks *learner, const struct lesson_mask *mask)
{
    append_path(&w->key, learner->portal);
    append_path(&w->key, mask->lesson);
    append_path(&w->key, learner->learner); /* last: it may hold any character */
    append_path(&w->route, learner->portal);
    append_path(&w->route, learner->learner);
}

struct record record_learner_lesson(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask)
{
    Minuted__V1__LearnerLesson m = MINUTED__V1__LEARNER_LESSON__INIT;
    m.portal = bytes_of(learner->portal);
    m.learner_id = bytes_of(learner->learner);
    m.course_id = bytes_of(mask->course);
    m.lesson_id = bytes_of(mask->lesson);
    m.watched_seconds = mask->watched_seconds;
    m.covered_seconds = mask->covered_seconds;
    m.last_minute_start = mask->last_minute * MINUTE_SECONDS;
    begin(w);
    write_learner_key(w, learner, mask);
    return finish(w, RECORD_LEARNER_LESSON, &m.base, minute * MINUTE_SECONDS * 1000);
}

struct record record_learner_minute(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask)
{
    Minuted__V1__LearnerMinute m = MINUTED__V1__LEARNER_MINUTE__INIT;
    m.portal = bytes_of(learner->portal);
    m.learner_id = bytes_of(learner->learner);
    m.course_id = bytes_of(mask->course);
    m.lesson_id = bytes_of(mask->lesson);
    m.minute_start = minute * MINUTE_SECONDS;
    assert((mask->mask & ~MASK_FULL) == 0); /* 15 hexadecimal digits in JSON */
    m.seconds_mask = mask->mask;
    m.watched_seconds = mask_count(mask->mask);
    begin(w);
    buf_append_int(&w->key, m.minute_start);
    write_learner_key(w, learner, mask);
    return finish(w, RECORD_LEARNER_MINUTE, &m.base, m.minute_start * 1000);
}

struct record record_lesson_minute(struct record_writer *w, int64_t minute, const struct lesson_sum *sum)
{
    Minuted__V1__LessonMinute m = MINUTED__V1__LESSON_MINUTE__INIT;
    m.course_id = bytes_of(sum->course);
    m.lesson_id = bytes_of(sum->lesson);
    m.minute_start = minute * MINUTE_SECONDS;
    m.watched_seconds = sum->watched_seconds;
    m.learners = sum->learners;
    begin(w);
    buf_append_int(&w->key, m.minute_start);
    append_path(&w->key, sum->lesson);
    return finish(w, RECORD_LESSON_MINUTE, &m.base, m.minute_start * 1000);
}

struct record record_watermark(struct record_writer *w, const char *deployment, int64_t published_through,
    int64_t final_through, int64_t now_ms)
{
    Minuted__V1__Watermark m = MINUTED__V1__WATERMARK__INIT;
    m.published_through = published_through;
    m.final_through = final_through;
    begin(w);
    buf_append_string(&w->key, deployment);
    return finish(w, RECORD_WATERMARK, &m.base, now_ms);
}
