/* A Kafka that is slow, silent or moving: the publisher waits for it as long as that is of use, and no
 * longer. */
#include <string.h>

#include "cases.h"
#include "publish/lease.h"
#include "publisher_fixture.h"

enum { END_TXN = 26, SILENCE_MS = 3600000 };

static void start(struct publisher_fixture *f, int brokers)
{
    publisher_fixture_make_cluster_of(f, brokers);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1); /* the first watermark */
}

/* Longer than a step of waiting, and, as the clock goes on meanwhile, than the lease lasts. */
static void a_slow_commit_is_waited_for(void **state)
{
    struct publisher_fixture *f = *state;
    start(f, 1);
    rd_kafka_mock_broker_push_request_error_rtts(f->cluster, 1, END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 4500);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(count_taken(f) == 1);
    for (int halves = 0; halves < 3; halves++) { /* A lease that has run out at once is lost. */
        size_t renewed = count_commands(f, "_lease\"");
        move_clock(f, LEASE_TTL_MS / 2);
        WAIT_UNTIL(count_commands(f, "_lease\"") > renewed);
    }
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 0);
    assert_int_equal(count_taken(f), 1);
}

/* The broker that coordinates goes down while a commit is on its way to it. */
static void another_coordinator_ends_the_transaction(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster_of(f, 3);
    rd_kafka_mock_coordinator_set(f->cluster, "transaction", "minuted/" PROGRAM "/winter", 1);
    for (int partition = 0; partition < PARTITIONS; partition++)
        for (int topic = 0; topic < TOPICS; topic++)
            rd_kafka_mock_partition_set_leader(f->cluster, publisher_topics[topic], partition, 2);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    rd_kafka_mock_broker_push_request_error_rtts(
        f->cluster, 1, END_TXN, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2000);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(count_taken(f) == 1);
    pause_ms(500);
    rd_kafka_mock_coordinator_set(f->cluster, "transaction", "minuted/" PROGRAM "/winter", 3);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 0);
    assert_int_equal(count_taken(f), 1);
}

/* What could not be committed is tried again in portions, newest first. */
static void transactions_become_smaller_when_they_fail(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    for (int i = 0; i < 8; i++)
        watch(f, MINUTE - i, "t-1", "a", 0, 3); /* a record each, and the total that they share */
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, "cannot publish: commit"));
    move_clock(f, 1000);
    WAIT_UNTIL(settled(f));
    assert_int_equal(counters(f)->aborts, 1);
    assert_int_equal(count_commands_until(f, "\"SSCAN\"", "_settle\""), 8 + 1);
    publisher_fixture_stop(f);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 8 + 8);
    /* One a transaction: after the one that failed they hold 1, 2, 4 and 1 of the minutes. */
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), 1 + 4);
}

/* The worst moments to be asked to stop: nothing that is sent is ever answered. */
static void stop_in_silence(struct publisher_fixture *f, int64_t after_ms)
{
    pause_ms(after_ms);
    publisher_fixture_stop_within(f, 2000);
    assert_true(is_owner(f, ""));
}

static void a_silent_kafka_does_not_hold_up_the_end(void **state)
{
    struct publisher_fixture *f = *state;
    start(f, 1);
    rd_kafka_mock_broker_set_rtt(f->cluster, -1, SILENCE_MS);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(count_taken(f) == 1);
    stop_in_silence(f, 1500);
    assert_int_equal(count_dirty(f), 1);
}

static void a_silent_kafka_does_not_hold_up_the_end_while_connecting(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    rd_kafka_mock_broker_set_rtt(f->cluster, -1, SILENCE_MS);
    hold_clock(f);
    publisher_fixture_start(f);
    stop_in_silence(f, 1500);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(a_slow_commit_is_waited_for),
        PUBLISHER_TEST(another_coordinator_ends_the_transaction),
        PUBLISHER_TEST(transactions_become_smaller_when_they_fail),
        PUBLISHER_TEST(a_silent_kafka_does_not_hold_up_the_end),
        PUBLISHER_TEST(a_silent_kafka_does_not_hold_up_the_end_while_connecting),
    };
    return CASES_RUN(argc, argv, tests);
}
