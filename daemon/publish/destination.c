/* Where a deployment publishes. */
#include "publish/destination.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "publish/outbox.h"
#include "publish/topic_partitions.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { SHOWN_MAX = 64 }; /* of a value, which may be longer */

/* A field of the settings: a stored form, which other tools read. */
struct part {
    const char *field;
    const char *ours;
    bool missing; /* the settings do not have it */
    bool same;
    char theirs[SHOWN_MAX + 1];
};

static bool take_part(void *ctx, size_t index, const redisReply *reply)
{
    struct part *part = ctx;
    struct slice theirs;
    (void)index;
    part->missing = reply->type == REDIS_REPLY_NIL;
    if (part->missing)
        return true;
    if (!reply_string(reply, &theirs))
        return false;
    part->same = slice_equal(theirs, slice_of(part->ours));
    snprintf(part->theirs, sizeof(part->theirs), "%.*s", SLICE_ARG(theirs));
    return true;
}

static bool ask(struct outbox *o, struct part *part)
{
    resp_begin(&o->command, 3);
    resp_arg(&o->command, SLICE_LITERAL("HGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, slice_of(part->field));
    return outbox_call_key(o, KEY_SETTINGS, "destination", false, take_part, part);
}

/* If another daemon was first, its value stays. */
static bool claim_part(struct outbox *o, const struct part *part)
{
    int64_t made;
    resp_begin(&o->command, 4);
    resp_arg(&o->command, SLICE_LITERAL("HSETNX"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, slice_of(part->field));
    resp_arg(&o->command, slice_of(part->ours));
    return outbox_call_key(o, KEY_SETTINGS, "destination", true, outbox_take_integer, &made);
}

bool destination_embedded(const struct config *config)
{
    return config->kafka.brokers != NULL && strcmp(config->kafka.brokers, "embedded") == 0;
}

struct destination destination_of(const struct config *config, const char *cluster)
{
    return (struct destination){config->kafka.topic_prefix, destination_embedded(config) ? "" : cluster};
}

static enum destination_look compare(struct outbox *o, struct part *part, bool claim)
{
    if (!ask(o, part))
        return DESTINATION_UNKNOWN;
    if (part->missing && claim && (!claim_part(o, part) || !ask(o, part) || part->missing))
        return DESTINATION_UNKNOWN;
    return part->missing || part->same ? DESTINATION_OURS : DESTINATION_ANOTHER;
}

enum destination_look destination_compare(
    struct outbox *o, const struct destination *d, bool claim, char why[static DESTINATION_WHY_MAX])
{
    struct part prefix = {.field = "topic_prefix", .ours = d->topic_prefix};
    struct part cluster = {.field = "kafka_cluster", .ours = d->cluster};
    enum destination_look look = compare(o, &prefix, claim);
    if (look == DESTINATION_ANOTHER)
        snprintf(why, DESTINATION_WHY_MAX,
            "the deployment publishes with kafka.topic_prefix = %s, this daemon is configured with %.*s: "
            "restart it with that one, or see --to-new-kafka",
            prefix.theirs, SHOWN_MAX, prefix.ours);
    if (look != DESTINATION_OURS || d->cluster[0] == '\0')
        return look;
    look = compare(o, &cluster, claim);
    if (look == DESTINATION_ANOTHER)
        snprintf(why, DESTINATION_WHY_MAX,
            "the deployment publishes to kafka_cluster = %s, this daemon's kafka.brokers lead to %.*s: "
            "restart it with that one, or see --to-new-kafka",
            cluster.theirs, SHOWN_MAX, cluster.ours);
    return look;
}

bool destination_move(struct outbox *o, const struct destination *d)
{
    int64_t made;
    /* First what holds for the old topics only. If the rest fails, an old daemon writes it again. */
    if (!topic_partitions_forget(o))
        return false;
    resp_begin(&o->command, 6);
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    resp_arg(&o->command, SLICE_LITERAL("topic_prefix"));
    resp_arg(&o->command, slice_of(d->topic_prefix));
    resp_arg(&o->command, SLICE_LITERAL("kafka_cluster"));
    resp_arg(&o->command, slice_of(d->cluster));
    return outbox_call_key(o, KEY_SETTINGS, "destination", true, outbox_take_integer, &made);
}
