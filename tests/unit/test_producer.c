/* The producer against librdkafka's mock cluster, where the test itself decides when a record follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "patience.h"
#include "publish/producer.h"
#include "publish/record.h"

enum { ADD_PARTITIONS = 24 }; /* a request of Kafka's protocol */

static int renew(void *ctx)
{
    (void)ctx;
    return 1000;
}

/* The first record is refused before the second one is sent, so that sending it says what is wrong. */
static void what_is_refused_early_is_named_all_the_same(void **state)
{
    static const char *const topics[] = {
        "p.learner-lessons", "p.learner-minutes", "p.lesson-minutes", "p.watermarks"};
    struct config config = {.kafka = {.deployment = (char[]){"winter"}, .topic_prefix = (char[]){"p"}}};
    struct clock clock = {0};
    struct log *log = log_new(LOG_ERROR);
    (void)state;
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        assert_int_equal(rd_kafka_mock_topic_create(cluster, topics[i], 1, 1), 0);
    struct producer *p = producer_new(&config, "training", &clock, rd_kafka_mock_cluster_bootstraps(cluster),
        (struct producer_caller){renew, NULL}, log);
    assert_int_equal(producer_connect(p), PRODUCER_DONE);
    rd_kafka_mock_push_request_errors(
        cluster, ADD_PARTITIONS, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);

    struct record_writer writer = {.format = FORMAT_JSON, .program = "training", .deployment = "winter"};
    struct record record = record_epoch(&writer, 0, 1, 1, 2);
    enum producer_status status = PRODUCER_DONE;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (status == PRODUCER_DONE && clock_monotonic_ms() < until_ms) {
        status = producer_send(p, &record);
        /* sleeps: the refusal comes to librdkafka, which tells nobody until something is sent */
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    assert_int_equal(status, PRODUCER_FAILED);
    assert_ptr_equal(strstr(producer_error(p), "produce: "), producer_error(p));
    assert_non_null(strstr(producer_error(p), "Topic authorization failed"));
    assert_true(producer_pending(p) > 0);
    assert_false(producer_disconnect(p));
    assert_int_equal(producer_pending(p), 0);

    record_writer_free(&writer);
    producer_free(p);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_refused_early_is_named_all_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
