/* A worker. */
#include "run/worker.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server.h"

enum { MAX_HEADERS = 16384, DRAIN_CHECK_MS = 20 };

/*
 * If several events are ready in the same turn of the loop, what another thread asks for goes before players'
 * requests. The kernel may list a connection first that was ready earlier, and a request that came after the
 * log had said "reloaded" would then be judged by the old policy.
 */
enum { PRIORITY_WAKE, PRIORITIES = 3 }; /* all other events have the middle one */

struct worker {
    struct worker_settings settings;
    pthread_t thread;
    struct event_base *base;
    struct http_limits limits; /* the server borrows them */
    struct http_server *http;
    struct store *store;
    struct api *api;
    int wake_fd;
    struct event *wake;
    struct event *drain_check;
    int64_t drain_until_ms;
    _Atomic bool ended;
    pthread_mutex_t lock;
    struct policy *next_policy; /* under the lock; NULL: none */
    int64_t drain_deadline_ms;  /* under the lock; 0: do not drain */
};

static void on_drain_check(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;
    (void)fd;
    (void)what;
    bool done = http_server_open(w->http) == 0 && api_pending(w->api) == 0 && store_pending(w->store) == 0;
    if (done || clock_monotonic_ms() >= w->drain_until_ms)
        event_base_loopbreak(w->base);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;
    uint64_t wakes;
    (void)what;
    if (read((int)fd, &wakes, sizeof(wakes)) < 0)
        return;
    pthread_mutex_lock(&w->lock);
    struct policy *policy = w->next_policy;
    int64_t deadline_ms = w->drain_deadline_ms;
    w->next_policy = NULL;
    pthread_mutex_unlock(&w->lock);
    if (policy != NULL) {
        api_set_policy(w->api, policy);
        policy_unref(policy);
    }
    if (deadline_ms > 0 && w->drain_until_ms == 0) {
        struct timeval period = {0, DRAIN_CHECK_MS * 1000};
        w->drain_until_ms = clock_monotonic_ms() + deadline_ms;
        http_server_drain(w->http);
        event_add(w->drain_check, &period);
    }
}

static void wake(struct worker *w)
{
    uint64_t one = 1;
    ssize_t ignored =
        write(w->wake_fd, &one, sizeof(one)); /* if the counter is full, the thread wakes anyway */
    (void)ignored;
}

static void *run(void *ctx)
{
    struct worker *w = ctx;
    event_base_dispatch(w->base);
    atomic_store(&w->ended, true);
    return NULL;
}

/* Only its own thread touches a worker's loop; others write to its eventfd. So the loop needs no locks. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == NULL || event_base_priority_init(base, PRIORITIES) != 0)
        abort();
    return base;
}

static struct http_limits limits_of(const struct worker_settings *settings)
{
    const struct config *config = settings->config;
    return (struct http_limits){
        .max_connections = settings->max_connections,
        .places = settings->places,
        .max_body = (size_t)config->http.max_body,
        .max_headers = MAX_HEADERS,
        .header_timeout_ms = config->http.header_timeout_ms,
        .request_timeout_ms = config->http.request_timeout_ms,
        .idle_timeout_ms = config->http.idle_timeout_ms,
        .idle_yields_ms = 2 * config->heartbeats.interval_ms,
    };
}

struct worker *worker_start(
    const struct worker_settings *settings, struct policy *policy, const int *fds, size_t n)
{
    struct worker *w = mem_zalloc(sizeof(*w));
    w->settings = *settings;
    pthread_mutex_init(&w->lock, NULL);
    w->base = new_base();
    w->store = store_new(w->base, settings->config, settings->monitor, settings->clock, settings->log);
    struct api_settings api = {.config = settings->config,
        .clock = settings->clock,
        .store = w->store,
        .dev = settings->dev,
        .log = settings->log,
        .jitter = (unsigned)clock_monotonic_us()};
    w->api = api_new(&api, policy);
    w->limits = limits_of(settings);
    w->http = http_server_new(
        w->base, &w->limits, api_handle, api_write_error, w->api, settings->clock, settings->log);
    for (size_t i = 0; i < n; i++)
        http_server_listen(w->http, fds[i]);
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->wake_fd < 0)
        abort();
    w->wake = event_new(w->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    event_priority_set(w->wake, PRIORITY_WAKE);
    event_add(w->wake, NULL);
    w->drain_check = event_new(w->base, -1, EV_PERSIST, on_drain_check, w);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        abort();
    return w;
}

void worker_set_policy(struct worker *w, struct policy *policy)
{
    pthread_mutex_lock(&w->lock);
    struct policy *superseded = w->next_policy;
    w->next_policy = policy_ref(policy);
    pthread_mutex_unlock(&w->lock);
    if (superseded != NULL)
        policy_unref(superseded);
    wake(w);
}

void worker_drain(struct worker *w, int64_t deadline_ms)
{
    assert(deadline_ms > 0);
    pthread_mutex_lock(&w->lock);
    w->drain_deadline_ms = deadline_ms;
    pthread_mutex_unlock(&w->lock);
    wake(w);
}

bool worker_ended(const struct worker *w)
{
    return atomic_load(&w->ended);
}

void worker_stop(struct worker *w)
{
    pthread_join(w->thread, NULL);
    store_free(w->store); /* answers what the deadline cut off */
    http_server_free(w->http);
    api_free(w->api);
    event_free(w->wake);
    event_free(w->drain_check);
    event_base_free(w->base);
    close(w->wake_fd);
    if (w->next_policy != NULL)
        policy_unref(w->next_policy);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

const struct http_counters *worker_http_counters(const struct worker *w)
{
    return http_server_counters(w->http);
}

const struct api_counters *worker_api_counters(const struct worker *w)
{
    return api_counters(w->api);
}

const struct store_counters *worker_store_counters(const struct worker *w)
{
    return store_counters(w->store);
}
