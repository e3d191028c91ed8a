/* Decoding minuted's records. */
#include "ledger/record.h"

#include "base/json.h"
#include "proto/records.pb-c.h"

enum { MASK_DIGITS = 15 };

const char *const topic_names[TOPIC_COUNT] = {
    "minuted.learner-lessons", "minuted.learner-minutes", "minuted.lesson-minutes", "minuted.watermarks"};

/* ---- protobuf ---- */

static void *allocate(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void keep(void *data, void *ptr)
{
    (void)data;
    (void)ptr;
}

static struct slice slice_from(ProtobufCBinaryData bytes)
{
    return (struct slice){(const char *)bytes.data, bytes.len};
}

static void *unpack(const ProtobufCMessageDescriptor *type, struct slice value, struct arena *arena)
{
    ProtobufCAllocator allocator = {allocate, keep, arena};
    return protobuf_c_message_unpack(type, &allocator, value.len, (const uint8_t *)value.ptr);
}

static bool learner_lesson(struct slice value, struct arena *arena, struct record *r)
{
    const Minuted__V1__LearnerLesson *m = unpack(&minuted__v1__learner_lesson__descriptor, value, arena);
    if (m == NULL)
        return false;
    r->portal = slice_from(m->portal);
    r->learner = slice_from(m->learner_id);
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->watched_seconds = m->watched_seconds;
    r->covered_seconds = m->covered_seconds;
    r->minute_start = m->last_minute_start;
    return true;
}

static bool learner_minute(struct slice value, struct arena *arena, struct record *r)
{
    const Minuted__V1__LearnerMinute *m = unpack(&minuted__v1__learner_minute__descriptor, value, arena);
    if (m == NULL)
        return false;
    r->portal = slice_from(m->portal);
    r->learner = slice_from(m->learner_id);
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->minute_start = m->minute_start;
    r->mask = m->seconds_mask;
    r->watched_seconds = m->watched_seconds;
    return true;
}

static bool lesson_minute(struct slice value, struct arena *arena, struct record *r)
{
    const Minuted__V1__LessonMinute *m = unpack(&minuted__v1__lesson_minute__descriptor, value, arena);
    if (m == NULL)
        return false;
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->minute_start = m->minute_start;
    r->watched_seconds = m->watched_seconds;
    r->learners = m->learners;
    return true;
}

static bool watermark(struct slice value, struct arena *arena, struct record *r)
{
    const Minuted__V1__Watermark *m = unpack(&minuted__v1__watermark__descriptor, value, arena);
    if (m == NULL)
        return false;
    r->published_through = m->published_through;
    r->final_through = m->final_through;
    return true;
}

static bool decode_protobuf(struct slice value, struct arena *arena, struct record *r)
{
    switch (r->topic) {
    case TOPIC_LEARNER_LESSONS:
        return learner_lesson(value, arena, r);
    case TOPIC_LEARNER_MINUTES:
        return learner_minute(value, arena, r);
    case TOPIC_LESSON_MINUTES:
        return lesson_minute(value, arena, r);
    default:
        return watermark(value, arena, r);
    }
}

/* ---- JSON ---- */

static bool read_mask(struct json_reader *r, uint64_t *mask)
{
    struct slice digits;
    *mask = 0;
    if (!json_string(r, &digits) || digits.len != MASK_DIGITS)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *mask = *mask << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static bool read_member(struct json_reader *j, struct slice name, struct record *r)
{
    const struct {
        const char *name;
        struct slice *text;
        int64_t *number;
    } members[] = {
        {"portal", &r->portal, NULL},
        {"learner_id", &r->learner, NULL},
        {"course_id", &r->course, NULL},
        {"lesson_id", &r->lesson, NULL},
        {"minute_start", NULL, &r->minute_start},
        {"last_minute_start", NULL, &r->minute_start},
        {"watched_seconds", NULL, &r->watched_seconds},
        {"covered_seconds", NULL, &r->covered_seconds},
        {"learners", NULL, &r->learners},
        {"published_through", NULL, &r->published_through},
        {"final_through", NULL, &r->final_through},
    };
    struct json_number number;
    if (slice_is(name, "seconds_mask"))
        return read_mask(j, &r->mask);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!slice_is(name, members[i].name))
            continue;
        if (members[i].text != NULL)
            return json_string(j, members[i].text);
        bool read = json_number(j, &number) && number.integral;
        *members[i].number = read ? number.integer : 0;
        return read;
    }
    return json_skip(j);
}

static bool decode_json(struct slice value, struct arena *arena, struct record *r)
{
    struct json_reader j;
    struct slice name;
    json_read(&j, value, arena);
    if (!json_object(&j))
        return false;
    while (json_member(&j, &name))
        if (!read_member(&j, name, r))
            return false;
    return json_end(&j);
}

static bool has_names(const struct record *r)
{
    bool lesson = r->lesson.len > 0 && r->course.len > 0;
    bool learner = r->portal.len > 0 && r->learner.len > 0;
    switch (r->topic) {
    case TOPIC_WATERMARKS:
        return r->deployment.len > 0;
    case TOPIC_LESSON_MINUTES:
        return lesson;
    default:
        return lesson && learner;
    }
}

bool record_decode(
    struct slice content_type, struct slice key, struct slice value, struct arena *arena, struct record *r)
{
    r->deployment = key;
    bool decoded = slice_is(content_type, "application/json") ? decode_json(value, arena, r)
                                                              : decode_protobuf(value, arena, r);
    return decoded && has_names(r);
}
