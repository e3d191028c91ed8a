/* From options and the daemon's configuration to all that a load needs. */
#include "load/setup.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config_load.h"
#include "config/problems.h"
#include "load/signing.h"
#include "redis/tls.h"

static bool fail(char problem[static PROBLEM_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(char problem[static PROBLEM_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, PROBLEM_MAX, format, args);
    va_end(args);
    return false;
}

static bool take_error(char problem[static PROBLEM_MAX], char *error)
{
    fail(problem, "%s", error);
    free(error);
    return false;
}

static bool load_files(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct load_options *o = s->options;
    char *error;
    s->config = config_load(o->config_file, environ, o->overrides, o->n_overrides, o->dev, &error);
    if (s->config == NULL)
        return take_error(problem, error);
    struct problems problems = {0};
    if (!tls_new(s->config, &problems, &s->config->redis.login.tls))
        return take_error(problem, problems_take(&problems));
    if (s->config->catalog == NULL)
        return fail(problem, "the configuration names no catalog");
    s->catalog = catalog_load(s->config->catalog, &error);
    return s->catalog != NULL || take_error(problem, error);
}

/* ---- lessons and learners ---- */

static bool list_lessons(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct catalog *catalog = s->catalog;
    int64_t now_ms = clock_system_ms();
    size_t n = 0;
    for (size_t i = 0; i < catalog->n_courses; i++)
        n += catalog->courses[i].n_lessons;
    s->lessons = mem_zalloc((n + 1) * sizeof(*s->lessons));
    s->courses = mem_zalloc((n + 1) * sizeof(*s->courses));
    s->lesson_lengths_ms = mem_zalloc((n + 1) * sizeof(*s->lesson_lengths_ms));
    for (size_t i = 0; i < catalog->n_courses; i++) {
        const struct course *course = &catalog->courses[i];
        if (now_ms < course->opens_ms || now_ms >= course->closes_ms)
            continue;
        for (size_t k = 0; k < course->n_lessons; k++) {
            s->lessons[s->n_lessons] = course->lessons[k].id;
            s->courses[s->n_lessons] = course->id;
            s->lesson_lengths_ms[s->n_lessons++] = course->lessons[k].allows.length_ms;
        }
    }
    return s->n_lessons > 0 || fail(problem, "%s: no course is open at this time", s->config->catalog);
}

/* Chooses the platform that vouches for the players; if sessions are made here, any portal will do. */
static bool choose_portal(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct config *config = s->config;
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        if (config->auth.issuers[i].secret.len == 0 && !s->options->make_sessions)
            continue;
        s->plan.sign_ctx = &config->auth.issuers[i];
        snprintf(s->portal, sizeof(s->portal), "%s", config->auth.issuers[i].portal);
        break;
    }
    if (s->portal[0] == '\0' && s->options->make_sessions)
        snprintf(s->portal, sizeof(s->portal), "%s", s->catalog->portals[0].id);
    if (s->portal[0] == '\0')
        return fail(problem, "auth.issuers: no issuer has a secret to sign the players' tokens with; "
                             "--make-sessions needs no such secret");
    if (s->options->make_sessions && config->auth.session_keys.n == 0)
        return fail(problem, "--make-sessions: the configuration has no session key");
    s->plan.sign_jwt = s->options->make_sessions ? NULL : signing_sign_jwt;
    return true;
}

/* ---- how they play ---- */

static uint64_t count_players(const struct setup *s)
{
    const struct load_options *o = s->options;
    double wanted = schedule_peak(&o->schedule) * (double)s->playing.interval_ms / 1000 * o->batch;
    if (o->players > 0)
        return (uint64_t)o->players;
    if (o->schedule.closed)
        wanted = 100000;
    return (uint64_t)fmin(fmax(ceil(wanted), o->connections), PLAYERS_MAX);
}

static bool fill_playing(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct load_options *o = s->options;
    struct playing *p = &s->playing;
    p->interval_ms = (o->interval_us > 0 ? o->interval_us : s->config->heartbeats.interval_ms * 1000) / 1000;
    p->backdate_ms = o->backdate_us / 1000;
    p->claim_ms = o->claim_us > 0 ? o->claim_us / 1000 : p->interval_ms;
    p->pauses = o->pauses;
    p->seeks = o->seeks;
    p->resends = o->resends;
    p->speeds = o->speeds;
    p->rate_max = s->config->heartbeats.max_rate;
    p->run_max_ms = s->config->heartbeats.max_run_ms;
    if (p->run_max_ms > PLAYER_RUN_MAX_MS)
        p->run_max_ms = PLAYER_RUN_MAX_MS;
    p->lesson_lengths_ms = s->lesson_lengths_ms;
    if (p->backdate_ms > s->config->heartbeats.horizon_ms)
        return fail(problem, "--backdate must not be longer than heartbeats.horizon");
    double wanted = (double)schedule_requests(&o->schedule) * o->batch;
    double there = p->backdate_ms > 0
                       ? (double)count_players(s) * floor((double)p->backdate_ms / (double)p->claim_ms)
                       : wanted;
    if (!o->schedule.closed && wanted > there)
        return fail(problem, "--backdate: the players have %.0f heartbeats to deliver, but --load sends %.0f",
            there, wanted);
    return true;
}

static void fill_evidence(struct setup *s)
{
    struct evidence *e = &s->evidence;
    int64_t now_ms = clock_system_ms();
    int64_t past_ms = s->playing.backdate_ms + s->playing.interval_ms + HEAD_START_MS;
    e->program = s->catalog->program;
    e->portal = s->portal;
    e->prefix = s->prefix;
    e->n_learners = count_players(s);
    e->first_minute = (now_ms - past_ms) / 60000 - 1;
    e->lessons = s->lessons;
    e->n_lessons = s->n_lessons;
    snprintf(s->prefix, sizeof(s->prefix), "bench-%llx-", (unsigned long long)now_ms);
}

bool setup_make_evidence(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct load_options *o = s->options;
    struct evidence *e = &s->evidence;
    int64_t load_ms = (int64_t)(schedule_seconds(&o->schedule) * 1000) + o->drain_us / 1000;
    e->n_minutes = (size_t)((clock_system_ms() + HEAD_START_MS + load_ms) / 60000 - e->first_minute) + 2;
    e->masks = calloc(e->n_learners * e->n_minutes, sizeof(*e->masks));
    return e->masks != NULL || fail(problem, "there is not enough memory for %zu players and %zu minutes",
                                   e->n_learners, e->n_minutes);
}

/* ---- where they send ---- */

static bool resolve(const struct endpoint *e, struct link_address *out, char problem[static PROBLEM_MAX])
{
    char text[300];
    return endpoint_resolve(e, &out->addr, &out->len) ||
           fail(problem, "%s: %s", endpoint_format(e, text), strerror(errno));
}

static bool fill_plan(struct setup *s, char problem[static PROBLEM_MAX])
{
    const struct load_options *o = s->options;
    s->plan.schedule = &o->schedule;
    s->plan.playing = &s->playing;
    s->plan.evidence = &s->evidence;
    s->plan.threads = o->threads;
    s->plan.batch = o->batch;
    s->plan.any_answer = o->any_answer;
    s->plan.drain_us = o->drain_us;
    s->plan.warmup_us = o->warmup_us;
    s->plan.seed = o->seed;
    const struct endpoint *places = o->n_places > 0 ? o->places : s->config->http.listen.items;
    size_t n = o->n_places > 0 ? o->n_places : s->config->http.listen.n;
    s->places = mem_zalloc(n * sizeof(*s->places));
    for (size_t i = 0; i < n; i++)
        if (!resolve(&places[i], &s->places[i], problem))
            return false;
    s->sources = mem_zalloc((o->n_sources + 1) * sizeof(*s->sources));
    for (size_t i = 0; i < o->n_sources; i++) {
        struct endpoint e = {.port = 0};
        snprintf(e.host, sizeof(e.host), "%s", o->sources[i]);
        if (!resolve(&e, &s->sources[i], problem))
            return false;
    }
    s->plan.pool = (struct pool_plan){.places = s->places,
        .n_places = n,
        .sources = s->sources,
        .n_sources = o->n_sources,
        .size = o->connections / o->threads,
        .close = o->close,
        .timeout_us = o->timeout_us};
    s->plan.place = (struct message_place){
        .base_path = o->base_path != NULL ? o->base_path : s->config->http.base_path, .close = o->close};
    if (places[0].is_unix)
        snprintf(s->plan.place.host, sizeof(s->plan.place.host), "localhost");
    else
        endpoint_format(&places[0], s->plan.place.host);
    return true;
}

bool setup_init(struct setup *s, const struct load_options *options, char problem[static PROBLEM_MAX])
{
    *s = (struct setup){.options = options};
    if (load_files(s, problem) && list_lessons(s, problem) && choose_portal(s, problem) &&
        fill_playing(s, problem) && fill_plan(s, problem)) {
        fill_evidence(s);
        return true;
    }
    setup_free(s);
    return false;
}

void setup_free(struct setup *s)
{
    free(s->evidence.masks);
    free(s->places);
    free(s->sources);
    free(s->lessons);
    free(s->courses);
    free(s->lesson_lengths_ms);
    if (s->catalog != NULL)
        catalog_free(s->catalog);
    if (s->config != NULL) {
        tls_free(s->config->redis.login.tls);
        config_free(s->config);
    }
}
