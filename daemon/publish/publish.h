/*
 * Publishing what Redis holds to Kafka: one thread, one transactional producer, while this daemon holds
 * the deployment's lease.
 *
 *     lease -> [ minutes -> take (barrier) -> produce -> commit -> settle ] -> sums -> watermark -> retire
 *
 * Nothing is ever re-sent from memory: after an abort, a fatal or a fenced error the producer is closed, a
 * new one is made, and what is unsettled is taken again.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"

struct config;
struct monitor;
struct problems;

#define TOPIC_LEARNER_LESSONS "minuted.learner-lessons"
#define TOPIC_LEARNER_MINUTES "minuted.learner-minutes"
#define TOPIC_LESSON_MINUTES "minuted.lesson-minutes"
#define TOPIC_WATERMARKS "minuted.watermarks"

/* What happened since the start; read by any thread. */
struct publish_counters {
    _Atomic uint64_t records;          /* committed, all topics */
    _Atomic uint64_t learner_minutes;  /* taken, committed and settled */
    _Atomic uint64_t transactions;     /* committed */
    _Atomic uint64_t aborts;           /* transactions given up */
    _Atomic uint64_t fenced;           /* times another daemon took over */
    _Atomic uint64_t early_minutes;    /* retired before the horizon, for memory */
    _Atomic int64_t holds_lease;       /* 1 while this daemon publishes */
    _Atomic int64_t published_through; /* Unix seconds; as in minuted.watermarks */
    _Atomic int64_t final_through;
    _Atomic int64_t dirty_minutes;  /* due and not yet published, at the last look */
    _Atomic int64_t last_commit_ms; /* Unix ms of the last commit; 0: none yet */
};

/*
 * Whether librdkafka takes kafka.properties, each by itself and all together, for the producer that
 * publishes; no broker is asked. What is wrong goes to PROBLEMS, where it was given and in librdkafka's
 * words; what librdkafka only frowns upon goes to NOTES. Values that came from files of their own are in
 * neither.
 */
bool kafka_properties_check(const struct config *config, struct problems *problems, struct problems *notes)
    __attribute__((warn_unused_result));

/* A broker inside this process, for --dev: real protocol, keeps nothing beyond the process. */
struct embedded_kafka;

/* Starts it and makes the topics. NULL with *ERROR set (to be freed) on failure. */
struct embedded_kafka *embedded_kafka_start(struct log *log, char **error);
/* "127.0.0.1:port" */
const char *embedded_kafka_brokers(const struct embedded_kafka *k);
void embedded_kafka_stop(struct embedded_kafka *k);

/*
 * Makes the four topics with their policies on BROKERS where they are missing (--create-topics). Existing
 * ones are left as they are. Prints one line per topic to standard output. False with *ERROR set on failure.
 */
bool topics_create(const struct config *config, const char *brokers, char **error);

struct publisher;

/*
 * Starts the thread. BROKERS is kafka.brokers or the embedded one's. HOLDER, copied, names this daemon in the
 * lease. Borrows the rest until publisher_stop(). A broker that cannot be reached or a missing topic is
 * logged by name and tried again; it never keeps the daemon from accepting.
 */
struct publisher *publisher_start(const struct config *config, const char *brokers, const char *holder,
    struct monitor *monitor, const struct clock *clock, struct log *log);

const struct publish_counters *publisher_counters(const struct publisher *p);

/* Whether this daemon publishes, stands by, or why it cannot: copied into TEXT, for /readyz?verbose. */
void publisher_describe(struct publisher *p, char text[static 256]);

/*
 * Stops the thread: finishes the transaction in hand, publishes what is due once more, gives up the lease;
 * all within DEADLINE_MS, then lets go. What is unsettled stays dirty in Redis for the next publisher.
 */
void publisher_stop(struct publisher *p, int64_t deadline_ms);
