/* The four kinds of records. */
#include "publish/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cursor.h"
#include "base/json_write.h"
#include "credit/mask.h"
#include "proto/records.pb-c.h"
#include "publish/lease.h"
#include "store/values.h"

static_assert(RECORD_KINDS == 4, "each kind of record has a topic");

const char *record_content_type(enum record_format format)
{
    return format == FORMAT_JSON ? "application/json" : "application/protobuf";
}

void record_topic(enum record_kind kind, const char *prefix, char name[static RECORD_TOPIC_MAX])
{
    static const char *const topics[RECORD_KINDS] = {
        [RECORD_LEARNER_LESSON] = "learner-lessons",
        [RECORD_LEARNER_MINUTE] = "learner-minutes",
        [RECORD_LESSON_MINUTE] = "lesson-minutes",
        [RECORD_WATERMARK] = "watermarks",
    };
    snprintf(name, RECORD_TOPIC_MAX, "%s.%s", prefix, topics[kind]);
}

void record_writer_free(struct record_writer *w)
{
    buf_free(&w->key);
    buf_free(&w->route);
    buf_free(&w->value);
    arena_free(&w->message);
}

/* ---- values ---- */

static void write_json_numbers(struct buf *b, const int64_t *numbers, size_t n)
{
    buf_append_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        buf_append_int(b, numbers[i]);
    }
    buf_append_char(b, ']');
}

/* A field that is absent is left out; a list is not, also when it is empty. */
static void write_json(struct buf *b, const ProtobufCMessage *message)
{
    const char *base = (const char *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *at = base + field->offset;
        const void *quantifier = base + field->quantifier_offset;
        if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !*(const protobuf_c_boolean *)quantifier)
            continue;
        buf_append_char(b, i == 0 ? '{' : ',');
        json_write_string(b, slice_of(field->name));
        buf_append_char(b, ':');
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            write_json_numbers(b, *(int64_t *const *)at, *(const size_t *)quantifier);
        } else if (field->type == PROTOBUF_C_TYPE_STRING) {
            json_write_string(b, slice_of(*(const char *const *)at));
        } else if (field->type == PROTOBUF_C_TYPE_FIXED64) { /* a mask: more bits than a JSON number keeps */
            buf_printf(b, "\"%015" PRIx64 "\"", *(const uint64_t *)at);
        } else {
            assert(field->type == PROTOBUF_C_TYPE_INT64);
            buf_append_int(b, *(const int64_t *)at);
        }
    }
    buf_append_char(b, '}');
}

/* ---- records ---- */

static void begin(struct record_writer *w)
{
    buf_clear(&w->key);
    buf_clear(&w->route);
    buf_clear(&w->value);
    arena_reset(&w->message);
}

/* A message's strings end with a NUL, which no id holds. */
static char *string_of(struct record_writer *w, struct slice s)
{
    return arena_strndup(&w->message, s.ptr, s.len);
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
    struct record_writer *w, struct slice portal, struct slice learner, struct slice lesson)
{
    append_path(&w->key, slice_of(w->program));
    append_path(&w->key, portal);
    append_path(&w->key, lesson);
    append_path(&w->key, learner); /* last: it may hold any character */
    append_path(&w->route, portal);
    append_path(&w->route, learner);
}

/* The intervals of COVERED as from, to in turn. */
static int64_t *list_intervals(struct record_writer *w, struct slice covered, size_t *n)
{
    struct cursor c = cursor_of(covered);
    *n = covered.len / sizeof(uint32_t);
    int64_t *numbers = arena_alloc(&w->message, *n * sizeof(*numbers));
    for (size_t i = 0; i < *n; i++)
        numbers[i] = cursor_take_u32(&c);
    return numbers;
}

struct record record_learner_lesson(struct record_writer *w, const struct learner_total *of)
{
    const struct lesson_total *total = of->total;
    Minuted__V1__LearnerLesson m = MINUTED__V1__LEARNER_LESSON__INIT;
    begin(w);
    m.program = (char *)w->program;
    m.portal = string_of(w, of->portal);
    m.learner_id = string_of(w, of->learner);
    m.course_id = string_of(w, total->course);
    m.lesson_id = string_of(w, total->lesson);
    m.watched_seconds = total->watched_seconds;
    m.covered_seconds = total->covered_seconds;
    m.covered = list_intervals(w, total->covered, &m.n_covered);
    m.last_minute_start = total->last_minute * MINUTE_SECONDS;
    m.epoch = total->epoch;
    write_learner_key(w, of->portal, of->learner, total->lesson);
    return finish(w, RECORD_LEARNER_LESSON, &m.base, m.last_minute_start * 1000);
}

struct record record_learner_minute(struct record_writer *w, int64_t minute,
    const struct learner_masks *learner, const struct lesson_mask *mask)
{
    Minuted__V1__LearnerMinute m = MINUTED__V1__LEARNER_MINUTE__INIT;
    begin(w);
    m.program = (char *)w->program;
    m.portal = string_of(w, learner->portal);
    m.learner_id = string_of(w, learner->learner);
    m.course_id = string_of(w, mask->total->course);
    m.lesson_id = string_of(w, mask->lesson);
    m.minute_start = minute * MINUTE_SECONDS;
    assert((mask->mask & ~MASK_FULL) == 0); /* 15 hexadecimal digits in JSON */
    m.seconds_mask = mask->mask;
    m.watched_seconds = mask_count(mask->mask);
    buf_append_int(&w->key, m.minute_start);
    write_learner_key(w, learner->portal, learner->learner, mask->lesson);
    return finish(w, RECORD_LEARNER_MINUTE, &m.base, m.minute_start * 1000);
}

struct record record_lesson_minute(struct record_writer *w, int64_t minute, const struct lesson_sum *sum)
{
    Minuted__V1__LessonMinute m = MINUTED__V1__LESSON_MINUTE__INIT;
    begin(w);
    m.program = (char *)w->program;
    m.course_id = string_of(w, sum->course);
    m.lesson_id = string_of(w, sum->lesson);
    m.minute_start = minute * MINUTE_SECONDS;
    m.watched_seconds = sum->watched_seconds;
    m.learners = sum->learners;
    buf_append_int(&w->key, m.minute_start);
    append_path(&w->key, slice_of(w->program));
    append_path(&w->key, sum->lesson);
    return finish(w, RECORD_LESSON_MINUTE, &m.base, m.minute_start * 1000);
}

static Minuted__V1__Watermark begin_watermark(struct record_writer *w)
{
    Minuted__V1__Watermark m = MINUTED__V1__WATERMARK__INIT;
    begin(w);
    m.program = (char *)w->program;
    m.deployment = (char *)w->deployment;
    append_path(&w->key, slice_of(w->program));
    append_path(&w->key, slice_of(w->deployment));
    return m;
}

struct record record_watermark(
    struct record_writer *w, const struct watermark *watermark, const bool *held_by, int partitions)
{
    Minuted__V1__Watermark m = begin_watermark(w);
    m.has_published_through = m.has_final_through = true;
    m.published_through = watermark->published_through;
    m.final_through = watermark->final_through;
    m.held_by = arena_alloc(&w->message, (size_t)partitions * sizeof(*m.held_by));
    for (int p = 0; p < partitions; p++)
        if (held_by[p])
            m.held_by[m.n_held_by++] = p;
    return finish(w, RECORD_WATERMARK, &m.base, m.published_through * 1000);
}

struct record record_epoch(
    struct record_writer *w, int partition, int64_t epoch, int64_t taken, int64_t now_ms)
{
    Minuted__V1__Watermark m = begin_watermark(w);
    m.has_partition = m.has_epoch = m.has_taken = true;
    m.partition = partition;
    m.epoch = epoch;
    m.taken = taken;
    buf_append_char(&w->key, '/');
    buf_append_int(&w->key, partition);
    return finish(w, RECORD_WATERMARK, &m.base, epoch + taken < now_ms ? epoch + taken : now_ms);
}
