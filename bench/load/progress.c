/* How the load goes. */
#include "load/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "load/metric_format.h"

/* Over itself on a terminal; in a file, where nobody watches it, every tenth. */
static bool is_shown(const struct load_options *o, size_t i)
{
    return !o->quiet && (isatty(STDERR_FILENO) || i % 10 == 9);
}

void progress_show(const struct load_options *o, size_t i, const struct second *s)
{
    char p50[32];
    char p99[32];
    if (!is_shown(o, i))
        return;
    fprintf(stderr, "%s%4zu s  offered %6llu  answered %6llu  refused %llu  failed %llu  p50 %s  p99 %s",
        isatty(STDERR_FILENO) ? "\r" : "", i + 1, (unsigned long long)s->counts.offered,
        (unsigned long long)s->counts.answered, (unsigned long long)s->counts.refused,
        (unsigned long long)s->counts.failed, load_metric_format(UNIT_US, (double)s->latency_us[0], p50),
        load_metric_format(UNIT_US, (double)s->latency_us[2], p99));
    for (size_t k = 0; k < o->n_watched; k++)
        fprintf(stderr, "  %s %.0f %%", o->watched[k].name, (double)s->watched[k].cpu_us / 1e4);
    fputs(isatty(STDERR_FILENO) ? "\033[K" : "\n", stderr);
}

void progress_end(const struct load_options *o)
{
    if (!o->quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
