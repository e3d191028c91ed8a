/*
 * The running daemon.
 *
 *     main thread   signals, operators' listener
 *     worker        1..n: players' listener -> api -> Redis
 *     monitor       watches the Redis servers
 *     publisher     Redis -> Kafka
 */
#include "run/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config_load.h"
#include "config/config_schema.h"
#include "ops/admin.h"
#include "publish/embedded_kafka.h"
#include "publish/publisher.h"
#include "redis/monitor.h"
#include "run/descriptors.h"
#include "run/worker.h"
#include "store/functions.h"

enum {
    WORKERS_MAX = 64,
    DEV_SECRET_BYTES = 32,
    REDIS_START_MS = 5000,
    MEMORY_PERIOD_S = 5,   /* what a burst took is given back within this */
    DRAIN_NOTICE_MS = 500, /* not ready any more, still accepting: balancers look away */
    DRAIN_REQUESTS_MS = 10000,
    DRAIN_CHECK_MS = 20,
    DRAIN_KAFKA_MS = 15000
};

struct daemon {
    const struct config *config;
    const struct options *options;
    struct log *log;
    struct clock clock;
    struct event_base *base;
    struct policy *policy;
    char dev_secret[DEV_SECRET_BYTES];
    struct api_dev dev;
    struct embedded_kafka *embedded;
    const char *brokers;
    struct monitor *monitor;
    struct publisher *publisher;
    struct admin *admin;
    struct event *on_term;
    struct event *on_int;
    struct event *on_hup;
    struct event *notice;
    struct event *drained;
    struct event *memory;
    struct worker *workers[WORKERS_MAX];
    int n_workers;
    int64_t max_descriptors;
    struct http_places places; /* for players' connections */
    struct ops_state state;
    struct ops_sources sources;
    const struct http_counters *http_counters[WORKERS_MAX];
    const struct api_counters *api_counters[WORKERS_MAX];
    const struct store_counters *store_counters[WORKERS_MAX];
};

/* ---- signals ---- */

/* Readiness and metrics go on being answered until the last request is. */
static void on_drained(evutil_socket_t fd, short what, void *ctx)
{
    struct daemon *d = ctx;
    (void)fd;
    (void)what;
    for (int i = 0; i < d->n_workers; i++)
        if (!worker_ended(d->workers[i]))
            return;
    event_base_loopbreak(d->base);
}

static void on_notice_over(evutil_socket_t fd, short what, void *ctx)
{
    struct daemon *d = ctx;
    struct timeval period = {0, DRAIN_CHECK_MS * 1000};
    (void)fd;
    (void)what;
    for (int i = 0; i < d->n_workers; i++)
        worker_drain(d->workers[i], DRAIN_REQUESTS_MS);
    event_add(d->drained, &period);
}

static void on_end(evutil_socket_t signal_number, short what, void *ctx)
{
    struct daemon *d = ctx;
    (void)what;
    if (atomic_exchange(&d->state.draining, true)) {
        log_event(d->log, LOG_WARN, "second_signal", "action=exit");
        _exit(EXIT_FAILURE);
    }
    log_event(d->log, LOG_INFO, "draining", "signal=%d", (int)signal_number);
    struct timeval delay = {0, DRAIN_NOTICE_MS * 1000};
    event_add(d->notice, &delay);
}

static struct slice dev_secret(const struct daemon *d)
{
    return (struct slice){d->dev_secret, d->options->dev ? DEV_SECRET_BYTES : 0};
}

/* What else a reloaded configuration changes is not in force, which nobody would notice otherwise. */
static void tell_restart(struct daemon *d, const struct config *read)
{
    struct buf names = {0};
    if (config_needs_restart(d->config, read, &names))
        log_event(d->log, LOG_WARN, "restart_needed", "keys=%.*s", SLICE_ARG(buf_slice(&names)));
    buf_free(&names);
}

static struct policy *read_policy(struct daemon *d, char **error)
{
    const struct options *o = d->options;
    struct config *config = config_load(o->config_file, environ, o->overrides, o->n_overrides, o->dev, error);
    if (config == NULL)
        return NULL;
    struct policy *policy = policy_load(config, dev_secret(d), error);
    if (policy != NULL) {
        log_set_level(d->log, config->log.level);
        tell_restart(d, config);
    }
    config_free(config);
    return policy;
}

static void on_reload(evutil_socket_t fd, short what, void *ctx)
{
    struct daemon *d = ctx;
    char *error = NULL;
    (void)fd;
    (void)what;
    struct policy *policy = read_policy(d, &error);
    if (policy == NULL) {
        log_event(d->log, LOG_ERROR, "reload_failed", "error=%s action=keep", LOG_QUOTE(error));
        free(error);
        return;
    }
    for (int i = 0; i < d->n_workers; i++)
        worker_set_policy(d->workers[i], policy);
    policy_unref(d->policy);
    d->policy = policy;
    log_event(d->log, LOG_INFO, "reloaded", "program=%s courses=%zu scope=catalog,auth,log.level",
        policy->catalog->program, policy->catalog->n_courses);
}

static void follow_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    d->on_term = evsignal_new(d->base, SIGTERM, on_end, d);
    d->on_int = evsignal_new(d->base, SIGINT, on_end, d);
    d->on_hup = evsignal_new(d->base, SIGHUP, on_reload, d);
    d->notice = evtimer_new(d->base, on_notice_over, d);
    d->drained = event_new(d->base, -1, EV_PERSIST, on_drained, d);
    event_add(d->on_term, NULL);
    event_add(d->on_int, NULL);
    event_add(d->on_hup, NULL);
}

/* ---- starting ---- */

static void tell_ignored(const struct daemon *d)
{
    if (d->config->n_ignored > 0)
        log_event(d->log, LOG_INFO, "environment_ignored",
            "variables=%zu first=%s reason=\"they are Kubernetes' own, of its Services\"",
            d->config->n_ignored, d->config->first_ignored);
}

static void report(struct daemon *d, const char *event, char *error)
{
    log_event(d->log, LOG_ERROR, event, "error=%s", LOG_QUOTE(error));
    free(error);
}

static bool start_policy(struct daemon *d)
{
    char *error = NULL;
    if (d->options->dev && getrandom(d->dev_secret, sizeof(d->dev_secret), 0) != sizeof(d->dev_secret))
        abort();
    d->policy = policy_load(d->config, dev_secret(d), &error);
    if (d->policy == NULL)
        report(d, "start_failed", error);
    return d->policy != NULL;
}

/* Redis may come later; one that would lose what is accepted must not be used at all. */
static bool start_monitor(struct daemon *d)
{
    char message[512];
    d->monitor = monitor_start(d->config, &functions_library, d->log);
    if (monitor_wait(d->monitor, REDIS_START_MS, message) != MONITOR_WRONG)
        return true;
    log_event(d->log, LOG_ERROR, "start_failed", "error=%s", LOG_QUOTE(message));
    return false;
}

static void name_holder(char holder[static 128])
{
    char host[65] = "";
    unsigned long long random = 0;
    gethostname(host, sizeof(host) - 1);
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        abort();
    snprintf(holder, 128, "%s/%d/%016llx", host, (int)getpid(), random);
}

static bool start_publisher(struct daemon *d)
{
    char *error = NULL;
    char holder[128];
    d->brokers = d->config->kafka.brokers;
    if (strcmp(d->brokers, "embedded") == 0) {
        d->embedded = embedded_kafka_start(d->log, &error);
        if (d->embedded == NULL) {
            report(d, "start_failed", error);
            return false;
        }
        d->brokers = embedded_kafka_brokers(d->embedded);
    }
    name_holder(holder);
    d->publisher = publisher_start(d->config, d->brokers, holder, d->monitor, &d->clock, d->log);
    return true;
}

static bool open_listener(struct daemon *d, struct endpoint *endpoint, bool reuseport, int *fd)
{
    char name[300];
    *fd = http_listen_socket(endpoint, reuseport);
    if (*fd < 0)
        log_event(d->log, LOG_ERROR, "start_failed", "error=\"cannot listen on %s: %s\"",
            endpoint_format(endpoint, name), strerror(errno));
    return *fd >= 0;
}

/* What the kernel chose where port 0 was asked for. */
static void learn_port(int fd, struct endpoint *endpoint)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    if (!endpoint->is_unix && endpoint->port == 0 && getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
        endpoint->port = endpoint_port(&addr);
}

static bool open_listeners(
    struct daemon *d, int number, struct endpoint *endpoints, int first_fds[], int fds[])
{
    for (size_t i = 0; i < d->config->http.listen.n; i++) {
        if (endpoints[i].is_unix && number > 0) {
            fds[i] = dup(first_fds[i]); /* a unix socket has one queue for all workers */
            if (fds[i] < 0)
                return false;
            continue;
        }
        if (!open_listener(d, &endpoints[i], true, &fds[i]))
            return false;
        learn_port(fds[i], &endpoints[i]);
        if (number == 0)
            first_fds[i] = fds[i];
    }
    return true;
}

static int count_workers(const struct config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int n = config->http.workers > 0 ? config->http.workers : (int)(cpus > 0 ? cpus : 1);
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* Of http.max_connections, as many as there are descriptors for. */
static int count_places(struct daemon *d, int workers)
{
    int wanted = d->config->http.max_connections;
    int places = descriptors_for_players(d->max_descriptors, wanted, workers);
    if (places < wanted)
        log_event(d->log, LOG_WARN, "few_descriptors",
            "limit=%" PRId64 " http.max_connections=%d taken_as=%d", d->max_descriptors, wanted, places);
    return places;
}

static bool start_workers(struct daemon *d)
{
    struct endpoint endpoints[ENDPOINTS_MAX];
    int fds[WORKERS_MAX][ENDPOINTS_MAX];
    size_t n_listen = d->config->http.listen.n;
    int n = count_workers(d->config);
    int places = count_places(d, n);
    memcpy(endpoints, d->config->http.listen.items, n_listen * sizeof(endpoints[0]));
    for (int i = 0; i < n; i++)
        if (!open_listeners(d, i, endpoints, fds[0], fds[i]))
            return false;
    for (int i = 0; i < n; i++) {
        struct worker_settings settings = {
            d->config, &d->clock, d->monitor, d->options->dev ? &d->dev : NULL, d->log, places, &d->places};
        d->workers[i] = worker_start(&settings, d->policy, fds[i], n_listen);
        d->http_counters[i] = worker_http_counters(d->workers[i]);
        d->api_counters[i] = worker_api_counters(d->workers[i]);
        d->store_counters[i] = worker_store_counters(d->workers[i]);
        d->n_workers++;
    }
    for (size_t i = 0; i < n_listen; i++) {
        char name[300];
        log_event(
            d->log, LOG_INFO, "listening", "address=%s workers=%d", endpoint_format(&endpoints[i], name), n);
    }
    return true;
}

static bool start_admin(struct daemon *d)
{
    char *error = NULL;
    d->sources = (struct ops_sources){
        .n_workers = (size_t)d->n_workers,
        .http = d->http_counters,
        .api = d->api_counters,
        .store = d->store_counters,
        .monitor = d->monitor,
        .publisher = d->publisher,
        .clock = &d->clock,
        .state = &d->state,
        .start_ms = clock_system_ms(),
    };
    d->admin = admin_start(d->base, &d->config->admin.listen, &d->sources, d->log, &error);
    if (d->admin == NULL)
        report(d, "start_failed", error);
    return d->admin != NULL;
}

static void on_memory(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    mem_return_free();
}

static void watch_memory(struct daemon *d)
{
    struct timeval period = {MEMORY_PERIOD_S, 0};
    mem_return_large();
    d->memory = event_new(d->base, -1, EV_PERSIST, on_memory, NULL);
    event_add(d->memory, &period);
}

static bool start(struct daemon *d)
{
    tell_ignored(d);
    d->base = event_base_new();
    watch_memory(d);
    d->max_descriptors = descriptors_raise_limit();
    follow_signals(d);
    if (!start_policy(d) || !start_monitor(d) || !start_publisher(d))
        return false;
    d->dev = (struct api_dev){&d->clock, dev_secret(d), d->brokers};
    if (!start_workers(d) || !start_admin(d))
        return false;
    atomic_store(&d->state.started, true);
    log_event(d->log, LOG_INFO, "started", "version=%s deployment=%s", MINUTED_VERSION,
        d->config->kafka.deployment);
    return true;
}

/* ---- ending ---- */

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

/* A socket's file outlives its socket. */
static void unlink_sockets(const struct daemon *d)
{
    const struct endpoint_list *listen = &d->config->http.listen;
    for (size_t i = 0; i < listen->n; i++)
        if (listen->items[i].is_unix && d->n_workers > 0)
            unlink(listen->items[i].host);
}

static void stop(struct daemon *d)
{
    unlink_sockets(d);
    /* From here on nothing is answered any more, so a second signal simply ends the process. */
    free_event(d->on_term);
    free_event(d->on_int);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    for (int i = 0; i < d->n_workers; i++)
        worker_drain(d->workers[i], DRAIN_REQUESTS_MS);
    if (d->admin != NULL)
        admin_stop(d->admin); /* its sources go next */
    for (int i = 0; i < d->n_workers; i++)
        worker_stop(d->workers[i]);
    if (d->publisher != NULL)
        publisher_stop(d->publisher, DRAIN_KAFKA_MS);
    if (d->embedded != NULL)
        embedded_kafka_stop(d->embedded);
    monitor_stop(d->monitor);
    if (d->policy != NULL)
        policy_unref(d->policy);
    free_event(d->on_hup);
    free_event(d->notice);
    free_event(d->drained);
    free_event(d->memory);
    event_base_free(d->base);
}

int daemon_run(const struct config *config, const struct options *options)
{
    struct daemon *d = mem_zalloc(sizeof(*d));
    d->config = config;
    d->options = options;
    d->log = log_new(config->log.level);
    bool started = start(d);
    if (started)
        event_base_dispatch(d->base);
    stop(d);
    if (started)
        log_event(d->log, LOG_INFO, "stopped", "version=%s", MINUTED_VERSION);
    log_free(d->log);
    free(d);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
