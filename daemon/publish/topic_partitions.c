/* To how many partitions of each topic a deployment publishes. */
#include "publish/topic_partitions.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "publish/outbox.h"
#include "publish/republish.h"
#include "redis/reply.h"
#include "redis/resp.h"

/* Fields of the settings: a stored form. */
static const char *const fields[RECORD_KINDS] = {[RECORD_LEARNER_LESSON] = "partitions:learner-lessons",
    [RECORD_LEARNER_MINUTE] = "partitions:learner-minutes",
    [RECORD_LESSON_MINUTE] = "partitions:lesson-minutes",
    [RECORD_WATERMARK] = "partitions:watermarks"};

static bool take_kept(void *ctx, size_t index, const redisReply *reply)
{
    int64_t *kept = ctx;
    (void)index;
    for (size_t kind = 0; kind < RECORD_KINDS; kind++) {
        const redisReply *field = reply_at(reply, kind);
        kept[kind] = 0;
        if (field == NULL ||
            (field->type != REDIS_REPLY_NIL && (!reply_number(field, &kept[kind]) || kept[kind] < 1)))
            return false;
    }
    return true;
}

static bool write_kept(struct outbox *o, int kind, int partitions)
{
    int64_t made;
    resp_begin(&o->command, 4);
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, slice_of(fields[kind]));
    resp_int(&o->command, partitions);
    return outbox_call_key(o, KEY_SETTINGS, "partitions", true, outbox_take_integer, &made);
}

bool topic_partitions_keep(struct outbox *o, const char *prefix, const int has[static RECORD_KINDS],
    int used[static RECORD_KINDS], struct log *log)
{
    int64_t kept[RECORD_KINDS];
    resp_begin(&o->command, 2 + RECORD_KINDS);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        resp_arg(&o->command, slice_of(fields[kind]));
    if (!outbox_call_key(o, KEY_SETTINGS, "partitions", false, take_kept, kept))
        return false;
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        char topic[RECORD_TOPIC_MAX];
        bool fewer = kept[kind] > has[kind];
        record_topic((enum record_kind)kind, prefix, topic);
        used[kind] = has[kind];
        if (fewer)
            log_event(log, LOG_ERROR, "topic_made_anew", "topic=%s partitions=%d before=%" PRId64 " hint=%s",
                topic, has[kind], kept[kind],
                LOG_QUOTE("what was published to it is gone, see minuted --republish"));
        /* The loss is written first: if the number is not, both are written again. The next comparing of
         * epochs finds it. */
        if (fewer && !republish_note_kafka_lost(o))
            return false;
        if ((fewer || kept[kind] == 0) && !write_kept(o, kind, has[kind]))
            return false;
        if (kept[kind] > 0 && kept[kind] < has[kind])
            used[kind] = (int)kept[kind];
    }
    return true;
}

bool topic_partitions_forget(struct outbox *o)
{
    int64_t removed;
    resp_begin(&o->command, 2 + RECORD_KINDS);
    resp_arg(&o->command, SLICE_LITERAL("HDEL"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        resp_arg(&o->command, slice_of(fields[kind]));
    return outbox_call_key(o, KEY_SETTINGS, "partitions", true, outbox_take_integer, &removed);
}
