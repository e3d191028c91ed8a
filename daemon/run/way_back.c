/* What the ways back have in common. */
#include "run/way_back.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "config/options.h"
#include "identity/policy.h"
#include "publish/destination.h"
#include "publish/outbox.h"
#include "publish/recall.h"
#include "publish/restore.h"
#include "redis/monitor.h"
#include "store/functions.h"

_Static_assert((int)RECALL_WHY_MAX >= (int)DESTINATION_WHY_MAX, "one array holds either");

enum { REDIS_START_MS = 5000, TELL_EVERY_MS = 1000, LEARNERS_AT_ONCE = 1024 };

bool way_back_open(struct way_back *w, const struct config *config, const struct options *options)
{
    static const char stand_in[32]; /* with --dev; nothing is signed here */
    char message[512];
    char *error = NULL;
    *w = (struct way_back){.config = config, .log = log_new(LOG_WARN)};
    signal(SIGPIPE, SIG_IGN); /* A server that closes its connection is an error of the call. */
    w->policy = policy_load(config, (struct slice){stand_in, options->dev ? sizeof(stand_in) : 0}, &error);
    if (w->policy == NULL) {
        fprintf(stderr, "minuted: %s\n", error);
        free(error);
        return false;
    }
    /* A program that is only to begin is not the servers' yet. */
    const char *program = options->action == ACTION_BEGIN_PROGRAM ? NULL : w->policy->catalog->program;
    w->monitor = monitor_start(config, program, &functions_library, &w->clock, w->log);
    if (monitor_wait(w->monitor, REDIS_START_MS, message) != MONITOR_READY) {
        fprintf(stderr, "minuted: %s\n", message);
        return false;
    }
    w->outbox = outbox_new(config, w->monitor, &w->clock, w->log);
    return true;
}

void way_back_close(struct way_back *w)
{
    outbox_free(w->outbox);
    if (w->monitor != NULL)
        monitor_stop(w->monitor);
    if (w->policy != NULL)
        policy_unref(w->policy);
    log_free(w->log);
}

static sigset_t ending_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

void way_back_block_signals(void)
{
    sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

bool way_back_interrupted(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM));
}

bool way_back_goes_on(void *ctx)
{
    (void)ctx;
    return !way_back_interrupted();
}

bool way_back_fail(const char *why)
{
    fprintf(stderr, "minuted: %s\n", why[0] != '\0' ? why : "ended by a signal; run this again to go on");
    return false;
}

/* ---- passes over the evidence ---- */

struct way_back_pass {
    struct way_back *way;
    const struct recall_terms *terms;
};

static void tell(const struct way_back_pass *p, int64_t n, int64_t of, const char *what)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - p->way->told_ms < TELL_EVERY_MS)
        return;
    p->way->told_ms = now_ms;
    printf(
        "pass %d of %d: %" PRId64 " of %" PRId64 " %s\n", p->terms->slice + 1, p->terms->slices, n, of, what);
    fflush(stdout);
}

static bool tell_reading(void *ctx, int64_t records, int64_t of_records)
{
    tell(ctx, records, of_records, "records read");
    return !way_back_interrupted();
}

bool way_back_read(struct way_back *w, struct recall *recall, const struct recall_terms *terms)
{
    struct way_back_pass pass = {w, terms};
    char why[RECALL_WHY_MAX];
    return recall_read(recall, terms, tell_reading, &pass, why) || way_back_fail(why);
}

bool way_back_restore(struct way_back *w, struct recall *recall, const struct recall_terms *terms,
    struct restore *restore, const struct restore_state *states, bool floor)
{
    struct way_back_pass pass = {w, terms};
    size_t n = recall_learners(recall);
    for (size_t i = 0; i < n; i += LEARNERS_AT_ONCE) {
        size_t some = n - i < LEARNERS_AT_ONCE ? n - i : LEARNERS_AT_ONCE;
        if (!restore_learners(restore, recall, i, some, states, floor, way_back_goes_on, NULL))
            return way_back_fail(restore->why);
        tell(&pass, (int64_t)(i + some), (int64_t)n, "learners restored");
    }
    return true;
}

struct recall *way_back_open_recall(struct way_back *w)
{
    char why[RECALL_WHY_MAX];
    char *cluster = NULL;
    if (destination_embedded(w->config)) {
        fputs("minuted: kafka.brokers leads to no Kafka that keeps anything\n", stderr);
        return NULL;
    }
    struct recall *recall = recall_open(w->config, w->log, &cluster, why);
    if (recall == NULL) {
        fprintf(stderr, "minuted: %s\n", why);
        return NULL;
    }
    struct destination to = destination_of(w->config, cluster);
    enum destination_look look = destination_compare(w->outbox, &to, false, why);
    if (look != DESTINATION_OURS) {
        fprintf(stderr, "minuted: %s\n",
            look == DESTINATION_ANOTHER ? why
                                        : "Redis does not tell which Kafka the deployment publishes to");
        recall_close(recall);
        recall = NULL;
    }
    free(cluster);
    return recall;
}

void way_back_name(char token[static 64])
{
    char host[32] = "";
    gethostname(host, sizeof(host) - 1);
    snprintf(token, 64, "%.24s:%d:%" PRId64, host, (int)getpid(), clock_system_ms());
}
