/* What a publisher keeps in Redis for the others. */
#include "publish/lease.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "publish/outbox.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

static_assert(LEASE_RENEW_MS * 3 < LEASE_TTL_MS, "a renewal that fails is tried again in time");

/* ---- the lease ---- */

/* As the function of Redis has them. */
static const char *const wish_names[] = {[LEASE_KEEP] = "keep", [LEASE_ASK] = "ask", [LEASE_GIVE] = "give"};

static bool take_answer(void *ctx, size_t index, const redisReply *reply)
{
    struct lease *l = ctx;
    struct slice owner;
    int64_t given;
    (void)index;
    if (!reply_string(reply_at(reply, 0), &owner) || !reply_integer(reply_at(reply, 1), &l->wanted) ||
        !reply_integer(reply_at(reply, 2), &given))
        return false;
    l->given = given != 0;
    snprintf(l->owner, sizeof(l->owner), "%s", owner.ptr);
    return true;
}

/* Takes the lease for TTL_MS when it is free or ours; 0 gives it up. Notes who has it then. */
static bool call(struct lease *l, int64_t ttl_ms)
{
    struct buf *b = &l->outbox->command;
    l->owner[0] = '\0';
    l->wanted = -1;
    l->given = false;
    resp_fcall(b, STORE_FUNCTION("lease"), 2, 2 + 4);
    resp_arg(b, SLICE_LITERAL(KEY_PUBLISHER));
    resp_arg(b, SLICE_LITERAL(KEY_OFFERS));
    resp_arg(b, slice_of(l->holder));
    resp_int(b, ttl_ms);
    resp_int(b, l->could);
    resp_arg(b, slice_of(wish_names[l->held ? l->wish : LEASE_KEEP]));
    return outbox_call_key(l->outbox, KEY_PUBLISHER, "lease", false, take_answer, l);
}

/* If Redis does not answer, a lease that was ours stays ours until its time has passed. */
static bool ask(struct lease *l)
{
    /* The clock is read before the question, so that the lease ends here no later than in Redis. */
    int64_t now_ms = clock_steady_ms(l->clock);
    /* A lease that has run out may have been another daemon's since, which has published: so even if it is
     * free again, what this daemon knows of Kafka is too old. It is lost first, and may be taken anew. */
    if (l->held && now_ms - l->asked_ms >= LEASE_TTL_MS) {
        l->held = false;
        l->given = false;
        l->owner[0] = '\0';
        return false;
    }
    if (!call(l, LEASE_TTL_MS)) {
        l->held = l->held && now_ms - l->asked_ms < LEASE_TTL_MS;
        return false;
    }
    l->held = strcmp(l->owner, l->holder) == 0;
    l->asked_ms = now_ms;
    return true;
}

bool lease_keep(struct lease *l)
{
    int64_t every_ms = l->wish == LEASE_KEEP ? LEASE_RENEW_MS : LEASE_ASK_MS;
    if (!l->held || clock_steady_ms(l->clock) - l->asked_ms >= every_ms)
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
        (void)call(l, 0);
    l->held = false;
    l->owner[0] = '\0';
}

/* ---- the watermarks ---- */

static bool take_watermark(void *ctx, size_t index, const redisReply *reply)
{
    struct watermark *w = ctx;
    (void)index;
    return reply_integer(reply_at(reply, 0), &w->published_through) &&
           reply_integer(reply_at(reply, 1), &w->final_through);
}

bool publish_raise_watermark(struct outbox *o, struct watermark *w)
{
    struct watermark greatest;
    resp_fcall(&o->command, STORE_FUNCTION("watermark"), 1, 3);
    resp_arg(&o->command, SLICE_LITERAL(KEY_WATERMARKS));
    resp_int(&o->command, w->published_through);
    resp_int(&o->command, w->final_through);
    if (!outbox_call_key(o, KEY_WATERMARKS, "watermark", true, take_watermark, &greatest))
        return false;
    *w = greatest;
    return true;
}
