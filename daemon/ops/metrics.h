/*
 * What Prometheus reads. One table says everything about a metric: where its value comes from, its type, its
 * label, name and help; the enum, the storage, the collecting and the text are made from it.
 *
 *     sources -> metrics_collect() -> struct metrics -> metrics_text_write() -> text
 *
 * Workers are summed: a deployment is judged by its daemons, not by their threads.
 */
#pragma once

#include <stddef.h>

#include "ops/ops.h"
#include "redis/monitor.h"

/*
 * X(source, field, type, label, name, help)
 *
 * http, api, store: the field of each worker's counters, summed. publish: the field of the publisher's.
 * server: of each Redis server. daemon, process: worked out in metrics.c. The label is none, reason, server
 * or version.
 */
#define METRICS(X)                                                                                           \
    X(daemon, build, gauge, version, "minuted_build_info", "Always 1; the version is the label.")            \
    X(daemon, started, gauge, none, "minuted_started", "1 once requests are accepted.")                      \
    X(daemon, draining, gauge, none, "minuted_draining", "1 while the daemon is being stopped.")             \
    X(daemon, ready, gauge, none, "minuted_ready", "1 while /readyz answers 200.")                           \
    X(daemon, workers, gauge, none, "minuted_workers", "Worker threads.")                                    \
    X(daemon, clock, gauge, none, "minuted_clock_timestamp_seconds", "The daemon's clock.")                  \
    X(daemon, clock_credible, gauge, none, "minuted_clock_credible",                                         \
        "0 while the daemon's clock is in doubt: no session is opened, nothing is published or retired.")    \
    X(http, connections, counter, none, "minuted_http_connections_total", "Players' connections accepted.")  \
    X(http, open_connections, gauge, none, "minuted_http_open_connections",                                  \
        "Players' connections open now.")                                                                    \
    X(http, refused_connections, counter, none, "minuted_http_refused_connections_total",                    \
        "Connections over the limit or without a file descriptor.")                                          \
    X(http, yielded_connections, counter, none, "minuted_http_yielded_connections_total",                    \
        "Connections closed to make room for others.")                                                       \
    X(http, requests, counter, none, "minuted_http_requests_total", "Complete requests.")                    \
    X(http, bad_requests, counter, none, "minuted_http_bad_requests_total",                                  \
        "Requests refused by framing or limits.")                                                            \
    X(http, timeouts, counter, none, "minuted_http_timeouts_total", "Requests that came too slowly (408).")  \
    X(api, sessions, counter, none, "minuted_sessions_total", "Sessions opened.")                            \
    X(api, heartbeats, counter, none, "minuted_heartbeats_total", "Heartbeat requests understood.")          \
    X(api, runs_accepted, counter, none, "minuted_runs_accepted_total", "Runs accepted.")                    \
    X(daemon, runs_refused, counter, reason, "minuted_runs_refused_total",                                   \
        "Runs rejected or to be retried.")                                                                   \
    X(api, progress, counter, none, "minuted_progress_total", "Progress questions answered.")                \
    X(api, requests_shed, counter, none, "minuted_requests_shed_total",                                      \
        "Requests answered 503 for this daemon's own state.")                                                \
    X(api, requests_refused, counter, none, "minuted_requests_refused_total", "Requests answered 4xx.")      \
    X(store, runs, counter, none, "minuted_store_runs_total", "Runs handed to Redis.")                       \
    X(store, pipelines, counter, none, "minuted_store_pipelines_total", "Pipelines sent to Redis.")          \
    X(store, applies, counter, none, "minuted_store_applies_total", "Calls of the apply function.")          \
    X(store, credited_seconds, counter, none, "minuted_credited_seconds_total", "Seconds newly credited.")   \
    X(store, duplicate_seconds, counter, none, "minuted_duplicate_seconds_total",                            \
        "Seconds claimed again for the same lesson.")                                                        \
    X(store, contested_seconds, counter, none, "minuted_contested_seconds_total",                            \
        "Seconds that another lesson of the learner already had.")                                           \
    X(store, forfeited_seconds, counter, none, "minuted_forfeited_seconds_total",                            \
        "Seconds within the horizon that were refused, since their minute was closed early.")                \
    X(store, failed_runs, counter, none, "minuted_store_failed_runs_total",                                  \
        "Runs that Redis refused or did not answer in time.")                                                \
    X(store, connects, counter, none, "minuted_store_connects_total",                                        \
        "Connections to Redis that became ready.")                                                           \
    X(store, queued_runs, gauge, none, "minuted_store_queued_runs", "Runs waiting for Redis now.")           \
    X(daemon, last_answer, gauge, none, "minuted_store_last_answer_age_seconds",                             \
        "Since a worker last had a good answer of Redis; grows also while nobody asks.")                     \
    X(daemon, history_losses, counter, none, "minuted_redis_history_losses_total",                           \
        "Times that a partition was found without what it had held.")                                        \
    X(server, reached, gauge, server, "minuted_redis_reached", "1 if reached within the last 10 s.")         \
    X(server, usable, gauge, server, "minuted_redis_usable", "1 if it takes and keeps heartbeats.")          \
    X(server, failover_risk, gauge, server, "minuted_redis_failover_risk",                                   \
        "1 if a failover could lose what was accepted, or lead to a replica that is set up wrongly.")        \
    X(server, clock_skew, gauge, server, "minuted_redis_clock_skew_seconds",                                 \
        "The server's clock less this machine's.")                                                           \
    X(server, used_memory, gauge, server, "minuted_redis_used_memory_bytes", "used_memory of the server.")   \
    X(server, max_memory, gauge, server, "minuted_redis_max_memory_bytes", "maxmemory; 0: no limit.")        \
    X(publish, records, counter, none, "minuted_published_records_total", "Records committed to Kafka.")     \
    X(publish, learner_masks, counter, none, "minuted_published_learner_masks_total",                        \
        "Learners' minutes committed and settled.")                                                          \
    X(publish, transactions, counter, none, "minuted_publish_transactions_total", "Transactions committed.") \
    X(publish, aborts, counter, none, "minuted_publish_aborts_total", "Transactions given up.")              \
    X(publish, fenced, counter, none, "minuted_publish_fenced_total", "Times another daemon took over.")     \
    X(publish, wrong_floors, gauge, none, "minuted_wrong_floors",                                            \
        "Partitions whose floor cannot be right, as the publishing daemon saw last: they take no runs.")     \
    X(publish, early_minutes, counter, none, "minuted_early_minutes_total",                                  \
        "Minutes that were closed to claims before the horizon, since Redis was short of memory.")           \
    X(publish, kafka_is_another, gauge, none, "minuted_kafka_is_another",                                    \
        "1 while this daemon does not publish, since it would to another Kafka or to other topics.")         \
    X(publish, grown_topics, gauge, none, "minuted_grown_topics",                                            \
        "Topics with more partitions than are published to, as the publishing daemon sees it.")              \
    X(publish, lost_partitions, gauge, none, "minuted_lost_partitions",                                      \
        "Partitions of Redis that lost what they held, as the publishing daemon sees it: see --rebuild.")    \
    X(publish, kafka_lost, gauge, none, "minuted_kafka_lost",                                                \
        "1 while Kafka lacks what was published to it, as the publishing daemon sees it: see --republish.")  \
    X(publish, refused_records, gauge, none, "minuted_refused_records",                                      \
        "Records that Kafka refuses, set aside for now, as the publishing daemon sees it.")                  \
    X(publish, holds_lease, gauge, none, "minuted_publish_holds_lease", "1 while this daemon publishes.")    \
    X(publish, backlog, gauge, none, "minuted_publish_backlog",                                              \
        "Minutes due and not yet published, at the last look.")                                              \
    X(daemon, published_through, gauge, none, "minuted_published_through_timestamp_seconds",                 \
        "Every minute that ends here or before was published.")                                              \
    X(daemon, final_through, gauge, none, "minuted_final_through_timestamp_seconds",                         \
        "No second before this can be claimed any more.")                                                    \
    X(daemon, last_commit, gauge, none, "minuted_publish_last_commit_timestamp_seconds",                     \
        "The last committed transaction.")                                                                   \
    X(process, cpu, counter, none, "process_cpu_seconds_total", "User and system CPU time.")                 \
    X(process, resident_memory, gauge, none, "process_resident_memory_bytes", "Resident memory.")            \
    X(process, open_fds, gauge, none, "process_open_fds", "Open file descriptors.")                          \
    X(process, max_fds, gauge, none, "process_max_fds", "Limit of file descriptors.")                        \
    X(process, start_time, gauge, none, "process_start_time_seconds", "When the process started.")

enum metric {
#define METRIC_ENUM(source, field, type, label, name, help) METRIC_##source##_##field,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

enum { METRIC_SERIES_MAX = SERVERS_MAX };

/* The values of one moment. NAN means that there is no such series. */
struct metrics {
    double value[METRIC_COUNT][METRIC_SERIES_MAX]; /* second index: the reason, the server, else 0 */
    struct redis_condition servers[SERVERS_MAX];
    size_t n_servers;
};

/* Looks at SOURCES now. The result is freed by metrics_free(). */
struct metrics *metrics_collect(const struct ops_sources *sources);
void metrics_free(struct metrics *m);

/*
 * Puts what M->servers says into the values, as metrics_collect() does. For tests: they make up the servers,
 * since a monitor finds only real ones.
 */
void metrics_collect_servers(struct metrics *m);
