/* A load from the first session to the last answer. */
#include "load/run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load/generator.h"
#include "load/idle.h"
#include "load/progress.h"
#include "load/sampler.h"
#include "load/signing.h"

enum { SETTLE_US = 200000, LOOK_US = 50000 };

/* One thread: it opens its sessions, waits until the others have and the load starts, and runs. */
struct load_thread {
    struct bench *bench;
    struct generator *generator;
    pthread_t thread;
    bool opened;
    char problem[256];
};

struct bench {
    struct setup *setup;
    struct result *result;
    const atomic_bool *stop;
    struct load_thread *threads;
    struct sampler *sampler;
    struct sample *samples; /* at the start of each second, and one more */
    size_t n_samples;
    int *idle;
    size_t n_idle;
    int64_t start_us; /* 0: there will be no start */
    pthread_barrier_t opened;
    pthread_barrier_t started;
};

static void *work(void *ctx)
{
    struct load_thread *w = ctx;
    struct bench *bench = w->bench;
    w->opened = bench->setup->options->make_sessions ||
                generator_open_sessions(w->generator, bench->stop, w->problem);
    pthread_barrier_wait(&bench->opened);
    pthread_barrier_wait(&bench->started);
    if (bench->start_us != 0)
        generator_run(w->generator, bench->start_us, bench->stop);
    return NULL;
}

/* ---- before the start ---- */

static bool open_idle(struct bench *bench, char problem[static PROBLEM_MAX])
{
    const struct setup *s = bench->setup;
    struct sample sample;
    bench->n_idle = s->options->idle;
    bench->idle = mem_alloc((bench->n_idle + 1) * sizeof(*bench->idle));
    if (bench->n_idle == 0)
        return true;
    size_t opened = idle_open(&s->plan.pool, &s->plan.place, bench->idle, bench->n_idle);
    usleep(SETTLE_US);
    sampler_read(bench->sampler, &sample);
    bench->result->memory_per_idle_connection =
        ((double)sample.watched[0].memory - (double)bench->result->watched_memory_before[0]) /
        (double)bench->n_idle;
    if (opened == bench->n_idle)
        return true;
    snprintf(problem, PROBLEM_MAX, "--idle %zu: only %zu of these connections could be opened", bench->n_idle,
        opened);
    return false;
}

static void start_threads(struct bench *bench)
{
    const struct setup *s = bench->setup;
    unsigned n = s->plan.threads;
    bench->threads = mem_zalloc(n * sizeof(*bench->threads));
    for (unsigned i = 0; i < n; i++) {
        bench->threads[i].bench = bench;
        bench->threads[i].generator = generator_new(&s->plan, i);
    }
    if (s->options->make_sessions) {
        /* Sessions that are made here begin long enough ago that each player has something to claim. */
        int64_t ago_ms =
            s->playing.backdate_ms > 0 ? s->playing.backdate_ms : s->playing.interval_ms + HEAD_START_MS;
        for (unsigned i = 0; i < n; i++)
            signing_make_sessions(
                generator_crowd(bench->threads[i].generator), &s->evidence, s->courses, s->config, ago_ms);
    }
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&bench->threads[i].thread, NULL, work, &bench->threads[i]) != 0)
            abort();
}

static bool all_opened(const struct bench *bench, char problem[static PROBLEM_MAX])
{
    for (unsigned i = 0; i < bench->setup->plan.threads; i++) {
        if (!bench->threads[i].opened) {
            snprintf(problem, PROBLEM_MAX, "%s", bench->threads[i].problem);
            return false;
        }
    }
    return true;
}

/* ---- meanwhile ---- */

static bool all_finished(const struct bench *bench, size_t second)
{
    for (unsigned i = 0; i < bench->setup->plan.threads; i++)
        if (tally_finished(generator_tally(bench->threads[i].generator)) <= second)
            return false;
    return true;
}

/* Second I from the threads' tallies and the samples at its start and its end. */
static void gather(struct bench *bench, size_t i, struct second *second)
{
    struct tally_sum *sum = mem_zalloc(sizeof(*sum));
    *second = (struct second){.offered_rate = schedule_rate(bench->setup->plan.schedule, (double)i + 0.5)};
    for (unsigned t = 0; t < bench->setup->plan.threads; t++)
        tally_add(sum, second, generator_tally(bench->threads[t].generator), i);
    tally_marks(sum, second->latency_us);
    free(sum);
    const struct sample *a = &bench->samples[i];
    const struct sample *b = &bench->samples[i + 1];
    for (size_t k = 0; k < bench->setup->options->n_watched; k++) {
        second->watched[k].cpu_us = b->watched[k].cpu_us - a->watched[k].cpu_us;
        second->watched[k].memory = b->watched[k].memory;
    }
    second->redis = b->redis;
    second->redis.commands =
        b->redis.commands > a->redis.commands ? b->redis.commands - a->redis.commands : 0;
}

/* Samples at each full second until the threads are done. */
static void watch(struct bench *bench)
{
    struct result *r = bench->result;
    size_t n_seconds = generator_tally(bench->threads[0].generator)->n_seconds;
    size_t i;
    r->seconds = mem_zalloc(n_seconds * sizeof(*r->seconds));
    bench->samples = mem_zalloc((n_seconds + 1) * sizeof(*bench->samples));
    sampler_read(bench->sampler, &bench->samples[0]);
    for (i = 0; i < n_seconds; i++) {
        int64_t end_us = bench->start_us + (int64_t)(i + 1) * 1000000;
        int64_t left_us;
        while ((left_us = end_us - clock_monotonic_us()) > 0 && !all_finished(bench, n_seconds - 1))
            usleep((useconds_t)(left_us < LOOK_US ? left_us : LOOK_US));
        if (clock_monotonic_us() < bench->start_us + (int64_t)i * 1000000)
            break;
        sampler_read(bench->sampler, &bench->samples[i + 1]);
        while (!all_finished(bench, i))
            usleep(1000);
        gather(bench, i, &r->seconds[i]);
        progress_show(bench->setup->options, i, &r->seconds[i]);
    }
    r->n_seconds = i;
    progress_end(bench->setup->options);
}

/* ---- afterwards ---- */

static void sum_up(struct bench *bench)
{
    struct result *r = bench->result;
    /* whole seconds, since counts are kept by the second */
    int64_t warmup_s = bench->setup->options->warmup_us / 1000000;
    r->warmup_s = (double)warmup_s;
    r->measured_s = (double)((int64_t)schedule_seconds(bench->setup->plan.schedule) - warmup_s);
    for (unsigned i = 0; i < bench->setup->plan.threads; i++) {
        struct generator *g = bench->threads[i].generator;
        histogram_merge(&r->latency, &generator_tally(g)->latency);
        histogram_merge(&r->lateness, &generator_tally(g)->lateness);
        r->unanswered += crowd_unanswered(generator_crowd(g));
    }
    size_t from = (size_t)r->warmup_s;
    size_t end = (size_t)(r->warmup_s + r->measured_s);
    end = end < r->n_seconds ? end : r->n_seconds;
    for (size_t i = from; i < end; i++) {
        result_add_counts(&r->counts, &r->seconds[i].counts);
        if ((double)r->seconds[i].generator_cpu_us / 1e6 > r->generator_cpu)
            r->generator_cpu = (double)r->seconds[i].generator_cpu_us / 1e6;
    }
    /* what went wrong after the measured time with requests that were due in it */
    for (size_t i = end; i < r->n_seconds; i++) {
        r->counts.refused += r->seconds[i].counts.refused;
        r->counts.failed += r->seconds[i].counts.failed;
        r->counts.rejected += r->seconds[i].counts.rejected;
    }
    const struct sample *before = &bench->samples[from < end ? from : end];
    const struct sample *after = &bench->samples[end];
    for (size_t k = 0; k < r->n_watched; k++) {
        r->watched[k].cpu_us = after->watched[k].cpu_us - before->watched[k].cpu_us;
        r->watched[k].memory = after->watched[k].memory;
        r->watched_gone[k] = after->gone[k];
    }
    r->has_redis = after->has_redis;
    r->redis = after->redis;
    r->redis.commands = 0; /* by seconds: it begins again when Redis is started again */
    for (size_t i = from; i < end; i++)
        r->redis.commands += r->seconds[i].redis.commands;
}

bool run_load(struct setup *s, struct result *r, const atomic_bool *stop, char problem[static PROBLEM_MAX])
{
    struct bench bench = {.setup = s, .result = r, .stop = stop};
    pthread_barrier_init(&bench.opened, NULL, s->plan.threads + 1);
    pthread_barrier_init(&bench.started, NULL, s->plan.threads + 1);
    bench.sampler = sampler_new(
        s->options->watched, s->options->n_watched, &s->config->redis.servers, &s->config->redis.login);
    struct sample before;
    sampler_read(bench.sampler, &before);
    for (size_t i = 0; i < WATCHED_MAX; i++)
        r->watched_memory_before[i] = before.watched[i].memory;
    r->redis_memory_before = before.redis.memory;
    bool good = open_idle(&bench, problem);
    if (good) {
        start_threads(&bench);
        pthread_barrier_wait(&bench.opened);
        good = all_opened(&bench, problem) && setup_make_evidence(s, problem);
        if (good && !s->options->make_sessions)
            usleep(HEAD_START_MS * 1000); /* players who have just opened sessions need something to claim */
        bench.start_us = good ? clock_monotonic_us() : 0;
        pthread_barrier_wait(&bench.started);
        if (good)
            watch(&bench);
        for (unsigned i = 0; i < s->plan.threads; i++)
            pthread_join(bench.threads[i].thread, NULL);
        if (good) {
            sum_up(&bench);
            r->idle_closed = idle_close(bench.idle, bench.n_idle);
        }
    }
    for (unsigned i = 0; bench.threads != NULL && i < s->plan.threads; i++)
        generator_free(bench.threads[i].generator);
    sampler_free(bench.sampler);
    pthread_barrier_destroy(&bench.opened);
    pthread_barrier_destroy(&bench.started);
    free(bench.threads);
    free(bench.samples);
    free(bench.idle);
    return good;
}
