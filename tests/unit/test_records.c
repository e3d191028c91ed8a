/* The records' bytes, JSON, keys and what chooses their partition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "publish/record.h"
#include "store/values.h"

enum { MINUTE = 27903120, MINUTE_START = MINUTE * 60 }; /* 2023-01-20 03:20 UTC */

#define S(text) SLICE_LITERAL(text)
#define FULL_MASK 0x0fffffffffffffff

static struct lesson_mask ten_seconds = {
    .lesson = {"lts-1-1", 7},
    .course = {"live", 4},
    .mask = 0x7fe,
    .watched_seconds = 905,
    .covered_seconds = 880,
    .last_minute = MINUTE + 1,
};
static const struct learner_masks teacher = {
    .portal = {"higher", 6}, .learner = {"t-1", 3}, .masks = &ten_seconds, .n_masks = 1};

struct expected {
    enum record_kind kind;
    const char *topic;
    const char *schema;
    const char *key;
    const char *route;
    struct slice protobuf;
    const char *json;
    int64_t time_ms;
};

static const struct expected table[] = {
    {RECORD_LEARNER_LESSON, "minuted.learner-lessons", "minuted.v1.LearnerLesson", "higher/lts-1-1/t-1",
        "higher/t-1",
        S("\x0a\x06higher\x12\x03t-1\x1a\x04live\x22\x07lts-1-"
          "1\x28\x89\x07\x30\xf0\x06\x38\xfc\xa3\xa8\x9e\x06"),
        "{\"portal\":\"higher\",\"learner_id\":\"t-1\",\"course_id\":\"live\",\"lesson_id\":\"lts-1-1\","
        "\"watched_seconds\":905,\"covered_seconds\":880,\"last_minute_start\":1674187260}",
        MINUTE_START *INT64_C(1000)},
    {RECORD_LEARNER_MINUTE, "minuted.learner-minutes", "minuted.v1.LearnerMinute",
        "1674187200/higher/lts-1-1/t-1", "higher/t-1",
        S("\x0a\x06higher\x12\x03t-1\x1a\x04live\x22\x07lts-1-1\x28\xc0\xa3\xa8\x9e\x06"
          "\x31\xfe\x07\x00\x00\x00\x00\x00\x00\x38\x0a"),
        "{\"portal\":\"higher\",\"learner_id\":\"t-1\",\"course_id\":\"live\",\"lesson_id\":\"lts-1-1\","
        "\"minute_start\":1674187200,\"seconds_mask\":\"0000000000007fe\",\"watched_seconds\":10}",
        MINUTE_START *INT64_C(1000)},
    {RECORD_LESSON_MINUTE, "minuted.lesson-minutes", "minuted.v1.LessonMinute", "1674187200/lts-1-1",
        "1674187200/lts-1-1",
        S("\x0a\x04live\x12\x07lts-1-1\x18\xc0\xa3\xa8\x9e\x06\x20\x9e\x90\x03\x28\xe7\x06"),
        "{\"course_id\":\"live\",\"lesson_id\":\"lts-1-1\",\"minute_start\":1674187200,"
        "\"watched_seconds\":51230,\"learners\":871}",
        MINUTE_START *INT64_C(1000)},
    {RECORD_WATERMARK, "minuted.watermarks", "minuted.v1.Watermark", "winter-2023", "winter-2023",
        S("\x08\xc0\xa3\xa8\x9e\x06\x10\xc0\x80\xa3\x9e\x06"),
        "{\"published_through\":1674187200,\"final_through\":1674100800}", 1674187270123},
};

static struct record write_record(struct record_writer *w, enum record_kind kind)
{
    const struct lesson_sum sum = {S("lts-1-1"), S("live"), 51230, 871};
    switch (kind) {
    case RECORD_LEARNER_LESSON:
        return record_learner_lesson(w, MINUTE, &teacher, &ten_seconds);
    case RECORD_LEARNER_MINUTE:
        return record_learner_minute(w, MINUTE, &teacher, &ten_seconds);
    case RECORD_LESSON_MINUTE:
        return record_lesson_minute(w, MINUTE, &sum);
    default:
        return record_watermark(w, "winter-2023", MINUTE_START, MINUTE_START - 86400, 1674187270123);
    }
}

static void assert_slice(struct slice got, struct slice expected)
{
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.ptr, expected.ptr, expected.len);
}

static void check_table(enum record_format format)
{
    struct record_writer w = {.format = format};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct expected *e = &table[i];
        struct record r = write_record(&w, e->kind);
        assert_int_equal(r.kind, e->kind);
        assert_string_equal(record_topic(r.kind), e->topic);
        assert_string_equal(r.schema, e->schema);
        assert_slice(r.key, slice_of(e->key));
        assert_slice(r.route, slice_of(e->route));
        assert_slice(r.value, format == FORMAT_JSON ? slice_of(e->json) : e->protobuf);
        assert_int_equal(r.time_ms, e->time_ms);
    }
    record_writer_free(&w);
}

static void protobuf_records_are_exact(void **state)
{
    (void)state;
    check_table(FORMAT_PROTOBUF);
}

static void json_records_are_exact(void **state)
{
    (void)state;
    check_table(FORMAT_JSON);
}

/* A learner id may hold what separates, quotes and escapes. */
static void any_learner_id_goes_through(void **state)
{
    (void)state;
    struct record_writer w = {.format = FORMAT_JSON};
    struct lesson_mask mask = ten_seconds;
    struct learner_masks learner = {
        .portal = S("basic"), .learner = S("a/\"b\"\\\xe5\xb8\x88"), .masks = &mask, .n_masks = 1};
    struct record r = record_learner_lesson(&w, MINUTE, &learner, &mask);
    assert_slice(r.key, S("basic/lts-1-1/a/\"b\"\\\xe5\xb8\x88"));
    assert_slice(r.route, S("basic/a/\"b\"\\\xe5\xb8\x88"));
    const char head[] = "{\"portal\":\"basic\",\"learner_id\":\"a/\\\"b\\\"\\\\\xe5\xb8\x88\",";
    assert_memory_equal(r.value.ptr, head, sizeof(head) - 1);
    record_writer_free(&w);
}

static void masks_have_fifteen_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t mask;
        const char *tail;
    } masks[] = {
        {1, "\"seconds_mask\":\"000000000000001\",\"watched_seconds\":1}"},
        {(uint64_t)1 << 59, "\"seconds_mask\":\"800000000000000\",\"watched_seconds\":1}"},
        {FULL_MASK, "\"seconds_mask\":\"fffffffffffffff\",\"watched_seconds\":60}"},
        {0xabcdef, "\"seconds_mask\":\"000000000abcdef\",\"watched_seconds\":17}"},
    };
    struct record_writer w = {.format = FORMAT_JSON};
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        struct lesson_mask mask = ten_seconds;
        mask.mask = masks[i].mask;
        struct record r = record_learner_minute(&w, MINUTE, &teacher, &mask);
        size_t len = strlen(masks[i].tail);
        assert_true(r.value.len > len);
        assert_memory_equal(r.value.ptr + r.value.len - len, masks[i].tail, len);
    }
    record_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protobuf_records_are_exact),
        cmocka_unit_test(json_records_are_exact),
        cmocka_unit_test(any_learner_id_goes_through),
        cmocka_unit_test(masks_have_fifteen_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
