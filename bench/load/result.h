/*
 * What a load came to: plain data, filled by the generator, the samplers and the verification, read by the
 * reports and the assertions. Times are microseconds, memory is bytes, rates are per second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/histogram.h"
#include "load/verification.h"

enum { WATCHED_MAX = 8, NAME_MAX_CHARS = 31, LATENCY_MARKS = 5 };

/* What happened to requests and runs; of the whole measured time, or of one second of it. */
struct load_counts {
    uint64_t offered;    /* requests whose intended time has come */
    uint64_t sent;       /* requests, those sent again included */
    uint64_t answered;   /* 2xx: done */
    uint64_t refused;    /* 429 and 503: to be sent again later */
    uint64_t failed;     /* any other status, a lost connection, no answer in time */
    uint64_t accepted;   /* runs */
    uint64_t retried;    /* runs answered `retry` */
    uint64_t rejected;   /* runs */
    uint64_t credited_s; /* seconds that were credited to them */
};

/* CPU and memory of a process and its children. */
struct usage {
    uint64_t cpu_us; /* user and system, since it started; in a `second`, spent in it */
    uint64_t memory; /* resident */
};

/* What Redis says of itself. */
struct redis_usage {
    uint64_t commands; /* processed since it started; in a `second`, in it */
    uint64_t memory;   /* used_memory */
    uint64_t keys;
};

/* One second of the load, the first at 0. */
struct second {
    struct load_counts counts; /* by when it happened */
    double offered_rate;       /* what the schedule wanted: requests/s */
    /* of the answers that came in it: p50, p90, p99, p99.9 and the greatest; 0 where none came */
    uint64_t latency_us[LATENCY_MARKS];
    uint64_t lateness_us;      /* the worst: how long after it could have been sent a request was sent */
    uint64_t generator_cpu_us; /* of the busiest thread */
    struct usage watched[WATCHED_MAX];
    struct redis_usage redis;
};

struct result {
    char title[128];
    char command[2048]; /* that made it */
    char started[32];   /* RFC 3339, UTC */
    char machine[256];  /* processors, memory, kernel */
    char version[32];

    /* what was asked for */
    char schedule[256]; /* as given, such as "2000-20000:30s" */
    bool closed_loop;   /* each connection sends when it has its answer: latency is service time only */
    uint64_t players;
    uint64_t connections;
    uint64_t idle_connections;
    unsigned threads;
    unsigned batch; /* heartbeats a request */
    double interval_s;
    uint64_t seed;

    /* what came of it, after the warm-up */
    double warmup_s;
    double measured_s;
    struct load_counts counts;
    struct histogram latency;  /* from the intended time of sending, or from sending in a closed loop */
    struct histogram lateness; /* how long after it could have been sent a request was sent */
    uint64_t unanswered;       /* players whose last claim was never answered, though there was time */
    uint64_t idle_closed;      /* idle connections that the server did not keep */
    double generator_cpu;      /* share of one CPU that the busiest thread took, 0 to 1 */
    char void_reason[160]; /* why the figures say nothing, such as that the generator was the bottleneck; ""
                              if not */

    size_t n_watched;
    char watched_names[WATCHED_MAX][NAME_MAX_CHARS + 1];
    struct usage watched[WATCHED_MAX];           /* CPU spent in the measured time, memory at its end */
    bool watched_gone[WATCHED_MAX];              /* it ended meanwhile: its CPU is not known */
    uint64_t watched_memory_before[WATCHED_MAX]; /* before the load began: no connection, no session */
    bool has_redis;
    struct redis_usage redis; /* in the measured time; memory and keys at its end */
    uint64_t redis_memory_before;
    /* of the idle connections: what each added to the first watched process; 0 without any */
    double memory_per_idle_connection;

    struct second *seconds; /* of the whole load, the warm-up included */
    size_t n_seconds;

    struct verification verification;
};

/* Frees what the result holds, not the result. */
void result_free(struct result *r);

void result_add_counts(struct load_counts *into, const struct load_counts *from);

/* Whether a watched process is the load's side and not the system's: its name begins with "client". */
bool result_is_client(const char *name);
