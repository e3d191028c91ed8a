/* The lease as its holder sees it. */
#include "publish/lease.h"

#include "base/clock.h"
#include "publish/outbox.h"

/* Asks Redis; without an answer what was ours stays so until its time has passed. */
static bool ask(struct lease *l)
{
    bool held;
    int64_t now_ms = clock_monotonic_ms(); /* before the question: ours ends no later than in Redis */
    if (!outbox_lease(l->outbox, l->holder, LEASE_TTL_MS, &held, l->owner)) {
        l->held = l->held && now_ms - l->asked_ms < LEASE_TTL_MS;
        return false;
    }
    l->held = held;
    l->asked_ms = now_ms;
    return true;
}

bool lease_keep(struct lease *l)
{
    if (!l->held || clock_monotonic_ms() - l->asked_ms >= LEASE_RENEW_MS)
        (void)ask(l);
    return l->held;
}

bool lease_confirm(struct lease *l)
{
    return ask(l) && l->held;
}

void lease_release(struct lease *l)
{
    if (l->held)
        outbox_release(l->outbox, l->holder);
    l->held = false;
    l->owner[0] = '\0';
}
