/*
 * A result as one JSON object, for programs and for the page:
 *
 *     format             1
 *     title, command, started, machine, version, void_reason (null when it is not void)
 *     load               what was asked for: schedule, closed_loop, players, connections, …; seed is a string
 *     warmup_s, measured_s
 *     metrics            by the names that assertions use; null where there is nothing to state
 *     counts             of requests and runs in the measured time
 *     latency_us, lateness_us   {n, mean, deviation, max, steps: [[quantile, microseconds, count], …]}
 *     processes          [{name, client, cpu_us, cpu_us_per_heartbeat, memory, memory_before}, …]
 *     redis              {commands, memory, memory_before, keys}, or null
 *     verification       {problem (null when judged), expected_s, …}, or null
 *     seconds            [{offered_rate, …counts, latency_us: [p50, p90, p99, p99.9, max] or null,
 * lateness_us, generator_cpu_us, processes: [[cpu_us, memory], …], redis: [commands, memory, keys]}, …], the
 * warm-up first
 */
#pragma once

#include "base/buf.h"
#include "load/result.h"

void report_json(const struct result *r, struct buf *out);
