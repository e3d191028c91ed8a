/* The ledger reads what the publisher writes, in both formats, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proto/records.pb-c.h"
#include "published_records.h"
#include "stream/stream_record.h"

/* NULL, or what is wrong, as `follow` judges. */
static const char *decode(enum topic topic, struct slice content_type, struct slice key, struct slice value,
    struct arena *arena, struct stream_record *r)
{
    *r = (struct stream_record){.topic = topic};
    arena_reset(arena);
    bool good = stream_record_decode(content_type, value, arena, r);
    assert_int_equal(good, r->problem == NULL);
    return good && !stream_record_has_key(r, key) ? "key" : r->problem;
}

/* ---- the publisher's own records ---- */

static void assert_numbers(struct stream_numbers found, const int64_t *expected, size_t n)
{
    assert_int_equal(found.n, n);
    assert_memory_equal(found.items, expected, n * sizeof(*expected));
}

static void check_format(bool json, struct slice type)
{
    static const int64_t covered[] = {500, 6000, 7000, 0xffffffff};
    static const int64_t held_by[] = {1, 3};
    struct published_record published[PUBLISHED_RECORDS];
    struct stream_record r[PUBLISHED_RECORDS];
    struct arena arenas[PUBLISHED_RECORDS] = {{0}};
    published_records_write(json, published);
    for (int i = 0; i < PUBLISHED_RECORDS; i++) {
        enum topic topic = i == PUBLISHED_OF_PARTITION ? TOPIC_WATERMARKS : (enum topic)i;
        assert_null(decode(topic, type, published[i].key, published[i].value, &arenas[i], &r[i]));
        assert_true(slice_is(r[i].program, "winter-2023"));
    }
    for (enum topic t = 0; t < TOPIC_LESSON_MINUTES; t++)
        assert_true(slice_is(r[t].portal, "higher") && slice_is(r[t].learner, PUBLISHED_LEARNER));
    for (enum topic t = 0; t < TOPIC_WATERMARKS; t++)
        assert_true(slice_is(r[t].lesson, "l-1") && slice_is(r[t].course, "c-1"));
    const struct stream_record *total = &r[TOPIC_LEARNER_LESSONS];
    assert_true(total->watched_seconds == 4321 && total->covered_seconds == 6 + 4294960);
    assert_true(total->minute_start == PUBLISHED_MINUTE + 7 * 60 && total->epoch == PUBLISHED_EPOCH);
    assert_numbers(total->covered, covered, 4);
    const struct stream_record *minute = &r[TOPIC_LEARNER_MINUTES];
    assert_true(minute->mask == PUBLISHED_MASK && minute->watched_seconds == 3);
    assert_int_equal(minute->minute_start, PUBLISHED_MINUTE);
    const struct stream_record *sum = &r[TOPIC_LESSON_MINUTES];
    assert_true(sum->watched_seconds == 77 && sum->learners == 3 && sum->minute_start == PUBLISHED_MINUTE);
    const struct stream_record *mark = &r[TOPIC_WATERMARKS];
    assert_true(slice_is(mark->deployment, "north") && mark->redis_partition == -1);
    assert_true(
        mark->published_through == PUBLISHED_MINUTE + 60 && mark->final_through == PUBLISHED_MINUTE - 86400);
    assert_numbers(mark->held_by, held_by, 2);
    const struct stream_record *partition = &r[PUBLISHED_OF_PARTITION];
    assert_true(slice_is(partition->deployment, "north") && partition->redis_partition == 9);
    assert_true(partition->epoch == PUBLISHED_EPOCH && partition->taken == 17 && partition->held_by.n == 0);
    for (int i = 0; i < PUBLISHED_RECORDS; i++)
        arena_free(&arenas[i]);
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

#define IDS "\"portal\":\"p\",\"learner_id\":\"t\",\"course_id\":\"c\",\"lesson_id\":\"l\","
#define MINUTE "{\"program\":\"y\"," IDS "\"minute_start\":1672900800,"
#define LESSON "{\"program\":\"y\"," IDS "\"epoch\":1672900801000,"
#define SUM "{\"program\":\"y\",\"course_id\":\"c\",\"lesson_id\":\"l\",\"minute_start\":1672900800,"
#define MARK "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[],"
#define TIMES "\"published_through\":60,\"final_through\":0"
#define STATE "\"partition\":3,\"epoch\":1672900801000,\"taken\":1"

struct json_row {
    enum topic topic;
    bool good;
    const char *key;
    const char *value;
};

static void check_rows(const struct json_row *rows, size_t n)
{
    struct arena arena = {0};
    for (size_t i = 0; i < n; i++) {
        struct stream_record r;
        const char *problem = decode(rows[i].topic, slice_of("application/json"), slice_of(rows[i].key),
            slice_of(rows[i].value), &arena, &r);
        if ((problem == NULL) != rows[i].good)
            fail_msg("row %zu, %s: %s", i, rows[i].value, problem == NULL ? "was taken" : problem);
    }
    arena_free(&arena);
}

static void test_json(void **state)
{
    static const struct json_row rows[] = {
        {TOPIC_LEARNER_MINUTES, true, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, true, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2,\"new\":[1,{}]}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":3}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"00000000000000G\",\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":3,\"watched_seconds\":2}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t", MINUTE "\"watched_seconds\":0}"},
        {TOPIC_LEARNER_MINUTES, false, "1672900800/y/p/l/t",
            "{" IDS
            "\"minute_start\":1672900800,\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LEARNER_LESSONS, true, "y/p/l/t",
            LESSON
            "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[],\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, true, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":15,\"covered\":[0,5000,7999,17000],"
                   "\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":14,\"covered\":[0,5000,7999,17000],"
                   "\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON
            "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":0,\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[0,\"0\"],"
                   "\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[0,0.5],"
                   "\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            "{\"program\":\"y\"," IDS
            "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[],\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON
            "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[],\"last_minute_start\":1672900801}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON
            "\"watched_seconds\":-2,\"covered_seconds\":0,\"covered\":[],\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2.5,\"covered_seconds\":0,\"covered\":[],"
                   "\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_LESSONS, false, "y/p/l/t",
            LESSON "\"watched_seconds\":2,\"covered\":[],\"last_minute_start\":1672900800}"},
        {TOPIC_LESSON_MINUTES, true, "1672900800/y/l", SUM "\"watched_seconds\":5,\"learners\":1}"},
        {TOPIC_LESSON_MINUTES, false, "1672900800/y/l", SUM "\"watched_seconds\":5}"},
    };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_json_of_watermarks(void **state)
{
    static const struct json_row rows[] = {
        {TOPIC_WATERMARKS, true, "y/d", MARK TIMES "}"},
        {TOPIC_WATERMARKS, true, "y/d", MARK TIMES "} "},
        {TOPIC_WATERMARKS, true, "y/d",
            "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[0,7,255]," TIMES "}"},
        {TOPIC_WATERMARKS, false, "y/d",
            "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[256]," TIMES "}"},
        {TOPIC_WATERMARKS, false, "y/d",
            "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[-1]," TIMES "}"},
        {TOPIC_WATERMARKS, false, "y/d",
            "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[7,7]," TIMES "}"},
        {TOPIC_WATERMARKS, false, "y/d", "{\"program\":\"y\",\"deployment\":\"d\"," TIMES "}"},
        {TOPIC_WATERMARKS, true, "y/d/3", MARK STATE "}"},
        {TOPIC_WATERMARKS, false, "y/d/3",
            "{\"program\":\"y\",\"deployment\":\"d\",\"held_by\":[3]," STATE "}"},
        {TOPIC_WATERMARKS, false, "y/d/-1", MARK "\"partition\":-1,\"epoch\":1672900801000,\"taken\":1}"},
        {TOPIC_WATERMARKS, false, "y/d", MARK "\"partition\":-1,\"epoch\":1672900801000,\"taken\":1}"},
        /* neither form, both, or parts of one */
        {TOPIC_WATERMARKS, false, "y/d", MARK "\"new\":1}"},
        {TOPIC_WATERMARKS, false, "y/d", MARK "\"published_through\":60}"},
        {TOPIC_WATERMARKS, false, "y/d", MARK TIMES "," STATE "}"},
        {TOPIC_WATERMARKS, false, "y/d/3", MARK TIMES "," STATE "}"},
        {TOPIC_WATERMARKS, false, "y/d", MARK TIMES ",\"taken\":1}"},
        {TOPIC_WATERMARKS, false, "y/d/3", MARK "\"partition\":3,\"epoch\":1672900801000}"},
        {TOPIC_WATERMARKS, false, "y/d/3", MARK STATE ",\"final_through\":0}"},
        {TOPIC_WATERMARKS, false, "y/d", MARK TIMES "}x"},
        {TOPIC_WATERMARKS, false, "y/d", "[]"},
        {TOPIC_WATERMARKS, false, "y/d", ""},
    };
    (void)state;
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* A record lies under its own key, and under no other. */
static void test_keys(void **state)
{
    static const struct {
        enum topic topic;
        const char *key;
        const char *value;
    } records[] = {
        {TOPIC_LEARNER_LESSONS, "y/p/l/t",
            LESSON
            "\"watched_seconds\":2,\"covered_seconds\":0,\"covered\":[],\"last_minute_start\":1672900800}"},
        {TOPIC_LEARNER_MINUTES, "1672900800/y/p/l/t",
            MINUTE "\"seconds_mask\":\"000000000000003\",\"watched_seconds\":2}"},
        {TOPIC_LESSON_MINUTES, "1672900800/y/l", SUM "\"watched_seconds\":5,\"learners\":1}"},
        {TOPIC_WATERMARKS, "y/d", MARK TIMES "}"},
        {TOPIC_WATERMARKS, "y/d/3", MARK STATE "}"},
    };
    static const char *const others[] = {"", "y", "y/", "p/l/t", "x/p/l/t", "y/q/l/t", "y/p/m/t", "y/p/l/u",
        "y/p/l/tt", "y/p/l/", "1672900800/p/l/t", "1672900860/y/p/l/t", "1672900800/x/p/l/t",
        "1672900800/y/p/l/u", "1672900800/l", "1672900800/x/l", "1672900800/y/m", "1672900860/y/l", "d",
        "x/d", "y/e", "y/d/", "y/d/2", "y/d/03", "y/d/33", "y/e/3", "x/d/3", "y/d/-1"};
    enum { RECORDS = sizeof(records) / sizeof(records[0]), OTHERS = sizeof(others) / sizeof(others[0]) };
    struct arena arena = {0};
    (void)state;
    for (int i = 0; i < RECORDS; i++) {
        struct stream_record r;
        struct slice value = slice_of(records[i].value);
        assert_null(decode(
            records[i].topic, slice_of("application/json"), slice_of(records[i].key), value, &arena, &r));
        for (int k = 0; k < OTHERS; k++)
            if (stream_record_has_key(&r, slice_of(others[k])))
                fail_msg("the record of %s was taken under %s", records[i].key, others[k]);
        for (int k = 0; k < RECORDS; k++)
            assert_int_equal(stream_record_has_key(&r, slice_of(records[k].key)), k == i);
    }
    arena_free(&arena);
}

/* A record without a value says by its key what there is no more. */
static void test_keys_of_tombstones(void **state)
{
    enum { ALL = 1 << TOPIC_COUNT };
    static const struct {
        const char *key;
        unsigned topics; /* whose key it is, as bits */
    } rows[] = {
        {"y/p/l/t", 1 << TOPIC_LEARNER_LESSONS},
        {"y/p/l/a/b c/", 1 << TOPIC_LEARNER_LESSONS},
        {"1672900800/y/p/l/t", 1 << TOPIC_LEARNER_MINUTES | 1 << TOPIC_LEARNER_LESSONS},
        {"1672900800/y/l", 1 << TOPIC_LESSON_MINUTES},
        {"1672900801/y/l", 0},
        {"01672900800/y/l", 0},
        {"99999999999999999999/y/l", 0},
        {"y/d", 1 << TOPIC_WATERMARKS},
        {"y/d/0", 1 << TOPIC_WATERMARKS},
        {"y/d/255", 1 << TOPIC_WATERMARKS},
        {"y/d/256", 0},
        {"y/d/07", 0},
        {"y/d/", 0},
        {"y/d/x", 0},
        {"y", 0},
        {"", 0},
        {"/", 0},
        {"y//l/t", 0},
        {"y/p/l/", 0},
        {"y/p/l/\n", 0},
        {"y z/p/l/t", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
            struct stream_record r = {.topic = topic};
            bool good = stream_record_read_key(slice_of(rows[i].key), &r);
            if (good != ((rows[i].topics & 1U << topic) != 0) || good == (r.problem != NULL))
                fail_msg("%s of topic %d: %s", rows[i].key, topic, good ? "good" : r.problem);
            assert_true(r.tombstone);
        }
    }
    struct stream_record r = {.topic = TOPIC_LEARNER_MINUTES};
    assert_true(stream_record_read_key(slice_of("1672900800/y/p/l/a/b"), &r));
    assert_true(r.minute_start == 1672900800 && slice_is(r.program, "y") && slice_is(r.portal, "p") &&
                slice_is(r.lesson, "l") && slice_is(r.learner, "a/b"));
    r = (struct stream_record){.topic = TOPIC_WATERMARKS};
    assert_true(stream_record_read_key(slice_of("y/d"), &r));
    assert_true(slice_is(r.deployment, "d") && r.redis_partition == -1);
    assert_false(stream_record_read_key((struct slice){NULL, 0}, &r));
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
        {"application/protobuf", SLICE_LITERAL(MARK TIMES "}")},
        {"application/json", {NULL, 0}},
        {"application/json", SLICE_LITERAL("\x08\x3c\x10\x00")},
        {"text/plain", SLICE_LITERAL(MARK TIMES "}")},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
            struct stream_record r;
            if (decode(topic, slice_of(rows[i].type), slice_of("y/d"), rows[i].value, &arena, &r) == NULL)
                fail_msg("row %zu was taken for a record of topic %d", i, topic);
        }
    }
    arena_free(&arena);
}

/* ---- what no honest record says ---- */

enum kind { LESSONS, MINUTES, SUMS, DEPLOYMENTS, PARTITIONS, KINDS };

static const enum topic topic_of[KINDS] = {
    TOPIC_LEARNER_LESSONS, TOPIC_LEARNER_MINUTES, TOPIC_LESSON_MINUTES, TOPIC_WATERMARKS, TOPIC_WATERMARKS};

/* What a record says; none of the kinds has all of it. */
struct said {
    const char *program, *portal, *learner, *course, *lesson, *deployment;
    int64_t minute_start, watched_seconds, covered_seconds, learners, published_through, final_through, epoch,
        taken, partition;
    uint64_t mask;
    const int64_t *numbers; /* covered, or held_by */
    size_t n_numbers;
};

static const int64_t stretches[] = {0, 30000, 31000, 81000};

static const struct said honest[KINDS] = {
    [LESSONS] = {.watched_seconds = 90,
        .covered_seconds = 80,
        .minute_start = PUBLISHED_MINUTE,
        .epoch = PUBLISHED_EPOCH,
        .numbers = stretches,
        .n_numbers = 4},
    [MINUTES] = {.watched_seconds = 3, .mask = 7, .minute_start = PUBLISHED_MINUTE},
    [SUMS] = {.watched_seconds = 61, .learners = 2, .minute_start = PUBLISHED_MINUTE},
    [DEPLOYMENTS] = {.published_through = PUBLISHED_MINUTE, .final_through = PUBLISHED_MINUTE},
    [PARTITIONS] = {.partition = 15, .epoch = PUBLISHED_EPOCH, .taken = 12},
};

static char *text(const char *said, const char *initial)
{
    return (char *)(said == NULL ? initial : said);
}

static size_t pack(enum kind kind, const struct said *s, uint8_t *out)
{
    Minuted__V1__LearnerLesson lesson = MINUTED__V1__LEARNER_LESSON__INIT;
    Minuted__V1__LearnerMinute minute = MINUTED__V1__LEARNER_MINUTE__INIT;
    Minuted__V1__LessonMinute sum = MINUTED__V1__LESSON_MINUTE__INIT;
    Minuted__V1__Watermark mark = MINUTED__V1__WATERMARK__INIT;
    lesson.program = minute.program = sum.program = mark.program = text(s->program, "y");
    lesson.portal = minute.portal = text(s->portal, "p");
    lesson.learner_id = minute.learner_id = text(s->learner, "t");
    lesson.course_id = minute.course_id = sum.course_id = text(s->course, "c");
    lesson.lesson_id = minute.lesson_id = sum.lesson_id = text(s->lesson, "l");
    lesson.watched_seconds = minute.watched_seconds = sum.watched_seconds = s->watched_seconds;
    lesson.last_minute_start = minute.minute_start = sum.minute_start = s->minute_start;
    lesson.covered_seconds = s->covered_seconds;
    lesson.covered = (int64_t *)s->numbers;
    lesson.n_covered = s->n_numbers;
    lesson.epoch = mark.epoch = s->epoch;
    minute.seconds_mask = s->mask;
    sum.learners = s->learners;
    mark.deployment = text(s->deployment, "d");
    mark.has_published_through = mark.has_final_through = kind == DEPLOYMENTS;
    mark.published_through = s->published_through;
    mark.final_through = s->final_through;
    mark.held_by = (int64_t *)s->numbers;
    mark.n_held_by = s->n_numbers;
    mark.has_partition = mark.has_epoch = mark.has_taken = kind == PARTITIONS;
    mark.partition = s->partition;
    mark.taken = s->taken;
    const ProtobufCMessage *const messages[KINDS] = {
        &lesson.base, &minute.base, &sum.base, &mark.base, &mark.base};
    return protobuf_c_message_pack(messages[kind], out);
}

static const char *judge(enum kind kind, const struct said *said)
{
    static uint8_t value[16384];
    struct arena arena = {0};
    struct stream_record r = {.topic = topic_of[kind]};
    size_t len = pack(kind, said, value);
    bool good = stream_record_decode(slice_of(""), (struct slice){(char *)value, len}, &arena, &r);
    arena_free(&arena);
    return good ? NULL : r.problem;
}

static void test_limits(void **state)
{
    enum { START = PUBLISHED_MINUTE };
    static const struct {
        const char *what;
        size_t field;
        int64_t value;
        enum kind kind;
        bool good;
    } rows[] = {
#define ROW(kind, field, value, good)                                                                        \
    {#kind ": " #field " = " #value, offsetof(struct said, field), value, kind, good}
        ROW(LESSONS, watched_seconds, 0, true),
        ROW(LESSONS, watched_seconds, -1, false),
        ROW(LESSONS, watched_seconds, START + 60 - RECORD_TIME_MIN, true),
        ROW(LESSONS, watched_seconds, START + 61 - RECORD_TIME_MIN, false),
        ROW(LESSONS, watched_seconds, INT64_MAX, false),
        ROW(LESSONS, watched_seconds, INT64_MIN, false),
        ROW(LESSONS, covered_seconds, 79, false),
        ROW(LESSONS, covered_seconds, 81, false),
        ROW(LESSONS, covered_seconds, -1, false),
        ROW(LESSONS, covered_seconds, INT64_MAX, false),
        ROW(LESSONS, minute_start, 0, false),
        ROW(LESSONS, minute_start, START + 1, false),
        ROW(LESSONS, minute_start, RECORD_TIME_MAX, false),
        ROW(LESSONS, minute_start, RECORD_TIME_MAX - 60, true),
        ROW(LESSONS, minute_start, INT64_MAX - INT64_MAX % 60, false),
        ROW(LESSONS, epoch, RECORD_TIME_MIN * 1000, true),
        ROW(LESSONS, epoch, RECORD_TIME_MIN * 1000 - 1, false),
        ROW(LESSONS, epoch, RECORD_TIME_MAX * 1000 - 1, true),
        ROW(LESSONS, epoch, RECORD_TIME_MAX * 1000, false),
        ROW(LESSONS, epoch, -1, false),
        ROW(MINUTES, watched_seconds, 4, false),
        ROW(MINUTES, watched_seconds, 61, false),
        ROW(MINUTES, watched_seconds, -3, false),
        ROW(MINUTES, mask, 6, false),
        ROW(MINUTES, mask, INT64_C(1) << 60 | 3, false),
        ROW(MINUTES, mask, INT64_C(1) << 59 | 3, true),
        ROW(MINUTES, mask, -1, false),
        ROW(MINUTES, minute_start, RECORD_TIME_MIN - 60, false),
        ROW(MINUTES, minute_start, RECORD_TIME_MIN, true),
        ROW(MINUTES, minute_start, START + 30, false),
        ROW(MINUTES, minute_start, -60, false),
        ROW(SUMS, watched_seconds, 120, true),
        ROW(SUMS, watched_seconds, 121, false),
        ROW(SUMS, watched_seconds, INT64_MAX, false),
        ROW(SUMS, learners, 1, false),
        ROW(SUMS, learners, -2, false),
        ROW(SUMS, learners, INT64_MAX, false),
        ROW(SUMS, minute_start, RECORD_TIME_MAX, false),
        ROW(DEPLOYMENTS, published_through, INT64_MAX, false),
        ROW(DEPLOYMENTS, published_through, -1, false),
        ROW(DEPLOYMENTS, final_through, 0, true),
        ROW(DEPLOYMENTS, final_through, INT64_MIN, false),
        ROW(DEPLOYMENTS, final_through, RECORD_TIME_MAX, false),
        ROW(PARTITIONS, partition, 0, true),
        ROW(PARTITIONS, partition, 255, true),
        ROW(PARTITIONS, partition, 256, false),
        ROW(PARTITIONS, partition, -1, false),
        ROW(PARTITIONS, partition, INT64_MIN, false),
        ROW(PARTITIONS, epoch, 0, false),
        ROW(PARTITIONS, epoch, INT64_MAX, false),
        ROW(PARTITIONS, taken, 0, true),
        ROW(PARTITIONS, taken, INT64_C(1) << 53, true),
        ROW(PARTITIONS, taken, (INT64_C(1) << 53) + 1, false),
        ROW(PARTITIONS, taken, -1, false),
#undef ROW
    };
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        assert_null(judge(kind, &honest[kind]));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said = honest[rows[i].kind];
        memcpy((char *)&said + rows[i].field, &rows[i].value, sizeof(rows[i].value));
        const char *problem = judge(rows[i].kind, &said);
        if ((problem == NULL) != rows[i].good)
            fail_msg("%s: %s", rows[i].what, problem == NULL ? "was taken" : problem);
    }
}

static void test_stretches(void **state)
{
    static const struct {
        const char *what;
        int64_t covered[6];
        size_t n;
        int64_t seconds;
        bool good;
    } rows[] = {
        {"none", {0}, 0, 0, true},
        {"none, but seconds", {0}, 0, 1, false},
        {"a second that is begun twice", {500, 1500, 1600, 2500}, 4, 2, true},
        {"a part of a second", {0, 999}, 2, 0, true},
        {"the end of a second", {999, 1000}, 2, 1, true},
        {"as long as a video can be", {0, 0xffffffff}, 2, 4294967, true},
        {"longer", {0, 0x100000000}, 2, 4294967, false},
        {"half a stretch", {0, 1000, 2000}, 3, 1, false},
        {"back to front", {2000, 1000}, 2, -1, false},
        {"not sorted", {5000, 6000, 1000, 2000}, 4, 2, false},
        {"overlapping", {1000, 3000, 2000, 4000}, 4, 4, false},
        {"touching", {1000, 3000, 3000, 4000}, 4, 3, false},
        {"one in another", {1000, 5000, 2000, 3000}, 4, 5, false},
        {"before the beginning", {-1000, 1000}, 2, 2, false},
        {"without limit", {INT64_MIN, INT64_MAX}, 2, 0, false},
    };
    static int64_t many[2 * (RECORD_STRETCHES_MAX + 1)];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said = honest[LESSONS];
        said.numbers = rows[i].covered;
        said.n_numbers = rows[i].n;
        said.covered_seconds = rows[i].seconds;
        const char *problem = judge(LESSONS, &said);
        if ((problem == NULL) != rows[i].good)
            fail_msg("%s: %s", rows[i].what, problem == NULL ? "was taken" : problem);
    }
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i] = 1000 * (int64_t)i;
    for (int more = 0; more < 2; more++) {
        struct said said = honest[LESSONS];
        said.numbers = many;
        said.n_numbers = 2 * (RECORD_STRETCHES_MAX + (size_t)more);
        said.covered_seconds = RECORD_STRETCHES_MAX + more;
        assert_int_equal(judge(LESSONS, &said) == NULL, more == 0);
    }
}

#define ID_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void test_ids(void **state)
{
    static const struct {
        const char *id;
        bool good;      /* for whatever an operator names */
        bool good_name; /* for a learner */
    } rows[] = {
        {"a", true, true},
        {"A-z_0.9", true, true},
        {"教师/1", false, true},
        {"a b", false, true},
        {"a/b", false, true},
        {"", false, false},
        {"a\nb", false, false},
        {"a\x7f", false, false},
        {"\xff\xfe", false, false},
        {"\xed\xa0\x80", false, false}, /* a surrogate */
        {"\xc0\x80", false, false},     /* NUL, overlong */
        {ID_64, true, true},
        {ID_64 "x", false, true},
        {ID_64 ID_64, false, true},
        {ID_64 ID_64 "x", false, false},
    };
    static const struct {
        enum kind kind;
        size_t field;
    } ids[] = {
        {LESSONS, offsetof(struct said, program)},
        {LESSONS, offsetof(struct said, portal)},
        {LESSONS, offsetof(struct said, course)},
        {LESSONS, offsetof(struct said, lesson)},
        {LESSONS, offsetof(struct said, learner)},
        {MINUTES, offsetof(struct said, program)},
        {MINUTES, offsetof(struct said, portal)},
        {MINUTES, offsetof(struct said, course)},
        {MINUTES, offsetof(struct said, lesson)},
        {MINUTES, offsetof(struct said, learner)},
        {SUMS, offsetof(struct said, program)},
        {SUMS, offsetof(struct said, course)},
        {SUMS, offsetof(struct said, lesson)},
        {DEPLOYMENTS, offsetof(struct said, program)},
        {DEPLOYMENTS, offsetof(struct said, deployment)},
        {PARTITIONS, offsetof(struct said, program)},
        {PARTITIONS, offsetof(struct said, deployment)},
    };
    (void)state;
    for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
        bool is_name = ids[k].field == offsetof(struct said, learner);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct said said = honest[ids[k].kind];
            memcpy((char *)&said + ids[k].field, &rows[i].id, sizeof(rows[i].id));
            if ((judge(ids[k].kind, &said) == NULL) != (is_name ? rows[i].good_name : rows[i].good))
                fail_msg("kind %d, field at %zu: id %zu", ids[k].kind, ids[k].field, i);
        }
    }
}

/* A record of 1 MiB of unknown fields must not take 46. */
static void test_memory_is_bounded(void **state)
{
    static char value[1 << 20];
    struct arena arena = {.limit = 1 << 20};
    struct stream_record r;
    (void)state;
    for (size_t i = 0; i < sizeof(value); i += 2) {
        value[i] = 0x78; /* field 15, a varint */
        value[i + 1] = 1;
    }
    assert_non_null(decode(
        TOPIC_WATERMARKS, slice_of(""), slice_of("d"), (struct slice){value, sizeof(value)}, &arena, &r));
    struct buf text = {0}; /* the same for a list in JSON */
    buf_append_string(&text, MARK TIMES ",\"held_by\":[0");
    while (text.len < sizeof(value))
        buf_append_string(&text, ",0");
    buf_append_string(&text, "]}");
    assert_string_equal(
        decode(TOPIC_WATERMARKS, slice_of("application/json"), slice_of("y/d"), buf_slice(&text), &arena, &r),
        "it cannot be decoded");
    buf_free(&text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_publisher_writes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_watermarks),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_of_tombstones),
        cmocka_unit_test(test_other_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
