/* Whether requests should be sent here. */
#include "ops/readiness.h"

#include <stdlib.h>

#include "base/mem.h"
#include "publish/publisher.h"
#include "redis/monitor.h"
#include "store/store.h"

/* A look at everything that decides, and what is said of it. */
struct readiness {
    const struct ops_sources *sources;
    struct redis_condition *servers; /* as the monitor last saw them */
    size_t n_servers;
    struct buf *out; /* may be NULL */
    bool verbose;
    bool ready;
};

static void report_check(struct readiness *r, bool passed, const char *name, const char *what)
{
    r->ready = r->ready && passed;
    if (r->out != NULL && (r->verbose || !passed))
        buf_printf(r->out, "[%c] %s: %s\n", passed ? '+' : '-', name, what);
}

/*
 * A server that was reached a moment ago may be back in the next one. If it made every daemon unready, the
 * balancer would have nowhere to send requests, which is worse than answers of 503.
 */
static bool reached_lately(const struct readiness *r)
{
    bool lately = r->n_servers > 0;
    for (size_t i = 0; i < r->n_servers; i++) {
        const struct redis_condition *server = &r->servers[i];
        lately = lately && server->reached && (server->away || server->problem[0] == '\0');
    }
    return lately;
}

static void check_redis(struct readiness *r)
{
    char message[512] = "not looked at yet";
    struct monitor *monitor = r->sources->monitor;
    enum monitor_state state = monitor == NULL ? MONITOR_WRONG : monitor_state(monitor, message);
    if (state == MONITOR_READY)
        report_check(r, true, "redis", "every server reached and set up as configured");
    else
        report_check(r, state == MONITOR_UNREACHABLE && reached_lately(r), "redis", message);
}

static void check_clocks(struct readiness *r)
{
    for (size_t i = 0; i < r->n_servers; i++) {
        const struct redis_condition *server = &r->servers[i];
        if (!server->reached)
            continue; /* check_redis() says so */
        struct buf what = {0};
        buf_printf(&what, "%s is %+lld ms off this machine, at most %d are allowed", server->name,
            (long long)server->clock_skew_ms, CLOCK_SKEW_MAX_MS);
        buf_append_char(&what, '\0');
        report_check(r, condition_clock_agrees(server), "clock", what.data);
        buf_free(&what);
    }
}

/*
 * Tells the reader of ?verbose what decides nothing. A server that refuses heartbeats refuses every daemon's,
 * and each daemon can still tell players when to come again.
 */
static void describe_rest(struct readiness *r)
{
    for (size_t i = 0; i < r->n_servers; i++)
        if (r->servers[i].refusal[0] != '\0')
            buf_printf(r->out, "[i] redis: server %s refuses heartbeats: %s (never makes unready)\n",
                r->servers[i].name, r->servers[i].refusal);
    for (size_t i = 0; i < r->n_servers; i++)
        if (r->servers[i].risk[0] != '\0')
            buf_printf(r->out, "[i] redis: server %s: %s (never makes unready)\n", r->servers[i].name,
                r->servers[i].risk);
    int64_t losses = r->sources->monitor == NULL ? 0 : monitor_history_losses(r->sources->monitor);
    if (losses > 0)
        buf_printf(
            r->out, "[i] redis: %lld times a partition was found without its history\n", (long long)losses);
    char text[256] = "none";
    if (r->sources->publisher != NULL)
        publisher_describe(r->sources->publisher, text);
    buf_printf(r->out, "[i] publisher: %s (never makes unready)\n", text);
}

bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out)
{
    struct readiness r = {.sources = sources, .out = out, .verbose = verbose, .ready = true};
    r.servers = mem_zalloc(SERVERS_MAX * sizeof(*r.servers));
    if (sources->monitor != NULL)
        r.n_servers = monitor_servers(sources->monitor, r.servers, SERVERS_MAX);
    bool started = atomic_load(&sources->state->started);
    bool draining = atomic_load(&sources->state->draining);
    report_check(&r, started, "started", started ? "yes" : "not yet");
    report_check(&r, !draining, "draining", draining ? "being stopped" : "no");
    check_redis(&r);
    /* Until its workers have connected to Redis, a daemon would refuse the heartbeats that it is sent. */
    bool connected = true;
    for (size_t i = 0; i < sources->n_workers; i++)
        connected = connected && atomic_load(&sources->store[i]->connects) > 0;
    report_check(&r, connected, "workers", connected ? "connected" : "not connected to redis yet");
    check_clocks(&r);
    if (out != NULL && verbose)
        describe_rest(&r);
    free(r.servers);
    return r.ready;
}
