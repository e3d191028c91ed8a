/* A line that says how the load goes. */
#include "load/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "load/metric_format.h"

void progress_show(const struct load_options *o, size_t i, const struct second *s)
{
    char p50[32];
    char p99[32];
    bool terminal = isatty(STDERR_FILENO) != 0;
    /* On a terminal each line overwrites the one before; in a file every tenth second is enough. */
    if (o->quiet || (!terminal && i % 10 != 9))
        return;
    fprintf(stderr, "%s%4zu s  offered %6llu  answered %6llu  refused %llu  failed %llu  p50 %s  p99 %s",
        terminal ? "\r" : "", i + 1, (unsigned long long)s->counts.offered,
        (unsigned long long)s->counts.answered, (unsigned long long)s->counts.refused,
        (unsigned long long)s->counts.failed, load_metric_format(UNIT_US, (double)s->latency_us[0], p50),
        load_metric_format(UNIT_US, (double)s->latency_us[2], p99));
    for (size_t k = 0; k < o->n_watched; k++)
        fprintf(stderr, "  %s %.0f %%", o->watched[k].name, (double)s->watched[k].cpu_us / 1e4);
    fputs(terminal ? "\033[K" : "\n", stderr);
}

void progress_end(const struct load_options *o)
{
    if (!o->quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
