/* Whether a result says something about the server. */
#include "load/verdict.h"

#include <stdio.h>

/* A thread that used a larger share of its CPU sent when it could and not when it should. */
static const double cpu_max = 0.95;
/* Requests sent later than this are a load that was not as even as it says. */
enum { LATENESS_MAX_US = 2000 };

void verdict_set(struct result *r, bool interrupted)
{
    uint64_t lateness_us = histogram_quantile(&r->lateness, 0.99);
    r->void_reason[0] = '\0';
    if (interrupted)
        snprintf(r->void_reason, sizeof(r->void_reason), "the load was interrupted");
    else if (r->counts.answered == 0)
        snprintf(r->void_reason, sizeof(r->void_reason), "no request was answered");
    else if (r->generator_cpu >= cpu_max)
        snprintf(r->void_reason, sizeof(r->void_reason),
            "a thread of the generator took %.0f %% of a CPU; give it more --threads or a machine of its own",
            r->generator_cpu * 100);
    else if (!r->closed_loop && lateness_us > LATENESS_MAX_US)
        snprintf(r->void_reason, sizeof(r->void_reason),
            "the generator sent one request in a hundred more than %.1f ms late", (double)lateness_us / 1000);
}
