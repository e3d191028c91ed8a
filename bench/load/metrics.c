/*
 * The figures of a result by name. One table says what there is; the CPU of each watched process is a family
 * of its own, since what is watched differs from load to load.
 */
#include "load/metrics.h"

#include <math.h>
#include <stdlib.h>

/* PART as a share of WHOLE; NaN if there is nothing to have a share of. */
static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

/* ---- latency ---- */

static double latency_quantile(const struct load_metric *m, const struct result *r)
{
    return r->latency.n == 0 ? NAN : (double)histogram_quantile(&r->latency, m->quantile);
}

static double latency_mean(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return r->latency.n == 0 ? NAN : histogram_mean(&r->latency);
}

static double lateness_quantile(const struct load_metric *m, const struct result *r)
{
    return r->lateness.n == 0 ? NAN : (double)histogram_quantile(&r->lateness, m->quantile);
}

/* ---- counts and rates ---- */

static double count(const struct load_metric *m, const struct result *r)
{
    uint64_t n;
    memcpy(&n, (const char *)&r->counts + m->count, sizeof(n));
    return (double)n;
}

static double rate(const struct load_metric *m, const struct result *r)
{
    return ratio(count(m, r), r->measured_s);
}

/* ---- CPU and memory ---- */

static double heartbeats(const struct result *r)
{
    return (double)(r->counts.accepted > 0 ? r->counts.accepted : r->counts.answered);
}

double load_metric_cpu_of_process(const struct result *r, size_t i)
{
    return r->watched_gone[i] ? NAN : ratio((double)r->watched[i].cpu_us, heartbeats(r));
}

static double system_cpu_us(const struct result *r)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < r->n_watched; i++) {
        if (result_is_client(r->watched_names[i]))
            continue;
        sum += r->watched_gone[i] ? NAN : (double)r->watched[i].cpu_us;
        n++;
    }
    return n == 0 ? NAN : sum;
}

static double cpu_per_heartbeat(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return ratio(system_cpu_us(r), heartbeats(r));
}

static double cpu_per_request(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return ratio(system_cpu_us(r), (double)r->counts.answered);
}

static double memory_per_idle_connection(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return r->idle_connections == 0 || r->n_watched == 0 ? NAN : r->memory_per_idle_connection;
}

static double redis_commands_per_s(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return r->has_redis ? ratio((double)r->redis.commands, r->measured_s) : NAN;
}

/* Of the whole load: Redis's memory is read before it begins, and the warm-up fills it as well. */
static double redis_bytes_per_minute(const struct load_metric *m, const struct result *r)
{
    (void)m;
    double credited_s = 0;
    for (size_t i = 0; i < r->n_seconds; i++)
        credited_s += (double)r->seconds[i].counts.credited_s;
    double before = (double)r->redis_memory_before;
    double grown = fmax((double)r->redis.memory - before, 0);
    return r->has_redis ? ratio(grown, credited_s / 60) : NAN;
}

/* ---- verification and the generator ---- */

static bool verified(const struct result *r)
{
    return r->verification.asked && r->verification.problem[0] == '\0';
}

static double seconds_lost(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return verified(r) ? (double)r->verification.lost_s : NAN;
}

static double seconds_extra(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return verified(r) ? (double)r->verification.extra_s : NAN;
}

static double generator_cpu(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return r->generator_cpu;
}

static double is_void(const struct load_metric *m, const struct result *r)
{
    (void)m;
    return r->void_reason[0] != '\0';
}

/* ---- the table ---- */

#define METRIC(text, meaning, of_unit, function, ...)                                                        \
    {                                                                                                        \
        .name = (text), .help = (meaning), .unit = (of_unit), .value = (function), __VA_ARGS__               \
    }
#define COUNT(field) .count = offsetof(struct load_counts, field)

const struct load_metric load_metrics[] = {
    METRIC("p50", "time within which half of the answers came", UNIT_US, latency_quantile, .quantile = 0.5),
    METRIC("p90", "time within which 90 % of the answers came", UNIT_US, latency_quantile, .quantile = 0.9),
    METRIC("p99", "time within which 99 % of the answers came", UNIT_US, latency_quantile, .quantile = 0.99),
    METRIC("p99.9", "time within which 99.9 % of the answers came", UNIT_US, latency_quantile,
        .quantile = 0.999),
    METRIC("p99.99", "time within which 99.99 % of the answers came", UNIT_US, latency_quantile,
        .quantile = 0.9999),
    METRIC("max", "longest time until an answer came", UNIT_US, latency_quantile, .quantile = 1),
    METRIC("mean", "mean latency", UNIT_US, latency_mean),
    METRIC("offered", "requests a second that were due", UNIT_PER_S, rate, COUNT(offered)),
    METRIC("achieved", "requests a second that were answered with 2xx", UNIT_PER_S, rate, COUNT(answered)),
    METRIC("runs_per_s", "runs a second that were accepted", UNIT_PER_S, rate, COUNT(accepted)),
    METRIC("refused", "requests answered with 429 or 503", UNIT_COUNT, count, COUNT(refused)),
    METRIC("failed", "requests with another answer, or with none in time", UNIT_COUNT, count, COUNT(failed)),
    METRIC("retried", "runs answered with retry", UNIT_COUNT, count, COUNT(retried)),
    METRIC("rejected", "runs that were rejected", UNIT_COUNT, count, COUNT(rejected)),
    METRIC("accepted", "runs that were accepted", UNIT_COUNT, count, COUNT(accepted)),
    METRIC("credited_s", "seconds that were credited", UNIT_COUNT, count, COUNT(credited_s)),
    METRIC("cpu_per_heartbeat", "CPU time of the watched processes per accepted run", UNIT_US,
        cpu_per_heartbeat),
    METRIC("cpu_per_request", "CPU time of the watched processes per answer", UNIT_US, cpu_per_request),
    METRIC("memory_per_idle_connection", "memory that an idle connection adds", UNIT_BYTES,
        memory_per_idle_connection),
    METRIC(
        "redis_commands_per_s", "commands a second that Redis processed", UNIT_PER_S, redis_commands_per_s),
    METRIC("redis_bytes_per_minute", "growth of Redis's memory per credited minute", UNIT_BYTES,
        redis_bytes_per_minute),
    METRIC("lost", "accepted seconds that Redis or Kafka does not have", UNIT_COUNT, seconds_lost),
    METRIC("extra", "seconds in Redis or Kafka that were never accepted", UNIT_COUNT, seconds_extra),
    METRIC("lateness_p99", "time by which 99 % of the requests were late at most", UNIT_US, lateness_quantile,
        .quantile = 0.99),
    METRIC("lateness_max", "longest time by which a request was sent late", UNIT_US, lateness_quantile,
        .quantile = 1),
    METRIC("generator_cpu", "share of a CPU that the busiest sending thread took", UNIT_RATIO, generator_cpu),
    METRIC("void", "1 if the result is void", UNIT_COUNT, is_void),
};
const size_t load_n_metrics = sizeof(load_metrics) / sizeof(load_metrics[0]);

/* ---- by name ---- */

static const struct load_metric *find_row(struct slice name)
{
    for (size_t i = 0; i < load_n_metrics; i++)
        if (slice_is(name, load_metrics[i].name))
            return &load_metrics[i];
    return NULL;
}

/* The process of "cpu.PROCESS"; empty when NAME is another metric's. */
static struct slice process_of(struct slice name)
{
    struct slice prefix = SLICE_LITERAL(METRIC_CPU_PREFIX);
    if (name.len <= prefix.len || memcmp(name.ptr, prefix.ptr, prefix.len) != 0)
        return (struct slice){name.ptr, 0};
    return (struct slice){name.ptr + prefix.len, name.len - prefix.len};
}

bool load_metric_find(struct slice name, enum metric_unit *unit)
{
    const struct load_metric *row = find_row(name);
    *unit = row ? row->unit : UNIT_US;
    return row || process_of(name).len > 0;
}

double load_metric_value(const struct result *r, struct slice name)
{
    const struct load_metric *row = find_row(name);
    if (row)
        return row->value(row, r);
    for (size_t i = 0; i < r->n_watched; i++)
        if (slice_is(process_of(name), r->watched_names[i]))
            return load_metric_cpu_of_process(r, i);
    return NAN;
}
