/* Comparing what Redis holds with what Kafka was told. */
#include "publish/epochs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "credit/mask.h"
#include "publish/counters.h"
#include "publish/destination.h"
#include "publish/republish.h"
#include "publish/told.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

/* As the epoch's `lost` has them. */
static const char *const state_names[] = {
    [PARTITION_EMPTY] = "empty", [PARTITION_ROLLED_BACK] = "rolled_back", [PARTITION_FOREIGN] = "foreign"};

/* ---- judging ---- */

enum outbox_state epochs_judge(
    const struct epoch_stored *redis, int64_t told_id, int64_t told_taken, bool *kafka_lost)
{
    if (redis->lost != PARTITION_UNKNOWN)
        return redis->lost;
    if (redis->id == 0)
        return told_id == 0 ? PARTITION_WHOLE : PARTITION_EMPTY;
    if (told_id == redis->id) {
        *kafka_lost = *kafka_lost || told_taken < redis->committed;
        return told_taken > redis->taken ? PARTITION_ROLLED_BACK : PARTITION_WHOLE;
    }
    /* Of an epoch that a way back has begun, Kafka is told with its first transaction. */
    if (told_id == 0 || told_id == redis->replaced) {
        *kafka_lost = *kafka_lost || redis->committed > 0 || told_id != redis->replaced;
        return PARTITION_WHOLE;
    }
    return PARTITION_FOREIGN;
}

bool epochs_whole(const struct epochs *e, int partition)
{
    return e->outbox->epochs[partition].state == PARTITION_WHOLE;
}

bool epochs_all_whole(const struct epochs *e)
{
    for (int p = 0; p < outbox_partitions(e->outbox); p++)
        if (!epochs_whole(e, p))
            return false;
    return true;
}

/* ---- reading ---- */

enum { ID, TAKEN, COMMITTED, REPLACED, LOST, TOLD_ID, FIELDS };

static const char *const fields[FIELDS] = {[ID] = "id",
    [TAKEN] = "taken",
    [COMMITTED] = "committed",
    [REPLACED] = "replaced",
    [LOST] = "lost",
    [TOLD_ID] = "told_id"};

static bool read_field(const redisReply *reply, int64_t *number)
{
    *number = 0;
    return reply != NULL && (reply->type == REDIS_REPLY_NIL || reply_number(reply, number));
}

static bool take_stored(void *ctx, size_t index, const redisReply *reply)
{
    struct epoch_stored *stored = ctx;
    const char *lost = reply_text(reply_at(reply, LOST));
    (void)index;
    stored->lost = PARTITION_UNKNOWN;
    for (int state = PARTITION_EMPTY; state <= PARTITION_FOREIGN; state++)
        if (strcmp(lost, state_names[state]) == 0)
            stored->lost = (enum outbox_state)state;
    return (lost[0] == '\0' || stored->lost != PARTITION_UNKNOWN) &&
           read_field(reply_at(reply, ID), &stored->id) &&
           read_field(reply_at(reply, TAKEN), &stored->taken) &&
           read_field(reply_at(reply, COMMITTED), &stored->committed) &&
           read_field(reply_at(reply, REPLACED), &stored->replaced) &&
           read_field(reply_at(reply, TOLD_ID), &stored->told_id);
}

static void read_stored(
    struct outbox *o, struct epoch_stored stored[static PARTITIONS_MAX], bool done[static PARTITIONS_MAX])
{
    for (int p = 0; p < outbox_partitions(o); p++) {
        resp_begin(&o->command, 2 + FIELDS);
        resp_arg(&o->command, SLICE_LITERAL("HMGET"));
        resp_key(&o->command, &o->prefixes[p], "epoch");
        for (int i = 0; i < FIELDS; i++)
            resp_arg(&o->command, slice_of(fields[i]));
        outbox_queue(o, p, 1, take_stored, &stored[p], &done[p]);
    }
    (void)outbox_flush(o, "epoch", false);
}

/* ---- writing ---- */

static bool write_lost(const struct epochs *e, int partition, enum outbox_state state, int64_t id)
{
    struct outbox *o = e->outbox;
    int64_t is_lost;
    resp_fcall(&o->command, STORE_FUNCTION("lose"), 3, 3 + 5);
    resp_key(&o->command, &o->prefixes[partition], "epoch");
    resp_key(&o->command, &o->prefixes[partition], "floor");
    resp_key(&o->command, &o->prefixes[partition], "ld");
    resp_arg(&o->command, slice_of(state_names[state]));
    resp_int(&o->command, o->epochs[partition].told_id);
    resp_int(&o->command, o->epochs[partition].told_taken);
    resp_int(&o->command, e->told.final_through / MINUTE_SECONDS);
    resp_int(&o->command, id);
    return outbox_call(o, partition, 1, "lose", outbox_take_integer, &is_lost) && is_lost == 1;
}

static bool renew(const struct epochs *e, int partition, int64_t *id)
{
    struct outbox *o = e->outbox;
    resp_fcall(&o->command, STORE_FUNCTION("renew"), 1, 3);
    resp_key(&o->command, &o->prefixes[partition], "epoch");
    resp_int(&o->command, o->epochs[partition].told_id);
    resp_int(&o->command, clock_now_ms(o->clock));
    return outbox_call(o, partition, 1, "renew", outbox_take_integer, id);
}

/* ---- comparing ---- */

/* Whether Redis or Kafka is one that does not promise to have tomorrow what it has today. */
static bool keeps_nothing(const struct config *config)
{
    const struct redis_durability *durability = &config->redis.durability;
    return (!durability->fsync && durability->replicas == 0) || destination_embedded(config);
}

/* One look at all partitions. */
struct look {
    struct epoch_stored stored[PARTITIONS_MAX];
    enum outbox_state states[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
};

/*
 * Whether what was found of partition P has to be written. A loss that was noted earlier may have come back,
 * with a backup, when a way back was gone long ago, and Kafka has been told of the epoch after it: the next
 * way back has to begin one in the place of that.
 */
static bool is_news(const struct epochs *e, const struct look *look, int p)
{
    const struct epoch_stored *stored = &look->stored[p];
    int64_t told_id = e->outbox->epochs[p].told_id;
    return look->states[p] > PARTITION_WHOLE &&
           (stored->lost == PARTITION_UNKNOWN || (told_id != 0 && told_id != stored->told_id));
}

/* One line for all partitions that were found in STATE, with the numbers of the first of them. */
static void tell_lost(const struct epochs *e, const struct look *look, enum outbox_state state)
{
    struct buf partitions = {0};
    int first = -1;
    for (int p = 0; p < outbox_partitions(e->outbox); p++)
        if (is_news(e, look, p) && look->states[p] == state) {
            first = first < 0 ? p : first;
            if (partitions.len > 0)
                buf_append_char(&partitions, ',');
            buf_append_int(&partitions, p);
        }
    buf_append_char(&partitions, '\0');
    if (first >= 0)
        log_event(e->log, LOG_ERROR, "redis_partitions_lost",
            "lost=%s partitions=%s server=%s redis_epoch=%" PRId64 " redis_taken=%" PRId64
            " kafka_epoch=%" PRId64 " kafka_taken=%" PRId64,
            state_names[state], partitions.data, outbox_server(e->outbox, first), look->stored[first].id,
            look->stored[first].taken, e->outbox->epochs[first].told_id, e->outbox->epochs[first].told_taken);
    buf_free(&partitions);
}

/* Writes that partition P was found in STATE, before anybody acts on that. */
static bool note_lost(struct epochs *e, int p, enum outbox_state state, struct epoch_stored *stored)
{
    struct outbox_epoch *epoch = &e->outbox->epochs[p];
    epoch->state = PARTITION_UNKNOWN;
    if (keeps_nothing(e->config)) {
        if (!renew(e, p, &stored->id))
            return false;
        log_event(e->log, LOG_WARN, "epoch_renewed", "partition=%d lost=%s epoch=%" PRId64, p,
            state_names[state], stored->id);
        epoch->state = PARTITION_WHOLE;
        return true;
    }
    if (!write_lost(e, p, state, stored->id))
        return false;
    epoch->state = state;
    return true;
}

static void note_found(struct epochs *e, int p, enum outbox_state state, const struct epoch_stored *stored)
{
    struct outbox_epoch *epoch = &e->outbox->epochs[p];
    if (epoch->state > PARTITION_WHOLE && state == PARTITION_WHOLE)
        log_event(e->log, LOG_INFO, "redis_partition_whole", "partition=%d epoch=%" PRId64, p, stored->id);
    epoch->state = state;
}

static bool note_kafka_lost(struct epochs *e)
{
    log_event(e->log, LOG_ERROR, "kafka_lost", "topics=%s.* published_through=%" PRId64,
        e->config->kafka.topic_prefix, e->told.published_through);
    e->kafka_lost = republish_note_kafka_lost(e->outbox);
    return e->kafka_lost;
}

/* ALL: whether all else that a comparison needs was known. */
static void count(struct epochs *e, bool all)
{
    e->waiting = 0;
    for (int p = 0; p < outbox_partitions(e->outbox); p++) {
        e->waiting += e->outbox->epochs[p].state > PARTITION_WHOLE;
        all = all && e->outbox->epochs[p].state != PARTITION_UNKNOWN;
    }
    e->compared = e->compared || all;
    atomic_store(&e->counters->lost_partitions, e->waiting);
    atomic_store(&e->counters->kafka_lost, e->kafka_lost);
}

enum epochs_look epochs_compare(struct epochs *e)
{
    struct outbox *o = e->outbox;
    struct look look = {.done = {false}};
    assert(e->begun);
    bool kafka_lost = false;
    bool news = false;
    bool known = (!e->kafka_lost && e->compared) || republish_kafka_lost(o, &e->kafka_lost);
    bool good = true;
    read_stored(o, look.stored, look.done);
    for (int p = 0; p < outbox_partitions(o); p++) {
        if (look.done[p])
            look.states[p] =
                epochs_judge(&look.stored[p], o->epochs[p].told_id, o->epochs[p].told_taken, &kafka_lost);
        news = news || is_news(e, &look, p);
    }
    kafka_lost = kafka_lost && !e->kafka_lost && !destination_embedded(e->config);
    /* Another daemon may have taken over, and published what this one knows nothing of. */
    if ((news || kafka_lost) && !lease_confirm(e->lease))
        return EPOCHS_LEASE_LOST;
    if (kafka_lost)
        good = note_kafka_lost(e) && good;
    for (int state = PARTITION_EMPTY; news && !keeps_nothing(e->config) && state <= PARTITION_FOREIGN;
         state++)
        tell_lost(e, &look, (enum outbox_state)state);
    for (int p = 0; p < outbox_partitions(o); p++) {
        if (is_news(e, &look, p))
            good = note_lost(e, p, look.states[p], &look.stored[p]) && good;
        else
            note_found(e, p, look.states[p], &look.stored[p]);
        if (o->epochs[p].state == PARTITION_WHOLE)
            o->epochs[p].id = look.stored[p].id;
    }
    count(e, known);
    return good ? EPOCHS_DONE : EPOCHS_FAILED;
}

/* Takes over what Kafka was told, in place of all that was known of partitions. */
static void take_told(struct epochs *e, const struct told *told)
{
    e->told = told->watermark;
    e->compared = false;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct outbox_epoch *epoch = &e->outbox->epochs[p];
        *epoch =
            (struct outbox_epoch){.told_id = told->partitions[p].id, .told_taken = told->partitions[p].taken};
    }
}

void epochs_begin(struct epochs *e, const struct told *told)
{
    take_told(e, told);
    e->begun = true;
}

void epochs_end(struct epochs *e)
{
    take_told(e, &(struct told){.watermark = {0}});
    e->begun = false;
    e->kafka_lost = false;
    e->waiting = 0;
    atomic_store(&e->counters->lost_partitions, 0);
    atomic_store(&e->counters->kafka_lost, 0);
}
