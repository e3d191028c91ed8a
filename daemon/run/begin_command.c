/* minuted --begin-program */
#include "run/begin_command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "identity/policy.h"
#include "run/begin.h"
#include "run/way_back.h"

enum {
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
        if (way_back_interrupted()) {
            fputs("minuted: interrupted; run minuted --begin-program again to go on\n", stderr);
            return EXIT_FAILED;
        }
        if (status == BEGIN_GOES_ON)
            moved_ms = now_ms;
        else if (now_ms - moved_ms > PATIENCE_MS) {
            fputs("minuted: it does not go on; when what is in the way is gone, run minuted --begin-program "
                  "again\n",
                stderr);
            return EXIT_FAILED;
        } else {
            nanosleep(&(struct timespec){0, PAUSE_MS * INT64_C(1000000)}, NULL);
        }
    }
}

int begin_command(const struct config *config, const struct options *options)
{
    struct way_back w;
    char holder[64];
    int status = EXIT_FAILED;
    way_back_block_signals();
    way_back_name(holder);
    if (way_back_open(&w, config, options)) {
        struct begin *begin = begin_new(w.outbox, &w.clock, w.policy->catalog->program, holder);
        status = run(begin);
        begin_free(begin);
    }
    way_back_close(&w);
    return status;
}
