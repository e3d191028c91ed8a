/* The publisher's lease and its watermarks. */
#include <stdio.h>

#include "publish/outbox_call.h"
#include "redis/key.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

static bool take_owner(void *ctx, size_t index, const redisReply *reply)
{
    struct slice owner;
    (void)index;
    if (!reply_string(reply, &owner))
        return false;
    snprintf(ctx, 128, "%s", owner.ptr);
    return true;
}

static bool call_lease(struct outbox *o, const char *holder, int64_t ttl_ms, char owner[static 128])
{
    resp_fcall(&o->command, STORE_FUNCTION("lease"), 1, 3);
    resp_arg(&o->command, SLICE_LITERAL(KEY_PUBLISHER));
    resp_arg(&o->command, slice_of(holder));
    resp_int(&o->command, ttl_ms);
    return outbox_call_key(o, KEY_PUBLISHER, "lease", false, take_owner, owner);
}

bool outbox_lease(struct outbox *o, const char *holder, int64_t ttl_ms, bool *held, char owner[static 128])
{
    owner[0] = '\0';
    *held = false;
    if (!call_lease(o, holder, ttl_ms, owner))
        return false;
    *held = strcmp(owner, holder) == 0;
    return true;
}

bool outbox_release(struct outbox *o, const char *holder)
{
    char owner[128];
    return call_lease(o, holder, 0, owner);
}

static bool take_watermarks(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *out = ctx;
    (void)index;
    return reply_integer(reply_at(reply, 0), &out[0]) && reply_integer(reply_at(reply, 1), &out[1]);
}

bool outbox_watermark(struct outbox *o, int64_t *published_through, int64_t *final_through)
{
    int64_t greatest[2];
    resp_fcall(&o->command, STORE_FUNCTION("watermark"), 1, 3);
    resp_arg(&o->command, SLICE_LITERAL(KEY_WATERMARKS));
    resp_int(&o->command, *published_through);
    resp_int(&o->command, *final_through);
    if (!outbox_call_key(o, KEY_WATERMARKS, "watermark", true, take_watermarks, greatest))
        return false;
    *published_through = greatest[0];
    *final_through = greatest[1];
    return true;
}
