/* What the publisher makes visible in Kafka, when, and in which order. */
#include <stdio.h>
#include <string.h>

#include "publisher_fixture.h"

static int partition_of(const char *route)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, route, strlen(route), PARTITIONS, NULL, NULL);
}

static void check_record(struct fixture *f, const char *topic, const char *schema, const char *route,
    const char *key, const char *value)
{
    const struct read_record *r = last_of(f, read_topic(f, topic), key);
    assert_string_equal(r->value, value);
    assert_string_equal(r->content_type, "application/json");
    assert_string_equal(r->schema, schema);
    assert_int_equal(r->partition, partition_of(route));
    if (strcmp(topic, TOPIC_WATERMARKS) != 0)
        assert_int_equal(r->time_ms, MINUTE_START * INT64_C(1000));
}

#define LEARNER_HEAD                                                                                         \
    "{\"portal\":\"higher\",\"learner_id\":\"t-2\",\"course_id\":\"live\",\"lesson_id\":\"b\","

static void check_exact_records(struct fixture *f)
{
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 3);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 3);
    assert_int_equal(read_topic(f, TOPIC_LESSON_MINUTES), 2);
    check_record(f, TOPIC_LEARNER_MINUTES, "minuted.v1.LearnerMinute", "higher/t-2",
        "1674187200/higher/b/t-2",
        LEARNER_HEAD
        "\"minute_start\":1674187200,\"seconds_mask\":\"00000000000000f\",\"watched_seconds\":4}");
    check_record(f, TOPIC_LEARNER_LESSONS, "minuted.v1.LearnerLesson", "higher/t-2", "higher/b/t-2",
        LEARNER_HEAD "\"watched_seconds\":4,\"covered_seconds\":2,\"last_minute_start\":1674187200}");
    check_record(f, TOPIC_LESSON_MINUTES, "minuted.v1.LessonMinute", "1674187200/a", "1674187200/a",
        "{\"course_id\":\"live\",\"lesson_id\":\"a\",\"minute_start\":1674187200,"
        "\"watched_seconds\":5,\"learners\":2}");
    check_record(f, TOPIC_WATERMARKS, "minuted.v1.Watermark", "winter", "winter",
        "{\"published_through\":1674187260,\"final_through\":1674100800}");
}

static void publishes_what_is_due(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->redis.floor = MINUTE - 1440;
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    fake_watch(&f->redis, 1, MINUTE, "t-2", "a", 0x30);
    fake_watch(&f->redis, 1, MINUTE, "t-2", "b", 0xf);
    fake_watch(&f->redis, 0, MINUTE + 1, "t-3", "a", 0x1); /* not due */
    fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through > 0);
    assert_int_equal(counters(f)->records, 3 + 3 + 2 + 1);
    assert_int_equal(counters(f)->learner_masks, 3);
    assert_int_equal(counters(f)->holds_lease, 1);
    assert_int_equal(counters(f)->published_through, MINUTE_START + 60);
    assert_int_equal(counters(f)->final_through, MINUTE_START - 86400);
    assert_true(describes(f, "publishing"));
    fixture_stop(f);
    assert_int_equal(fake_settles(&f->redis), 3);
    assert_true(fake_is_owner(&f->redis, ""));
    check_exact_records(f);
}

static void the_embedded_broker_serves(void **state)
{
    struct fixture *f = *state;
    char *error = NULL;
    struct embedded_kafka *k = embedded_kafka_start(f->log, &error);
    assert_non_null(k);
    f->brokers = embedded_kafka_brokers(k);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    fixture_start(f);
    WAIT_UNTIL(settled(f));
    fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 1);
    embedded_kafka_stop(k);
}

static void watch_with_three(struct fixture *f)
{
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x1);
    fake_watch(&f->redis, 0, MINUTE, "t-2", "a", 0x3);
    fake_watch(&f->redis, 0, MINUTE, "t-3", "a", 0x7);
}

static void a_minute_is_taken_in_portions(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->redis.take_max = 1;
    watch_with_three(f);
    fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through == MINUTE_START + 60);
    fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 3);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 3);
    assert_int_equal(f->redis.published_asked[0], MINUTE_START + 60);
}

/* One portion a transaction: the minute goes on in the next one, after a pause, and no record comes twice. */
static void pace_is_kept_between_transactions(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->redis.take_max = 1;
    f->config.publish.max_rate = 2;
    watch_with_three(f);
    fixture_start(f);
    WAIT_UNTIL(fake_settles(&f->redis) == 3);
    /* two records each, and so two pauses of a second after the first take */
    assert_true(monotonic_ms() - f->redis.first_take_ms >= 1900);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 60);
    fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 3);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 3);
    /* while something of the minute was left, the watermark could not pass it */
    assert_int_equal(f->redis.published_asked[0], MINUTE_START);
}

/* ---- order ---- */

static void check_growing(struct fixture *f, const char *topic, const char *field, const char *last)
{
    char before[READER_TEXT_MAX] = "";
    size_t n = read_topic(f, topic);
    assert_true(n > 1);
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(f->records[i].value, field);
        assert_non_null(at);
        at += strlen(field);
        assert_true(strlen(at) > strlen(before) || (strlen(at) == strlen(before) && strcmp(at, before) >= 0));
        snprintf(before, sizeof(before), "%s", at);
    }
    assert_string_equal(before, last);
}

/* One learner whose minute grows while it is published. */
static void the_last_record_of_a_key_is_the_greatest(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->config.publish.running_minutes_ms = 10;
    fake_watch(&f->redis, 0, MINUTE + 2, "t-1", "a", 1);
    fixture_start(f);
    for (int second = 1; second < 60; second++) {
        fake_watch(&f->redis, 0, MINUTE + 2, "t-1", "a", (uint64_t)1 << second);
        pause_ms(10);
    }
    fixture_stop(f); /* what is left is published while the daemon ends */
    assert_true(fake_is_settled(&f->redis, INT64_MAX));
    check_growing(
        f, TOPIC_LEARNER_MINUTES, "\"seconds_mask\":\"", "fffffffffffffff\",\"watched_seconds\":60}");
    check_growing(f, TOPIC_LESSON_MINUTES, "\"watched_seconds\":", "60,\"learners\":1}");
    check_growing(f, TOPIC_LEARNER_LESSONS,
        "\"watched_seconds\":", "60,\"covered_seconds\":30,\"last_minute_start\":1674187320}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(publishes_what_is_due),
        FIXTURE_TEST(the_embedded_broker_serves),
        FIXTURE_TEST(a_minute_is_taken_in_portions),
        FIXTURE_TEST(pace_is_kept_between_transactions),
        FIXTURE_TEST(the_last_record_of_a_key_is_the_greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
