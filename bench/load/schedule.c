/* The arrivals of an open loop. */
#include "load/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "load/quantity.h"

static double phase_requests(const struct schedule_phase *p)
{
    return (p->from + p->to) / 2 * p->seconds;
}

static bool parse_phase(const char **at, struct schedule *s)
{
    struct schedule_phase *p = &s->phases[s->n++];
    int64_t us;
    if (strncmp(*at, "max", 3) == 0) {
        s->closed = true;
        *at += 3;
    } else {
        if (!quantity_number(*at, at, &p->from) || p->from > 1e6)
            return false;
        p->to = p->from;
        if (**at == '-' && (!quantity_number(*at + 1, at, &p->to) || p->to > 1e6))
            return false;
    }
    if (**at != ':' || !quantity_duration(*at + 1, at, &us) || us == 0)
        return false;
    p->seconds = (double)us / 1e6;
    return **at == ',' || **at == '\0';
}

bool schedule_parse(const char *text, struct schedule *s, char problem[static 256])
{
    *s = (struct schedule){0};
    const char *at = text;
    do {
        const char *phase = at;
        if (s->n == SCHEDULE_PHASES_MAX) {
            snprintf(problem, 256, "there are more than %d phases", SCHEDULE_PHASES_MAX);
            return false;
        }
        if (!parse_phase(&at, s)) {
            snprintf(problem, 256, "'%.64s': expected RATE:TIME, RATE-RATE:TIME or max:TIME", phase);
            return false;
        }
    } while (*at++ == ',');
    if (s->closed && s->n > 1)
        snprintf(problem, 256, "max:TIME cannot be combined with other phases");
    else if (schedule_seconds(s) > SCHEDULE_SECONDS_MAX)
        snprintf(problem, 256, "the load takes longer than %d h, and the players' sessions would expire",
            SCHEDULE_SECONDS_MAX / 3600);
    else if (!s->closed && schedule_requests(s) == 0)
        snprintf(problem, 256, "'%.64s' does not amount to a single request", text);
    else
        return true;
    return false;
}

double schedule_seconds(const struct schedule *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->phases[i].seconds;
    return sum;
}

uint64_t schedule_requests(const struct schedule *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += phase_requests(&s->phases[i]);
    return (uint64_t)llround(sum);
}

double schedule_peak(const struct schedule *s)
{
    double peak = 0;
    for (size_t i = 0; i < s->n; i++)
        peak = fmax(peak, fmax(s->phases[i].from, s->phases[i].to));
    return peak;
}

double schedule_rate(const struct schedule *s, double second)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct schedule_phase *p = &s->phases[i];
        if (second < p->seconds)
            return p->from + (p->to - p->from) * second / p->seconds;
        second -= p->seconds;
    }
    return 0;
}

int64_t schedule_due_us(const struct schedule *s, uint64_t k)
{
    double n = (double)k;
    double start = 0;
    if (k >= schedule_requests(s))
        return INT64_MAX;
    const struct schedule_phase *p = s->phases;
    for (; n >= phase_requests(p); p++) { /* K is at least half a request below the sum of all */
        n -= phase_requests(p);
        start += p->seconds;
    }
    /*
     * The time at which N requests of the phase have come is the root of from*t + slope/2*t^2 = N, in the
     * form that holds for slope 0.
     */
    double slope = (p->to - p->from) / p->seconds;
    double root = sqrt(fmax(p->from * p->from + 2 * slope * n, 0));
    return (int64_t)((start + (n == 0 ? 0 : 2 * n / (p->from + root))) * 1e6);
}
