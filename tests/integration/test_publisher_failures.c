/* What the publisher does when Kafka, Redis or another publisher comes in between: nothing is lost. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "publish/lease.h"
#include "publisher_fixture.h"
#include "redis/resp.h"

enum { INIT_PRODUCER_ID = 22, END_TXN = 26 }; /* requests of Kafka's protocol */
/* What the publisher's pauses are on its clock, and how long it sleeps at most on the machine's. */
enum { FIRST_BACKOFF_MS = 1000, SLEEP_MS = 1200, ANOTHER_MS = 10000 };

/* ---- Kafka ---- */

static void nothing_is_settled_before_a_commit(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, "cannot publish"));
    assert_int_equal(counters(f)->aborts, 1);
    assert_int_equal(count_dirty(f), 1);
    assert_int_equal(counters(f)->transactions, 0);
    assert_int_equal(counters(f)->published_through, 0);
    watch(f, MINUTE, "t-1", "a", 3, 4); /* nothing is re-sent from memory */
    move_clock(f, FIRST_BACKOFF_MS);
    WAIT_UNTIL(settled(f));
    assert_true(counters(f)->transactions >= 1);
    publisher_fixture_stop(f);
    assert_int_equal(count_taken(f), 2);
    assert_non_null(
        strstr(last_of(f, read_topic(f, TOPIC_LEARNER_MINUTES), "1674187200/" PROGRAM "/higher/a/t-1")->value,
            "00000000000000f"));
}

static void a_fenced_publisher_leaves_the_lease(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1); /* the first watermark */
    /* what a broker says once another producer has connected with the same transactional.id */
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(describes(f, "taken over"));
    assert_int_equal(counters(f)->fenced, 1);
    assert_int_equal(counters(f)->holds_lease, 0);
    assert_int_equal(count_dirty(f), 1);
    assert_int_equal(counters(f)->transactions, 1);
    assert_true(is_owner(f, ""));
    move_clock(f, LEASE_TTL_MS - 1);
    pause_ms(SLEEP_MS);
    assert_true(is_owner(f, "")); /* for one TTL it is the others' */
    move_clock(f, 1);
    WAIT_UNTIL(is_owner(f, "me"));
}

/* A day later there is much to retire, and it is kept: it may be all that is left for a new Kafka. */
static void another_kafka_gets_nothing_and_nothing_is_retired_for_it(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(settled(f) && count_commands(f, "retire") > 0);
    publisher_fixture_stop(f);
    redis_process_command(&f->redis->nodes[0], "HSET " KEY_SETTINGS " kafka_cluster another");
    set_now(f, NOW_S + INT64_C(48) * 3600);
    watch(f, MINUTE + 48 * 60, "t-1", "a", 0, 3);
    size_t retired = count_commands(f, "retire");
    size_t taken = count_taken(f);
    rd_kafka_mock_push_request_errors(
        f->cluster, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, "standing by: the deployment publishes to kafka_cluster = another, "));
    assert_int_equal(counters(f)->kafka_is_another, 1);
    move_clock(f, ANOTHER_MS - 1);
    pause_ms(SLEEP_MS);
    assert_true(is_owner(f, ""));
    assert_int_equal(count_commands(f, "retire"), retired);
    assert_int_equal(count_taken(f), taken);
    /* It says so while another one publishes, too. */
    set_owner(f, "other");
    size_t asked = count_commands(f, "_lease\"");
    move_clock(f, 1);
    WAIT_UNTIL(count_commands(f, "_lease\"") > asked + 1);
    assert_true(describes(f, "standing by: the deployment publishes to kafka_cluster = another, "));
    redis_process_command(&f->redis->nodes[0], "HDEL " KEY_SETTINGS " kafka_cluster");
    set_owner(f, "");
    WAIT_UNTIL(describes(f, "cannot publish: init_transactions: ")); /* nobody was fenced before */
    move_clock(f, FIRST_BACKOFF_MS);
    WAIT_UNTIL(settled(f) && count_commands(f, "retire") > retired);
    assert_int_equal(counters(f)->kafka_is_another, 0);
}

static int64_t stored_published_through(struct publisher_fixture *f)
{
    redisReply *reply = redisCommand(f->redis->nodes[0].client, "HGET " KEY_WATERMARKS " published_through");
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    int64_t seconds = atoll(reply->str);
    freeReplyObject(reply);
    return seconds;
}

static void watermarks_stand_still_while_kafka_is_away(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START + 60);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    watch(f, MINUTE + 1, "t-1", "a", 0, 3);
    set_now(f, NOW_S + 300);
    WAIT_UNTIL(count_taken(f) == 1);
    WAIT_UNTIL((move_clock(f, 100), describes(f, "cannot publish"))); /* a commit is tried for 20 s */
    assert_int_equal(counters(f)->published_through, MINUTE_START + 60);
    assert_int_equal(stored_published_through(f), MINUTE_START + 60);
    assert_int_equal(count_dirty(f), 1);
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    WAIT_UNTIL((move_clock(f, 10), counters(f)->published_through == MINUTE_START + 360));
    assert_true(settled(f));
}

static void stopping_keeps_its_deadline_without_kafka(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    publisher_fixture_stop_within(f, 2000);
    assert_int_equal(count_dirty(f), 1);
    assert_true(is_owner(f, ""));
}

static void a_missing_topic_is_named(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, TOPIC_LESSON_MINUTES);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, TOPIC_LESSON_MINUTES));
    assert_true(describes(f, "--create-topics"));
    rd_kafka_mock_topic_create(f->cluster, TOPIC_LESSON_MINUTES, PARTITIONS, 1);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(settled(f));
}

static void a_wrong_property_is_named(void **state)
{
    struct config_property wrong[] = {{.name = (char[]){"no.such.property"}, .value = (char[]){"1"}}};
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    f->redis->config.kafka.properties = wrong;
    f->redis->config.kafka.n_properties = 1;
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, "kafka.properties: no.such.property"));
}

/* ---- how long it waits between failures ---- */

enum { LINES_MAX = 16 };

/* What the lines `publish_failed` of the log FILE say of the time until the next try. Returns how many. */
static int read_pauses(int file, long pauses[LINES_MAX])
{
    static char text[65536];
    int n = 0;
    ssize_t len = pread(file, text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    for (char *at = text; n < LINES_MAX && (at = strstr(at, "event=publish_failed")) != NULL; at++) {
        const char *pause = strstr(at, " again_ms=");
        if (pause == NULL)
            break;
        pauses[n++] = atol(pause + strlen(" again_ms="));
    }
    return n;
}

/* The log as a file, while the test looks at it. */
static int capture_log(struct publisher_fixture *f, int *saved)
{
    char path[] = "/tmp/minuted-log-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    *saved = dup(STDERR_FILENO);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    log_set_level(f->redis->log, LOG_WARN);
    return file;
}

static void release_log(struct publisher_fixture *f, int file, int saved)
{
    log_set_level(f->redis->log, LOG_ERROR);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(file);
}

static void it_waits_longer_after_each_failure_and_begins_anew_after_a_success(void **state)
{
    static const long expected[] = {1000, 2000, 4000, 8000, 10000, 10000};
    enum { FAILURES = sizeof(expected) / sizeof(expected[0]) };
    struct publisher_fixture *f = *state;
    long pauses[LINES_MAX];
    int saved;
    publisher_fixture_make_cluster(f, TOPIC_LESSON_MINUTES);
    int file = capture_log(f, &saved);
    hold_clock(f);
    publisher_fixture_start(f);
    for (int i = 0; i < FAILURES; i++) {
        WAIT_UNTIL(read_pauses(file, pauses) == i + 1);
        assert_int_equal(pauses[i], expected[i]);
        WAIT_UNTIL(describes(f, "cannot publish"));
        if (i == FAILURES - 1)
            rd_kafka_mock_topic_create(f->cluster, TOPIC_LESSON_MINUTES, PARTITIONS, 1);
        move_clock(f, expected[i] - 1);
        if (i < 2) {
            pause_ms(SLEEP_MS);
            assert_int_equal(read_pauses(file, pauses), i + 1); /* not a moment before its time */
        }
        move_clock(f, 1);
    }
    WAIT_UNTIL(counters(f)->transactions == 1);
    rd_kafka_mock_push_request_errors(f->cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(read_pauses(file, pauses) == FAILURES + 1);
    assert_int_equal(pauses[FAILURES], expected[0]);
    release_log(f, file, saved);
}

/* Whoever could publish gets the lease of one that fails for so long; nobody is there (test_publisher_lease).
 */
static void the_lease_is_kept_where_nobody_else_could_publish(void **state)
{
    enum { ASKED = 3, STEP_MS = LEASE_TTL_MS / 2 }; /* so that the lease is renewed on the way */
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, TOPIC_LESSON_MINUTES);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, TOPIC_LESSON_MINUTES));
    assert_int_equal(counters(f)->holds_lease, 1);
    WAIT_UNTIL((move_clock(f, STEP_MS), pause_ms(SLEEP_MS), count_commands(f, "\"give\"") >= ASKED));
    assert_int_equal(counters(f)->holds_lease, 1);
    assert_true(is_owner(f, "me"));
    rd_kafka_mock_topic_create(f->cluster, TOPIC_LESSON_MINUTES, PARTITIONS, 1);
    WAIT_UNTIL((move_clock(f, STEP_MS), pause_ms(SLEEP_MS), counters(f)->transactions > 0));
    assert_true(is_owner(f, "me"));
}

/* ---- Redis ---- */

/* Redis may have given the lease to another daemon by then. */
static void a_lease_that_cannot_be_renewed_ends(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    hold_clock(f);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    kill(f->redis->nodes[0].pid, SIGKILL);
    move_clock(f, LEASE_TTL_MS);
    WAIT_UNTIL(describes(f, "standing by: the lease could not be asked for"));
    assert_int_equal(counters(f)->holds_lease, 0);
}

static void a_standby_takes_nothing_until_the_lease_is_free(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    set_owner(f, "other");
    watch(f, MINUTE, "t-1", "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(describes(f, "standing by: other publishes"));
    WAIT_UNTIL(count_commands(f, "_lease\"") >= 3);
    assert_int_equal(count_taken(f), 0);
    assert_int_equal(counters(f)->holds_lease, 0);
    set_owner(f, "");
    WAIT_UNTIL(settled(f));
}

/* The lease is checked before each commit: losing it in between aborts. */
static void a_lost_lease_commits_nothing(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->transactions == 1);
    set_owner(f, "other");
    watch(f, MINUTE, "t-1", "a", 0, 3);
    WAIT_UNTIL(counters(f)->holds_lease == 0);
    assert_int_equal(count_dirty(f), 1);
    assert_int_equal(counters(f)->transactions, 1);
    publisher_fixture_stop(f);
    assert_true(is_owner(f, "other"));
}

/* The server refuses every question about what PARTITION owes, or answers again. */
static void refuse(struct publisher_fixture *f, int partition, bool refused)
{
    static const char *const names[] = {"due", "ld"};
    struct redis_process *server = &f->redis->nodes[0];
    struct key_prefix prefix;
    topology_key_prefix(&prefix, partition, f->redis->config.redis.partitions);
    for (size_t i = 0; i < 2; i++) {
        if (refused) {
            redis_process_command(
                server, "RENAME %s%s %shidden-%s", prefix.text, names[i], prefix.text, names[i]);
            redis_process_command(server, "SET %s%s x", prefix.text, names[i]);
        } else {
            redis_process_command(
                server, "RENAME %shidden-%s %s%s", prefix.text, names[i], prefix.text, names[i]);
        }
    }
}

static void a_server_away_holds_up_its_own_partitions_only(void **state)
{
    struct publisher_fixture *f = *state;
    publisher_fixture_make_cluster(f, NULL);
    watch(f, MINUTE, learner_in(f, 0, 0), "a", 0, 3);
    watch(f, MINUTE, learner_in(f, 1, 0), "a", 0, 3);
    refuse(f, 0, true);
    publisher_fixture_start(f);
    WAIT_UNTIL(count_dirty(f) == 1);
    size_t looks = count_commands(f, "\"REV\"");
    WAIT_UNTIL(count_commands(f, "\"REV\"") >= looks + 4);
    assert_int_equal(counters(f)->published_through, 0);
    refuse(f, 0, false);
    WAIT_UNTIL(settled(f) && counters(f)->published_through == MINUTE_START + 60);
}

/* Nothing is left for another round, and still the minute is not wholly published. */
static void the_watermark_waits_for_the_unreadable(void **state)
{
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    publisher_fixture_make_cluster(f, NULL);
    topology_key_prefix(&prefix, 0, f->redis->config.redis.partitions);
    watch(f, MINUTE, learner_in(f, 0, 0), "a", 0, 1);
    redis_process_command(&f->redis->nodes[0], "HSET %sw:%lld higher/%s damaged", prefix.text,
        (long long)MINUTE / 10, learner_in(f, 0, 0));
    watch(f, MINUTE - 1, learner_in(f, 1, 0), "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(count_dirty(f) == 1 && counters(f)->published_through > 0);
    size_t looks = count_commands(f, "\"REV\"");
    WAIT_UNTIL(count_commands(f, "\"REV\"") >= looks + 6);
    assert_int_equal(counters(f)->published_through, MINUTE_START);
    publisher_stop(f->publisher, 1000); /* what nobody can read is tried again until then */
    f->publisher = NULL;
}

/* The floor is ahead of what was published, and a partition that cannot be taken from keeps every round from
 * being complete. */
static void nothing_is_final_that_is_not_published(void **state)
{
    enum { PUBLISHED_THROUGH = MINUTE_START - 2 * 86400 };
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    publisher_fixture_make_cluster(f, NULL);
    topology_key_prefix(&prefix, 0, f->redis->config.redis.partitions);
    watch(f, MINUTE, learner_in(f, 0, 0), "a", 0, 1);
    watch(f, MINUTE, learner_in(f, 1, 0), "a", 0, 1); /* now each partition has a floor, a day back */
    redis_process_command(&f->redis->nodes[0], "SET %sepoch damaged", prefix.text);
    redis_process_command(
        &f->redis->nodes[0], "HSET " KEY_WATERMARKS " published_through %d", (int)PUBLISHED_THROUGH);
    publisher_fixture_start(f);
    WAIT_UNTIL(counters(f)->published_through > 0);
    assert_int_equal(counters(f)->published_through, PUBLISHED_THROUGH);
    assert_true(counters(f)->final_through <= PUBLISHED_THROUGH);
    publisher_stop(f->publisher, 1000); /* what nobody can read is tried again until then */
    f->publisher = NULL;
}

/* They come to much more than a transaction holds, and are the newest. */
static void the_unreadable_hold_up_nobody(void **state)
{
    enum { DAMAGED = 20, OF_A_MINUTE = 10 };
    struct publisher_fixture *f = *state;
    struct key_prefix prefix;
    publisher_fixture_make_cluster(f, NULL);
    f->redis->config.publish.max_rate = 8; /* records of a transaction: four learners */
    topology_key_prefix(&prefix, 0, f->redis->config.redis.partitions);
    for (int i = 0; i < DAMAGED; i++) {
        const char *learner = learner_in(f, 0, i);
        int64_t minute = MINUTE - i / OF_A_MINUTE;
        watch(f, minute, learner, "a", 0, 1);
        redis_process_command(&f->redis->nodes[0], "HSET %sw:%lld higher/%s damaged", prefix.text,
            (long long)minute / 10, learner);
    }
    watch(f, MINUTE - 2, learner_in(f, 1, 0), "a", 0, 3);
    publisher_fixture_start(f);
    WAIT_UNTIL(count_dirty(f) == DAMAGED);
    WAIT_UNTIL(counters(f)->published_through == MINUTE_START - 60);
    publisher_stop(f->publisher, 1000); /* what nobody can read is tried again until then */
    f->publisher = NULL;
    /* each look at both partitions takes from few minutes only */
    assert_in_range(count_taken(f), 1, 4 * count_commands(f, "\"REV\"") / 2);
    assert_int_equal(read_topic(f, TOPIC_LEARNER_MINUTES), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(nothing_is_settled_before_a_commit),
        PUBLISHER_TEST(a_fenced_publisher_leaves_the_lease),
        PUBLISHER_TEST(another_kafka_gets_nothing_and_nothing_is_retired_for_it),
        PUBLISHER_TEST(watermarks_stand_still_while_kafka_is_away),
        PUBLISHER_TEST(stopping_keeps_its_deadline_without_kafka),
        PUBLISHER_TEST(a_missing_topic_is_named),
        PUBLISHER_TEST(a_wrong_property_is_named),
        PUBLISHER_TEST(it_waits_longer_after_each_failure_and_begins_anew_after_a_success),
        PUBLISHER_TEST(the_lease_is_kept_where_nobody_else_could_publish),
        PUBLISHER_TEST(a_lease_that_cannot_be_renewed_ends),
        PUBLISHER_TEST(a_standby_takes_nothing_until_the_lease_is_free),
        PUBLISHER_TEST(a_lost_lease_commits_nothing),
        PUBLISHER_TEST(a_server_away_holds_up_its_own_partitions_only),
        PUBLISHER_TEST(the_watermark_waits_for_the_unreadable),
        PUBLISHER_TEST(nothing_is_final_that_is_not_published),
        PUBLISHER_TEST(the_unreadable_hold_up_nobody),
    };
    return CASES_RUN(argc, argv, tests);
}
