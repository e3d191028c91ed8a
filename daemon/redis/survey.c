/* One look at all Redis servers after the other. */
#include "redis/survey.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/credible_time.h"
#include "base/mem.h"
#include "config/config.h"
#include "redis/barrier.h"
#include "redis/client.h"
#include "redis/discovery.h"
#include "redis/history.h"
#include "redis/libraries.h"
#include "redis/replicas.h"
#include "redis/resolver.h"
#include "redis/resp.h"
#include "redis/tls.h"

enum { LEAVE_MS = 3000 /* so long a name must lead elsewhere before a connection is given up for it */ };

/* A server of the last look, and the connection over which the next one asks it. */
struct surveyed {
    struct redis_server where;
    redisContext *redis;  /* NULL: none */
    int64_t permitted_ms; /* as permissions_check() keeps it */
    int64_t missing_ms;   /* since when the name does not lead here any more, monotonic; 0: it does */
    char risk[256];       /* as it was told last */
};

struct survey {
    struct check_context context;
    struct resolver *resolver;
    struct topology *last;                    /* of the last look that found the servers; NULL: none yet */
    struct surveyed connections[SERVERS_MAX]; /* to its servers */
    struct history history;
    struct libraries libraries;
    struct replicas *replicas;
    struct credible_time time;
    enum settings_look settings;    /* as the settings' holder said last */
    int64_t early_minute;           /* the same */
    char ended[TOPOLOGY_ENDED_MAX]; /* the same, when its settings were this daemon's */
    _Atomic int64_t closes_s;       /* when the program closes */
    _Atomic bool tells_closes;      /* that is to be told, whatever others have told */
};

static void close_connection(struct surveyed *connection)
{
    if (connection->redis != NULL)
        redisFree(connection->redis);
    connection->redis = NULL;
    connection->permitted_ms = 0;
    connection->missing_ms = 0;
}

static void close_connections(struct survey *s)
{
    for (size_t i = 0; i < SERVERS_MAX; i++)
        close_connection(&s->connections[i]);
}

/*
 * False with SEEN's problem filled when there is no connection on which the server may be asked. A connection
 * to where the name does not lead any more is one to a server that may be another by now. Name servers that
 * give some of a name's addresses in turn do not count: the address must be missing for a while.
 */
static bool keep_connected(struct survey *s, struct surveyed *connection, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    struct endpoint_addresses found;
    int64_t now_ms = clock_monotonic_ms();
    if (connection->redis != NULL && resolver_find(s->resolver, &connection->where.endpoint, &found)) {
        bool there = false;
        for (size_t i = 0; i < found.n; i++)
            there = there || endpoint_address_equal(&found.items[i], &connection->where.address);
        if (there || found.n == ENDPOINT_ADDRESSES_MAX)
            connection->missing_ms = 0;
        else if (connection->missing_ms == 0)
            connection->missing_ms = now_ms;
        else if (now_ms - connection->missing_ms >= LEAVE_MS)
            close_connection(connection);
    }
    if (connection->redis != NULL)
        return true;
    connection->redis = client_find(s->resolver, &connection->where, error);
    seen->away = connection->redis == NULL;
    if (seen->away)
        condition_complain(seen, "cannot be reached: %.200s", error);
    else if (client_login(connection->redis, &connection->where, error))
        return true;
    else
        condition_complain(seen, "%.250s", error);
    close_connection(connection);
    return false;
}

/* What a failover could lose is told when it changes, in the log as well. */
static void look_at_replicas(struct survey *s, struct surveyed *connection, struct redis_condition *seen)
{
    replicas_look(s->replicas, connection->redis, &connection->where, seen);
    if (strcmp(connection->risk, seen->risk) == 0)
        return;
    memcpy(connection->risk, seen->risk, sizeof(connection->risk));
    log_event(s->context.log, LOG_WARN, "redis_failover_risk", "server=%s risk=%s", seen->name,
        LOG_QUOTE(seen->risk[0] != '\0' ? seen->risk : "none any more"));
}

/* Checks server I of the findings' topology, and whether it still has what it had. */
static enum check_result check_one(struct survey *s, struct survey_findings *out, size_t i)
{
    struct topology *t = out->topology;
    struct surveyed *connection = &s->connections[i];
    struct redis_condition *seen = &out->servers[i];
    snprintf(seen->name, sizeof(seen->name), "%s", t->servers[i].name);
    bool connected = keep_connected(s, connection, seen);
    t->servers[i].address = connection->where.address;
    if (!connected)
        return CHECK_PASSING;
    bool holds_settings = topology_server_of_key(t, KEY_SETTINGS) == i;
    enum check_result result =
        check_server(&s->context, connection->redis, holds_settings, &connection->permitted_ms, seen);
    int partitions = s->context.config->redis.partitions;
    t->servers[i].barrier = barrier_of(s->context.config, seen->has_waitaof);
    if (result == CHECK_GOOD)
        look_at_replicas(s, connection, seen);
    if (result == CHECK_GOOD &&
        !history_look(&s->history, connection->redis, t, i, partitions, s->context.log, seen))
        result = CHECK_PASSING;
    if (result == CHECK_REPLICA)
        resolver_pass_over(s->resolver, &connection->where.endpoint, &connection->where.address);
    seen->away = connection->redis->err != 0;
    /* A reply that was not understood may have left the connection in any state, even inside a transaction,
     * where every later question would be answered QUEUED. So the next look asks over a new one. */
    if (seen->away || result != CHECK_GOOD)
        close_connection(connection);
    return result;
}

/* ---- clocks ---- */

/* Compares the clocks, and keeps the daemon's own accordingly. A --dev daemon's clock is its user's to move.
 */
static void keep_clock(struct survey *s, const struct redis_condition *holder)
{
    struct credible_time *time = &s->time;
    int64_t boot_ms = clock_boot_ms();
    int64_t lead_before_ms = time->lead_ms;
    struct time_look look = {
        .boot_ms = boot_ms,
        .system_ms = clock_system_ms(),
        .redis_asked = holder->clock_known,
        .redis_ms = boot_ms + holder->clock_lead_ms,
        .redis_error_ms = holder->clock_error_ms,
    };
    if (credible_time_look(time, &look))
        log_event(s->context.log, time->state == TIME_DOUBTED ? LOG_ERROR : LOG_WARN,
            time->state == TIME_DOUBTED ? "clock_doubted" : "clock_credible",
            "server=%s redis_off_ms=%lld system_off_ms=%lld moved_ms=%lld", holder->name,
            holder->clock_known ? (long long)(holder->clock_lead_ms - time->lead_ms) : 0,
            (long long)(look.system_ms - boot_ms - time->lead_ms),
            lead_before_ms == 0 ? 0 : (long long)(time->lead_ms - lead_before_ms));
    enum clock_belief belief = CLOCK_DOUBTED;
    if (time->state == TIME_CREDIBLE)
        belief = s->context.config->dev || credible_time_is_settled(time, boot_ms) ? CLOCK_SETTLED
                                                                                   : CLOCK_CREDIBLE;
    clock_keep(s->context.clock, time->lead_ms, belief);
}

/*
 * Until Redis and this machine have agreed on the time, no server may be used: what is judged by a clock that
 * is ahead would be credited before it has passed. Afterwards a shard may be used while its clock is near
 * that of the server that holds the settings, which every daemon follows.
 */
static enum check_result judge_clock(
    const struct survey *s, const struct redis_condition *holder, struct redis_condition *seen)
{
    int64_t apart_ms = seen->clock_lead_ms - holder->clock_lead_ms;
    if (s->time.state == TIME_UNKNOWN && holder->clock_known) {
        condition_complain(seen, "has a clock %+lld ms off this machine's, at most %d are allowed",
            (long long)holder->clock_skew_ms, TIME_APART_MAX_MS);
        return CHECK_PASSING;
    }
    if (s->time.state == TIME_UNKNOWN) {
        condition_complain(seen, "is not used before %.150s has told its time", holder->name);
        return CHECK_PASSING;
    }
    if (!holder->clock_known ||
        llabs(apart_ms) - seen->clock_error_ms - holder->clock_error_ms <= TIME_APART_MAX_MS)
        return CHECK_GOOD;
    condition_complain(seen, "has a clock %+lld ms off that of %.150s, at most %d are allowed",
        (long long)apart_ms, holder->name, TIME_APART_MAX_MS);
    return CHECK_PASSING;
}

/* ---- settings ---- */

/* No shard may be used by a daemon that is not of its deployment, whichever shard it was that said so. */
static enum check_result judge_settings(
    const struct survey *s, const struct redis_condition *holder, struct redis_condition *seen)
{
    if (s->settings == SETTINGS_OURS)
        return CHECK_GOOD;
    condition_complain(seen,
        s->settings == SETTINGS_OTHERS ? "is not used, since %.150s holds other settings than this daemon's"
                                       : "is not used before %.150s has told its settings",
        holder->name);
    return CHECK_PASSING;
}

/*
 * Writes when the program closes, for whoever ends it with only the next catalog at hand. Once this catalog
 * was told, others may tell theirs: the one that was read last is the newest, also where it ends earlier.
 */
static void tell_closes(struct survey *s, redisContext *holder, const struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    char text[24];
    bool anew = atomic_exchange(&s->tells_closes, false);
    int64_t closes_s = atomic_load(&s->closes_s);
    if (closes_s == 0 || (!anew && seen->closes[0] != '\0'))
        return;
    snprintf(text, sizeof(text), closes_s == SURVEY_NEVER ? "never" : "%lld", (long long)closes_s);
    if (strcmp(text, seen->closes) != 0) {
        redisReply *reply = client_words(holder, error, "HSET", KEY_SETTINGS, SETTING_CLOSES, text, NULL);
        bool good = reply != NULL;
        freeReplyObject(reply);
        if (!good) {
            atomic_store(&s->tells_closes, true);
            return;
        }
        log_event(s->context.log, LOG_INFO, "program_closes", "program=%s at=%s before=%s",
            s->context.program, text, seen->closes[0] != '\0' ? seen->closes : "unknown");
    }
}

void survey_set_closes(struct survey *s, int64_t closes_s)
{
    atomic_store(&s->closes_s, closes_s);
    atomic_store(&s->tells_closes, true);
}

/* ---- the look ---- */

static void check_all(struct survey *s, struct survey_findings *out)
{
    struct topology *t = out->topology;
    /* Connections are kept as long as the servers have the names that they had. */
    if (s->last == NULL || topology_compare(s->last, t) == TOPOLOGY_SERVERS) {
        close_connections(s);
        for (size_t i = 0; i < t->n_servers; i++)
            s->connections[i] = (struct surveyed){.where = t->servers[i]};
    }
    topology_unref(s->last);
    s->last = topology_ref(t);
    enum check_result results[SERVERS_MAX];
    const struct redis_condition *holder = &out->servers[topology_server_of_key(t, KEY_SETTINGS)];
    for (size_t i = 0; i < t->n_servers; i++)
        results[i] = check_one(s, out, i);
    keep_clock(s, holder);
    if (holder->settings != SETTINGS_UNKNOWN)
        s->settings = holder->settings;
    if (holder->early_minute > 0)
        s->early_minute = holder->early_minute;
    if (holder->settings == SETTINGS_OURS)
        memcpy(s->ended, holder->ended, sizeof(s->ended));
    memcpy(t->ended, s->ended, sizeof(t->ended));
    for (size_t i = 0; i < t->n_servers; i++) {
        if (results[i] == CHECK_GOOD)
            results[i] = judge_clock(s, holder, &out->servers[i]);
        if (results[i] == CHECK_GOOD)
            results[i] = judge_settings(s, holder, &out->servers[i]);
        t->servers[i].usable = results[i] == CHECK_GOOD;
        t->servers[i].early_minute = s->early_minute;
        if (results[i] == CHECK_GOOD || out->result == CHECK_WRONG)
            continue;
        out->result = results[i];
        snprintf(out->message, sizeof(out->message), "redis server %.200s: %s", out->servers[i].name,
            out->servers[i].problem);
    }
    redisContext *servers[SERVERS_MAX];
    for (size_t i = 0; i < t->n_servers; i++)
        servers[i] = t->servers[i].usable ? s->connections[i].redis : NULL;
    redisContext *keeper = servers[topology_server_of_key(t, KEY_SETTINGS)];
    if (keeper != NULL && s->context.program != NULL)
        tell_closes(s, keeper, holder);
    libraries_look(&s->libraries, s->context.library, servers, t->n_servers,
        topology_server_of_key(t, KEY_SETTINGS), s->context.log);
    for (size_t i = 0; i < t->n_servers; i++)
        if (s->connections[i].redis != NULL && s->connections[i].redis->err != 0)
            close_connection(&s->connections[i]);
}

void survey_look(struct survey *s, struct survey_findings *out)
{
    *out = (struct survey_findings){.topology = topology_new(), .result = CHECK_GOOD};
    tls_refresh(s->context.config->redis.login.tls, s->context.log);
    switch (discovery_find(s->context.config, s->resolver, out->topology, out->message)) {
    case DISCOVERY_FOUND:
        check_all(s, out);
        return;
    case DISCOVERY_ELSEWHERE:
    case DISCOVERY_WRONG:
        out->result = CHECK_WRONG;
        break;
    case DISCOVERY_UNREACHABLE:
        out->result = CHECK_PASSING;
        break;
    }
    topology_unref(out->topology);
    out->topology = NULL;
    keep_clock(s, &(struct redis_condition){.name = "none"});
}

int64_t survey_history_losses(const struct survey *s)
{
    return s->history.losses;
}

struct survey *survey_new(const struct check_context *context)
{
    struct survey *s = mem_zalloc(sizeof(*s));
    s->context = *context;
    s->resolver = resolver_new();
    s->replicas = replicas_new(context->config);
    return s;
}

void survey_free(struct survey *s)
{
    close_connections(s);
    topology_unref(s->last);
    resolver_free(s->resolver);
    replicas_free(s->replicas);
    free(s);
}
