/*
 * Every error that Kafka's protocol has for a transactional producer, put into a mock cluster's answers:
 * either librdkafka tries again, or the publisher gives the transaction up, says why and takes again, or it
 * has been fenced. In the end everything is published and settled.
 */
#include <pthread.h>
#include <string.h>

#include "cases.h"
#include "publisher_fixture.h"

enum { PRODUCE = 0, FIND_COORDINATOR = 10, INIT_PRODUCER_ID = 22, ADD_PARTITIONS = 24, END_TXN = 26 };
enum { TIMES_MAX = 4, ROWS_MAX = 32 };

/* A batch that arrived damaged is sent again from this version on. */
#if RD_KAFKA_VERSION >= 0x020400ff
#define RETRIES_INVALID_MSG
#endif

struct row {
    const char *name;
    int16_t request;
    rd_kafka_resp_err_t error;
    size_t times;
    const char *says; /* of the state; NULL: it goes on publishing */
};

#define ROW(request, error, times, says)                                                                     \
    {                                                                                                        \
#request " " #error, request, RD_KAFKA_RESP_ERR_##error, times, says                                 \
    }
#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

#define KEY "1674187200/" PROGRAM "/higher/a/t-1"

static void push(struct publisher_fixture *f, const struct row *row)
{
    rd_kafka_resp_err_t errors[TIMES_MAX];
    for (size_t i = 0; i < row->times; i++)
        errors[i] = row->error;
    rd_kafka_mock_push_request_errors_array(f->cluster, row->request, row->times, errors);
}

static bool is_of_connecting(const struct row *row)
{
    return row->request == FIND_COORDINATOR || row->request == INIT_PRODUCER_ID;
}

/* Ends the publisher; then everything is in Kafka and settled. */
static void check_published(struct publisher_fixture *f, const char *mask)
{
    publisher_fixture_stop(f);
    assert_true(all_settled(f));
    assert_true(is_owner(f, ""));
    assert_non_null(strstr(last_of(f, read_topic(f, TOPIC_LEARNER_MINUTES), KEY)->value, mask));
}

/* The rows of a table, each with a publisher and a cluster of its own, all at the same time: it is mostly
 * waiting. */
struct play {
    const struct row *rows;
    size_t n;
    struct publisher_fixture *fixtures[ROWS_MAX];
};

/* A mock cluster takes a second to do anything at all, so all of them do it at once. */
static void play_call(struct play *play, void *(*call)(void *fixture))
{
    pthread_t threads[ROWS_MAX];
    for (size_t i = 0; i < play->n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call, play->fixtures[i]), 0);
    for (size_t i = 0; i < play->n; i++)
        pthread_join(threads[i], NULL);
}

static void *make_cluster(void *fixture)
{
    publisher_fixture_make_cluster(fixture, NULL);
    return NULL;
}

static void *end(void *fixture)
{
    publisher_fixture_end(&fixture);
    return NULL;
}

/* Errors of connecting meet publishers that start, all others such as have connected and sent something. */
static void play_begin(struct play *play, const struct row *rows, size_t n)
{
    assert_true(n <= ROWS_MAX);
    *play = (struct play){.rows = rows, .n = n};
    for (size_t i = 0; i < n; i++) {
        void *fixture;
        assert_int_equal(publisher_fixture_begin(&fixture), 0);
        play->fixtures[i] = fixture;
        hold_clock(fixture);
    }
    play_call(play, make_cluster);
    for (size_t i = 0; i < n; i++)
        if (!is_of_connecting(&rows[i]))
            publisher_fixture_start(play->fixtures[i]);
    for (size_t i = 0; i < n; i++)
        WAIT_UNTIL(is_of_connecting(&rows[i]) || counters(play->fixtures[i])->transactions == 1);
    for (size_t i = 0; i < n; i++) {
        push(play->fixtures[i], &rows[i]);
        watch(play->fixtures[i], MINUTE, "t-1", "a", 0, 3);
        if (is_of_connecting(&rows[i]))
            publisher_fixture_start(play->fixtures[i]);
    }
}

/* Waits until every row has REACHED something, which may be for a moment only, and does THEN at once. */
static void play_each(struct play *play, bool (*reached)(struct publisher_fixture *f, const struct row *row),
    void (*then)(struct publisher_fixture *f, const struct row *row))
{
    bool done[ROWS_MAX] = {false};
    size_t left = play->n;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (left > 0) {
        for (size_t i = 0; i < play->n; i++) {
            if (!done[i] && clock_monotonic_ms() > until_ms)
                fail_msg("%s: in vain", play->rows[i].name);
            if (done[i] || !reached(play->fixtures[i], &play->rows[i]))
                continue;
            done[i] = true;
            left--;
            then(play->fixtures[i], &play->rows[i]);
        }
        pause_ms(2);
    }
}

static bool is_settled(struct publisher_fixture *f, const struct row *row)
{
    (void)row;
    return settled(f);
}

static bool has_said(struct publisher_fixture *f, const struct row *row)
{
    return describes(f, "cannot publish: ") && describes(f, row->says);
}

/* ---- what librdkafka tries again ---- */

static const struct row passing[] = {
    ROW(PRODUCE, NOT_LEADER_FOR_PARTITION, 1, NULL),
    ROW(PRODUCE, UNKNOWN_TOPIC_OR_PART, 1, NULL),
    ROW(PRODUCE, NOT_ENOUGH_REPLICAS, 2, NULL),
    ROW(PRODUCE, KAFKA_STORAGE_ERROR, 1, NULL),
    ROW(PRODUCE, REQUEST_TIMED_OUT, 1, NULL),
    ROW(PRODUCE, _TRANSPORT, 1, NULL),
#ifdef RETRIES_INVALID_MSG
    ROW(PRODUCE, INVALID_MSG, 1, NULL),
#endif
    ROW(ADD_PARTITIONS, COORDINATOR_NOT_AVAILABLE, 1, NULL),
    ROW(ADD_PARTITIONS, NOT_COORDINATOR, 1, NULL),
    ROW(ADD_PARTITIONS, COORDINATOR_LOAD_IN_PROGRESS, 2, NULL),
    ROW(ADD_PARTITIONS, CONCURRENT_TRANSACTIONS, 3, NULL),
    ROW(ADD_PARTITIONS, UNKNOWN_TOPIC_OR_PART, 1, NULL),
    ROW(ADD_PARTITIONS, _TRANSPORT, 1, NULL),
    ROW(END_TXN, COORDINATOR_NOT_AVAILABLE, 1, NULL),
    ROW(END_TXN, NOT_COORDINATOR, 1, NULL),
    ROW(END_TXN, COORDINATOR_LOAD_IN_PROGRESS, 2, NULL),
    ROW(END_TXN, CONCURRENT_TRANSACTIONS, 3, NULL),
    ROW(END_TXN, _TRANSPORT, 1, NULL), /* the answer is lost */
    ROW(INIT_PRODUCER_ID, COORDINATOR_NOT_AVAILABLE, 1, NULL),
    ROW(INIT_PRODUCER_ID, NOT_COORDINATOR, 1, NULL),
    ROW(INIT_PRODUCER_ID, COORDINATOR_LOAD_IN_PROGRESS, 2, NULL),
    ROW(INIT_PRODUCER_ID, CONCURRENT_TRANSACTIONS, 3, NULL),
    ROW(INIT_PRODUCER_ID, _TRANSPORT, 1, NULL),
    ROW(FIND_COORDINATOR, COORDINATOR_NOT_AVAILABLE, 2, NULL),
    ROW(FIND_COORDINATOR, _TRANSPORT, 1, NULL),
};

static void check_passed(struct publisher_fixture *f, const struct row *row)
{
    (void)row;
    assert_true(describes(f, "publishing"));
    assert_int_equal(counters(f)->aborts, 0);
    assert_int_equal(counters(f)->fenced, 0);
    assert_int_equal(count_taken(f), 1);
    check_published(f, "000000000000007");
}

static void passing_errors_are_tried_again(void **state)
{
    struct play play;
    (void)state;
    play_begin(&play, ROWS(passing));
    play_each(&play, is_settled, check_passed);
    play_call(&play, end);
}

/* ---- what breaks a transaction off ---- */

static const struct row breaking[] = {
    ROW(PRODUCE, TOPIC_AUTHORIZATION_FAILED, 1, "minuted."),
    ROW(PRODUCE, MSG_SIZE_TOO_LARGE, 1, "max.message.bytes: ProduceRequest for minuted."),
    ROW(PRODUCE, INVALID_TIMESTAMP, 1, "Invalid timestamp"),
    ROW(PRODUCE, INVALID_RECORD, 1, "record"),
#ifndef RETRIES_INVALID_MSG
    ROW(PRODUCE, INVALID_MSG, 1, "Invalid message"),
#endif
    ROW(PRODUCE, OUT_OF_ORDER_SEQUENCE_NUMBER, 1, "sequence desynchronization"),
    ROW(PRODUCE, UNKNOWN_PRODUCER_ID, 1, "unknown producer id"),
    ROW(PRODUCE, CLUSTER_AUTHORIZATION_FAILED, 1, "IdempotentWrite on Cluster kafka-cluster"),
    ROW(PRODUCE, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "Write on TransactionalId "),
    ROW(PRODUCE, INVALID_TXN_STATE, 1, "invalid state"),
    ROW(ADD_PARTITIONS, TOPIC_AUTHORIZATION_FAILED, 1, "Write on Topic minuted."),
    ROW(ADD_PARTITIONS, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "Write on TransactionalId "),
    ROW(ADD_PARTITIONS, CLUSTER_AUTHORIZATION_FAILED, 1, "IdempotentWrite on Cluster kafka-cluster"),
    ROW(ADD_PARTITIONS, INVALID_TXN_STATE, 1, "invalid state"),
    ROW(ADD_PARTITIONS, UNKNOWN_PRODUCER_ID, 1, "Unknown Producer Id"),
    ROW(ADD_PARTITIONS, INVALID_PRODUCER_ID_MAPPING, 1, "producer id"),
    ROW(ADD_PARTITIONS, UNKNOWN, 1, "Unknown broker error"),
    ROW(END_TXN, INVALID_TXN_STATE, 1, "invalid state"),
    ROW(END_TXN, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "Write on TransactionalId "),
    ROW(END_TXN, CLUSTER_AUTHORIZATION_FAILED, 1, "IdempotentWrite on Cluster kafka-cluster"),
    ROW(END_TXN, UNKNOWN_PRODUCER_ID, 1, "Unknown Producer Id"),
    ROW(END_TXN, INVALID_PRODUCER_ID_MAPPING, 1, "producer id"),
    ROW(END_TXN, OUT_OF_ORDER_SEQUENCE_NUMBER, 1, "out of order sequence"),
    ROW(END_TXN, UNKNOWN, 1, "Unknown broker error"),
    ROW(INIT_PRODUCER_ID, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "Write on TransactionalId "),
    ROW(INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED, 1, "IdempotentWrite on Cluster kafka-cluster"),
    ROW(INIT_PRODUCER_ID, INVALID_TRANSACTION_TIMEOUT, 1, "max.transaction.timeout.ms"),
    ROW(FIND_COORDINATOR, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, "Write on TransactionalId "),
    ROW(FIND_COORDINATOR, CLUSTER_AUTHORIZATION_FAILED, 1, "IdempotentWrite on Cluster kafka-cluster"),
};

/* Nothing is re-sent from memory: what has grown in the meantime is in what is sent again. */
static void check_broken(struct publisher_fixture *f, const struct row *row)
{
    assert_int_equal(counters(f)->aborts, is_of_connecting(row) ? 0 : 1);
    assert_int_equal(count_dirty(f), 1);
    assert_int_equal(counters(f)->holds_lease, 1); /* it tries again soon */
    watch(f, MINUTE, "t-1", "a", 3, 4);
    move_clock(f, 1000);
}

static void check_taken_again(struct publisher_fixture *f, const struct row *row)
{
    assert_int_equal(counters(f)->aborts, is_of_connecting(row) ? 0 : 1);
    assert_int_equal(counters(f)->fenced, 0);
    assert_int_equal(count_taken(f), is_of_connecting(row) ? 1 : 2);
    check_published(f, "00000000000000f");
}

static void breaking_errors_are_named_and_all_is_taken_again(void **state)
{
    struct play play;
    (void)state;
    play_begin(&play, ROWS(breaking));
    play_each(&play, has_said, check_broken);
    play_each(&play, is_settled, check_taken_again);
    play_call(&play, end);
}

/* ---- what says that another one has connected ---- */

static const struct row fencing[] = {
    ROW(PRODUCE, INVALID_PRODUCER_EPOCH, 1, NULL),
    ROW(PRODUCE, PRODUCER_FENCED, 1, NULL),
    ROW(ADD_PARTITIONS, INVALID_PRODUCER_EPOCH, 1, NULL),
    ROW(ADD_PARTITIONS, PRODUCER_FENCED, 1, NULL),
    ROW(END_TXN, INVALID_PRODUCER_EPOCH, 1, NULL),
    ROW(END_TXN, PRODUCER_FENCED, 1, NULL),
    ROW(INIT_PRODUCER_ID, INVALID_PRODUCER_EPOCH, 1, NULL),
    ROW(INIT_PRODUCER_ID, PRODUCER_FENCED, 1, NULL),
};

static bool is_standing_by(struct publisher_fixture *f, const struct row *row)
{
    (void)row;
    return counters(f)->fenced > 0 && counters(f)->holds_lease == 0 && describes(f, "taken over");
}

/* Another daemon publishes next; here it is a new one of the same name. */
static void check_fenced(struct publisher_fixture *f, const struct row *row)
{
    assert_int_equal(counters(f)->fenced, 1);
    assert_int_equal(counters(f)->aborts, is_of_connecting(row) ? 0 : 1);
    assert_int_equal(count_dirty(f), 1);
    assert_true(is_owner(f, ""));
    publisher_fixture_stop(f);
    watch(f, MINUTE, "t-1", "a", 3, 4);
    publisher_fixture_start(f);
}

static void check_taken_over(struct publisher_fixture *f, const struct row *row)
{
    (void)row;
    assert_int_equal(counters(f)->fenced, 0);
    check_published(f, "00000000000000f");
}

static void fenced_publishers_leave_all_to_the_next(void **state)
{
    struct play play;
    (void)state;
    play_begin(&play, ROWS(fencing));
    play_each(&play, is_standing_by, check_fenced);
    play_each(&play, is_settled, check_taken_over);
    play_call(&play, end);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passing_errors_are_tried_again),
        cmocka_unit_test(breaking_errors_are_named_and_all_is_taken_again),
        cmocka_unit_test(fenced_publishers_leave_all_to_the_next),
    };
    return CASES_RUN(argc, argv, tests);
}
