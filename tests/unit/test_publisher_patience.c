/* A Kafka that is slow, silent or moving: the publisher waits for it as long as that is of use, and no
 * longer. */
#include <string.h>

#include "publisher_fixture.h"

/* A stop that is told to take 2 s has ended long before Kafka's own time-outs, of a minute and more. */
enum { END_TXN = 26, SILENCE_MS = 3600000, STOPPED_MS = 30000 };

static void start(struct fixture *f, int brokers)
{
    fixture_make_cluster_of(f, brokers);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1); /* the first watermark */
}

/* Longer than a step of waiting, and than it takes to renew the lease. */
static void a_slow_commit_is_waited_for(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    rd_kafka_mock_broker_push_request_error_rtts(f->cluster, 1, END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 4500);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 0);
    assert_int_equal(f->redis.takes, 1);
}

/* The broker that coordinates goes down while a commit is on its way to it. */
static void another_coordinator_ends_the_transaction(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster_of(f, 3);
    rd_kafka_mock_coordinator_set(f->cluster, "transaction", "minuted-winter", 1);
    for (int partition = 0; partition < PARTITIONS; partition++)
        for (int topic = 0; topic < TOPICS; topic++)
            rd_kafka_mock_partition_set_leader(f->cluster, fixture_topics[topic], partition, 2);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    rd_kafka_mock_broker_push_request_error_rtts(
        f->cluster, 1, END_TXN, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2000);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(f->redis.takes == 1);
    pause_ms(500);
    rd_kafka_mock_coordinator_set(f->cluster, "transaction", "minuted-winter", 3);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 0);
    assert_int_equal(f->redis.takes, 1);
}

/* What could not be committed is tried again in portions, newest first. */
static void transactions_become_smaller_when_they_fail(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    for (int i = 0; i < 8; i++)
        fake_watch(&f->redis, 0, MINUTE - i, "t-1", "a", 0x7); /* two records each */
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    fixture_start(f);
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 1);
    assert_int_equal(f->redis.takes_to_first_settle, 8 + 2);
    fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 8 + 8);
}

/* The worst moments to be asked to stop: nothing that is sent is ever answered. */
static void stop_in_silence(struct fixture *f, int64_t after_ms)
{
    pause_ms(after_ms);
    int64_t start_ms = monotonic_ms();
    publisher_stop(f->publisher, 2000);
    f->publisher = NULL;
    assert_true(monotonic_ms() - start_ms < STOPPED_MS);
    assert_true(fake_is_owner(&f->redis, ""));
}

static void a_silent_kafka_does_not_hold_up_the_end(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    rd_kafka_mock_broker_set_rtt(f->cluster, -1, SILENCE_MS);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(f->redis.takes == 1);
    stop_in_silence(f, 1500);
    assert_int_equal(fake_settles(&f->redis), 0);
}

static void a_silent_kafka_does_not_hold_up_the_end_while_connecting(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    rd_kafka_mock_broker_set_rtt(f->cluster, -1, SILENCE_MS);
    fixture_start(f);
    stop_in_silence(f, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_slow_commit_is_waited_for),
        FIXTURE_TEST(another_coordinator_ends_the_transaction),
        FIXTURE_TEST(transactions_become_smaller_when_they_fail),
        FIXTURE_TEST(a_silent_kafka_does_not_hold_up_the_end),
        FIXTURE_TEST(a_silent_kafka_does_not_hold_up_the_end_while_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
