/*
 * A publisher over an outbox in memory and librdkafka's mock cluster. The mock cluster keeps aborted records
 * visible, so after an abort a key's last one counts.
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

#include "config/config.h"
#include "fake_outbox.h"
#include "kafka_reader.h"
#include "patience.h"
#include "publish/embedded_kafka.h"
#include "publish/publisher.h"
#include "publish/topics.h"

enum { GRACE_S = 70, TOPICS = 4, PARTITIONS = 4, STOP_MS = 30000 };
enum { MINUTE = 27903120, MINUTE_START = MINUTE * 60 };
/* MINUTE has just become due, the next one has not. */
enum { NOW_S = MINUTE_START + 60 + GRACE_S + 5 };

extern const char *const fixture_topics[TOPICS];

struct fixture {
    struct monitor redis;
    struct clock clock;
    struct config config; /* to be changed before fixture_start() */
    struct log *log;
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
    struct publisher *publisher; /* it calls itself "me" */
    struct read_record *records;
};

/* Around each test, whose state is a fixture without a broker. */
int fixture_begin(void **state);
int fixture_end(void **state);
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_begin, fixture_end)

/* A broker with the topics but WITHOUT (NULL: all). */
void fixture_make_cluster(struct fixture *f, const char *without);
/* Brokers 1 to N with all topics. */
void fixture_make_cluster_of(struct fixture *f, int n);
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);

void fixture_set_now(struct fixture *f, int64_t now_s);
const struct publish_counters *counters(const struct fixture *f);
/* Whether nothing that is due is owed. */
bool settled(struct fixture *f);
/* Whether publisher_describe() says PART. */
bool describes(struct fixture *f, const char *part);

/* Reads all of TOPIC into f->records; returns how many. */
size_t read_topic(struct fixture *f, const char *topic);
/* The last of the first N records that has KEY. */
const struct read_record *last_of(const struct fixture *f, size_t n, const char *key);

void pause_ms(int64_t ms);
int64_t monotonic_ms(void);

#define WAIT_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        int64_t until_ms = monotonic_ms() + PATIENCE_MS;                                                     \
        while (!(condition)) {                                                                               \
            if (monotonic_ms() > until_ms)                                                                   \
                fail_msg("in vain: %s", #condition);                                                         \
            pause_ms(5);                                                                                     \
        }                                                                                                    \
    } while (0)
