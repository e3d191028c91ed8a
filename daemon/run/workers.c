/* All workers of the daemon. */
#include "run/workers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/descriptors.h"
#include "run/listeners.h"

struct workers {
    struct worker *items[WORKERS_MAX];
    int n;
    struct listeners listeners;
    struct http_places places; /* for players' connections, shared by all workers */
    const struct http_counters *http[WORKERS_MAX];
    const struct api_counters *api[WORKERS_MAX];
    const struct store_counters *store[WORKERS_MAX];
};

struct workers *workers_start(
    const struct worker_settings *settings, struct policy *policy, int64_t max_descriptors)
{
    struct workers *w = mem_zalloc(sizeof(*w));
    struct worker_settings each = *settings;
    const struct config *config = settings->config;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int n = config->http.workers > 0 ? config->http.workers : (int)(cpus > 0 ? cpus : 1);
    w->n = n < WORKERS_MAX ? n : WORKERS_MAX;
    /* There may be fewer file descriptors than http.max_connections asks for. */
    int wanted = config->http.max_connections;
    each.max_connections = descriptors_for_players(max_descriptors, wanted, w->n);
    if (each.max_connections < wanted)
        log_event(settings->log, LOG_WARN, "few_descriptors",
            "limit=%" PRId64 " http.max_connections=%d taken_as=%d", max_descriptors, wanted,
            each.max_connections);
    each.places = &w->places;
    if (!listeners_open(&w->listeners, &config->http.listen, w->n, settings->log)) {
        free(w);
        return NULL;
    }
    for (int i = 0; i < w->n; i++) {
        w->items[i] = worker_start(&each, policy, w->listeners.fds[i], w->listeners.n);
        w->http[i] = worker_http_counters(w->items[i]);
        w->api[i] = worker_api_counters(w->items[i]);
        w->store[i] = worker_store_counters(w->items[i]);
    }
    for (size_t i = 0; i < w->listeners.n; i++) {
        char name[300];
        log_event(settings->log, LOG_INFO, "listening", "address=%s workers=%d",
            endpoint_format(&w->listeners.endpoints[i], name), w->n);
    }
    return w;
}

void workers_set_policy(struct workers *w, struct policy *policy)
{
    for (int i = 0; i < w->n; i++)
        worker_set_policy(w->items[i], policy);
}

void workers_list_counters(const struct workers *w, struct ops_sources *sources)
{
    sources->n_workers = (size_t)w->n;
    sources->http = w->http;
    sources->api = w->api;
    sources->store = w->store;
}

void workers_drain(struct workers *w, int64_t deadline_ms)
{
    for (int i = 0; i < w->n; i++)
        worker_drain(w->items[i], deadline_ms);
}

bool workers_ended(const struct workers *w)
{
    for (int i = 0; i < w->n; i++)
        if (!worker_ended(w->items[i]))
            return false;
    return true;
}

void workers_stop(struct workers *w)
{
    listeners_unlink(&w->listeners);
    for (int i = 0; i < w->n; i++)
        worker_stop(w->items[i]);
    free(w);
}
