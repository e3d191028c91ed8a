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
#include "base/id.h"
#include "base/json_write.h"
#include "budget.h"
#include "credit/mask.h"
#include "proto/records.pb-c.h"
#include "stream/stream_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unknown fields of a protobuf message unpack to 32 bytes and more for two of theirs. */
static const struct budget budget = {64 * 1024, 128, 5000, 300};

static bool decode(bool json, struct slice value, struct arena *arena, struct stream_record *r)
{
    struct slice type = json ? SLICE_LITERAL("application/json; charset=utf-8") : (struct slice){NULL, 0};
    bool good = stream_record_decode(type, value, arena, r);
    assert(good == (r->problem == NULL));
    return good;
}

/* ---- limits ---- */

static void check_epoch(int64_t epoch)
{
    assert(epoch >= RECORD_TIME_MIN * 1000 && epoch < RECORD_TIME_MAX * 1000);
}

static void check_watermark(const struct stream_record *r)
{
    assert(id_valid(r->deployment));
    assert(r->published_through >= 0 && r->published_through < RECORD_TIME_MAX);
    assert(r->final_through >= 0 && r->final_through < RECORD_TIME_MAX);
    assert(r->redis_partition >= -1 && r->redis_partition < RECORD_PARTITIONS_MAX);
    assert(r->taken >= 0 && r->taken <= RECORD_TAKEN_MAX);
    if (r->redis_partition >= 0) {
        check_epoch(r->epoch);
        assert(r->held_by.n == 0 && r->published_through == 0 && r->final_through == 0);
    } else {
        assert(r->epoch == 0 && r->taken == 0 && r->held_by.n <= RECORD_PARTITIONS_MAX);
        for (size_t i = 0; i < r->held_by.n; i++)
            assert(r->held_by.items[i] >= (int64_t)i && r->held_by.items[i] < RECORD_PARTITIONS_MAX);
    }
}

static void check_covered(const struct stream_record *r)
{
    int64_t seconds = 0;
    assert(r->covered.n <= 2 * RECORD_STRETCHES_MAX);
    for (size_t i = 0; i < r->covered.n; i++) {
        int64_t ms = r->covered.items[i];
        assert(ms >= 0 && ms <= RECORD_MEDIA_MS_MAX);
        assert(i == 0 || ms > r->covered.items[i - 1] || (i % 2 == 1 && ms == r->covered.items[i - 1]));
        seconds += i % 2 == 1 ? ms / 1000 : -(ms / 1000);
    }
    assert(seconds == r->covered_seconds);
}

static void check_record(const struct stream_record *r)
{
    assert(id_valid(r->program));
    if (r->topic == TOPIC_WATERMARKS) {
        check_watermark(r);
        return;
    }
    assert(id_valid(r->lesson) && id_valid(r->course));
    assert(r->minute_start % MINUTE_SECONDS == 0);
    assert(r->minute_start >= RECORD_TIME_MIN && r->minute_start < RECORD_TIME_MAX);
    assert(r->watched_seconds >= 0 && r->watched_seconds < RECORD_TIME_MAX * 60);
    assert(r->learners >= 0 && r->learners < RECORD_TIME_MAX);
    if (r->topic == TOPIC_LESSON_MINUTES) {
        assert(r->watched_seconds <= 60 * r->learners);
        return;
    }
    assert(id_valid(r->portal) && id_name_valid(r->learner));
    if (r->topic == TOPIC_LEARNER_LESSONS) {
        assert(r->watched_seconds <= r->minute_start + 60 - RECORD_TIME_MIN);
        check_epoch(r->epoch);
        check_covered(r);
    } else {
        assert((r->mask & ~MASK_FULL) == 0 && r->watched_seconds == (int64_t)mask_count(r->mask));
    }
}

/* A mask has one spelling, escapes aside. */
static void check_spelling(const struct stream_record *r, struct slice json)
{
    char digits[20];
    snprintf(digits, sizeof(digits), "%015llx", (unsigned long long)r->mask);
    assert(memmem(json.ptr, json.len, digits, 15) != NULL || memchr(json.ptr, '\\', json.len) != NULL);
}

/* A record is found under one key only, so under no prefix or extension of it. */
static void check_key(const struct stream_record *r, struct slice key)
{
    char longer[300];
    if (!stream_record_has_key(r, key))
        return;
    assert(key.len > 0 && key.len < sizeof(longer));
    assert(!stream_record_has_key(r, (struct slice){key.ptr, key.len - 1}));
    memcpy(longer, key.ptr, key.len);
    longer[key.len] = 'x';
    assert(!stream_record_has_key(r, (struct slice){longer, key.len + 1}));
}

/* ---- written again ---- */

/* A message's strings end with a NUL, which no id holds. */
static char *string_of(struct slice s, struct arena *arena)
{
    return arena_strndup(arena, s.ptr, s.len);
}

static void pack(struct buf *b, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    b->len += protobuf_c_message_pack(message, (uint8_t *)buf_reserve(b, len));
}

static void write_learner_lesson(struct buf *b, const struct stream_record *r, struct arena *arena)
{
    Minuted__V1__LearnerLesson m = MINUTED__V1__LEARNER_LESSON__INIT;
    m.program = string_of(r->program, arena);
    m.portal = string_of(r->portal, arena);
    m.learner_id = string_of(r->learner, arena);
    m.course_id = string_of(r->course, arena);
    m.lesson_id = string_of(r->lesson, arena);
    m.watched_seconds = r->watched_seconds;
    m.covered_seconds = r->covered_seconds;
    m.covered = (int64_t *)r->covered.items;
    m.n_covered = r->covered.n;
    m.last_minute_start = r->minute_start;
    m.epoch = r->epoch;
    pack(b, &m.base);
}

static void write_learner_minute(struct buf *b, const struct stream_record *r, struct arena *arena)
{
    Minuted__V1__LearnerMinute m = MINUTED__V1__LEARNER_MINUTE__INIT;
    m.program = string_of(r->program, arena);
    m.portal = string_of(r->portal, arena);
    m.learner_id = string_of(r->learner, arena);
    m.course_id = string_of(r->course, arena);
    m.lesson_id = string_of(r->lesson, arena);
    m.minute_start = r->minute_start;
    m.seconds_mask = r->mask;
    m.watched_seconds = r->watched_seconds;
    pack(b, &m.base);
}

static void write_lesson_minute(struct buf *b, const struct stream_record *r, struct arena *arena)
{
    Minuted__V1__LessonMinute m = MINUTED__V1__LESSON_MINUTE__INIT;
    m.program = string_of(r->program, arena);
    m.course_id = string_of(r->course, arena);
    m.lesson_id = string_of(r->lesson, arena);
    m.minute_start = r->minute_start;
    m.watched_seconds = r->watched_seconds;
    m.learners = r->learners;
    pack(b, &m.base);
}

static void write_watermark(struct buf *b, const struct stream_record *r, struct arena *arena)
{
    Minuted__V1__Watermark m = MINUTED__V1__WATERMARK__INIT;
    m.program = string_of(r->program, arena);
    m.deployment = string_of(r->deployment, arena);
    m.has_published_through = m.has_final_through = r->redis_partition < 0;
    m.published_through = r->published_through;
    m.final_through = r->final_through;
    m.held_by = (int64_t *)r->held_by.items;
    m.n_held_by = r->held_by.n;
    m.has_partition = m.has_epoch = m.has_taken = r->redis_partition >= 0;
    m.partition = r->redis_partition;
    m.epoch = r->epoch;
    m.taken = r->taken;
    pack(b, &m.base);
}

static void write_protobuf(struct buf *b, const struct stream_record *r, struct arena *arena)
{
    static void (*const writers[TOPIC_COUNT])(struct buf *, const struct stream_record *, struct arena *) = {
        write_learner_lesson, write_learner_minute, write_lesson_minute, write_watermark};
    writers[r->topic](b, r, arena);
}

static void member_text(struct buf *b, const char *name, struct slice value)
{
    buf_append_string(b, name);
    json_write_string(b, value);
}

static void member_number(struct buf *b, const char *name, int64_t value)
{
    buf_printf(b, ",\"%s\":%lld", name, (long long)value);
}

static void member_numbers(struct buf *b, const char *name, struct stream_numbers numbers)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < numbers.n; i++)
        buf_printf(b, "%s%lld", i == 0 ? "" : ",", (long long)numbers.items[i]);
    buf_append_char(b, ']');
}

static void write_json(struct buf *b, const struct stream_record *r)
{
    member_text(b, "{\"program\":", r->program);
    if (r->topic == TOPIC_WATERMARKS) {
        member_text(b, ",\"deployment\":", r->deployment);
        member_numbers(b, "held_by", r->held_by);
        member_number(b, r->redis_partition < 0 ? "published_through" : "partition",
            r->redis_partition < 0 ? r->published_through : r->redis_partition);
        member_number(b, r->redis_partition < 0 ? "final_through" : "epoch",
            r->redis_partition < 0 ? r->final_through : r->epoch);
        if (r->redis_partition >= 0)
            member_number(b, "taken", r->taken);
        buf_append_char(b, '}');
        return;
    }
    member_text(b, ",\"course_id\":", r->course);
    member_text(b, ",\"lesson_id\":", r->lesson);
    if (r->topic != TOPIC_LESSON_MINUTES) {
        member_text(b, ",\"portal\":", r->portal);
        member_text(b, ",\"learner_id\":", r->learner);
    }
    member_number(
        b, r->topic == TOPIC_LEARNER_LESSONS ? "last_minute_start" : "minute_start", r->minute_start);
    member_number(b, "watched_seconds", r->watched_seconds);
    if (r->topic == TOPIC_LEARNER_LESSONS) {
        member_number(b, "covered_seconds", r->covered_seconds);
        member_numbers(b, "covered", r->covered);
        member_number(b, "epoch", r->epoch);
    } else if (r->topic == TOPIC_LESSON_MINUTES) {
        member_number(b, "learners", r->learners);
    } else {
        buf_printf(b, ",\"seconds_mask\":\"%015llx\"", (unsigned long long)r->mask);
    }
    buf_append_char(b, '}');
}

static bool same_numbers(struct stream_numbers a, struct stream_numbers b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.items, b.items, a.n * sizeof(*a.items)) == 0);
}

static bool same_record(const struct stream_record *a, const struct stream_record *b)
{
    return slice_equal(a->program, b->program) && slice_equal(a->portal, b->portal) &&
           slice_equal(a->learner, b->learner) && slice_equal(a->course, b->course) &&
           slice_equal(a->lesson, b->lesson) && slice_equal(a->deployment, b->deployment) &&
           a->minute_start == b->minute_start && a->watched_seconds == b->watched_seconds &&
           a->covered_seconds == b->covered_seconds && a->learners == b->learners &&
           a->published_through == b->published_through && a->final_through == b->final_through &&
           a->mask == b->mask && a->epoch == b->epoch && a->taken == b->taken &&
           a->redis_partition == b->redis_partition && same_numbers(a->covered, b->covered) &&
           same_numbers(a->held_by, b->held_by);
}

/* All numbers are within what JSON says without rounding. */
static void check_written(const struct stream_record *r, bool json, struct arena *arena)
{
    struct stream_record again = {.topic = r->topic};
    struct buf text = {0};
    if (json)
        write_json(&text, r);
    else
        write_protobuf(&text, r, arena);
    bool good = decode(json, buf_slice(&text), arena, &again);
    assert(good && same_record(r, &again));
    buf_free(&text);
}

/* A key that a tombstone may have is that of the record that it is read as. */
static void check_tombstone(enum topic topic, struct slice key)
{
    struct stream_record r = {.topic = topic};
    if (!stream_record_read_key(key, &r))
        return;
    assert(stream_record_has_key(&r, key) && id_valid(r.program));
    check_key(&r, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size - 2 < data[1])
        return 0;
    bool json = data[0] / TOPIC_COUNT % 2 == 1;
    struct slice key = {(const char *)data + 2, data[1]};
    struct slice value = {key.ptr + key.len, size - 2 - key.len};
    struct stream_record r = {.topic = data[0] % TOPIC_COUNT};
    struct arena arena = {0};
    budget_begin();
    check_tombstone(r.topic, key);
    if (decode(json, value, &arena, &r)) {
        check_record(&r);
        check_key(&r, key);
        if (json && r.topic == TOPIC_LEARNER_MINUTES)
            check_spelling(&r, value);
        check_written(&r, true, &arena);
        check_written(&r, false, &arena);
    }
    arena_free(&arena);
    budget_end(&budget, size);
    return 0;
}
