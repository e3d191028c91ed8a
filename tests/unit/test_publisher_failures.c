/* What the publisher does when Kafka, Redis or another publisher comes in between: nothing is lost. */
#include <string.h>

#include "publisher_fixture.h"

enum { END_TXN = 26, ADD_PARTITIONS = 24 }; /* requests of Kafka's protocol */
/* A stop that is told to take 2 s has ended long before Kafka's own time-outs, of a minute and more. */
enum { STOPPED_MS = 30000 };

/* ---- Kafka ---- */

static void nothing_is_settled_before_a_commit(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->aborts == 1);
    assert_int_equal(fake_settles(&f->redis), 0);
    assert_int_equal(counters(f)->transactions, 0);
    assert_int_equal(counters(f)->published_through, 0);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x8); /* nothing is re-sent from memory */
    WAIT_UNTIL(settled(f));
    assert_true(counters(f)->transactions >= 1);
    fixture_stop(f);
    assert_int_equal(f->redis.takes, 2);
    assert_non_null(strstr(last_of(f, read_topic(f, TOPIC_LEARNER_MINUTES), "1674187200/higher/a/t-1")->value,
        "00000000000000f"));
}

/* The first portion's records are refused while the second one is being taken. */
static void what_is_refused_early_is_named_all_the_same(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->redis.take_max = 1;
    f->redis.take_ms = 300;
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    fake_watch(&f->redis, 0, MINUTE, "t-2", "a", 0x7);
    rd_kafka_mock_push_request_errors(
        f->cluster, ADD_PARTITIONS, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    fixture_start(f);
    WAIT_UNTIL(describes(f, "cannot publish: produce: "));
    assert_true(describes(f, "Topic authorization failed"));
    assert_int_equal(counters(f)->aborts, 1);
    assert_int_equal(fake_settles(&f->redis), 0);
    WAIT_UNTIL(settled(f));
}

static void a_fenced_publisher_leaves_the_lease(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1); /* the first watermark */
    /* what a broker says once another producer has connected with the same transactional.id */
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(counters(f)->fenced == 1);
    WAIT_UNTIL(counters(f)->holds_lease == 0);
    assert_int_equal(fake_settles(&f->redis), 0);
    assert_int_equal(counters(f)->transactions, 1);
    assert_true(fake_is_owner(&f->redis, ""));
    WAIT_UNTIL(describes(f, "taken over"));
    pause_ms(1500);
    assert_true(fake_is_owner(&f->redis, "")); /* for one TTL it is the others' */
}

static void watermarks_stand_still_while_kafka_is_away(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 60);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    fake_watch(&f->redis, 0, MINUTE + 1, "t-1", "a", 0x7);
    fixture_set_now(f, NOW_S + 300);
    pause_ms(2500);
    assert_int_equal(counters(f)->published_through, MINUTE_START + 60);
    assert_int_equal(f->redis.marks[0], MINUTE_START + 60);
    assert_int_equal(fake_settles(&f->redis), 0);
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 360);
    assert_true(settled(f));
}

static void stopping_keeps_its_deadline_without_kafka(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    int64_t start_ms = monotonic_ms();
    publisher_stop(f->publisher, 2000);
    f->publisher = NULL;
    assert_true(monotonic_ms() - start_ms < STOPPED_MS);
    assert_int_equal(fake_settles(&f->redis), 0);
    assert_true(fake_is_owner(&f->redis, ""));
}

static void a_missing_topic_is_named(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, TOPIC_LESSON_MINUTES);
    fixture_start(f);
    WAIT_UNTIL(describes(f, TOPIC_LESSON_MINUTES));
    assert_true(describes(f, "--create-topics"));
    rd_kafka_mock_topic_create(f->cluster, TOPIC_LESSON_MINUTES, PARTITIONS, 1);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(settled(f));
}

static void a_wrong_property_is_named(void **state)
{
    struct config_property wrong[] = {{.name = (char[]){"no.such.property"}, .value = (char[]){"1"}}};
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->config.kafka.properties = wrong;
    f->config.kafka.n_properties = 1;
    fixture_start(f);
    WAIT_UNTIL(describes(f, "kafka.properties: no.such.property"));
}

/* ---- Redis ---- */

static void a_standby_takes_nothing_until_the_lease_is_free(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fake_set_owner(&f->redis, "other");
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    fixture_start(f);
    WAIT_UNTIL(describes(f, "standing by: other publishes"));
    pause_ms(300);
    assert_int_equal(f->redis.takes, 0);
    assert_int_equal(counters(f)->holds_lease, 0);
    fake_set_owner(&f->redis, "");
    WAIT_UNTIL(settled(f));
}

/* The lease is checked before each commit: losing it in between aborts. */
static void a_lost_lease_commits_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    fake_set_owner(&f->redis, "other");
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    WAIT_UNTIL(counters(f)->holds_lease == 0);
    assert_int_equal(fake_settles(&f->redis), 0);
    assert_int_equal(counters(f)->transactions, 1);
    fixture_stop(f);
    assert_true(fake_is_owner(&f->redis, "other"));
}

static void a_server_away_holds_up_its_own_partitions_only(void **state)
{
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    fake_set_away(&f->redis, 0, true);
    fake_watch(&f->redis, 0, MINUTE, "t-1", "a", 0x7);
    fake_watch(&f->redis, 1, MINUTE, "t-2", "a", 0x7);
    fixture_start(f);
    WAIT_UNTIL(fake_settles(&f->redis) == 1);
    pause_ms(300);
    assert_int_equal(counters(f)->published_through, 0);
    fake_set_away(&f->redis, 0, false);
    WAIT_UNTIL(settled(f) && counters(f)->published_through == MINUTE_START + 60);
}

/* They come to much more than a transaction holds, and are the newest. */
static void the_unreadable_hold_up_nobody(void **state)
{
    enum { DAMAGED = 20, OF_A_MINUTE = 10 };
    static const char *const names[DAMAGED] = {"d-01", "d-02", "d-03", "d-04", "d-05", "d-06", "d-07", "d-08",
        "d-09", "d-10", "d-11", "d-12", "d-13", "d-14", "d-15", "d-16", "d-17", "d-18", "d-19", "d-20"};
    struct fixture *f = *state;
    fixture_make_cluster(f, NULL);
    f->redis.take_max = 2;
    f->config.publish.max_rate = 8; /* records of a transaction: four learners */
    for (int i = 0; i < DAMAGED; i++) {
        fake_watch(&f->redis, 0, MINUTE - i / OF_A_MINUTE, names[i], "a", 0x1);
        f->redis.rows[i].unreadable = true;
        f->redis.rows[i].grown = false;
    }
    fake_watch(&f->redis, 1, MINUTE - 2, "t-1", "a", 0x7);
    fixture_start(f);
    WAIT_UNTIL(fake_settles(&f->redis) == 1);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START - 60);
    publisher_stop(f->publisher, 1000); /* what nobody can read is tried again until then */
    f->publisher = NULL;
    assert_in_range(f->redis.takes_most, 1, 4); /* some are empty */
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(nothing_is_settled_before_a_commit),
        FIXTURE_TEST(what_is_refused_early_is_named_all_the_same),
        FIXTURE_TEST(a_fenced_publisher_leaves_the_lease),
        FIXTURE_TEST(watermarks_stand_still_while_kafka_is_away),
        FIXTURE_TEST(stopping_keeps_its_deadline_without_kafka),
        FIXTURE_TEST(a_missing_topic_is_named),
        FIXTURE_TEST(a_wrong_property_is_named),
        FIXTURE_TEST(a_standby_takes_nothing_until_the_lease_is_free),
        FIXTURE_TEST(a_lost_lease_commits_nothing),
        FIXTURE_TEST(a_server_away_holds_up_its_own_partitions_only),
        FIXTURE_TEST(the_unreadable_hold_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
