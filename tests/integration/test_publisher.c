/* What the publisher makes visible in Kafka, when, and in which order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "publisher_fixture.h"
#include "redis/topology.h"

static int partition_of(const char *route)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, route, strlen(route), PARTITIONS, NULL, NULL);
}

static void check_record(struct publisher_fixture *f, const char *topic, const char *schema,
    const char *route, const char *key, const char *value, int64_t time_s)
{
    const struct read_record *r = last_of(f, read_topic(f, topic), key);
    assert_string_equal(r->value, value);
    assert_string_equal(r->content_type, "application/json");
    assert_string_equal(r->schema, schema);
    assert_int_equal(r->partition, partition_of(route));
    assert_int_equal(r->time_ms, time_s * 1000);
}

#define LEARNER_HEAD                                                                                         \
    "{\"program\":\"training\",\"portal\":\"higher\",\"learner_id\":\"t-2\",\"course_id\":\"live\","         \
    "\"lesson_id\":\"b\","

/* A number of the partition that has LEARNER: `id`, `taken` or `committed`. */
static long long epoch_of(struct publisher_fixture *f, const char *learner, const char *field)
{
    struct key_prefix prefix;
    int partition =
        topology_partition_of(topology_hash_learner(SLICE_LITERAL("higher"), slice_of(learner)), 2);
    topology_key_prefix(&prefix, partition, 2);
    redisReply *reply = redisCommand(f->redis->nodes[0].client, "HGET %sepoch %s", prefix.text, field);
    assert_true(reply != NULL && reply->type == REDIS_REPLY_STRING);
    long long number = atoll(reply->str);
    freeReplyObject(reply);
    return number;
}

/* Which state of its partitions was published is told by records of its own. */
static void check_epochs(struct publisher_fixture *f)
{
    static const char *const learners[] = {"t-1", "t-2", "t-4"};
    size_t n = read_topic(f, TOPIC_WATERMARKS);
    for (size_t i = 0; i < 3; i++) {
        char key[64];
        char value[128];
        int partition =
            topology_partition_of(topology_hash_learner(SLICE_LITERAL("higher"), slice_of(learners[i])), 2);
        long long id = epoch_of(f, learners[i], "id");
        long long taken = epoch_of(f, learners[i], "taken");
        snprintf(key, sizeof(key), "training/winter/%d", partition);
        snprintf(value, sizeof(value),
            "{\"program\":\"training\",\"deployment\":\"winter\",\"partition\":%d,\"held_by\":[],"
            "\"epoch\":%lld,\"taken\":%lld}",
            partition, id, taken);
        assert_string_equal(last_of(f, n, key)->value, value);
        assert_int_equal(last_of(f, n, key)->time_ms, id + taken);
        if (i < 2) /* the third one's minute is not yet due */
            assert_in_range(epoch_of(f, learners[i], "committed"), 1, taken);
    }
}

static void check_exact_records(struct publisher_fixture *f)
{
    char total[READER_TEXT_MAX];
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 3);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 3);
    assert_int_equal(read_topic(f, TOPIC_LESSON_MINUTES), 2);
    check_record(f, TOPIC_LEARNER_MINUTES, "minuted.v1.LearnerMinute", "higher/t-2",
        "1674187200/training/higher/b/t-2",
        LEARNER_HEAD
        "\"minute_start\":1674187200,\"seconds_mask\":\"00000000000000f\",\"watched_seconds\":4}",
        MINUTE_START);
    snprintf(total, sizeof(total),
        LEARNER_HEAD "\"watched_seconds\":4,\"covered_seconds\":2,\"covered\":[6000000,6002000],"
                     "\"last_minute_start\":1674187200,\"epoch\":%lld}",
        epoch_of(f, "t-2", "id"));
    check_record(f, TOPIC_LEARNER_LESSONS, "minuted.v1.LearnerLesson", "higher/t-2", "training/higher/b/t-2",
        total, MINUTE_START);
    check_record(f, TOPIC_LESSON_MINUTES, "minuted.v1.LessonMinute", "1674187200/training/a",
        "1674187200/training/a",
        "{\"program\":\"training\",\"course_id\":\"live\",\"lesson_id\":\"a\",\"minute_start\":1674187200,"
        "\"watched_seconds\":5,\"learners\":2}",
        MINUTE_START);
    check_record(f, TOPIC_WATERMARKS, "minuted.v1.Watermark", "training/winter", "training/winter",
        "{\"program\":\"training\",\"deployment\":\"winter\",\"published_through\":1674187260,"
        "\"final_through\":1674100800,\"held_by\":[]}",
        MINUTE_START + 60);
    check_epochs(f);
}

static void publishes_what_is_due(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    watch(f, MINUTE, "t-2", "a", 4, 6);
    watch(f, MINUTE, "t-2", "b", 0, 4);
    watch(f, MINUTE + 1, "t-4", "a", 0, 1); /* not due */
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through > 0);
    /* each transaction but the watermark's tells the state of both partitions */
    assert_int_equal(counters(f)->records, (3 + 3 + 2) + (2 + 2) + 1);
    assert_int_equal(counters(f)->learner_masks, 3);
    assert_int_equal(counters(f)->holds_lease, 1);
    assert_int_equal(counters(f)->published_through, MINUTE_START + 60);
    assert_int_equal(counters(f)->final_through, MINUTE_START - 86400);
    assert_true(describes(f, "publishing"));
    publisher_fixture_stop(f);
    assert_int_equal(count_dirty(f), 1);
    assert_true(is_owner(f, ""));
    check_exact_records(f);
}

static void the_embedded_broker_serves(void **state)
{
    struct publisher_fixture *f = *state;
    char *error = NULL;
    struct embedded_kafka *k = embedded_kafka_start("minuted", f->redis->log, &error);
    assert_non_null(k);
    f->brokers = embedded_kafka_brokers(k);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f));
    publisher_fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 1);
    embedded_kafka_stop(k);
}

/* N learners of partition 0 watch the first second of a minute. */
static void watch_crowd(struct publisher_fixture *f, int64_t minute, int n)
{
    enum { AT_ONCE = 100 };
    static char names[AT_ONCE][16];
    struct store_run runs[AT_ONCE];
    size_t queued = 0;
    for (int i = 1; n > 0; i++) {
        char *name = names[queued];
        snprintf(name, sizeof(names[0]), "c-%d", i);
        if (topology_partition_of(topology_hash_learner(SLICE_LITERAL("higher"), slice_of(name)), 2) != 0)
            continue;
        runs[queued] = fixture_run(name, "a", minute * 60000, 1000, 0, 1000);
        runs[queued].portal = SLICE_LITERAL("higher");
        runs[queued++].course = SLICE_LITERAL("live");
        n--;
        if (queued == AT_ONCE || n == 0) {
            fixture_write(f->redis, runs, queued);
            queued = 0;
        }
    }
}

/* What the deployment's first watermark said. */
static int64_t first_published_through(struct publisher_fixture *f)
{
    static const char field[] = "\"published_through\":";
    size_t n = read_topic(f, TOPIC_WATERMARKS);
    for (size_t i = 0; i < n; i++)
        if (strcmp(f->records[i].key, "training/winter") == 0)
            return atoll(strstr(f->records[i].value, field) + sizeof(field) - 1);
    fail_msg("there is no watermark");
    return 0;
}

enum { CROWD = 1200 }; /* three portions */

static void a_minute_is_taken_in_portions(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch_crowd(f, MINUTE, CROWD);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through == MINUTE_START + 60);
    assert_int_equal(count_taken(f), 3);
    publisher_fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), CROWD);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), CROWD);
    assert_int_equal(first_published_through(f), MINUTE_START + 60);
}

/* One portion a transaction: the minute goes on in the next one, after a pause, and no record comes twice. */
static void pace_is_kept_between_transactions(void **state)
{
    enum { RATE = 1000 }; /* two records each: a portion fills a transaction */
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    f->redis->config.publish.max_rate = RATE;
    watch_crowd(f, MINUTE, CROWD);
    hold_clock(f);
    publisher_fixture_start(f);
    uint64_t paid = 0;
    for (size_t portion = 1; portion < 3; portion++) {
        WAIT_UNTIL(count_taken(f) == portion && counters(f)->published_through == MINUTE_START);
        WAIT_UNTIL(counters(f)->records >= paid + RATE + (portion == 1 ? 2 : 0));
        int64_t pause = (int64_t)(counters(f)->records - paid) * 1000 / RATE;
        paid = counters(f)->records;
        move_clock(f, pause - 1);
        pause_ms(1200); /* longer than the publisher sleeps */
        assert_int_equal(count_taken(f), portion);
        move_clock(f, 1);
    }
    WAIT_UNTIL(settled(f));
    move_clock(f, 1000); /* the next round finds that the minute is done with */
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 60);
    publisher_fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), CROWD);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), CROWD);
    /* while something of the minute was left, the watermark could not pass it */
    assert_int_equal(first_published_through(f), MINUTE_START);
}

/* ---- order ---- */

static void check_growing(struct publisher_fixture *f, const char *topic, const char *field, const char *last)
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
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    f->redis->config.publish.running_minutes_ms = 10;
    watch(f, MINUTE + 2, "t-1", "a", 0, 1);
    publisher_fixture_start(f);
    WAIT_UNTIL(
        counters(f)->transactions > 0); /* a publisher that has not met Kafka yet ends without a round */
    for (int second = 1; second < 60; second++) {
        watch(f, MINUTE + 2, "t-1", "a", second, second + 1);
        pause_ms(10);
    }
    publisher_fixture_stop(f); /* what is left is published while the daemon ends */
    assert_true(all_settled(f));
    check_growing(
        f, TOPIC_LEARNER_MINUTES, "\"seconds_mask\":\"", "fffffffffffffff\",\"watched_seconds\":60}");
    check_growing(f, TOPIC_LESSON_MINUTES, "\"watched_seconds\":", "60,\"learners\":1}");
    char total[READER_TEXT_MAX];
    snprintf(total, sizeof(total),
        "60,\"covered_seconds\":30,\"covered\":[6120000,6150000],\"last_minute_start\":1674187320,"
        "\"epoch\":%lld}",
        epoch_of(f, "t-1", "id"));
    check_growing(f, TOPIC_LEARNER_LESSONS, "\"watched_seconds\":", total);
}

/* A clock that is ahead by hours cannot close much in the minutes before it is found out. */
static void floors_rise_slowly_until_the_clock_is_settled(void **state)
{
    enum { FLOOR = MINUTE / 10 * 10 - 24 * 60 - 100 };
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    for (int p = 0; p < 2; p++) {
        struct key_prefix prefix;
        topology_key_prefix(&prefix, p, 2);
        redis_process_command(&f->redis->nodes[0], "SET %sfloor %d", prefix.text, FLOOR);
    }
    watch(f, MINUTE, "t-1", "a", 0, 3);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->final_through > 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(counters(f)->final_through, (FLOOR + 10 * i) * 60);
        move_clock(f, 299000);
        pause_ms(1200); /* longer than the publisher sleeps */
        assert_int_equal(counters(f)->final_through, (FLOOR + 10 * i) * 60);
        move_clock(f, 6000);
        WAIT_UNTIL(counters(f)->final_through > (FLOOR + 10 * i) * 60);
    }
    publisher_fixture_stop(f);
}

/* A clock that was ahead has left a minute that is yet to come. Kafka refuses records from the future. */
static void a_minute_to_come_waits_until_it_has_begun(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    f->redis->config.publish.running_minutes_ms = 10;
    watch(f, MINUTE + 2, "t-1", "a", 0, 3);
    watch(f, MINUTE + 300, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(count_dirty(f) == 1);
    publisher_fixture_stop(f);
    assert_int_equal(count_dirty(f), 1);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 1);
    assert_int_equal(read_topic(f, TOPIC_LESSON_MINUTES), 1);
}

/* More minutes than a transaction holds, and nothing of them can be told. */
static void sums_that_cannot_be_read_hold_up_no_others(void **state)
{
    enum { SPOILED = 80 };
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    publisher_fixture_make_cluster(f, NULL);
    topology_key_prefix(&prefix, 0, 2);
    for (int i = 0; i < SPOILED; i++) {
        redis_process_command(&f->redis->nodes[0], "HSET %sl:%d a x", prefix.text, MINUTE - i);
        redis_process_command(&f->redis->nodes[0], "SADD %sld %d", prefix.text, MINUTE - i);
    }
    watch(f, MINUTE - 100, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(read_topic(f, TOPIC_LESSON_MINUTES) == 1);
    WAIT_UNTIL(counters(f)->published_through == (MINUTE - SPOILED + 1) * 60);
    publisher_fixture_stop(f);
    size_t n = read_topic(f, TOPIC_WATERMARKS);
    assert_non_null(strstr(last_of(f, n, "training/winter")->value, "\"held_by\":[0]"));
}

static long long count_due(struct publisher_fixture *f, const char *prefix)
{
    redisReply *reply = redisCommand(f->redis->nodes[0].client, "ZCARD %sdue", prefix);
    assert_true(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
    long long n = reply->integer;
    freeReplyObject(reply);
    return n;
}

/* A minute that is due and has nobody dirty is settled without a transaction. */
static void committed_is_no_more_than_was_told(void **state)
{
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    publisher_fixture_make_cluster(f, NULL);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through > 0);
    int partition =
        topology_partition_of(topology_hash_learner(SLICE_LITERAL("higher"), SLICE_LITERAL("t-1")), 2);
    topology_key_prefix(&prefix, partition, 2);
    for (int i = 0; i < 3; i++) {
        redis_process_command(&f->redis->nodes[0], "HINCRBY %sepoch taken 1", prefix.text);
        redis_process_command(&f->redis->nodes[0], "ZADD %sdue 1 %d", prefix.text, MINUTE - 1);
        WAIT_UNTIL(count_due(f, prefix.text) == 0);
    }
    publisher_fixture_stop(f);
    char key[64];
    snprintf(key, sizeof(key), "training/winter/%d", partition);
    const char *taken = strstr(last_of(f, read_topic(f, TOPIC_WATERMARKS), key)->value, "\"taken\":");
    assert_int_equal(epoch_of(f, "t-1", "committed"), atoll(taken + strlen("\"taken\":")));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(publishes_what_is_due),
        PUBLISHER_TEST(the_embedded_broker_serves),
        PUBLISHER_TEST(a_minute_is_taken_in_portions),
        PUBLISHER_TEST(pace_is_kept_between_transactions),
        PUBLISHER_TEST(the_last_record_of_a_key_is_the_greatest),
        PUBLISHER_TEST(a_minute_to_come_waits_until_it_has_begun),
        PUBLISHER_TEST(sums_that_cannot_be_read_hold_up_no_others),
        PUBLISHER_TEST(committed_is_no_more_than_was_told),
        cmocka_unit_test_setup_teardown(floors_rise_slowly_until_the_clock_is_settled,
            publisher_fixture_begin_unsettled, publisher_fixture_end),
    };
    return CASES_RUN(argc, argv, tests);
}
