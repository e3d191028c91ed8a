/*
 * The figures that a report states and an assertion names: one table, and the CPU of each watched process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "load/metric_format.h"
#include "load/result.h"

struct load_metric {
    const char *name; /* such as "p99.9" or "cpu_per_heartbeat" */
    const char *help;
    enum metric_unit unit;
    double (*value)(const struct load_metric *m, const struct result *r);
    double quantile; /* of a percentile */
    size_t count;    /* of a count or its rate: where in `struct load_counts` */
};

/* In the order in which a report lists them. */
extern const struct load_metric load_metrics[];
extern const size_t load_n_metrics;

/* Begins the name of the CPU per heartbeat of one watched process: "cpu.minuted". */
#define METRIC_CPU_PREFIX "cpu."

/* Whether there is a metric NAME, with its unit; every "cpu." with a name behind it is one. */
bool load_metric_find(struct slice name, enum metric_unit *unit) __attribute__((warn_unused_result));
/* NaN when the result does not have it: no such metric, no process of that name watched, nothing verified. */
double load_metric_value(const struct result *r, struct slice name);

/* CPU of watched process I per accepted run; per answer where nothing is credited. */
double load_metric_cpu_of_process(const struct result *r, size_t i);
