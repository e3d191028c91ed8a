/* Collecting the metrics' values. */
#include "ops/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/mem.h"
#include "ops/readiness.h"
#include "publish/publisher.h"

_Static_assert((int)REASON_COUNT <= (int)METRIC_SERIES_MAX, "a reason is an index of a metric's values");

#define LOAD(counter) ((double)atomic_load_explicit(&(counter), memory_order_relaxed))

static void set(struct metrics *m, enum metric metric, double value)
{
    m->value[metric][0] = value;
}

/* Sums a field over the workers. A row of the table uses the macro that ends with its source. */
#define COLLECT_WORKERS(source, field)                                                                       \
    {                                                                                                        \
        double sum = 0;                                                                                      \
        for (size_t i = 0; i < sources->n_workers; i++)                                                      \
            sum += LOAD(sources->source[i]->field);                                                          \
        set(m, METRIC_##source##_##field, sum);                                                              \
    }
#define COLLECT_http(field) COLLECT_WORKERS(http, field)
#define COLLECT_api(field) COLLECT_WORKERS(api, field)
#define COLLECT_store(field) COLLECT_WORKERS(store, field)
#define COLLECT_publish(field)                                                                               \
    if (publish != NULL)                                                                                     \
        set(m, METRIC_publish_##field, LOAD(publish->field));
#define COLLECT_daemon(field)
#define COLLECT_server(field)
#define COLLECT_process(field)
#define COLLECT(source, field, type, label, name, help) COLLECT_##source(field)

static void collect_refused(struct metrics *m, const struct ops_sources *sources)
{
    for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
        double sum = 0;
        for (size_t i = 0; i < sources->n_workers; i++)
            sum += LOAD(sources->api[i]->runs_refused[reason]);
        m->value[METRIC_daemon_runs_refused][reason] = sum;
    }
}

/* The counters hold 0 for a time that is not known yet. */
static double known(double time)
{
    return time > 0 ? time : NAN;
}

static void collect_daemon(struct metrics *m, const struct ops_sources *sources)
{
    set(m, METRIC_daemon_build, 1);
    set(m, METRIC_daemon_started, LOAD(sources->state->started));
    set(m, METRIC_daemon_draining, LOAD(sources->state->draining));
    set(m, METRIC_daemon_ready, readiness_check(sources, false, NULL));
    set(m, METRIC_daemon_workers, (double)sources->n_workers);
    set(m, METRIC_daemon_clock, (double)clock_now_ms(sources->clock) / 1000);
    set(m, METRIC_daemon_clock_credible, clock_belief(sources->clock) != CLOCK_DOUBTED);
    int64_t newest = 0;
    for (size_t i = 0; i < sources->n_workers; i++) {
        int64_t at = atomic_load_explicit(&sources->store[i]->last_answer_ms, memory_order_relaxed);
        newest = at > newest ? at : newest;
    }
    set(m, METRIC_daemon_last_answer, newest == 0 ? NAN : (double)(clock_monotonic_ms() - newest) / 1000);
}

void metrics_collect_servers(struct metrics *m)
{
    assert(m->n_servers <= METRIC_SERIES_MAX);
    for (size_t i = 0; i < m->n_servers; i++) {
        const struct redis_condition *server = &m->servers[i];
        m->value[METRIC_server_reached][i] = server->reached;
        m->value[METRIC_server_usable][i] =
            !server->away && server->problem[0] == '\0' && server->refusal[0] == '\0';
        if (!server->reached)
            continue; /* what the server said long ago would look like its present state */
        m->value[METRIC_server_failover_risk][i] = server->risk[0] != '\0';
        if (server->clock_known)
            m->value[METRIC_server_clock_skew][i] = (double)server->clock_skew_ms / 1000;
        m->value[METRIC_server_used_memory][i] = (double)server->used_memory;
        m->value[METRIC_server_max_memory][i] = (double)server->max_memory;
    }
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (file == NULL)
        return NAN;
    int fields = fscanf(file, "%*s %ld", &pages); // NOLINT(cert-err34-c): the kernel's own number
    fclose(file);
    return fields == 1 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : NAN;
}

/* Newer kernels give the number as the directory's size, and listing a million descriptors is slow. */
static double open_fds(void)
{
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (double)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return NAN;
    int n = -3; /* ".", ".." and the descriptor that lists */
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void collect_process(struct metrics *m, const struct ops_sources *sources)
{
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        set(m, METRIC_process_cpu, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        set(m, METRIC_process_max_fds, (double)limit.rlim_cur);
    set(m, METRIC_process_resident_memory, resident_bytes());
    set(m, METRIC_process_open_fds, open_fds());
    set(m, METRIC_process_start_time, (double)sources->start_ms / 1000);
}

struct metrics *metrics_collect(const struct ops_sources *sources)
{
    struct metrics *m = mem_zalloc(sizeof(*m));
    const struct publish_counters *publish =
        sources->publisher == NULL ? NULL : publisher_counters(sources->publisher);
    for (int i = 0; i < METRIC_COUNT; i++)
        for (int j = 0; j < METRIC_SERIES_MAX; j++)
            m->value[i][j] = NAN;
    /* These are the rows whose value is a field of some counters; the table alone says which. */
    METRICS(COLLECT)
    collect_refused(m, sources);
    if (publish != NULL) {
        set(m, METRIC_daemon_published_through, known(LOAD(publish->published_through)));
        set(m, METRIC_daemon_final_through, known(LOAD(publish->final_through)));
        set(m, METRIC_daemon_last_commit, known(LOAD(publish->last_commit_ms) / 1000));
    }
    collect_daemon(m, sources);
    collect_process(m, sources);
    if (sources->monitor != NULL) {
        m->n_servers = monitor_servers(sources->monitor, m->servers);
        set(m, METRIC_daemon_history_losses, (double)monitor_history_losses(sources->monitor));
    }
    metrics_collect_servers(m);
    return m;
}

void metrics_free(struct metrics *m)
{
    free(m);
}
