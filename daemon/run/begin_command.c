/* minuted --begin-program */
#include "run/begin_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "config/options.h"
#include "identity/policy.h"
#include "publish/outbox.h"
#include "redis/monitor.h"
#include "run/begin.h"
#include "store/functions.h"

enum {
    REDIS_START_MS = 5000,
    PAUSE_MS = 200,
    TELL_EVERY_MS = 1000,
    PATIENCE_MS = 60000 /* without a step; longer than a lease lasts, and than Redis takes to fail over */
};

/* Prints what is new, and numbers that change at most once in TELL_EVERY_MS. */
static void tell(const struct begin *b, char told[static 512], int64_t *told_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    const char *words = begin_words(b);
    if (strcmp(words, told) == 0 || (begin_is_counting(b) && now_ms - *told_ms < TELL_EVERY_MS))
        return;
    puts(words);
    fflush(stdout);
    snprintf(told, 512, "%s", words);
    *told_ms = now_ms;
}

static int run(struct begin *b)
{
    char told[512] = "";
    int64_t told_ms = 0;
    int64_t moved_ms = clock_monotonic_ms();
    for (;;) {
        enum begin_status status = begin_step(b);
        int64_t now_ms = clock_monotonic_ms();
        if (status == BEGIN_REFUSED) {
            fprintf(stderr, "minuted: %s\n", begin_words(b));
            return EXIT_FAILED;
        }
        tell(b, told, &told_ms);
        if (status == BEGIN_DONE)
            return EXIT_GOOD;
        if (status == BEGIN_GOES_ON) {
            moved_ms = now_ms;
            continue;
        }
        if (now_ms - moved_ms > PATIENCE_MS) {
            fputs("minuted: it does not go on; when what is in the way is gone, run minuted --begin-program "
                  "again\n",
                stderr);
            return EXIT_FAILED;
        }
        nanosleep(&(struct timespec){0, PAUSE_MS * INT64_C(1000000)}, NULL);
    }
}

int begin_command(const struct config *config, const struct options *options)
{
    static const char stand_in[32]; /* with --dev; nothing is signed here */
    char message[512];
    char holder[128];
    char host[65] = "";
    char *error = NULL;
    struct clock clock = {0};
    int status = EXIT_FAILED;
    struct policy *policy =
        policy_load(config, (struct slice){stand_in, options->dev ? sizeof(stand_in) : 0}, &error);
    if (policy == NULL) {
        fprintf(stderr, "minuted: %s\n", error);
        free(error);
        return status;
    }
    gethostname(host, sizeof(host) - 1);
    snprintf(holder, sizeof(holder), "%s/%d/begin-program/%lld", host, (int)getpid(),
        (long long)clock_monotonic_us());
    struct log *log = log_new(LOG_WARN);
    struct monitor *monitor = monitor_start(config, NULL, &functions_library, &clock, log);
    if (monitor_wait(monitor, REDIS_START_MS, message) == MONITOR_READY) {
        struct outbox *outbox = outbox_new(config, monitor, log);
        struct begin *begin = begin_new(outbox, &clock, policy->catalog->program, holder);
        status = run(begin);
        begin_free(begin);
        outbox_free(outbox);
    } else {
        fprintf(stderr, "minuted: %s\n", message);
    }
    monitor_stop(monitor);
    policy_unref(policy);
    log_free(log);
    return status;
}
