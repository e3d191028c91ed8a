/* The monitor's thread: it looks, tells, and waits for the next second or for a worker's wish. */
#include "redis/monitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis/survey.h"

enum { LOOK_EVERY_MS = 1000, LOOK_PAUSE_MS = 5, REACHED_MS = 10000 };
#define NEVER_MS (INT64_MIN / 2)

struct monitor {
    struct log *log;
    char *program;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    bool stopping;
    bool look_wanted;
    enum monitor_state state;
    char message[512];
    struct topology *topology;                   /* NULL: no server was ever found */
    struct redis_condition servers[SERVERS_MAX]; /* those of the topology */
    int64_t reached_ms[SERVERS_MAX];             /* monotonic; of servers[] */
    /* read without it */
    _Atomic uint64_t version;
    _Atomic uint64_t looks;
    _Atomic int64_t history_losses;
    struct survey *survey; /* the thread's own */
};

/* ---- telling ---- */

/*
 * When a server was reached last, and what its clock said then, is kept by its name: a look that ends before
 * it has asked for the time says nothing about the clock.
 */
static void tell_servers(struct monitor *m, struct survey_findings *look)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t reached_ms[SERVERS_MAX];
    size_t n = look->topology->n_servers;
    for (size_t i = 0; i < n; i++) {
        struct redis_condition *now = &look->servers[i];
        int known = m->topology == NULL ? -1 : topology_find_server(m->topology, now->name);
        reached_ms[i] = now->reached ? now_ms : known < 0 ? NEVER_MS : m->reached_ms[known];
        if (!now->clock_known && known >= 0) {
            const struct redis_condition *before = &m->servers[known];
            now->clock_known = before->clock_known;
            now->clock_skew_ms = before->clock_skew_ms;
            now->clock_error_ms = before->clock_error_ms;
        }
    }
    memcpy(m->servers, look->servers, n * sizeof(m->servers[0]));
    memcpy(m->reached_ms, reached_ms, n * sizeof(reached_ms[0]));
}

static void tell_topology(struct monitor *m, struct topology *t)
{
    if (m->topology != NULL && topology_compare(m->topology, t) == TOPOLOGY_SAME) {
        topology_unref(t);
        return;
    }
    t->version = atomic_load(&m->version) + 1;
    topology_unref(m->topology);
    m->topology = t;
    atomic_store(&m->version, t->version);
}

/* The servers of the last look stay in force while none can be found, and are not usable until one is: their
 * connections tell how they are. */
static void tell(struct monitor *m, struct survey_findings *look)
{
    pthread_mutex_lock(&m->lock);
    enum monitor_state state = look->result == CHECK_GOOD    ? MONITOR_READY
                               : look->result == CHECK_WRONG ? MONITOR_WRONG
                                                             : MONITOR_UNREACHABLE;
    bool news = state != m->state || strcmp(look->message, m->message) != 0;
    m->state = state;
    memcpy(m->message, look->message, sizeof(m->message));
    if (look->topology != NULL) {
        tell_servers(m, look);
        tell_topology(m, look->topology);
    } else if (m->topology != NULL) {
        struct topology *t = topology_copy(m->topology);
        for (size_t i = 0; i < t->n_servers; i++) {
            m->servers[i].away = true;
            t->servers[i].usable = false;
        }
        tell_topology(m, t);
    }
    /* The count comes last: whoever sees it then sees the version that this look has left, too. */
    bool first = atomic_fetch_add(&m->looks, 1) == 0;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (state != MONITOR_READY && (news || first))
        log_event(m->log, LOG_WARN, "redis_not_ready", "problem=%s", LOG_QUOTE(look->message));
    else if (news || first)
        log_event(m->log, LOG_INFO, "redis_checked", "result=ready");
}

/* ---- the thread ---- */

static void *run(void *ctx)
{
    struct monitor *m = ctx;
    struct survey_findings *look = mem_alloc(sizeof(*look));
    bool stopping;
    do {
        survey_look(m->survey, look);
        atomic_store(&m->history_losses, survey_history_losses(m->survey));
        tell(m, look);
        /* wishes come in bursts: a short pause lets one look serve them all */
        struct timespec pause = {0, LOOK_PAUSE_MS * 1000000};
        nanosleep(&pause, NULL);
        struct timespec at = clock_deadline(LOOK_EVERY_MS);
        pthread_mutex_lock(&m->lock);
        while (!m->stopping && !m->look_wanted)
            if (pthread_cond_timedwait(&m->changed, &m->lock, &at) != 0)
                break;
        m->look_wanted = false;
        stopping = m->stopping;
        pthread_mutex_unlock(&m->lock);
    } while (!stopping);
    free(look);
    return NULL;
}

/* ---- the interface ---- */

struct monitor *monitor_start(const struct config *config, const char *program,
    const struct redis_library *library, struct clock *clock, struct log *log)
{
    struct monitor *m = mem_zalloc(sizeof(*m));
    m->log = log;
    clock_keep(clock, 0, CLOCK_DOUBTED); /* until Redis has told its time */
    m->program = program == NULL ? NULL : mem_strdup(program);
    m->survey = survey_new(&(struct check_context){config, m->program, library, clock, log});
    m->state = MONITOR_UNREACHABLE;
    pthread_mutex_init(&m->lock, NULL);
    clock_init_condition(&m->changed);
    if (pthread_create(&m->thread, NULL, run, m) != 0)
        abort();
    return m;
}

void monitor_stop(struct monitor *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    topology_unref(m->topology);
    survey_free(m->survey);
    free(m->program);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

enum monitor_state monitor_wait(struct monitor *m, int64_t timeout_ms, char message[static 512])
{
    struct timespec at = clock_deadline(timeout_ms);
    pthread_mutex_lock(&m->lock);
    while (atomic_load(&m->looks) == 0)
        if (pthread_cond_timedwait(&m->changed, &m->lock, &at) != 0)
            break;
    pthread_mutex_unlock(&m->lock);
    return monitor_state(m, message);
}

enum monitor_state monitor_state(struct monitor *m, char message[static 512])
{
    pthread_mutex_lock(&m->lock);
    memcpy(message, m->message, sizeof(m->message));
    enum monitor_state state = m->state;
    pthread_mutex_unlock(&m->lock);
    return state;
}

enum topology_change monitor_follow(struct monitor *m, struct topology **current)
{
    struct topology *before = *current;
    enum topology_change change = TOPOLOGY_SERVERS;
    if (before != NULL && before->version == monitor_version(m))
        return TOPOLOGY_SAME;
    pthread_mutex_lock(&m->lock);
    struct topology *now = m->topology == NULL ? NULL : topology_ref(m->topology);
    pthread_mutex_unlock(&m->lock);
    if (now == NULL)
        return TOPOLOGY_SAME;
    if (before != NULL)
        change = topology_compare(before, now);
    if (change == TOPOLOGY_SAME)
        change = TOPOLOGY_USABILITY;
    topology_unref(before);
    *current = now;
    return change;
}

uint64_t monitor_version(const struct monitor *m)
{
    return atomic_load_explicit(&m->version, memory_order_acquire);
}

uint64_t monitor_looks(const struct monitor *m)
{
    return atomic_load_explicit(&m->looks, memory_order_acquire);
}

int64_t monitor_history_losses(const struct monitor *m)
{
    return atomic_load_explicit(&m->history_losses, memory_order_relaxed);
}

void monitor_set_closes(struct monitor *m, int64_t closes_s)
{
    survey_set_closes(m->survey, closes_s);
}

void monitor_look(struct monitor *m)
{
    pthread_mutex_lock(&m->lock);
    m->look_wanted = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

size_t monitor_servers(struct monitor *m, struct redis_condition out[static SERVERS_MAX])
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&m->lock);
    size_t n = m->topology == NULL ? 0 : m->topology->n_servers;
    for (size_t i = 0; i < n; i++) {
        out[i] = m->servers[i];
        out[i].reached = now - m->reached_ms[i] < REACHED_MS;
    }
    pthread_mutex_unlock(&m->lock);
    return n;
}
