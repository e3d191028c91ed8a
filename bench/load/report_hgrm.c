/*
 * The percentile distribution in the layout that HdrHistogram's tools print and its plotters read: columns of
 * 12, 14, 10 and 14 characters, then mean, maximum and sizes in lines that begin with "#".
 */
#include "load/report_hgrm.h"

#include <inttypes.h>

static double milliseconds(double us)
{
    return us / 1000;
}

void report_hgrm(const struct histogram *h, struct buf *out)
{
    buf_printf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    struct histogram_step step = {0};
    while (histogram_next_step(h, &step)) {
        buf_printf(
            out, "%12.3f %2.12f %10" PRIu64, milliseconds((double)step.value_us), step.quantile, step.count);
        if (step.quantile < 1)
            buf_printf(out, " %14.2f", 1 / (1 - step.quantile));
        buf_append_char(out, '\n');
    }
    buf_printf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", milliseconds(histogram_mean(h)),
        milliseconds(histogram_deviation(h)));
    buf_printf(
        out, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n", milliseconds((double)h->max_us), h->n);
    buf_printf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS,
        1 << (HISTOGRAM_SUB_BITS + 1));
}
