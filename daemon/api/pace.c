/* How often players are asked to send, and when those come back that were refused. */
#include "api/pace.h"

enum {
    CALM_AGE_MS = 50,
    BUSY_AGE_MS = 1000,
    CALM_REFUSALS = 50,
    BUSY_REFUSALS = 500,
    RETRY_FIRST_MS = 3000, /* an outage's first limit */
    OVER_MS = 1000,        /* an outage is over after so long without a refusal and with a success */
    FORGOTTEN_MS = 120000, /* an outage is forgotten after so long without a refusal, though nobody asked */
    WINDOW_MS = 2000
};

/* ---- what was refused ---- */

static void turn_window(struct pace *p, int64_t now_ms)
{
    int64_t windows = (now_ms - p->window_ms) / WINDOW_MS;
    if (windows == 0)
        return;
    p->before = windows == 1 ? p->count : 0;
    p->count = 0;
    p->window_ms += windows * WINDOW_MS;
}

void pace_refused(struct pace *p, int64_t now_ms)
{
    turn_window(p, now_ms);
    p->count++;
    if (p->began_ms == 0 || now_ms - p->last_ms > FORGOTTEN_MS)
        p->began_ms = now_ms;
    p->last_ms = now_ms;
}

void pace_served(struct pace *p, int64_t now_ms)
{
    if (now_ms - p->last_ms >= OVER_MS)
        p->began_ms = 0;
}

int64_t pace_refusals(const struct pace *p, int64_t now_ms)
{
    struct pace now = *p;
    turn_window(&now, now_ms);
    /* of the window before, as much as would make up a whole one with what has passed of this */
    int64_t rest_ms = WINDOW_MS - (now_ms - now.window_ms);
    return (now.before * rest_ms / WINDOW_MS + now.count) * 1000 / WINDOW_MS;
}

/* ---- what follows ---- */

/* FROM up to CALM, TO from BUSY on, linear in between. */
static int64_t between(int64_t from, int64_t to, int64_t value, int64_t calm, int64_t busy)
{
    if (value <= calm)
        return from;
    if (value >= busy)
        return to;
    return from + (to - from) * (value - calm) / (busy - calm);
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t pace_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms, int64_t refusals)
{
    return greater(between(interval_ms, max_interval_ms, age_ms, CALM_AGE_MS, BUSY_AGE_MS),
        between(interval_ms, max_interval_ms, refusals, CALM_REFUSALS, BUSY_REFUSALS));
}

int64_t pace_retry_limit_ms(const struct pace *p, int64_t interval_ms, int64_t now_ms)
{
    int64_t age_ms = p->began_ms == 0 ? 0 : now_ms - p->began_ms;
    int64_t by_rate_ms = between(0, interval_ms, pace_refusals(p, now_ms), 0, CALM_REFUSALS);
    int64_t limit_ms = greater(RETRY_FIRST_MS + age_ms, by_rate_ms);
    return limit_ms < interval_ms ? limit_ms : interval_ms;
}

int pace_retry_after_s(int64_t limit_ms, int dice)
{
    int64_t limit_s = greater(limit_ms / 1000, 1);
    return (int)(1 + dice % limit_s);
}
