/*
 * What keeps the load generator's verification from judging is named, in time, and no verdict is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "verify_fixture.h"

static void test_unreadable_masks(void **state)
{
    static const struct {
        size_t at;
        char byte;
        size_t cut;
    } cases[] = {
        {0, 2, 0},              /* another format */
        {1, 90, 0},             /* a lesson longer than the value */
        {4 + 7 * 8 + 3, 64, 0}, /* second 30 in the word of the first thirty */
        {0, 1, 1},              /* a byte short */
    };
    struct scene *s = *state;
    scene_publish(s);
    struct value good = scene_masks(s, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value v = good;
        v.bytes[cases[i].at] = cases[i].byte;
        v.len -= cases[i].cut;
        scene_put(s, &v);
        scene_verify(s, WAIT_MS);
        assert_problem(s, "0: the masks are malformed");
    }
    scene_put(s, &good);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
}

static void test_unreadable_total(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value v = scene_total(s, 0);
    v.len -= 1;
    scene_put(s, &v);
    scene_verify(s, WAIT_MS);
    assert_problem(s, "0: a total is malformed");
}

static void test_redis_is_away(void **state)
{
    struct scene *s = *state;
    struct endpoint nowhere = {.host = "127.0.0.1", .port = 1};
    s->config.redis.servers.items = &nowhere;
    scene_verify(s, WAIT_MS);
    assert_problem(s, "redis server 127.0.0.1:1: ");
}

static void test_other_partitions(void **state)
{
    struct scene *s = *state;
    s->config.redis.partitions = 16;
    scene_verify(s, WAIT_MS);
    assert_problem(s, "was first used with redis.partitions = 2, not 16");
}

static void test_unreadable_record(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    scene_publish_unreadable(s, BASE_S * 1000);
    scene_verify(s, WAIT_MS);
    assert_problem(s, "north.learner-minutes partition 1 offset ");
    assert_problem(s, "cannot be decoded");
}

/* What is older than the evidence says nothing of it. */
static void test_old_records_are_passed_over(void **state)
{
    struct scene *s = *state;
    scene_publish_unreadable(s, BASE_S * 1000 - 1);
    scene_publish(s);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
}

static void test_embedded_broker(void **state)
{
    struct scene *s = *state;
    free(s->config.kafka.brokers);
    s->config.kafka.brokers = strdup("embedded");
    scene_verify(s, WAIT_MS);
    assert_problem(s, "the embedded broker keeps only");
}

static void test_topic_is_missing(void **state)
{
    struct scene *s = *state;
    rd_kafka_mock_cluster_destroy(s->cluster);
    s->cluster = rd_kafka_mock_cluster_new(s->handle, 1);
    char topic[RECORD_TOPIC_MAX];
    scene_topic(s, RECORD_LEARNER_MINUTE, topic);
    assert_int_equal(rd_kafka_mock_topic_create(s->cluster, topic, 1, 1), 0);
    free(s->config.kafka.brokers);
    s->config.kafka.brokers = strdup(rd_kafka_mock_cluster_bootstraps(s->cluster));
    scene_verify(s, WAIT_MS);
    assert_problem(s, "topic north.learner-lessons: it does not exist");
}

static void test_unknown_property(void **state)
{
    struct scene *s = *state;
    struct config_property property = {.name = (char[]){"no.such"}, .value = (char[]){"1"}};
    s->config.kafka.properties = &property;
    s->config.kafka.n_properties = 1;
    scene_verify(s, WAIT_MS);
    assert_problem(s, "kafka.properties: no.such");
}

static void assert_away(struct scene *s, int64_t wait_ms)
{
    scene_verify(s, wait_ms);
    assert_problem(s, "kafka ");
}

static void test_broker_is_away(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    rd_kafka_mock_broker_set_down(s->cluster, 1);
    assert_away(s, SHORT_MS);
}

/* Who may not read a topic does not know what it holds, though it can be seen that there is something. */
static void test_topic_may_not_be_read(void **state)
{
    enum { FETCH = 1, ANSWERS = 1000 };
    struct scene *s = *state;
    rd_kafka_resp_err_t errors[ANSWERS];
    for (int i = 0; i < ANSWERS; i++)
        errors[i] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    scene_publish(s);
    rd_kafka_mock_push_request_errors_array(s->cluster, FETCH, ANSWERS, errors);
    int64_t wait_ms = SHORT_MS;
    do
        scene_verify(s, wait_ms);
    while (strstr(s->v.problem, "authorization failed") == NULL && (wait_ms *= 2) < PATIENCE_MS);
    assert_problem(s, "could not be read to its end in time");
    assert_problem(s, "authorization failed");
}

static void *take_broker_away(void *ctx)
{
    struct scene *s = ctx;
    /* sleeps: so that the verification is likely to be in the midst of reading */
    nanosleep(&(struct timespec){0, 600000000}, NULL);
    rd_kafka_mock_broker_set_down(s->cluster, 1);
    return NULL;
}

/* What is missing then may well be there. */
static void test_broker_goes_away(void **state)
{
    struct scene *s = *state;
    s->withheld = 0;
    scene_publish(s);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_broker_away, s), 0);
    assert_away(s, 5 * SHORT_MS); /* long after the broker has gone */
    pthread_join(thread, NULL);
}

static void test_key_of_a_wrong_type(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value total = scene_total(s, 0);
    redis_process_command(scene_node(s), "SET %s x", total.key);
    scene_verify(s, WAIT_MS);
    assert_problem(s, "WRONGTYPE");
    assert_problem(s, ": t of ");
    redis_process_command(scene_node(s), "DEL %s", total.key); /* or it might be met first */
    redis_process_command(scene_node(s), "SET %s x", scene_masks(s, 1).key);
    scene_verify(s, WAIT_MS);
    assert_problem(s, "WRONGTYPE");
    assert_problem(s, "w:");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_unreadable_masks), CASE(test_unreadable_total), CASE(test_redis_is_away),
        CASE(test_other_partitions), CASE(test_unreadable_record), CASE(test_old_records_are_passed_over),
        CASE(test_embedded_broker), CASE(test_topic_is_missing), CASE(test_unknown_property),
        CASE(test_broker_is_away), CASE(test_topic_may_not_be_read), CASE(test_broker_goes_away),
        CASE(test_key_of_a_wrong_type), /* of many learners, later ones' too */
    };
    return cmocka_run_group_tests(tests, scene_group_begin, scene_group_end);
}
