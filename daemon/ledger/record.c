/* minuted's records as plain structs. */
#include "ledger/record.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "credit/mask.h"
#include "proto/records.pb-c.h"

enum { MASK_DIGITS = 15, SHORT_ID_MAX = 64, LEARNER_MAX = 128, DEPLOYMENT_MAX = 255, KEY_MAX = 512 };

/* More than there are people, as a bound for sums. */
#define LEARNERS_MAX INT64_C(10000000000)

const char *const ledger_topic_names[TOPIC_COUNT] = {
    [TOPIC_LEARNER_LESSONS] = "minuted.learner-lessons",
    [TOPIC_LEARNER_MINUTES] = "minuted.learner-minutes",
    [TOPIC_LESSON_MINUTES] = "minuted.lesson-minutes",
    [TOPIC_WATERMARKS] = "minuted.watermarks",
};

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

static void take_learner_lesson(const void *message, struct ledger_record *r)
{
    const Minuted__V1__LearnerLesson *m = message;
    r->portal = slice_from(m->portal);
    r->learner = slice_from(m->learner_id);
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->watched_seconds = m->watched_seconds;
    r->covered_seconds = m->covered_seconds;
    r->minute_start = m->last_minute_start;
}

static void take_learner_minute(const void *message, struct ledger_record *r)
{
    const Minuted__V1__LearnerMinute *m = message;
    r->portal = slice_from(m->portal);
    r->learner = slice_from(m->learner_id);
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->minute_start = m->minute_start;
    r->mask = m->seconds_mask;
    r->watched_seconds = m->watched_seconds;
}

static void take_lesson_minute(const void *message, struct ledger_record *r)
{
    const Minuted__V1__LessonMinute *m = message;
    r->course = slice_from(m->course_id);
    r->lesson = slice_from(m->lesson_id);
    r->minute_start = m->minute_start;
    r->watched_seconds = m->watched_seconds;
    r->learners = m->learners;
}

static void take_watermark(const void *message, struct ledger_record *r)
{
    const Minuted__V1__Watermark *m = message;
    r->published_through = m->published_through;
    r->final_through = m->final_through;
}

static bool decode_protobuf(struct slice value, struct arena *arena, struct ledger_record *r)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        void (*take)(const void *message, struct ledger_record *r);
    } kinds[TOPIC_COUNT] = {
        [TOPIC_LEARNER_LESSONS] = {&minuted__v1__learner_lesson__descriptor, take_learner_lesson},
        [TOPIC_LEARNER_MINUTES] = {&minuted__v1__learner_minute__descriptor, take_learner_minute},
        [TOPIC_LESSON_MINUTES] = {&minuted__v1__lesson_minute__descriptor, take_lesson_minute},
        [TOPIC_WATERMARKS] = {&minuted__v1__watermark__descriptor, take_watermark},
    };
    ProtobufCAllocator allocator = {allocate, keep, arena};
    const void *message =
        protobuf_c_message_unpack(kinds[r->topic].type, &allocator, value.len, (const uint8_t *)value.ptr);
    if (message != NULL)
        kinds[r->topic].take(message, r);
    return message != NULL;
}

/* ---- JSON ---- */

/* A field of a JSON record. One of TEXT, NUMBER and MASK is not NULL, and the value goes there. */
struct member {
    const char *name;
    struct slice *text;
    int64_t *number;
    uint64_t *mask;
};

enum { MEMBERS_MAX = 8 };

static bool read_member(struct json_reader *j, const struct member *m)
{
    if (m->text != NULL)
        return json_string(j, m->text);
    if (m->number != NULL) {
        struct json_number number;
        if (!json_number(j, &number) || !number.integral)
            return false;
        *m->number = number.integer;
        return true;
    }
    struct slice digits;
    *m->mask = 0;
    if (!json_string(j, &digits) || digits.len != MASK_DIGITS)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *m->mask = *m->mask << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static bool decode_json(struct slice value, struct arena *arena, struct ledger_record *r)
{
    const struct member portal = {"portal", .text = &r->portal},
                        learner = {"learner_id", .text = &r->learner},
                        course = {"course_id", .text = &r->course},
                        lesson = {"lesson_id", .text = &r->lesson},
                        watched = {"watched_seconds", .number = &r->watched_seconds},
                        minute = {"minute_start", .number = &r->minute_start};
    /* The fields of each topic, each of which its records must have. A NULL name ends the list. */
    const struct member lists[TOPIC_COUNT][MEMBERS_MAX] = {
        [TOPIC_LEARNER_LESSONS] = {portal, learner, course, lesson, watched,
            {"covered_seconds", .number = &r->covered_seconds},
            {"last_minute_start", .number = &r->minute_start}},
        [TOPIC_LEARNER_MINUTES] = {portal, learner, course, lesson, watched, minute,
            {"seconds_mask", .mask = &r->mask}},
        [TOPIC_LESSON_MINUTES] = {course, lesson, watched, minute, {"learners", .number = &r->learners}},
        [TOPIC_WATERMARKS] = {{"published_through", .number = &r->published_through},
            {"final_through", .number = &r->final_through}},
    };
    const struct member *list = lists[r->topic];
    unsigned missing = 0;
    struct json_reader j;
    struct slice name;
    for (int i = 0; list[i].name != NULL; i++)
        missing |= 1U << i;
    json_read(&j, value, arena);
    if (!json_object(&j))
        return false;
    while (json_member(&j, &name)) {
        int i = 0;
        while (list[i].name != NULL && !slice_is(name, list[i].name))
            i++;
        if (list[i].name == NULL ? !json_skip(&j) : !read_member(&j, &list[i]))
            return false;
        missing &= ~(1U << i);
    }
    return json_end(&j) && missing == 0;
}

/* ---- what a record may say ---- */

static bool is_id(struct slice id, size_t max)
{
    return id.len > 0 && id.len <= max && utf8_text_valid(id);
}

bool ledger_record_has_key(const struct ledger_record *r, struct slice key)
{
    char text[KEY_MAX];
    int len = 0;
    if (r->topic == TOPIC_WATERMARKS)
        return true;
    if (r->topic == TOPIC_LEARNER_LESSONS)
        len = snprintf(text, sizeof(text), "%.*s/%.*s/%.*s", SLICE_ARG(r->portal), SLICE_ARG(r->lesson),
            SLICE_ARG(r->learner));
    else if (r->topic == TOPIC_LEARNER_MINUTES)
        len = snprintf(text, sizeof(text), "%" PRId64 "/%.*s/%.*s/%.*s", r->minute_start,
            SLICE_ARG(r->portal), SLICE_ARG(r->lesson), SLICE_ARG(r->learner));
    else
        len = snprintf(text, sizeof(text), "%" PRId64 "/%.*s", r->minute_start, SLICE_ARG(r->lesson));
    return slice_equal(key, (struct slice){text, (size_t)len});
}

/* NULL, or what is wrong with a record that no publisher of minuted has written. */
static const char *find_problem(const struct ledger_record *r)
{
    bool watermark = r->topic == TOPIC_WATERMARKS;
    bool of_learner = r->topic == TOPIC_LEARNER_LESSONS || r->topic == TOPIC_LEARNER_MINUTES;
    if ((watermark && !is_id(r->deployment, DEPLOYMENT_MAX)) ||
        (!watermark && !(is_id(r->lesson, SHORT_ID_MAX) && is_id(r->course, SHORT_ID_MAX))) ||
        (of_learner && !(is_id(r->portal, SHORT_ID_MAX) && is_id(r->learner, LEARNER_MAX))))
        return "one of its ids is missing or malformed";
    if (watermark) {
        bool good = r->published_through >= 0 && r->published_through < RECORD_TIME_MAX &&
                    r->final_through >= 0 && r->final_through < RECORD_TIME_MAX;
        return good ? NULL : "it has no valid time";
    }
    if (r->minute_start < RECORD_TIME_MIN || r->minute_start >= RECORD_TIME_MAX ||
        r->minute_start % MINUTE_SECONDS != 0)
        return "it has no valid minute";
    if (r->watched_seconds < 0 || r->covered_seconds < 0 || r->learners < 0)
        return "one of its sums is negative";
    if (r->topic == TOPIC_LEARNER_LESSONS)
        return r->watched_seconds <= r->minute_start + MINUTE_SECONDS - RECORD_TIME_MIN &&
                       r->covered_seconds <= RECORD_TIME_MAX - RECORD_TIME_MIN
                   ? NULL
                   : "it has more seconds than have passed";
    if (r->topic == TOPIC_LEARNER_MINUTES)
        return (r->mask & ~MASK_FULL) == 0 && r->watched_seconds == (int64_t)mask_count(r->mask)
                   ? NULL
                   : "its mask and its seconds differ";
    return r->learners <= LEARNERS_MAX && r->watched_seconds <= r->learners * MINUTE_SECONDS
               ? NULL
               : "it has more seconds than its learners can watch in a minute";
}

bool ledger_record_decode(struct slice content_type, struct slice key, struct slice value,
    struct arena *arena, struct ledger_record *r)
{
    const char *parameters = content_type.len == 0 ? NULL : memchr(content_type.ptr, ';', content_type.len);
    struct slice type = {
        content_type.ptr, parameters == NULL ? content_type.len : (size_t)(parameters - content_type.ptr)};
    bool json = slice_is(type, "application/json");
    r->deployment = key;
    if (!json && type.len > 0 && !slice_is(type, "application/protobuf") &&
        !slice_is(type, "application/x-protobuf"))
        r->problem = "its content-type is unknown";
    else if (json ? decode_json(value, arena, r) : decode_protobuf(value, arena, r))
        r->problem = find_problem(r);
    else
        r->problem = "it cannot be decoded";
    return r->problem == NULL;
}
