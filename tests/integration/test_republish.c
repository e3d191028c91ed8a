/* Publishing anew all that Redis holds: every record comes once more, whatever happens on the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "publisher_fixture.h"
#include "redis/resp.h"
#include "redis/topology.h"

enum {
    CROWD = 700,
    MINUTES_BACK = 3,
    CUTS = 30
}; /* more learners than one step takes, of masks and of totals */

/* Of a cluster, the server that has the key. */
static redisReply *ask_redis(struct publisher_fixture *f, const char *command)
{
    redisReply *reply = NULL;
    for (int i = 0; i < f->redis->n_nodes && (reply == NULL || reply->type == REDIS_REPLY_ERROR); i++) {
        freeReplyObject(reply);
        reply = redisCommand(f->redis->nodes[i].client, command);
    }
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    return reply;
}

static void request(struct publisher_fixture *f, int number)
{
    char command[64];
    snprintf(command, sizeof(command), "HSET minuted:republish asked %d", number);
    freeReplyObject(ask_redis(f, command));
}

static bool is_done(struct publisher_fixture *f, int number)
{
    redisReply *reply = ask_redis(f, "HGET minuted:republish done");
    bool done = reply->type == REDIS_REPLY_STRING && atoi(reply->str) == number;
    freeReplyObject(reply);
    return done;
}

static int64_t told(struct publisher_fixture *f, const char *field)
{
    char command[64];
    snprintf(command, sizeof(command), "HGET minuted:republish %s", field);
    redisReply *reply = ask_redis(f, command);
    int64_t number = reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
    freeReplyObject(reply);
    return number;
}

/* CROWD learners watch a second of one minute; t-1 watches in three minutes and in two lessons. */
static void watch_all(struct publisher_fixture *f)
{
    enum { AT_ONCE = 100 };
    static char names[AT_ONCE][16];
    struct store_run runs[AT_ONCE];
    for (int i = 0; i < CROWD; i += AT_ONCE) {
        for (int k = 0; k < AT_ONCE; k++) {
            snprintf(names[k], sizeof(names[k]), "c-%d", i + k);
            runs[k] = fixture_run(names[k], "a", MINUTE * INT64_C(60000), 1000, 0, 1000);
            runs[k].portal = SLICE_LITERAL("higher");
            runs[k].course = SLICE_LITERAL("live");
        }
        fixture_write(f->redis, runs, AT_ONCE);
    }
    for (int i = 0; i < MINUTES_BACK; i++)
        watch(f, MINUTE - i, "t-1", i == 0 ? "b" : "a", 0, 3);
}

enum { MASKS = CROWD + MINUTES_BACK, TOTALS = CROWD + 2, SUMS = 2 + MINUTES_BACK - 1 };

static void begin_published(struct publisher_fixture *f)
{
    publisher_fixture_make_cluster(f, NULL);
    watch_all(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through > 0);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), MASKS);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_LESSONS), TOTALS);
    assert_int_equal(read_topic(f, TOPIC_LESSON_MINUTES), SUMS);
}

/* Whether each of TOPIC's first N records has come again since, with the same value. */
static void check_again(struct publisher_fixture *f, const char *topic, size_t n, size_t times)
{
    size_t all = read_topic(f, topic);
    assert_int_equal(all, n * times);
    for (size_t i = 0; i < all; i++) {
        size_t same = 0;
        for (size_t k = 0; k < all; k++)
            same += strcmp(f->records[i].key, f->records[k].key) == 0 &&
                    strcmp(f->records[i].value, f->records[k].value) == 0 &&
                    f->records[i].partition == f->records[k].partition &&
                    f->records[i].time_ms == f->records[k].time_ms;
        assert_int_equal(same, times);
    }
}

/* The same of all that begin_published() has watched. */
static void check_all_again(struct publisher_fixture *f)
{
    check_again(f, TOPIC_LEARNER_MINUTES, MASKS, 2);
    check_again(f, TOPIC_LEARNER_LESSONS, TOTALS, 2);
    check_again(f, TOPIC_LESSON_MINUTES, SUMS, 2);
}

static void everything_comes_once_more(void **state)
{
    struct publisher_fixture *f = *state;
    begin_published(f);
    request(f, 7);
    WAIT_UNTIL(is_done(f, 7));
    check_all_again(f);
    assert_int_equal(told(f, "records"), MASKS + TOTALS + SUMS);
    assert_true(told(f, "keys") >= TOTALS - 1 && told(f, "of_keys") > 0);
    assert_true(all_settled(f));
    /* It was asked for once. */
    request(f, 8);
    WAIT_UNTIL(is_done(f, 8));
    check_again(f, TOPIC_LEARNER_MINUTES, MASKS, 3);
}

static void every_server_is_walked_through(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch_all(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 60);
    request(f, 7);
    WAIT_UNTIL(is_done(f, 7));
    check_all_again(f);
    assert_int_equal(told(f, "records"), MASKS + TOTALS + SUMS);
}

/* What is watched on the way is published as ever, and its last record is the greatest. */
static void what_is_watched_on_the_way_counts(void **state)
{
    struct publisher_fixture *f = *state;
    begin_published(f);
    request(f, 7);
    watch(f, MINUTE, "t-1", "b", 10, 20);
    WAIT_UNTIL(is_done(f, 7) && settled(f));
    publisher_fixture_stop(f);
    size_t n = read_topic(f, TOPIC_LEARNER_MINUTES);
    assert_non_null(
        strstr(last_of(f, n, "1674187200/" PROGRAM "/higher/b/t-1")->value, "\"watched_seconds\":13"));
    n = read_topic(f, TOPIC_LEARNER_LESSONS);
    assert_non_null(strstr(last_of(f, n, PROGRAM "/higher/b/t-1")->value, "\"watched_seconds\":13"));
}

/* A walk's cursors are its connection's: when that breaks, the server is walked through again. */
static void broken_connections_lose_nothing(void **state)
{
    struct publisher_fixture *f = *state;
    begin_published(f);
    request(f, 7);
    for (int i = 0; i < CUTS; i++) {
        pause_ms(40);
        freeReplyObject(ask_redis(f, "CLIENT KILL TYPE normal SKIPME yes"));
    }
    WAIT_UNTIL(is_done(f, 7));
    publisher_fixture_stop(f);
    size_t n = read_topic(f, TOPIC_LEARNER_MINUTES);
    assert_true(n >= 2 * MASKS);
    n = read_topic(f, TOPIC_LEARNER_LESSONS);
    assert_true(n >= 2 * TOTALS);
}

/* What a transaction did not bring is sent again: here each step's first one. */
static void failed_commits_skip_nothing(void **state)
{
    enum { END_TXN = 26 /* a request of Kafka's protocol */, STEPS = 8 };
    struct publisher_fixture *f = *state;
    rd_kafka_resp_err_t errors[2 * STEPS];
    for (size_t i = 0; i < 2 * STEPS; i++)
        errors[i] = i % 2 == 0 ? RD_KAFKA_RESP_ERR_INVALID_TXN_STATE : RD_KAFKA_RESP_ERR_NO_ERROR;
    publisher_fixture_make_cluster(f, NULL);
    for (int i = 0; i < MINUTES_BACK; i++)
        watch(f, MINUTE - i, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && counters(f)->published_through > 0);
    rd_kafka_mock_push_request_errors_array(f->cluster, END_TXN, 2 * STEPS, errors);
    request(f, 7);
    WAIT_UNTIL(is_done(f, 7));
    assert_true(counters(f)->aborts > MINUTES_BACK);
    assert_int_equal(told(f, "records"), MINUTES_BACK + 1 + MINUTES_BACK);
    assert_int_equal(told(f, "left_out"), 0);
}

/* A partition that cannot be taken from for a while, over connections that last. */
static void a_step_in_vain_is_made_again(void **state)
{
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    begin_published(f);
    topology_key_prefix(&prefix, 1, 2);
    redis_process_command(&f->redis->nodes[0], "HSET %st:higher/spoiled a x", prefix.text);
    redis_process_command(&f->redis->nodes[0], "ACL SETUSER default -hgetall");
    request(f, 7);
    WAIT_UNTIL(told(f, "keys") > 0);
    pause_ms(2500); /* some steps, a second apart */
    assert_false(is_done(f, 7));
    redis_process_command(&f->redis->nodes[0], "ACL SETUSER default +hgetall");
    WAIT_UNTIL(is_done(f, 7));
    assert_int_equal(told(f, "records"), MASKS + TOTALS + SUMS);
    assert_int_equal(told(f, "left_out"), 1);
}

/* Another publisher takes over half-way, and begins anew. */
static void the_next_holder_begins_anew(void **state)
{
    struct publisher_fixture *f = *state;
    begin_published(f);
    request(f, 7);
    publisher_fixture_stop(f);
    assert_false(is_done(f, 7));
    publisher_fixture_start(f);
    WAIT_UNTIL(is_done(f, 7));
    publisher_fixture_stop(f);
    assert_true(read_topic(f, TOPIC_LEARNER_MINUTES) >= 2 * MASKS);
}

/* One learner's spoiled values, and keys that are nobody's, hold up nothing. */
static void spoiled_values_are_passed_over(void **state)
{
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    begin_published(f);
    topology_key_prefix(&prefix, 0, 2);
    struct redis_process *r = &f->redis->nodes[0];
    redis_process_command(r, "HSET %st:higher/spoiled a x b y", prefix.text);
    redis_process_command(r, "HSET %st:nobody a x", prefix.text);
    redis_process_command(r, "HSET %sw:%d higher/spoiled xyz", prefix.text, MINUTE / 10);
    redis_process_command(r, "HSET %sw:x a b", prefix.text);
    redis_process_command(r, "SET %st:higher/text x", prefix.text);
    redis_process_command(r, "HSET minuted:{zzz}:t:higher/foreign a x");
    redis_process_command(r, "HSET %sw:9223372036854775807 x y", prefix.text);
    redis_process_command(r, "HSET %sl:%d %s x", prefix.text, MINUTE - 1, "c");
    request(f, 7);
    WAIT_UNTIL(is_done(f, 7));
    check_all_again(f);
    assert_int_equal(told(f, "left_out"), 2 + 1 + 1 + 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(everything_comes_once_more),
        cmocka_unit_test_setup_teardown(
            every_server_is_walked_through, publisher_fixture_begin_cluster, publisher_fixture_end),
        PUBLISHER_TEST(what_is_watched_on_the_way_counts),
        PUBLISHER_TEST(broken_connections_lose_nothing),
        PUBLISHER_TEST(failed_commits_skip_nothing),
        PUBLISHER_TEST(a_step_in_vain_is_made_again),
        PUBLISHER_TEST(the_next_holder_begins_anew),
        PUBLISHER_TEST(spoiled_values_are_passed_over),
    };
    return CASES_RUN(argc, argv, tests);
}
