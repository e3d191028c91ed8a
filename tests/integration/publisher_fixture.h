/*
 * A publisher between a real redis-server and librdkafka's mock cluster. The mock cluster keeps aborted
 * records visible, so after an abort a key's last one counts. The clock can be held: then nothing ends, and
 * nothing is due again, before the test moves it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h */
#include <stdbool.h>

#include "kafka_reader.h"
#include "patience.h"
#include "publish/embedded_kafka.h"
#include "publish/publisher.h"
#include "store_fixture.h"

#define TOPIC_LEARNER_LESSONS "minuted.learner-lessons"
#define TOPIC_LEARNER_MINUTES "minuted.learner-minutes"
#define TOPIC_LESSON_MINUTES "minuted.lesson-minutes"
#define TOPIC_WATERMARKS "minuted.watermarks"

/* How the keys of learners' totals begin. */
#define PROGRAM "training"

enum { GRACE_S = 70, TOPICS = 4, PARTITIONS = 4 };
enum { MINUTE = 27903120, MINUTE_START = MINUTE * 60 };
/* MINUTE has just become due, the next one has not. */
enum { NOW_S = MINUTE_START + 60 + GRACE_S + 5 };

extern const char *const publisher_topics[TOPICS];

struct publisher_fixture {
    struct fixture
        *redis; /* one server, two partitions; its configuration is to be changed before the start */
    redisContext *commands; /* tells every command that the server has run */
    struct buf told;        /* and what it has told so far */
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
    struct publisher *publisher; /* it calls itself "me" */
    struct read_record *records;
};

/* Around each test, whose state is a fixture without a broker. */
int publisher_fixture_begin(void **state);
/* The same with a clock that is credible, and not settled. */
int publisher_fixture_begin_unsettled(void **state);
/* The same with a cluster of three servers and twelve partitions; what asks the server asks the first one. */
int publisher_fixture_begin_cluster(void **state);
int publisher_fixture_end(void **state);
#define PUBLISHER_TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, publisher_fixture_begin, publisher_fixture_end)

/* A broker with the topics but WITHOUT (NULL: all). */
void publisher_fixture_make_cluster(struct publisher_fixture *f, const char *without);
/* Brokers 1 to N with all topics. */
void publisher_fixture_make_cluster_of(struct publisher_fixture *f, int n);
void publisher_fixture_start(struct publisher_fixture *f);
void publisher_fixture_stop(struct publisher_fixture *f);
/* The same for a held clock, which is moved to the deadline; fails the test if the publisher goes on. */
void publisher_fixture_stop_within(struct publisher_fixture *f, int64_t deadline_ms);

/* ---- time ---- */

void set_now(struct publisher_fixture *f, int64_t now_s);
/* From now on the publisher's steady clock stands still. */
void hold_clock(struct publisher_fixture *f);
void move_clock(struct publisher_fixture *f, int64_t ms);

/* ---- Redis ---- */

/* LEARNER of partition 0, 1 watches LESSON in the seconds [FROM, TO) of MINUTE; half as much of the media. */
void watch(
    struct publisher_fixture *f, int64_t minute, const char *learner, const char *lesson, int from, int to);
/* A learner's name that is in PARTITION, the Nth one; valid until the next eight calls. */
const char *learner_in(const struct publisher_fixture *f, int partition, int n);

/* Whether nothing that is due is owed to Kafka any more. */
bool settled(struct publisher_fixture *f);
/* The same of everything, due or not. */
bool all_settled(struct publisher_fixture *f);
/* How many learners of how many minutes are dirty. */
size_t count_dirty(struct publisher_fixture *f);

void set_owner(struct publisher_fixture *f, const char *owner); /* of the lease; "": nobody */
bool is_owner(struct publisher_fixture *f, const char *owner);

/* How many commands the server has run since the fixture began that hold WORD, in quotes as they are listed.
 */
size_t count_commands(struct publisher_fixture *f, const char *word);
/* The same, as long as no command with STOP has come. */
size_t count_commands_until(struct publisher_fixture *f, const char *word, const char *stop);
/* Portions that were taken. */
size_t count_taken(struct publisher_fixture *f);

/* ---- the publisher ---- */

const struct publish_counters *counters(const struct publisher_fixture *f);
/* Whether publisher_describe() says PART. */
bool describes(struct publisher_fixture *f, const char *part);

/* ---- Kafka ---- */

/* Reads all of TOPIC into f->records; returns how many. */
size_t read_topic(struct publisher_fixture *f, const char *topic);
/* The last of the first N records that has KEY. */
const struct read_record *last_of(const struct publisher_fixture *f, size_t n, const char *key);

void pause_ms(int64_t ms);

#define WAIT_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;                                               \
        while (!(condition)) {                                                                               \
            if (clock_monotonic_ms() > until_ms)                                                             \
                fail_msg("in vain: %s", #condition);                                                         \
            pause_ms(5);                                                                                     \
        }                                                                                                    \
    } while (0)
