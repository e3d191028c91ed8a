/*
 * Any bytes as a record of each topic, in both formats: refused by name, or a record within its limits that
 * says the same written in the other format.
 *
 *     [topic and format][length of the key] the key, then the value
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "budget.h"
#include "credit/mask.h"
#include "ledger/record.h"
#include "proto/records.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unknown fields of a protobuf message unpack to 32 bytes and more for two of theirs. */
static const struct budget budget = {64 * 1024, 128, 50000, 20};

/* What JSON can say without rounding. */
#define INTEGER_MAX (INT64_C(1) << 53)

static bool decode(
    bool json, struct slice key, struct slice value, struct arena *arena, struct ledger_record *r)
{
    struct slice type = json ? SLICE_LITERAL("application/json; charset=utf-8") : (struct slice){NULL, 0};
    bool good = ledger_record_decode(type, key, value, arena, r);
    assert(good == (r->problem == NULL));
    return good;
}

/* ---- limits ---- */

static void check_text(struct slice s, size_t max)
{
    assert(s.len >= 1 && s.len <= max && utf8_text_valid(s));
}

static void check_record(const struct ledger_record *r)
{
    assert(r->watched_seconds >= 0 && r->watched_seconds < RECORD_TIME_MAX * 60);
    assert(r->covered_seconds >= 0 && r->covered_seconds < RECORD_TIME_MAX);
    assert(r->learners >= 0 && r->learners < RECORD_TIME_MAX);
    if (r->topic == TOPIC_WATERMARKS) {
        assert(r->published_through >= 0 && r->published_through < RECORD_TIME_MAX);
        assert(r->final_through >= 0 && r->final_through < RECORD_TIME_MAX);
        check_text(r->deployment, 255);
        return;
    }
    check_text(r->lesson, 64);
    check_text(r->course, 64);
    assert(r->minute_start % MINUTE_SECONDS == 0);
    assert(r->minute_start >= RECORD_TIME_MIN && r->minute_start < RECORD_TIME_MAX);
    if (r->topic == TOPIC_LESSON_MINUTES)
        assert(r->watched_seconds <= 60 * r->learners);
    if (r->topic == TOPIC_LEARNER_LESSONS)
        assert(r->watched_seconds <= r->minute_start + 60 - RECORD_TIME_MIN);
    if (r->topic == TOPIC_LESSON_MINUTES)
        return;
    check_text(r->portal, 64);
    check_text(r->learner, 128);
    if (r->topic == TOPIC_LEARNER_MINUTES)
        assert((r->mask & ~MASK_FULL) == 0 && r->watched_seconds == (int64_t)mask_count(r->mask));
}

/* A mask has one spelling, escapes aside. */
static void check_spelling(const struct ledger_record *r, struct slice json)
{
    char digits[20];
    snprintf(digits, sizeof(digits), "%015llx", (unsigned long long)r->mask);
    assert(memmem(json.ptr, json.len, digits, 15) != NULL || memchr(json.ptr, '\\', json.len) != NULL);
}

/* A record is found under one key only, so under no prefix or extension of it. */
static void check_key(const struct ledger_record *r, struct slice key)
{
    char longer[300];
    if (r->topic == TOPIC_WATERMARKS || !ledger_record_has_key(r, key))
        return;
    assert(key.len > 0 && key.len < sizeof(longer));
    assert(!ledger_record_has_key(r, (struct slice){key.ptr, key.len - 1}));
    memcpy(longer, key.ptr, key.len);
    longer[key.len] = 'x';
    assert(!ledger_record_has_key(r, (struct slice){longer, key.len + 1}));
}

/* ---- written again ---- */

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

static void pack(struct buf *b, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    b->len += protobuf_c_message_pack(message, (uint8_t *)buf_reserve(b, len));
}

static void write_learner_lesson(struct buf *b, const struct ledger_record *r)
{
    Minuted__V1__LearnerLesson m = MINUTED__V1__LEARNER_LESSON__INIT;
    m.portal = bytes_of(r->portal);
    m.learner_id = bytes_of(r->learner);
    m.course_id = bytes_of(r->course);
    m.lesson_id = bytes_of(r->lesson);
    m.watched_seconds = r->watched_seconds;
    m.covered_seconds = r->covered_seconds;
    m.last_minute_start = r->minute_start;
    pack(b, &m.base);
}

static void write_learner_minute(struct buf *b, const struct ledger_record *r)
{
    Minuted__V1__LearnerMinute m = MINUTED__V1__LEARNER_MINUTE__INIT;
    m.portal = bytes_of(r->portal);
    m.learner_id = bytes_of(r->learner);
    m.course_id = bytes_of(r->course);
    m.lesson_id = bytes_of(r->lesson);
    m.minute_start = r->minute_start;
    m.seconds_mask = r->mask;
    m.watched_seconds = r->watched_seconds;
    pack(b, &m.base);
}

static void write_lesson_minute(struct buf *b, const struct ledger_record *r)
{
    Minuted__V1__LessonMinute m = MINUTED__V1__LESSON_MINUTE__INIT;
    m.course_id = bytes_of(r->course);
    m.lesson_id = bytes_of(r->lesson);
    m.minute_start = r->minute_start;
    m.watched_seconds = r->watched_seconds;
    m.learners = r->learners;
    pack(b, &m.base);
}

static void write_watermark(struct buf *b, const struct ledger_record *r)
{
    Minuted__V1__Watermark m = MINUTED__V1__WATERMARK__INIT;
    m.published_through = r->published_through;
    m.final_through = r->final_through;
    pack(b, &m.base);
}

static void write_protobuf(struct buf *b, const struct ledger_record *r)
{
    static void (*const writers[TOPIC_COUNT])(struct buf *, const struct ledger_record *) = {
        write_learner_lesson, write_learner_minute, write_lesson_minute, write_watermark};
    writers[r->topic](b, r);
}

static void member_text(struct buf *b, const char *name, struct slice value)
{
    buf_append_string(b, name);
    json_write_string(b, value);
}

static void write_json(struct buf *b, const struct ledger_record *r)
{
    if (r->topic == TOPIC_WATERMARKS) {
        buf_printf(b, "{\"published_through\":%lld,\"final_through\":%lld}", (long long)r->published_through,
            (long long)r->final_through);
        return;
    }
    member_text(b, "{\"course_id\":", r->course);
    member_text(b, ",\"lesson_id\":", r->lesson);
    if (r->topic != TOPIC_LESSON_MINUTES) {
        member_text(b, ",\"portal\":", r->portal);
        member_text(b, ",\"learner_id\":", r->learner);
    }
    buf_printf(b, ",\"%s\":%lld,\"watched_seconds\":%lld",
        r->topic == TOPIC_LEARNER_LESSONS ? "last_minute_start" : "minute_start", (long long)r->minute_start,
        (long long)r->watched_seconds);
    if (r->topic == TOPIC_LEARNER_LESSONS)
        buf_printf(b, ",\"covered_seconds\":%lld", (long long)r->covered_seconds);
    else if (r->topic == TOPIC_LESSON_MINUTES)
        buf_printf(b, ",\"learners\":%lld", (long long)r->learners);
    else
        buf_printf(b, ",\"seconds_mask\":\"%015llx\"", (unsigned long long)r->mask);
    buf_append_char(b, '}');
}

static bool fits_json(const struct ledger_record *r)
{
    const int64_t numbers[] = {r->minute_start, r->watched_seconds, r->covered_seconds, r->learners,
        r->published_through, r->final_through};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i] > INTEGER_MAX || numbers[i] < -INTEGER_MAX)
            return false;
    return true;
}

static bool same_record(const struct ledger_record *a, const struct ledger_record *b)
{
    return slice_equal(a->portal, b->portal) && slice_equal(a->learner, b->learner) &&
           slice_equal(a->course, b->course) && slice_equal(a->lesson, b->lesson) &&
           slice_equal(a->deployment, b->deployment) && a->minute_start == b->minute_start &&
           a->watched_seconds == b->watched_seconds && a->covered_seconds == b->covered_seconds &&
           a->learners == b->learners && a->published_through == b->published_through &&
           a->final_through == b->final_through && a->mask == b->mask;
}

static void check_written(const struct ledger_record *r, struct slice key, bool json, struct arena *arena)
{
    struct ledger_record again = {.topic = r->topic};
    struct buf text = {0};
    if (json && !fits_json(r))
        return;
    if (json)
        write_json(&text, r);
    else
        write_protobuf(&text, r);
    bool good = decode(json, key, buf_slice(&text), arena, &again);
    assert(good && same_record(r, &again));
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size - 2 < data[1])
        return 0;
    bool json = data[0] / TOPIC_COUNT % 2 == 1;
    struct slice key = {(const char *)data + 2, data[1]};
    struct slice value = {key.ptr + key.len, size - 2 - key.len};
    struct ledger_record r = {.topic = data[0] % TOPIC_COUNT};
    struct arena arena = {0};
    budget_begin();
    if (decode(json, key, value, &arena, &r)) {
        check_record(&r);
        check_key(&r, key);
        if (json && r.topic == TOPIC_LEARNER_MINUTES)
            check_spelling(&r, value);
        check_written(&r, key, true, &arena);
        check_written(&r, key, false, &arena);
    }
    arena_free(&arena);
    budget_end(&budget, size);
    return 0;
}
