/*
 * The running daemon.
 *
 *     main thread   signals, operators' listener
 *     worker        1..n: players' listener -> api -> Redis
 *     monitor       watches the Redis servers
 *     publisher     Redis -> Kafka
 */
#include "run/daemon.h"

#include <event2/event.h>
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
#include "run/drain.h"
#include "run/workers.h"
#include "store/functions.h"

enum {
    DEV_SECRET_BYTES = 32,
    REDIS_START_MS = 5000,
    MEMORY_PERIOD_S = 5, /* what a burst took is given back within this */
    DRAIN_KAFKA_MS = 15000
};

struct daemon {
    const struct config *config;
    const struct options *options;
    struct log *log;
    struct clock clock;
    struct event_base *base;
    struct drain *drain;
    struct event *on_hup;
    struct event *memory;
    struct policy *policy;
    char dev_secret[DEV_SECRET_BYTES];
    struct api_dev dev;
    struct monitor *monitor;
    struct embedded_kafka *embedded;
    const char *brokers;
    struct publisher *publisher;
    struct workers *workers;
    struct admin *admin;
    struct ops_state state;
    struct ops_sources sources;
};

static struct slice dev_secret(const struct daemon *d)
{
    return (struct slice){d->dev_secret, d->options->dev ? DEV_SECRET_BYTES : 0};
}

/* For whoever ends the program later, with only the next one's catalog at hand. */
static void tell_closes(struct daemon *d)
{
    int64_t closes_ms = catalog_closes_ms(d->policy->catalog);
    monitor_set_closes(d->monitor, closes_ms == INT64_MAX ? INT64_MAX : closes_ms / 1000);
}

/* ---- SIGHUP: reloading ---- */

/* The program is a setting of the Redis, which the monitor has compared at the start. */
static bool is_same_program(const struct daemon *d, const struct policy *policy, char **error)
{
    const char *now = d->policy->catalog->program;
    const char *read = policy->catalog->program;
    struct buf text = {0};
    if (strcmp(now, read) == 0)
        return true;
    buf_printf(&text,
        "the catalog's program is %s now, this daemon counts for %s: after minuted --begin-program, daemons "
        "of "
        "the new one are started in its place",
        read, now);
    buf_append_char(&text, '\0');
    *error = text.data;
    return false;
}

static struct policy *read_policy(struct daemon *d, char **error)
{
    const struct options *o = d->options;
    struct config *config = config_load(o->config_file, environ, o->overrides, o->n_overrides, o->dev, error);
    if (config == NULL)
        return NULL;
    struct policy *policy = policy_load(config, dev_secret(d), error);
    if (policy != NULL && !is_same_program(d, policy, error)) {
        policy_unref(policy);
        policy = NULL;
    }
    if (policy != NULL) {
        log_set_level(d->log, config->log.level);
        /* Nothing else tells the operator that changed keys which need a restart are not in force. */
        struct buf names = {0};
        if (config_needs_restart(d->config, config, &names))
            log_event(d->log, LOG_WARN, "restart_needed", "keys=%.*s", SLICE_ARG(buf_slice(&names)));
        buf_free(&names);
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
    workers_set_policy(d->workers, policy);
    policy_unref(d->policy);
    d->policy = policy;
    tell_closes(d);
    log_event(d->log, LOG_INFO, "reloaded", "program=%s courses=%zu scope=catalog,auth,log.level",
        policy->catalog->program, policy->catalog->n_courses);
}

/* ---- starting ---- */

static void report(struct daemon *d, const char *event, char *error)
{
    log_event(d->log, LOG_ERROR, event, "error=%s", LOG_QUOTE(error));
    free(error);
}

static void on_memory(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    mem_return_free();
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

/* The daemon may start before Redis, but never on a Redis that would lose what is accepted. */
static bool start_monitor(struct daemon *d)
{
    char message[512];
    d->monitor = monitor_start(d->config, d->policy->catalog->program, &functions_library, &d->clock, d->log);
    tell_closes(d);
    if (monitor_wait(d->monitor, REDIS_START_MS, message) != MONITOR_WRONG)
        return true;
    log_event(d->log, LOG_ERROR, "start_failed", "error=%s", LOG_QUOTE(message));
    return false;
}

static bool start_publisher(struct daemon *d)
{
    char *error = NULL;
    char holder[128];
    d->brokers = d->config->kafka.brokers;
    if (strcmp(d->brokers, "embedded") == 0) {
        d->embedded = embedded_kafka_start(d->config->kafka.topic_prefix, d->log, &error);
        if (d->embedded == NULL) {
            report(d, "start_failed", error);
            return false;
        }
        d->brokers = embedded_kafka_brokers(d->embedded);
    }
    char host[65] = "";
    unsigned long long random = 0;
    gethostname(host, sizeof(host) - 1);
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        abort();
    snprintf(holder, sizeof(holder), "%s/%d/%016llx", host, (int)getpid(), random);
    d->publisher = publisher_start(
        d->config, d->policy->catalog->program, d->brokers, holder, d->monitor, &d->clock, d->log);
    return true;
}

static bool start_workers(struct daemon *d, int64_t max_descriptors)
{
    d->dev = (struct api_dev){&d->clock, dev_secret(d), d->brokers};
    struct worker_settings settings = {.config = d->config,
        .clock = &d->clock,
        .monitor = d->monitor,
        .dev = d->options->dev ? &d->dev : NULL,
        .log = d->log};
    d->workers = workers_start(&settings, d->policy, max_descriptors);
    if (d->workers == NULL)
        return false;
    drain_set_workers(d->drain, d->workers);
    return true;
}

static bool start_admin(struct daemon *d)
{
    char *error = NULL;
    d->sources = (struct ops_sources){
        .monitor = d->monitor,
        .publisher = d->publisher,
        .clock = &d->clock,
        .state = &d->state,
        .start_ms = clock_system_ms(),
    };
    workers_list_counters(d->workers, &d->sources);
    d->admin = admin_start(d->base, &d->config->admin.listen, &d->sources, d->log, &error);
    if (d->admin == NULL)
        report(d, "start_failed", error);
    return d->admin != NULL;
}

static bool start(struct daemon *d)
{
    if (d->config->n_ignored > 0)
        log_event(d->log, LOG_INFO, "environment_ignored",
            "variables=%zu first=%s reason=\"they are Kubernetes' own, of its Services\"",
            d->config->n_ignored, d->config->first_ignored);
    struct timeval memory_period = {MEMORY_PERIOD_S, 0};
    d->base = event_base_new();
    mem_return_large();
    d->memory = event_new(d->base, -1, EV_PERSIST, on_memory, NULL);
    event_add(d->memory, &memory_period);
    int64_t max_descriptors = descriptors_raise_limit();
    signal(SIGPIPE, SIG_IGN);
    d->drain = drain_new(d->base, &d->state, d->log);
    d->on_hup = evsignal_new(d->base, SIGHUP, on_reload, d);
    event_add(d->on_hup, NULL);
    if (!start_policy(d) || !start_monitor(d) || !start_publisher(d) || !start_workers(d, max_descriptors) ||
        !start_admin(d))
        return false;
    atomic_store(&d->state.started, true);
    log_event(d->log, LOG_INFO, "started", "version=%s deployment=%s", MINUTED_VERSION,
        d->config->kafka.deployment);
    return true;
}

/* ---- ending ---- */

/* Ends what start() started, in the opposite order; what did not start is NULL. */
static void stop(struct daemon *d)
{
    drain_free(d->drain); /* nothing is answered from here on, so a further signal may end the process */
    if (d->workers != NULL)
        workers_drain(d->workers, DRAIN_REQUESTS_MS);
    if (d->admin != NULL)
        admin_stop(d->admin); /* before the workers, whose counters it reads */
    if (d->workers != NULL)
        workers_stop(d->workers);
    if (d->publisher != NULL)
        publisher_stop(d->publisher, DRAIN_KAFKA_MS);
    if (d->embedded != NULL)
        embedded_kafka_stop(d->embedded);
    monitor_stop(d->monitor);
    if (d->policy != NULL)
        policy_unref(d->policy);
    event_free(d->on_hup);
    event_free(d->memory);
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
