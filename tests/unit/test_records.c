/* The records against the golden ones of proto/vectors/records.json, which consumers test themselves with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "publish/lease.h"
#include "publish/record.h"
#include "store/values.h"

enum { MINUTE = 27903120, MINUTE_START = MINUTE * 60 }; /* 2023-01-20 04:00 UTC */
enum { FILE_MAX_BYTES = 65536, TEXT_MAX = 1024 };

#define S(text) SLICE_LITERAL(text)
#define VECTORS SOURCE_DIR "/proto/vectors/records.json"
#define EPOCH INT64_C(1674000000000)

/* Two stretches of the video: from 0 to 600 s, and from 700 to 980 s. */
static const char covered[] = "\x00\x00\x00\x00\xc0\x27\x09\x00\x60\xae\x0a\x00\x20\xf4\x0e\x00";

static const struct lesson_total total = {.lesson = {"lts-1-1", 7},
    .course = {"live", 4},
    .watched_seconds = 905,
    .covered_seconds = 880,
    .last_minute = MINUTE + 1,
    .covered = {covered, sizeof(covered) - 1},
    .epoch = EPOCH};
static struct lesson_mask ten_seconds = {.lesson = {"lts-1-1", 7}, .mask = 0x7fe, .total = &total};
static const struct learner_masks teacher = {
    .portal = {"higher", 6}, .learner = {"teacher-1", 9}, .masks = &ten_seconds, .n_masks = 1};

/* ---- what the vectors are of, in their order ---- */

static struct record write_total(struct record_writer *w)
{
    return record_learner_lesson(w, &(struct learner_total){S("higher"), S("teacher-1"), &total});
}

static struct record write_total_of_any_name(struct record_writer *w)
{
    static const struct lesson_total first = {.lesson = {"lts-1-1", 7},
        .course = {"live", 4},
        .watched_seconds = 1,
        .last_minute = MINUTE,
        .epoch = EPOCH};
    return record_learner_lesson(w, &(struct learner_total){S("basic"), S("a/\"b\"\\\xe7\x8e\x8b"), &first});
}

static struct record write_minute(struct record_writer *w)
{
    return record_learner_minute(w, MINUTE, &teacher, &ten_seconds);
}

static struct record write_lesson_minute(struct record_writer *w)
{
    return record_lesson_minute(
        w, MINUTE, &(struct lesson_sum){S("lts-1-1"), S("live"), 51230, 871, 40000, false});
}

static struct record write_watermark(struct record_writer *w)
{
    const bool held_by[4] = {false};
    return record_watermark(w, &(struct watermark){MINUTE_START, MINUTE_START - 86400}, held_by, 4);
}

static struct record write_held_watermark(struct record_writer *w)
{
    const bool held_by[4] = {false, true, false, true};
    return record_watermark(w, &(struct watermark){MINUTE_START, MINUTE_START - 86400}, held_by, 4);
}

static struct record write_epoch(struct record_writer *w)
{
    return record_epoch(w, 3, EPOCH, 4711, EPOCH + 4711);
}

static struct record (*const written[])(struct record_writer *w) = {write_total, write_total_of_any_name,
    write_minute, write_lesson_minute, write_watermark, write_held_watermark, write_epoch};

enum { N_WRITTEN = sizeof(written) / sizeof(written[0]) };

/* ---- reading the vectors ---- */

struct vector {
    struct slice topic, schema, key, partition_by, json, protobuf;
    int64_t time_ms;
};

static void read_vector(struct json_reader *j, struct vector *v)
{
    struct slice name;
    assert_true(json_object(j));
    while (json_member(j, &name)) {
        const struct {
            const char *name;
            struct slice *text;
        } texts[] = {{"topic", &v->topic}, {"schema", &v->schema}, {"key", &v->key},
            {"partition_by", &v->partition_by}, {"protobuf", &v->protobuf}};
        size_t i = 0;
        while (i < 5 && !slice_is(name, texts[i].name))
            i++;
        if (i < 5) {
            assert_true(json_string(j, texts[i].text));
        } else if (slice_is(name, "time_ms")) {
            struct json_number number;
            assert_true(json_number(j, &number) && number.integral);
            v->time_ms = number.integer;
        } else {
            assert_int_not_equal(
                json_next_type(j), JSON_INVALID); /* which passes over what comes before it */
            size_t from = j->at;
            assert_true(json_skip(j));
            if (slice_is(name, "json"))
                v->json = (struct slice){j->text.ptr + from, j->at - from};
        }
    }
}

struct vectors {
    struct buf file;
    struct arena arena;
    struct vector items[N_WRITTEN];
};

static struct vectors *read_vectors(void)
{
    struct vectors *v = calloc(1, sizeof(*v));
    struct json_reader j;
    struct slice name;
    size_t n = 0;
    assert_non_null(v);
    assert_true(file_read(VECTORS, FILE_MAX_BYTES, &v->file));
    json_read(&j, buf_slice(&v->file), &v->arena);
    assert_true(json_object(&j));
    while (json_member(&j, &name)) {
        if (!slice_is(name, "vectors")) {
            assert_true(json_skip(&j));
            continue;
        }
        assert_true(json_array(&j));
        for (; json_element(&j); n++) {
            assert_true(n < N_WRITTEN);
            read_vector(&j, &v->items[n]);
        }
    }
    assert_true(json_end(&j));
    assert_int_equal(n, N_WRITTEN);
    return v;
}

static void free_vectors(struct vectors *v)
{
    buf_free(&v->file);
    arena_free(&v->arena);
    free(v);
}

/* ---- the tests ---- */

static void assert_same(size_t i, const char *what, struct slice got, struct slice expected)
{
    if (!slice_equal(got, expected))
        fail_msg("vector %zu, %s: %.*s, not %.*s", i, what, SLICE_ARG(got), SLICE_ARG(expected));
}

static void append_hex(struct buf *b, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(b, "%02x", (unsigned char)bytes.ptr[i]);
}

static void check(enum record_format format)
{
    struct record_writer w = {.format = format, .program = "winter-2023", .deployment = "north"};
    struct vectors *v = read_vectors();
    for (size_t i = 0; i < N_WRITTEN; i++) {
        const struct vector *e = &v->items[i];
        struct record r = written[i](&w);
        char topic[RECORD_TOPIC_MAX];
        struct buf value = {0};
        record_topic(r.kind, "minuted", topic);
        if (format == FORMAT_JSON)
            buf_append_slice(&value, r.value);
        else
            append_hex(&value, r.value);
        assert_same(i, "topic", slice_of(topic), e->topic);
        assert_same(i, "schema", slice_of(r.schema), e->schema);
        assert_same(i, "key", r.key, e->key);
        assert_same(i, "partition_by", r.route, e->partition_by);
        assert_same(i, "value", buf_slice(&value), format == FORMAT_JSON ? e->json : e->protobuf);
        assert_int_equal(r.time_ms, e->time_ms);
        buf_free(&value);
    }
    record_writer_free(&w);
    free_vectors(v);
}

static void protobuf_records_are_golden(void **state)
{
    (void)state;
    check(FORMAT_PROTOBUF);
}

static void json_records_are_golden(void **state)
{
    (void)state;
    check(FORMAT_JSON);
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
        {0x0fffffffffffffff, "\"seconds_mask\":\"fffffffffffffff\",\"watched_seconds\":60}"},
        {0xabcdef, "\"seconds_mask\":\"000000000abcdef\",\"watched_seconds\":17}"},
    };
    struct record_writer w = {.format = FORMAT_JSON, .program = "p", .deployment = "d"};
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

/* As many stretches as Redis keeps of a learner and lesson go into one record. */
static void all_stretches_are_told(void **state)
{
    (void)state;
    enum { STRETCHES = 500 };
    struct buf packed = {0};
    struct buf expected = {0};
    buf_append_string(&expected, "\"covered\":[");
    for (uint32_t i = 0; i < STRETCHES; i++) {
        uint32_t from = UINT32_MAX - 10 * (STRETCHES - i);
        buf_append_u32(&packed, from);
        buf_append_u32(&packed, from + 4);
        buf_printf(&expected, "%s%u,%u", i == 0 ? "" : ",", from, from + 4);
    }
    buf_append_string(&expected, "],\"last");
    buf_append_char(&expected, '\0');
    struct lesson_total many = total;
    many.covered = buf_slice(&packed);
    struct record_writer w = {.format = FORMAT_JSON, .program = "p", .deployment = "d"};
    struct record r = record_learner_lesson(&w, &(struct learner_total){S("higher"), S("t"), &many});
    buf_append_char(&w.value, '\0');
    assert_non_null(strstr(w.value.data, expected.data));
    assert_true(r.value.len < TEXT_MAX * 16);
    record_writer_free(&w);
    buf_free(&packed);
    buf_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protobuf_records_are_golden),
        cmocka_unit_test(json_records_are_golden),
        cmocka_unit_test(masks_have_fifteen_digits),
        cmocka_unit_test(all_stretches_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
