/*
 * Whether requests should be sent to this daemon. They should when it has started and is not draining, when
 * every Redis server is reached and set up right, and has agreed once with this machine on the time. Kafka
 * does not count, since the daemon outlives its outages, nor does a doubt about the clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ops/ops.h"
#include "redis/condition.h"
#include "redis/monitor.h"

/* All that decides, and what is told beside it, at one moment. */
struct readiness_facts {
    bool started;
    bool draining;
    bool connected; /* every worker has been, to Redis */
    enum monitor_state redis;
    char redis_problem[512];               /* where it is not MONITOR_READY */
    const struct redis_condition *servers; /* as the monitor last saw them */
    size_t n_servers;
    int64_t history_losses;
    enum clock_belief belief;
    char publisher[256]; /* what it does */
};

/*
 * Appends to OUT, unless it is NULL, a line for each check that failed: "[-] name: why". With VERBOSE also
 * "[+] name: what" for each check that passed, and "[i] name: what" for what decides nothing, such as the
 * publisher's state.
 *
 * For tests: they say what is true of a daemon, without its threads.
 */
bool readiness_judge(const struct readiness_facts *facts, bool verbose, struct buf *out);

/* The same of what SOURCES say now. */
bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out);
