/* The watermarks of the deployment. */
#include "publish/watermark.h"

#include "publish/outbox.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

static bool take_watermark(void *ctx, size_t index, const redisReply *reply)
{
    struct watermark *w = ctx;
    (void)index;
    return reply_integer(reply_at(reply, 0), &w->published_through) &&
           reply_integer(reply_at(reply, 1), &w->final_through);
}

bool watermark_raise(struct outbox *o, struct watermark *w)
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
