/* minuted's records as plain structs. */
#include "stream/stream_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/id.h"
#include "base/json.h"
#include "credit/mask.h"
#include "proto/records.pb-c.h"

enum { MASK_DIGITS = 15, KEY_MAX = 512, NUMBERS_FIRST = 16 };

/* More than there are people, as a bound for sums. */
#define LEARNERS_MAX INT64_C(10000000000)

/* Which of its optional fields a watermark has: it is a deployment's or a partition's. */
enum {
    GIVEN_PUBLISHED = 1,
    GIVEN_FINAL = 2,
    GIVEN_PARTITION = 4,
    GIVEN_EPOCH = 8,
    GIVEN_TAKEN = 16,
    OF_DEPLOYMENT = GIVEN_PUBLISHED | GIVEN_FINAL,
    OF_PARTITION = GIVEN_PARTITION | GIVEN_EPOCH | GIVEN_TAKEN
};

struct stream_topics stream_topics_of(const char *prefix)
{
    static const char *const kinds[TOPIC_COUNT] = {
        [TOPIC_LEARNER_LESSONS] = "learner-lessons",
        [TOPIC_LEARNER_MINUTES] = "learner-minutes",
        [TOPIC_LESSON_MINUTES] = "lesson-minutes",
        [TOPIC_WATERMARKS] = "watermarks",
    };
    struct stream_topics topics;
    for (int i = 0; i < TOPIC_COUNT; i++)
        snprintf(topics.names[i], TOPIC_NAME_MAX, "%.*s.%s", ID_MAX, prefix, kinds[i]);
    return topics;
}

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

static unsigned take_learner_lesson(const void *message, struct stream_record *r)
{
    const Minuted__V1__LearnerLesson *m = message;
    r->program = slice_of(m->program);
    r->portal = slice_of(m->portal);
    r->learner = slice_of(m->learner_id);
    r->course = slice_of(m->course_id);
    r->lesson = slice_of(m->lesson_id);
    r->watched_seconds = m->watched_seconds;
    r->covered_seconds = m->covered_seconds;
    r->covered = (struct stream_numbers){m->covered, m->n_covered};
    r->minute_start = m->last_minute_start;
    r->epoch = m->epoch;
    return 0;
}

static unsigned take_learner_minute(const void *message, struct stream_record *r)
{
    const Minuted__V1__LearnerMinute *m = message;
    r->program = slice_of(m->program);
    r->portal = slice_of(m->portal);
    r->learner = slice_of(m->learner_id);
    r->course = slice_of(m->course_id);
    r->lesson = slice_of(m->lesson_id);
    r->minute_start = m->minute_start;
    r->mask = m->seconds_mask;
    r->watched_seconds = m->watched_seconds;
    return 0;
}

static unsigned take_lesson_minute(const void *message, struct stream_record *r)
{
    const Minuted__V1__LessonMinute *m = message;
    r->program = slice_of(m->program);
    r->course = slice_of(m->course_id);
    r->lesson = slice_of(m->lesson_id);
    r->minute_start = m->minute_start;
    r->watched_seconds = m->watched_seconds;
    r->learners = m->learners;
    return 0;
}

static unsigned take_watermark(const void *message, struct stream_record *r)
{
    const Minuted__V1__Watermark *m = message;
    r->program = slice_of(m->program);
    r->deployment = slice_of(m->deployment);
    r->redis_partition = m->partition;
    r->published_through = m->published_through;
    r->final_through = m->final_through;
    r->held_by = (struct stream_numbers){m->held_by, m->n_held_by};
    r->epoch = m->epoch;
    r->taken = m->taken;
    return (m->has_published_through ? GIVEN_PUBLISHED : 0) | (m->has_final_through ? GIVEN_FINAL : 0) |
           (m->has_partition ? GIVEN_PARTITION : 0) | (m->has_epoch ? GIVEN_EPOCH : 0) |
           (m->has_taken ? GIVEN_TAKEN : 0);
}

static bool decode_protobuf(struct slice value, struct arena *arena, struct stream_record *r, unsigned *given)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        unsigned (*take)(const void *message, struct stream_record *r); /* what is given of optional fields */
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
        *given = kinds[r->topic].take(message, r);
    return message != NULL;
}

/* ---- JSON ---- */

/* A field of a JSON record. One of TEXT, NUMBER, NUMBERS and MASK is not NULL, and the value goes there. */
struct member {
    const char *name;
    struct slice *text;
    int64_t *number;
    struct stream_numbers *numbers;
    uint64_t *mask;
    unsigned given; /* of an optional field: what it is */
};

enum { MEMBERS_MAX = 12 };

static bool read_number(struct json_reader *j, int64_t *number)
{
    struct json_number read;
    if (!json_number(j, &read) || !read.integral)
        return false;
    *number = read.integer;
    return true;
}

static bool read_numbers(struct json_reader *j, struct stream_numbers *numbers)
{
    int64_t *items = NULL;
    size_t n = 0;
    size_t cap = 0;
    if (!json_array(j))
        return false;
    for (; json_element(j); n++) {
        if (n == cap) {
            cap = cap == 0 ? NUMBERS_FIRST : 2 * cap;
            int64_t *more = arena_alloc(j->arena, cap * sizeof(*more));
            if (more == NULL)
                return false;
            if (n > 0)
                memcpy(more, items, n * sizeof(*more));
            items = more;
        }
        if (!read_number(j, &items[n]))
            return false;
    }
    *numbers = (struct stream_numbers){items, n};
    return true;
}

static bool read_mask(struct json_reader *j, uint64_t *mask)
{
    struct slice digits;
    *mask = 0;
    if (!json_string(j, &digits) || digits.len != MASK_DIGITS)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *mask = *mask << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static bool read_member(struct json_reader *j, const struct member *m)
{
    return m->text != NULL      ? json_string(j, m->text)
           : m->number != NULL  ? read_number(j, m->number)
           : m->numbers != NULL ? read_numbers(j, m->numbers)
                                : read_mask(j, m->mask);
}

static bool decode_json(struct slice value, struct arena *arena, struct stream_record *r, unsigned *given)
{
    const struct member program = {"program", .text = &r->program}, portal = {"portal", .text = &r->portal},
                        learner = {"learner_id", .text = &r->learner},
                        course = {"course_id", .text = &r->course},
                        lesson = {"lesson_id", .text = &r->lesson},
                        watched = {"watched_seconds", .number = &r->watched_seconds},
                        minute = {"minute_start", .number = &r->minute_start};
    /* The fields of each topic. Its records must have those that are not optional. A NULL name ends the list.
     */
    const struct member lists[TOPIC_COUNT][MEMBERS_MAX] = {
        [TOPIC_LEARNER_LESSONS] = {program, portal, learner, course, lesson, watched,
            {"covered_seconds", .number = &r->covered_seconds}, {"covered", .numbers = &r->covered},
            {"last_minute_start", .number = &r->minute_start}, {"epoch", .number = &r->epoch}},
        [TOPIC_LEARNER_MINUTES] = {program, portal, learner, course, lesson, watched, minute,
            {"seconds_mask", .mask = &r->mask}},
        [TOPIC_LESSON_MINUTES] = {program, course, lesson, watched, minute,
            {"learners", .number = &r->learners}},
        [TOPIC_WATERMARKS] = {program, {"deployment", .text = &r->deployment},
            {"held_by", .numbers = &r->held_by},
            {"published_through", .number = &r->published_through, .given = GIVEN_PUBLISHED},
            {"final_through", .number = &r->final_through, .given = GIVEN_FINAL},
            {"partition", .number = &r->redis_partition, .given = GIVEN_PARTITION},
            {"epoch", .number = &r->epoch, .given = GIVEN_EPOCH},
            {"taken", .number = &r->taken, .given = GIVEN_TAKEN}},
    };
    const struct member *list = lists[r->topic];
    unsigned missing = 0;
    struct json_reader j;
    struct slice name;
    for (int i = 0; list[i].name != NULL; i++)
        if (list[i].given == 0)
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
        *given |= list[i].given;
    }
    return json_end(&j) && missing == 0;
}

/* ---- what a record may say ---- */

bool stream_record_has_key(const struct stream_record *r, struct slice key)
{
    char text[KEY_MAX];
    int len = 0;
    if (r->topic == TOPIC_LEARNER_MINUTES || r->topic == TOPIC_LESSON_MINUTES)
        len = snprintf(text, sizeof(text), "%" PRId64 "/", r->minute_start);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "%.*s/", SLICE_ARG(r->program));
    char *rest = text + len;
    size_t room = sizeof(text) - (size_t)len;
    if (r->topic == TOPIC_WATERMARKS && r->redis_partition >= 0)
        len += snprintf(rest, room, "%.*s/%" PRId64, SLICE_ARG(r->deployment), r->redis_partition);
    else if (r->topic == TOPIC_WATERMARKS)
        len += snprintf(rest, room, "%.*s", SLICE_ARG(r->deployment));
    else if (r->topic == TOPIC_LESSON_MINUTES)
        len += snprintf(rest, room, "%.*s", SLICE_ARG(r->lesson));
    else
        len += snprintf(
            rest, room, "%.*s/%.*s/%.*s", SLICE_ARG(r->portal), SLICE_ARG(r->lesson), SLICE_ARG(r->learner));
    assert(len < KEY_MAX);
    return slice_equal(key, (struct slice){text, (size_t)len});
}

static bool has_good_ids(const struct stream_record *r)
{
    if (!id_valid(r->program))
        return false;
    if (r->topic == TOPIC_WATERMARKS)
        return id_valid(r->deployment);
    return id_valid(r->lesson) && (r->tombstone || id_valid(r->course)) &&
           (r->topic == TOPIC_LESSON_MINUTES || (id_valid(r->portal) && id_name_valid(r->learner)));
}

static bool has_good_minute(const struct stream_record *r)
{
    return r->minute_start >= RECORD_TIME_MIN && r->minute_start < RECORD_TIME_MAX &&
           r->minute_start % MINUTE_SECONDS == 0;
}

static bool is_epoch(int64_t epoch)
{
    return epoch >= RECORD_TIME_MIN * 1000 && epoch < RECORD_TIME_MAX * 1000;
}

static const char *find_problem_of_partition(const struct stream_record *r)
{
    if (r->redis_partition < 0 || r->redis_partition >= RECORD_PARTITIONS_MAX)
        return "there is no such partition";
    if (!is_epoch(r->epoch))
        return "it has no valid epoch";
    if (r->taken < 0 || r->taken > RECORD_TAKEN_MAX)
        return "it was taken from an impossible number of times";
    return r->held_by.n == 0 ? NULL : "only a deployment's watermark is held by partitions";
}

static const char *find_problem_of_watermark(const struct stream_record *r, unsigned given)
{
    int64_t before = -1;
    if (given == OF_PARTITION)
        return find_problem_of_partition(r);
    if (given != OF_DEPLOYMENT)
        return "it is neither a deployment's watermark nor a partition's";
    if (r->published_through < 0 || r->published_through >= RECORD_TIME_MAX || r->final_through < 0 ||
        r->final_through >= RECORD_TIME_MAX)
        return "it has no valid time";
    for (size_t i = 0; i < r->held_by.n; before = r->held_by.items[i++])
        if (r->held_by.items[i] <= before || r->held_by.items[i] >= RECORD_PARTITIONS_MAX)
            return "the partitions that hold it are not in order, or there are no such";
    return NULL;
}

static const char *find_problem_of_total(const struct stream_record *r)
{
    const struct stream_numbers *covered = &r->covered;
    int64_t end = -1;
    int64_t seconds = 0;
    if (!is_epoch(r->epoch))
        return "it has no valid epoch";
    if (r->watched_seconds > r->minute_start + MINUTE_SECONDS - RECORD_TIME_MIN)
        return "it has more seconds than have passed";
    if (covered->n % 2 != 0 || covered->n > (size_t)2 * RECORD_STRETCHES_MAX)
        return "it has an impossible number of stretches";
    for (size_t i = 0; i < covered->n; i += 2) {
        int64_t from = covered->items[i];
        int64_t to = covered->items[i + 1];
        if (from <= end || to < from || to > RECORD_MEDIA_MS_MAX)
            return "its stretches are not sorted and disjoint";
        seconds += to / 1000 - from / 1000;
        end = to;
    }
    return seconds == r->covered_seconds ? NULL : "its stretches and its covered seconds differ";
}

/*
 * NULL, or what is wrong with a record that no publisher of minuted has written. GIVEN says which optional
 * fields it has.
 */
static const char *find_problem(const struct stream_record *r, unsigned given)
{
    if (!has_good_ids(r))
        return "one of its ids is missing or malformed";
    if (r->topic == TOPIC_WATERMARKS)
        return find_problem_of_watermark(r, given);
    if (!has_good_minute(r))
        return "it has no valid minute";
    if (r->watched_seconds < 0 || r->learners < 0)
        return "one of its sums is negative";
    if (r->topic == TOPIC_LEARNER_LESSONS)
        return find_problem_of_total(r);
    if (r->topic == TOPIC_LEARNER_MINUTES)
        return (r->mask & ~MASK_FULL) == 0 && r->watched_seconds == (int64_t)mask_count(r->mask)
                   ? NULL
                   : "its mask and its seconds differ";
    return r->learners <= LEARNERS_MAX && r->watched_seconds <= r->learners * MINUTE_SECONDS
               ? NULL
               : "it has more seconds than its learners can watch in a minute";
}

bool stream_record_decode(
    struct slice content_type, struct slice value, struct arena *arena, struct stream_record *r)
{
    const char *parameters = content_type.len == 0 ? NULL : memchr(content_type.ptr, ';', content_type.len);
    struct slice type = {
        content_type.ptr, parameters == NULL ? content_type.len : (size_t)(parameters - content_type.ptr)};
    bool json = slice_is(type, "application/json");
    unsigned given = 0;
    if (!json && type.len > 0 && !slice_is(type, "application/protobuf") &&
        !slice_is(type, "application/x-protobuf"))
        r->problem = "its content-type is unknown";
    else if (!(json ? decode_json(value, arena, r, &given) : decode_protobuf(value, arena, r, &given)))
        r->problem = "it cannot be decoded";
    else
        r->problem = find_problem(r, given);
    if (given == OF_DEPLOYMENT)
        r->redis_partition = -1;
    return r->problem == NULL;
}

/* ---- tombstones ---- */

/* The text before the next '/', which is taken off *REST with it; all of it where there is none. */
static struct slice take_part(struct slice *rest)
{
    const char *slash = rest->len == 0 ? NULL : memchr(rest->ptr, '/', rest->len);
    struct slice part = {rest->ptr, slash == NULL ? rest->len : (size_t)(slash - rest->ptr)};
    size_t used = part.len + (slash != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return part;
}

/* -1 for what is no number of at most 11 digits, which every time and partition is. */
static int64_t read_digits(struct slice text)
{
    int64_t number = text.len == 0 || text.len > 11 ? -1 : 0;
    for (size_t i = 0; i < text.len && number >= 0; i++)
        number = text.ptr[i] >= '0' && text.ptr[i] <= '9' ? 10 * number + text.ptr[i] - '0' : -1;
    return number;
}

bool stream_record_read_key(struct slice key, struct stream_record *r)
{
    struct slice rest = key;
    bool of_minute = r->topic == TOPIC_LEARNER_MINUTES || r->topic == TOPIC_LESSON_MINUTES;
    r->tombstone = true;
    r->problem = NULL;
    if (of_minute)
        r->minute_start = read_digits(take_part(&rest));
    r->program = take_part(&rest);
    if (r->topic == TOPIC_WATERMARKS) {
        r->deployment = take_part(&rest);
        r->redis_partition = rest.len > 0 ? read_digits(rest) : -1;
    } else if (r->topic == TOPIC_LESSON_MINUTES) {
        r->lesson = rest;
    } else {
        r->portal = take_part(&rest);
        r->lesson = take_part(&rest);
        r->learner = rest;
    }
    /* What a key says is compared with the key, which has one spelling. */
    if (!has_good_ids(r) || (of_minute && !has_good_minute(r)) ||
        r->redis_partition >= RECORD_PARTITIONS_MAX || !stream_record_has_key(r, key))
        r->problem = "it has no value, and its key is not one of this topic";
    return r->problem == NULL;
}
