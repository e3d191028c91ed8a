/* One thread's counts and latencies. */
#include "load/tally.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "load/buckets.h"

struct tally *tally_new(int64_t warmup_us, size_t seconds)
{
    struct tally *t = mem_zalloc(sizeof(*t));
    t->warmup_us = warmup_us;
    t->n_seconds = seconds;
    t->seconds = mem_zalloc(seconds * sizeof(*t->seconds));
    return t;
}

void tally_free(struct tally *t)
{
    free(t->seconds);
    free(t);
}

static uint64_t thread_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The second it was in gets the CPU that was used since the last one. */
static void finish_seconds(struct tally *t, size_t until)
{
    size_t last = atomic_load_explicit(&t->finished, memory_order_relaxed);
    uint64_t cpu_us = thread_cpu_us();
    if (t->cpu_seen_us > 0)
        t->seconds[last].cpu_us = cpu_us - t->cpu_seen_us;
    t->cpu_seen_us = cpu_us;
    atomic_store_explicit(&t->finished, until, memory_order_release);
}

struct tally_second *tally_at(struct tally *t, int64_t now_us)
{
    size_t i = now_us > 0 ? (size_t)(now_us / 1000000) : 0;
    size_t current = atomic_load_explicit(&t->finished, memory_order_relaxed);
    if (i >= t->n_seconds)
        i = t->n_seconds - 1;
    if (t->cpu_seen_us == 0)
        t->cpu_seen_us = thread_cpu_us();
    if (i <= current)
        return &t->seconds[current];
    finish_seconds(t, i);
    return &t->seconds[i];
}

size_t tally_finished(const struct tally *t)
{
    return atomic_load_explicit(&t->finished, memory_order_acquire);
}

void tally_close(struct tally *t)
{
    finish_seconds(t, t->n_seconds);
}

void tally_sent(struct tally *t, int64_t now_us, int64_t due_us, int64_t lateness_us)
{
    struct tally_second *s = tally_at(t, now_us);
    s->counts.sent++;
    if (lateness_us > (int64_t)s->lateness_us)
        s->lateness_us = (uint64_t)lateness_us;
    if (due_us >= t->warmup_us)
        histogram_add(&t->lateness, lateness_us);
}

void tally_answered(struct tally *t, int64_t now_us, int64_t due_us)
{
    struct tally_second *s = tally_at(t, now_us);
    uint64_t latency_us = now_us > due_us ? (uint64_t)(now_us - due_us) : 0;
    s->counts.answered++;
    s->latencies[buckets_index(latency_us < UINT32_MAX ? latency_us : UINT32_MAX, TALLY_SUB_BITS)]++;
    if (latency_us > s->latency_max_us)
        s->latency_max_us = latency_us;
    if (due_us >= t->warmup_us)
        histogram_add(&t->latency, (int64_t)latency_us);
}

/* ---- several threads ---- */

void tally_add(struct tally_sum *sum, struct second *second, const struct tally *t, size_t i)
{
    const struct tally_second *s = &t->seconds[i];
    result_add_counts(&second->counts, &s->counts);
    if (s->lateness_us > second->lateness_us)
        second->lateness_us = s->lateness_us;
    if (s->cpu_us > second->generator_cpu_us)
        second->generator_cpu_us = s->cpu_us;
    if (s->latency_max_us > sum->max_us)
        sum->max_us = s->latency_max_us;
    for (size_t k = 0; k < TALLY_BUCKETS; k++) {
        sum->latencies[k] += s->latencies[k];
        sum->n += s->latencies[k];
    }
}

void tally_marks(const struct tally_sum *sum, uint64_t marks[static LATENCY_MARKS])
{
    static const double quantiles[LATENCY_MARKS - 1] = {0.5, 0.9, 0.99, 0.999};
    uint64_t seen = 0;
    size_t mark = 0;
    memset(marks, 0, LATENCY_MARKS * sizeof(*marks));
    for (size_t k = 0; k < TALLY_BUCKETS && sum->n > 0; k++) {
        uint64_t top_us = buckets_top(k, TALLY_SUB_BITS);
        seen += sum->latencies[k];
        for (; mark < LATENCY_MARKS - 1 && (double)seen >= quantiles[mark] * (double)sum->n; mark++)
            marks[mark] = top_us < sum->max_us ? top_us : sum->max_us;
    }
    marks[LATENCY_MARKS - 1] = sum->max_us;
}
