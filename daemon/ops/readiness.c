/* Whether requests should be sent here. */
#include "ops/readiness.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "publish/publisher.h"
#include "store/store.h"

/* What is said of the facts. */
struct readiness {
    const struct readiness_facts *facts;
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
static bool reached_lately(const struct readiness_facts *facts)
{
    bool lately = facts->n_servers > 0;
    for (size_t i = 0; i < facts->n_servers; i++) {
        const struct redis_condition *server = &facts->servers[i];
        lately = lately && server->reached && (server->away || server->problem[0] == '\0');
    }
    return lately;
}

static void check_redis(struct readiness *r)
{
    const struct readiness_facts *facts = r->facts;
    if (facts->redis == MONITOR_READY)
        report_check(r, true, "redis", "every server reached and set up as configured");
    else
        report_check(
            r, facts->redis == MONITOR_UNREACHABLE && reached_lately(facts), "redis", facts->redis_problem);
}

/* A clock in doubt makes nobody unready: heartbeats go on, and the doubt is often every daemon's. */
static void describe_clocks(struct readiness *r)
{
    static const char *const beliefs[] = {
        [CLOCK_SETTLED] = "credible for ten minutes or more",
        [CLOCK_CREDIBLE] =
            "credible for less than ten minutes: no run is refused because of it, and floors rise slowly",
        [CLOCK_DOUBTED] = "in doubt: no session is opened, nothing is published or retired",
    };
    buf_printf(r->out, "[i] clock: %s (never makes unready)\n", beliefs[r->facts->belief]);
    for (size_t i = 0; i < r->facts->n_servers; i++) {
        const struct redis_condition *server = &r->facts->servers[i];
        if (server->reached && server->clock_known)
            buf_printf(r->out, "[i] clock: that of redis server %s is %+lld ms off this machine's\n",
                server->name, (long long)server->clock_skew_ms);
    }
}

/*
 * Tells the reader of ?verbose what decides nothing. A server that refuses heartbeats refuses every daemon's,
 * and each daemon can still tell players when to come again.
 */
static void describe_rest(struct readiness *r)
{
    for (size_t i = 0; i < r->facts->n_servers; i++)
        if (r->facts->servers[i].refusal[0] != '\0')
            buf_printf(r->out, "[i] redis: server %s refuses heartbeats: %s (never makes unready)\n",
                r->facts->servers[i].name, r->facts->servers[i].refusal);
    for (size_t i = 0; i < r->facts->n_servers; i++)
        if (r->facts->servers[i].risk[0] != '\0')
            buf_printf(r->out, "[i] redis: server %s: %s (never makes unready)\n", r->facts->servers[i].name,
                r->facts->servers[i].risk);
    if (r->facts->history_losses > 0)
        buf_printf(r->out, "[i] redis: %lld times a partition was found without its history\n",
            (long long)r->facts->history_losses);
    buf_printf(r->out, "[i] publisher: %s (never makes unready)\n", r->facts->publisher);
}

bool readiness_judge(const struct readiness_facts *facts, bool verbose, struct buf *out)
{
    struct readiness r = {.facts = facts, .out = out, .verbose = verbose, .ready = true};
    report_check(&r, facts->started, "started", facts->started ? "yes" : "not yet");
    report_check(&r, !facts->draining, "draining", facts->draining ? "being stopped" : "no");
    check_redis(&r);
    /* Until its workers have connected to Redis, a daemon would refuse the heartbeats that it is sent. */
    report_check(
        &r, facts->connected, "workers", facts->connected ? "connected" : "not connected to redis yet");
    if (out != NULL && verbose) {
        describe_clocks(&r);
        describe_rest(&r);
    }
    return r.ready;
}

bool readiness_check(const struct ops_sources *sources, bool verbose, struct buf *out)
{
    struct redis_condition *servers = mem_zalloc(SERVERS_MAX * sizeof(*servers));
    struct readiness_facts facts = {.started = atomic_load(&sources->state->started),
        .draining = atomic_load(&sources->state->draining),
        .connected = true,
        .redis = MONITOR_WRONG,
        .redis_problem = "not looked at yet",
        .servers = servers,
        .publisher = "none"};
    if (sources->monitor != NULL) {
        facts.redis = monitor_state(sources->monitor, facts.redis_problem);
        facts.n_servers = monitor_servers(sources->monitor, servers);
        facts.history_losses = monitor_history_losses(sources->monitor);
    }
    if (sources->clock != NULL)
        facts.belief = clock_belief(sources->clock);
    if (sources->publisher != NULL)
        publisher_describe(sources->publisher, facts.publisher);
    for (size_t i = 0; i < sources->n_workers; i++)
        facts.connected = facts.connected && atomic_load(&sources->store[i]->connects) > 0;
    bool ready = readiness_judge(&facts, verbose, out);
    free(servers);
    return ready;
}
