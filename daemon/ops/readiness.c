/* Whether requests should be sent here. */
#include "ops/readiness.h"

#include <stdlib.h>

#include "base/mem.h"
#include "publish/publisher.h"
#include "redis/monitor.h"
#include "store/store.h"

struct report {
    struct buf *out; /* may be NULL */
    bool verbose;
    bool ready;
};

static void report_check(struct report *r, bool passed, const char *name, const char *what)
{
    r->ready = r->ready && passed;
    if (r->out != NULL && (r->verbose || !passed))
        buf_printf(r->out, "[%c] %s: %s\n", passed ? '+' : '-', name, what);
}

static void check_state(struct report *r, const struct ops_state *state)
{
    bool started = atomic_load(&state->started);
    bool draining = atomic_load(&state->draining);
    report_check(r, started, "started", started ? "yes" : "not yet");
    report_check(r, !draining, "draining", draining ? "being stopped" : "no");
}

/* A server that was there a moment ago may be back in the next: all daemons turning away at once would be
 * worse. */
static bool reached_lately(struct monitor *monitor)
{
    struct redis_condition *servers = mem_zalloc(SERVERS_MAX * sizeof(*servers));
    size_t n = monitor_servers(monitor, servers, SERVERS_MAX);
    bool lately = n > 0;
    for (size_t i = 0; i < n; i++)
        lately = lately && servers[i].reached && (servers[i].away || servers[i].problem[0] == '\0');
    free(servers);
    return lately;
}

static void check_redis(struct report *r, struct monitor *monitor)
{
    char message[512] = "not looked at yet";
    enum monitor_state state = monitor == NULL ? MONITOR_WRONG : monitor_state(monitor, message);
    if (state == MONITOR_READY)
        report_check(r, true, "redis", "every server reached and set up as configured");
    else
        report_check(r, state == MONITOR_UNREACHABLE && reached_lately(monitor), "redis", message);
}

/* Until its workers have connected, a daemon would refuse what it is sent. */
static void check_workers(struct report *r, const struct ops_sources *sources)
{
    bool connected = true;
    for (size_t i = 0; i < sources->n_workers; i++)
        connected = connected && atomic_load(&sources->store[i]->connects) > 0;
    report_check(r, connected, "workers", connected ? "connected" : "not connected to redis yet");
}

static void check_clocks(struct report *r, struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    struct redis_condition *servers = mem_zalloc(SERVERS_MAX * sizeof(*servers));
    size_t n = monitor_servers(monitor, servers, SERVERS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!servers[i].reached)
            continue; /* check_redis() says so */
        struct buf what = {0};
        buf_printf(&what, "%s is %+lld ms off this machine, at most %d are allowed", servers[i].name,
            (long long)servers[i].clock_skew_ms, CLOCK_SKEW_MAX_MS);
        buf_append_char(&what, '\0');
        report_check(r, condition_clock_agrees(&servers[i]), "clock", what.data);
        buf_free(&what);
    }
    free(servers);
}

/* For the reader only: every daemon is refused alike, and each can still say when to come again. */
static void describe_servers(struct report *r, struct monitor *monitor)
{
    if (r->out == NULL || !r->verbose || monitor == NULL)
        return;
    struct redis_condition *servers = mem_zalloc(SERVERS_MAX * sizeof(*servers));
    size_t n = monitor_servers(monitor, servers, SERVERS_MAX);
    for (size_t i = 0; i < n; i++)
        if (servers[i].refusal[0] != '\0')
            buf_printf(r->out, "[i] redis: server %s refuses heartbeats: %s (never makes unready)\n",
                servers[i].name, servers[i].refusal);
    free(servers);
    int64_t losses = monitor_history_losses(monitor);
    if (losses > 0)
        buf_printf(
            r->out, "[i] redis: %lld times a partition was found without its history\n", (long long)losses);
}

/* For the reader only. */
static void describe_publisher(struct report *r, struct publisher *publisher)
{
    if (r->out == NULL || !r->verbose)
        return;
    char text[256] = "none";
    if (publisher != NULL)
        publisher_describe(publisher, text);
    buf_printf(r->out, "[i] publisher: %s (never makes unready)\n", text);
}

bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out)
{
    struct report r = {.out = out, .verbose = verbose, .ready = true};
    check_state(&r, sources->state);
    check_redis(&r, sources->monitor);
    check_workers(&r, sources);
    check_clocks(&r, sources->monitor);
    describe_servers(&r, sources->monitor);
    describe_publisher(&r, sources->publisher);
    return r.ready;
}
