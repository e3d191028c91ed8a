/* Credible time. */
#include "base/credible_time.h"

#include <assert.h>
#include <stdlib.h>

static bool agree(int64_t one_ms, int64_t other_ms, int64_t error_ms)
{
    return llabs(one_ms - other_ms) - error_ms <= TIME_APART_MAX_MS;
}

/* ---- what Redis says ---- */

static struct time_sample *sample_at(struct credible_time *t, uint64_t number)
{
    return &t->samples[number % TIME_SAMPLES_MAX];
}

/* Samples from before a step of Redis's clock say nothing any more. True if there was such a step. */
static bool note_sample(struct credible_time *t, const struct time_sample *sample)
{
    const struct time_sample *last = t->n_samples > 0 ? sample_at(t, t->n_samples - 1) : NULL;
    bool stepped = last != NULL && !agree(last->lead_ms, sample->lead_ms, last->error_ms + sample->error_ms);
    if (stepped)
        t->n_samples = 0;
    /* Looks may come in bursts: of those of a second, the best one is kept. */
    if (t->n_samples > 0 && sample->boot_ms / 1000 == last->boot_ms / 1000) {
        if (sample->error_ms < last->error_ms)
            *sample_at(t, t->n_samples - 1) = *sample;
    } else {
        *sample_at(t, t->n_samples++) = *sample;
    }
    return stepped;
}

/* The sample of the last minute whose question took the shortest time. */
static struct time_sample best_sample(struct credible_time *t, int64_t boot_ms)
{
    assert(t->n_samples > 0);
    struct time_sample best = *sample_at(t, t->n_samples - 1);
    for (uint64_t i = 1; i <= TIME_SAMPLES_MAX && i <= t->n_samples; i++) {
        const struct time_sample *sample = sample_at(t, t->n_samples - i);
        if (boot_ms - sample->boot_ms > TIME_SAMPLE_LASTS_MS)
            break;
        if (sample->error_ms < best.error_ms)
            best = *sample;
    }
    return best;
}

/* ---- now ---- */

static void enter(struct credible_time *t, enum time_state state, int64_t boot_ms)
{
    t->state = state;
    t->since_ms = boot_ms;
}

static void slew(struct credible_time *t, int64_t target_ms, int64_t boot_ms)
{
    int64_t most = (boot_ms - t->slewed_ms) / TIME_SLEWS_ONE_MS_IN_MS;
    int64_t left = target_ms - t->lead_ms;
    t->lead_ms += left > most ? most : left < -most ? -most : left;
    t->slewed_ms += most * TIME_SLEWS_ONE_MS_IN_MS;
}

/* If now has been in doubt for long enough and the other clocks agree, now becomes what they say. */
static bool jump(struct credible_time *t, const struct time_look *look, const struct time_sample *redis)
{
    int64_t system = look->system_ms - look->boot_ms;
    if (look->boot_ms - t->since_ms < TIME_DOUBT_MS ||
        (look->redis_asked && !agree(system, redis->lead_ms, redis->error_ms)))
        return false;
    t->lead_ms = look->redis_asked ? redis->lead_ms : system;
    enter(t, TIME_CREDIBLE, look->boot_ms);
    return true;
}

bool credible_time_look(struct credible_time *t, const struct time_look *look)
{
    int64_t boot = look->boot_ms;
    int64_t system = look->system_ms - boot;
    struct time_sample redis = {boot, look->redis_ms - boot, look->redis_error_ms};
    bool stepped = !agree(system, t->system_lead_ms, 0); /* either of the two */
    if (look->redis_asked) {
        stepped = note_sample(t, &redis) || stepped;
        redis = best_sample(t, boot);
    }
    t->system_lead_ms = system;
    if (t->state == TIME_UNKNOWN) {
        /* No session was opened by this clock yet, so now may begin with what Redis says. */
        bool known = look->redis_asked && agree(system, redis.lead_ms, redis.error_ms);
        t->lead_ms = known ? redis.lead_ms : system;
        t->slewed_ms = boot;
        if (known)
            enter(t, TIME_CREDIBLE, boot);
        return known;
    }
    bool system_agrees = agree(system, t->lead_ms, 0);
    bool agrees = look->redis_asked ? agree(redis.lead_ms, t->lead_ms, redis.error_ms)
                                    : system_agrees || t->system_wrong;
    if (look->redis_asked && agrees)
        t->system_wrong = !system_agrees;
    if (agrees && look->redis_asked)
        slew(t, redis.lead_ms, boot);
    else
        t->slewed_ms = boot; /* nothing is caught up later */
    if (agrees && t->state == TIME_DOUBTED) {
        enter(t, TIME_CREDIBLE, boot);
        return true;
    }
    if (agrees)
        return false;
    if (t->state == TIME_CREDIBLE || stepped) {
        bool news = t->state == TIME_CREDIBLE;
        enter(t, TIME_DOUBTED, boot);
        return news;
    }
    return jump(t, look, &redis);
}

bool credible_time_is_settled(const struct credible_time *t, int64_t boot_ms)
{
    return t->state == TIME_CREDIBLE && boot_ms - t->since_ms >= TIME_SETTLES_MS;
}
