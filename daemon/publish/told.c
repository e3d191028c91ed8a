/* Reading what Kafka was told. */
#include "publish/told.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "stream/stream_reader.h"

enum {
    ANSWER_MS = 2000, /* what one look for the topic may take: less than the caller's turn lasts */
    TAKE_MS = 200,
    BATCH = 500,
    READ_MAX_MS = 20000
};

/* How far the reading of a partition of the topic is. */
struct told_part {
    int64_t end; /* where it ended when that was reached first; 0: it was not yet */
    bool done;
};

/* One reading. */
struct reading {
    const struct config *config;
    const char *program;
    struct stream_reader *reader;
    struct arena arena;
    struct told *out;
    struct told_part *parts;
    int ended; /* of the parts */
    bool failed;
};

/* A record that is none of ours, or cannot be read, says nothing about this deployment. */
static void take_record(struct reading *r, const rd_kafka_message_t *message)
{
    struct stream_record record;
    if (!stream_reader_decode(r->reader, message, &r->arena, &record) ||
        !slice_equal(record.program, slice_of(r->program)) ||
        !slice_equal(record.deployment, slice_of(r->config->kafka.deployment)))
        return;
    if (record.redis_partition < 0)
        r->out->watermark = (struct watermark){record.published_through, record.final_through};
    else if (record.redis_partition < PARTITIONS_MAX)
        r->out->partitions[record.redis_partition] = (struct told_take){record.epoch, record.taken};
}

/*
 * The topic may be shared by deployments, and a transaction of another one that is still open holds back what
 * this one has committed behind it. So a partition is read up to where it ended, whatever was held back then.
 */
static void take_end(struct reading *r, const rd_kafka_message_t *message)
{
    struct told_part *part = &r->parts[message->partition];
    if (part->end == 0)
        part->end = stream_reader_high(r->reader, message);
    if (part->done || message->offset < part->end)
        return;
    part->done = true;
    r->ended++;
}

static void take_batch(struct reading *r)
{
    rd_kafka_message_t *messages[BATCH];
    size_t n = stream_reader_take(r->reader, QUEUE_RECORDS, messages, BATCH, TAKE_MS);
    for (size_t i = 0; i < n; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            take_record(r, messages[i]);
        else if (messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            take_end(r, messages[i]);
        else
            r->failed =
                r->failed || stream_reader_offset_gone(messages[i]) || stream_reader_denied(messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
}

/* Other errors pass, or the time does. */
static bool read_all(struct reading *r, struct producer_caller caller)
{
    int64_t until_ms = clock_monotonic_ms() + READ_MAX_MS;
    int partitions = stream_reader_partitions(r->reader, TOPIC_WATERMARKS);
    r->parts = mem_zalloc((size_t)partitions * sizeof(*r->parts));
    for (int p = 0; p < partitions; p++)
        if (!stream_reader_start(r->reader, TOPIC_WATERMARKS, p, RD_KAFKA_OFFSET_BEGINNING, QUEUE_RECORDS))
            return false;
    while (r->ended < partitions && !r->failed) {
        if (caller.renew(caller.ctx) <= 0 || clock_monotonic_ms() > until_ms)
            return false;
        take_batch(r);
    }
    return !r->failed;
}

bool told_read(const struct config *config, const char *program, const char *brokers,
    struct producer_caller caller, struct log *log, struct told *out, char why[static KAFKA_TROUBLE_MAX])
{
    struct stream_topics topics = stream_topics_of(config->kafka.topic_prefix);
    struct kafka_trouble trouble;
    const struct stream_options options = {.brokers = brokers,
        .client_id = "minuted",
        .topics = &topics,
        .read = {[TOPIC_WATERMARKS] = true},
        .properties = config->kafka.properties,
        .n_properties = config->kafka.n_properties,
        .answer_ms = ANSWER_MS,
        .log = log,
        .trouble = &trouble};
    struct reading r = {.config = config, .program = program, .out = out};
    bool away;
    *out = (struct told){.watermark = {0}};
    r.reader = stream_reader_open(&options, &away);
    bool good = r.reader != NULL && read_all(&r, caller);
    stream_reader_close(r.reader);
    snprintf(why, KAFKA_TROUBLE_MAX, "%s",
        trouble.refused ? trouble.text : "Kafka does not tell what it was told before");
    arena_free(&r.arena);
    free(r.parts);
    return good;
}
