/* The ledger reads what the publisher writes, in both formats, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ledger/decode.h"
#include "published_records.h"

/* NULL, or what is wrong, as `follow` judges. */
static const char *decode(enum topic topic, struct slice content_type, struct slice key, struct slice value,
    struct arena *arena, struct record *r)
{
    *r = (struct record){.topic = topic};
    arena_reset(arena);
    bool good = record_decode(content_type, key, value, arena, r);
    assert_int_equal(good, r->problem == NULL);
    return good && !record_has_key(r, key) ? "key" : r->problem;
}

/* ---- the publisher's own records ---- */

static void check_format(bool json, struct slice type)
{
    struct published_record published[PUBLISHED_TOPICS];
    struct record r[TOPIC_COUNT];
    struct arena arenas[TOPIC_COUNT] = {{0}};
    published_records_write(json, published);
    for (enum topic t = 0; t < TOPIC_COUNT; t++)
        assert_null(decode(t, type, published[t].key, published[t].value, &arenas[t], &r[t]));
    for (enum topic t = 0; t < TOPIC_LESSON_MINUTES; t++)
        assert_true(slice_is(r[t].portal, "higher") && slice_is(r[t].learner, PUBLISHED_LEARNER));
    for (enum topic t = 0; t < TOPIC_WATERMARKS; t++)
        assert_true(slice_is(r[t].lesson, "l-1") && slice_is(r[t].course, "c-1"));
    const struct record *total = &r[TOPIC_LEARNER_LESSONS];
    assert_true(total->watched_seconds == 4321 && total->covered_seconds == 1234);
    assert_int_equal(total->minute_start, PUBLISHED_MINUTE + 7 * 60);
    const struct record *minute = &r[TOPIC_LEARNER_MINUTES];
    assert_true(minute->mask == PUBLISHED_MASK && minute->watched_seconds == 3);
    assert_int_equal(minute->minute_start, PUBLISHED_MINUTE);
    const struct record *sum = &r[TOPIC_LESSON_MINUTES];
    assert_true(sum->watched_seconds == 77 && sum->learners == 3 && sum->minute_start == PUBLISHED_MINUTE);
    const struct record *mark = &r[TOPIC_WATERMARKS];
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
    "{\"portal\":\"p\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":60,"
#define LESSON "{\"portal\":\"p\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\","

static void test_json(void **state)
{
    static const struct {
        enum topic topic;
        bool good;
        const char *key;
        const char *value;
    } rows[] = {
        {TOPIC_LEARNER_MINUTES, true, "60/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, true, "60/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2,\"new\":[1,{}]}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":3}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000G\",\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/t", MINUTE "\"seconds_mask\":3,\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/t", MINUTE "\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "60/p/l/other",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "120/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_LESSONS, true, "p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":60}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":61}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":-2,\"covered_seconds\":0,\"last_minute_start\":60}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            LESSON "\"watched_seconds\":2.5,\"covered_seconds\":0,\"last_minute_start\":60}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t", LESSON "\"watched_seconds\":2,\"last_minute_start\":60}"},
        {TOPIC_LEARNER_LESSONS, false, "p/l/t",
            "{\"portal\":\"\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\","
            "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":60}"},
        {TOPIC_LESSON_MINUTES, true, "60/l",
            "{\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":60,\"watched_seconds\":5,"
            "\"learners\":1}"},
        {TOPIC_LESSON_MINUTES, false, "60/m",
            "{\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":60,\"watched_seconds\":5,"
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
        struct record r;
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
            struct record r;
            if (decode(topic, slice_of(rows[i].type), slice_of("d"), rows[i].value, &arena, &r) == NULL)
                fail_msg("row %zu was taken for a record of %s", i, topic_names[topic]);
        }
    }
    arena_free(&arena);
}

/* A record of 1 MiB of unknown fields must not take 46. */
static void test_memory_is_bounded(void **state)
{
    static char value[1 << 20];
    struct arena arena = {.limit = 1 << 20};
    struct record r;
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
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
