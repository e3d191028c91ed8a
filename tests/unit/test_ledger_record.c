/* The ledger reads what the publisher writes, in both formats, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ledger/record.h"
#include "proto/records.pb-c.h"
#include "published_records.h"

/* NULL, or what is wrong, as `follow` judges. */
static const char *decode(enum topic topic, struct slice content_type, struct slice key, struct slice value,
    struct arena *arena, struct ledger_record *r)
{
    *r = (struct ledger_record){.topic = topic};
    arena_reset(arena);
    bool good = ledger_record_decode(content_type, key, value, arena, r);
    assert_int_equal(good, r->problem == NULL);
    return good && !ledger_record_has_key(r, key) ? "key" : r->problem;
}

/* ---- the publisher's own records ---- */

static void check_format(bool json, struct slice type)
{
    struct published_record published[PUBLISHED_TOPICS];
    struct ledger_record r[TOPIC_COUNT];
    struct arena arenas[TOPIC_COUNT] = {{0}};
    published_records_write(json, published);
    for (enum topic t = 0; t < TOPIC_COUNT; t++)
        assert_null(decode(t, type, published[t].key, published[t].value, &arenas[t], &r[t]));
    for (enum topic t = 0; t < TOPIC_LESSON_MINUTES; t++)
        assert_true(slice_is(r[t].portal, "higher") && slice_is(r[t].learner, PUBLISHED_LEARNER));
    for (enum topic t = 0; t < TOPIC_WATERMARKS; t++)
        assert_true(slice_is(r[t].lesson, "l-1") && slice_is(r[t].course, "c-1"));
    const struct ledger_record *total = &r[TOPIC_LEARNER_LESSONS];
    assert_true(total->watched_seconds == 4321 && total->covered_seconds == 1234);
    assert_int_equal(total->minute_start, PUBLISHED_MINUTE + 7 * 60);
    const struct ledger_record *minute = &r[TOPIC_LEARNER_MINUTES];
    assert_true(minute->mask == PUBLISHED_MASK && minute->watched_seconds == 3);
    assert_int_equal(minute->minute_start, PUBLISHED_MINUTE);
    const struct ledger_record *sum = &r[TOPIC_LESSON_MINUTES];
    assert_true(sum->watched_seconds == 77 && sum->learners == 3 && sum->minute_start == PUBLISHED_MINUTE);
    const struct ledger_record *mark = &r[TOPIC_WATERMARKS];
    assert_true(slice_is(mark->deployment, "winter") && mark->published_through == PUBLISHED_MINUTE + 60);
    assert_int_equal(mark->final_through, PUBLISHED_MINUTE - 86400);
    for (int t = 0; t < TOPIC_COUNT; t++)
        arena_free(&arenas[t]);
}

static void test_what_the_publisher_writes(void **state)
{
    (void)state;
    check_format(false, slice_of("application/protobuf"));
    check_format(false, slice_of("application/x-protobuf"));
    check_format(false, slice_of(""));
    check_format(true, slice_of("application/json"));
    check_format(true, slice_of("application/json; charset=utf-8"));
}

/* ---- what is no record ---- */

#define MINUTE                                                                                               \
    "{\"portal\":\"p\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":"       \
    "1672900800,"
#define LESSON "{\"portal\":\"p\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\","

static void test_json(void **state)
{
    static const struct {
        enum topic topic;
        bool good;
        const char *key;
        const char *value;
    } rows[] = {
        {TOPIC_LEARNER_MINUTES, true, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, true, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2,\"new\":[1,{}]}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":3}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000G\",\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/t",
            MINUTE "\"seconds_mask\":3,\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/t", MINUTE "\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/p/l/other",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900860/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_LESSONS, true, "p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":1672900801}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":-2,\"covered_seconds\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":2.5,\"covered_seconds\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":2,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            "{\"portal\":\"\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\","
            "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LESSON_MINUTES, true, "1672900800/l",
            "{\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":1672900800,\"watched_seconds\":5,"
            "\"learners\":1}"},
        {TOPIC_LESSON_MINUTES, false, "1672900800/m",
            "{\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":1672900800,\"watched_seconds\":5,"
            "\"learners\":1}"},
        {TOPIC_WATERMARKS, true, "d", "{\"published_through\":60,\"final_through\":0}"},
        {TOPIC_WATERMARKS, false, "", "{\"published_through\":60,\"final_through\":0}"},
        {TOPIC_WATERMARKS, true, "d", "{\"published_through\":60,\"final_through\":0} "},
        {TOPIC_WATERMARKS, false, "d", "{\"published_through\":60,\"final_through\":0}x"},
        {TOPIC_WATERMARKS, false, "d", "{\"published_through\":60}"},
        {TOPIC_WATERMARKS, false, "d", "[]"},
        {TOPIC_WATERMARKS, false, "d", ""},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger_record r;
        const char *problem = decode(rows[i].topic, slice_of("application/json"), slice_of(rows[i].key),
            slice_of(rows[i].value), &arena, &r);
        if ((problem == NULL) != rows[i].good)
            fail_msg("row %zu, %s: %s", i, rows[i].value, problem == NULL ? "was taken" : problem);
    }
    arena_free(&arena);
}

static void test_other_bytes(void **state)
{
    static const struct {
        const char *type;
        struct slice value;
    } rows[] = {
        {"application/protobuf", {"", 0}},
        {"application/protobuf", {NULL, 0}}, /* a tombstone */
        {"application/protobuf", SLICE_LITERAL("\xff\xff\xff\xff")},
        {"application/protobuf", SLICE_LITERAL("{\"published_through\":60,\"final_through\":0}")},
        {"application/json", {NULL, 0}},
        {"application/json", SLICE_LITERAL("\x08\x3c\x10\x00")},
        {"text/plain", SLICE_LITERAL("{\"published_through\":60,\"final_through\":0}")},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
            struct ledger_record r;
            if (decode(topic, slice_of(rows[i].type), slice_of("d"), rows[i].value, &arena, &r) == NULL)
                fail_msg("row %zu was taken for a record of %s", i, ledger_topic_names[topic]);
        }
    }
    arena_free(&arena);
}

/* ---- what no honest record says ---- */

static const struct ledger_record honest[TOPIC_COUNT] = {
    [TOPIC_LEARNER_LESSONS] = {.watched_seconds = 90,
        .covered_seconds = 80,
        .minute_start = PUBLISHED_MINUTE},
    [TOPIC_LEARNER_MINUTES] = {.watched_seconds = 3, .mask = 7, .minute_start = PUBLISHED_MINUTE},
    [TOPIC_LESSON_MINUTES] = {.watched_seconds = 61, .learners = 2, .minute_start = PUBLISHED_MINUTE},
    [TOPIC_WATERMARKS] = {.published_through = PUBLISHED_MINUTE, .final_through = PUBLISHED_MINUTE},
};

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

static size_t pack(enum topic topic, const struct ledger_record *r, struct slice learner, uint8_t *out)
{
    Minuted__V1__LearnerLesson lesson = MINUTED__V1__LEARNER_LESSON__INIT;
    Minuted__V1__LearnerMinute minute = MINUTED__V1__LEARNER_MINUTE__INIT;
    Minuted__V1__LessonMinute sum = MINUTED__V1__LESSON_MINUTE__INIT;
    Minuted__V1__Watermark mark = MINUTED__V1__WATERMARK__INIT;
    lesson.portal = minute.portal = bytes_of(slice_of("p"));
    lesson.learner_id = minute.learner_id = bytes_of(learner);
    lesson.course_id = minute.course_id = sum.course_id = bytes_of(slice_of("c"));
    lesson.lesson_id = minute.lesson_id = sum.lesson_id = bytes_of(slice_of("l"));
    lesson.watched_seconds = minute.watched_seconds = sum.watched_seconds = r->watched_seconds;
    lesson.last_minute_start = minute.minute_start = sum.minute_start = r->minute_start;
    lesson.covered_seconds = r->covered_seconds;
    minute.seconds_mask = r->mask;
    sum.learners = r->learners;
    mark.published_through = r->published_through;
    mark.final_through = r->final_through;
    const ProtobufCMessage *const messages[TOPIC_COUNT] = {&lesson.base, &minute.base, &sum.base, &mark.base};
    return protobuf_c_message_pack(messages[topic], out);
}

static const char *judge(enum topic topic, const struct ledger_record *said, struct slice learner)
{
    uint8_t value[512];
    struct arena arena = {0};
    struct ledger_record r = {.topic = topic};
    size_t len = pack(topic, said, learner, value);
    const char *problem =
        ledger_record_decode(slice_of(""), slice_of("d"), (struct slice){(char *)value, len}, &arena, &r)
            ? NULL
            : r.problem;
    arena_free(&arena);
    return problem;
}

static void test_limits(void **state)
{
    enum { START = PUBLISHED_MINUTE };
    static const struct {
        const char *what;
        size_t field;
        int64_t value;
        enum topic topic;
        bool good;
    } rows[] = {
#define ROW(topic, field, value, good)                                                                       \
    {#field " = " #value, offsetof(struct ledger_record, field), value, TOPIC_##topic, good}
        ROW(LEARNER_LESSONS, watched_seconds, 0, true),
        ROW(LEARNER_LESSONS, watched_seconds, -1, false),
        ROW(LEARNER_LESSONS, watched_seconds, START + 60 - RECORD_TIME_MIN, true),
        ROW(LEARNER_LESSONS, watched_seconds, START + 61 - RECORD_TIME_MIN, false),
        ROW(LEARNER_LESSONS, watched_seconds, INT64_MAX, false),
        ROW(LEARNER_LESSONS, watched_seconds, INT64_MIN, false),
        ROW(LEARNER_LESSONS, covered_seconds, 0, true),
        ROW(LEARNER_LESSONS, covered_seconds, 9000, true), /* at a higher rate, beside another device */
        ROW(LEARNER_LESSONS, covered_seconds, RECORD_TIME_MAX, false),
        ROW(LEARNER_LESSONS, covered_seconds, -1, false),
        ROW(LEARNER_LESSONS, covered_seconds, INT64_MAX, false),
        ROW(LEARNER_LESSONS, minute_start, 0, false),
        ROW(LEARNER_LESSONS, minute_start, START + 1, false),
        ROW(LEARNER_LESSONS, minute_start, RECORD_TIME_MAX, false),
        ROW(LEARNER_LESSONS, minute_start, RECORD_TIME_MAX - 60, true),
        ROW(LEARNER_LESSONS, minute_start, INT64_MAX - INT64_MAX % 60, false),
        ROW(LEARNER_MINUTES, watched_seconds, 4, false),
        ROW(LEARNER_MINUTES, watched_seconds, 61, false),
        ROW(LEARNER_MINUTES, watched_seconds, -3, false),
        ROW(LEARNER_MINUTES, mask, 6, false),
        ROW(LEARNER_MINUTES, mask, INT64_C(1) << 60 | 3, false),
        ROW(LEARNER_MINUTES, mask, INT64_C(1) << 59 | 3, true),
        ROW(LEARNER_MINUTES, mask, -1, false),
        ROW(LEARNER_MINUTES, minute_start, RECORD_TIME_MIN - 60, false),
        ROW(LEARNER_MINUTES, minute_start, RECORD_TIME_MIN, true),
        ROW(LEARNER_MINUTES, minute_start, START + 30, false),
        ROW(LEARNER_MINUTES, minute_start, -60, false),
        ROW(LESSON_MINUTES, watched_seconds, 120, true),
        ROW(LESSON_MINUTES, watched_seconds, 121, false),
        ROW(LESSON_MINUTES, watched_seconds, INT64_MAX, false),
        ROW(LESSON_MINUTES, learners, 1, false),
        ROW(LESSON_MINUTES, learners, -2, false),
        ROW(LESSON_MINUTES, learners, INT64_MAX, false),
        ROW(LESSON_MINUTES, minute_start, RECORD_TIME_MAX, false),
        ROW(WATERMARKS, published_through, INT64_MAX, false),
        ROW(WATERMARKS, published_through, -1, false),
        ROW(WATERMARKS, final_through, 0, true),
        ROW(WATERMARKS, final_through, INT64_MIN, false),
        ROW(WATERMARKS, final_through, RECORD_TIME_MAX, false),
#undef ROW
    };
    (void)state;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        assert_null(judge(topic, &honest[topic], slice_of("t")));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger_record said = honest[rows[i].topic];
        memcpy((char *)&said + rows[i].field, &rows[i].value, sizeof(rows[i].value));
        const char *problem = judge(rows[i].topic, &said, slice_of("t"));
        if ((problem == NULL) != rows[i].good)
            fail_msg("%s, %s: %s", ledger_topic_names[rows[i].topic], rows[i].what,
                problem == NULL ? "was taken" : problem);
    }
}

static void test_ids(void **state)
{
    static char long_id[] = "0123456789012345678901234567890123456789012345678901234567890123"
                            "0123456789012345678901234567890123456789012345678901234567890123x";
    const struct {
        struct slice id;
        bool good;
    } rows[] = {
        {SLICE_LITERAL("教师/1"), true},
        {SLICE_LITERAL(""), false},
        {SLICE_LITERAL("a\0b"), false},
        {SLICE_LITERAL("a\nb"), false},
        {SLICE_LITERAL("a\x7f"), false},
        {SLICE_LITERAL("\xff\xfe"), false},
        {SLICE_LITERAL("\xed\xa0\x80"), false}, /* a surrogate */
        {SLICE_LITERAL("\xc0\x80"), false},     /* NUL, overlong */
        {{long_id, 128}, true},
        {{long_id, 129}, false},
    };
    (void)state;
    for (enum topic topic = 0; topic <= TOPIC_LEARNER_MINUTES; topic++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            if ((judge(topic, &honest[topic], rows[i].id) == NULL) != rows[i].good)
                fail_msg("%s: id %zu", ledger_topic_names[topic], i);
}

/* A record of 1 MiB of unknown fields must not take 46. */
static void test_memory_is_bounded(void **state)
{
    static char value[1 << 20];
    struct arena arena = {.limit = 1 << 20};
    struct ledger_record r;
    (void)state;
    for (size_t i = 0; i < sizeof(value); i += 2) {
        value[i] = 0x78; /* field 15, a varint */
        value[i + 1] = 1;
    }
    assert_non_null(decode(
        TOPIC_WATERMARKS, slice_of(""), slice_of("d"), (struct slice){value, sizeof(value)}, &arena, &r));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_publisher_writes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_other_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
