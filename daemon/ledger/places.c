/* The places in the topics where reading goes on. */
#include "ledger/places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    COMPARE_MS = 15000, /* to compare all partitions */
    TAKE_MS = 200,
    TAKE_MAX = 1000,
    RECORD_MEMORY = 4 << 20,
    FOUND_SIZE = 160
};

static const char from_its_beginning[] = "it is read from its beginning";
static const char how_to_go_on[] =
    "read into a new database, or use --from-start, which keeps what the database has and reads the topic "
    "from its beginning";

struct partition {
    bool started;
    bool at_end;
    int64_t low; /* the first offset that Kafka had, as of the start */
    struct database_place stored;
    /* while it is being compared: */
    bool diverted; /* it is read into the queue of what is compared */
    bool comparing;
    int64_t compare_before;
    int64_t compared; /* the newest record that could be compared, */
    bool same;        /* and whether it is the one that was read */
    bool settled;     /* it was compared, as far as that can be done */
};

struct topic_places {
    struct partition *partitions;
    int n;
    bool known;               /* the ledger has read it before */
    char another[FOUND_SIZE]; /* why it is not the topic that was read; "": it is */
    int another_partition;
};

struct places {
    struct database *db;
    struct stream_reader *reader;
    struct log *log;
    const struct ledger_options *options;
    struct topic_places topics[TOPIC_COUNT];
    struct arena arena; /* of the record being compared */
    int64_t last_look_ms;
};

struct places *places_new(
    struct database *db, struct stream_reader *reader, struct log *log, const struct ledger_options *options)
{
    struct places *p = mem_zalloc(sizeof(*p));
    *p = (struct places){
        .db = db, .reader = reader, .log = log, .options = options, .arena = {.limit = RECORD_MEMORY}};
    return p;
}

void places_free(struct places *p)
{
    if (p == NULL)
        return;
    for (int i = 0; i < TOPIC_COUNT; i++)
        free(p->topics[i].partitions);
    arena_free(&p->arena);
    free(p);
}

/* ---- what Kafka has ---- */

static void find_another(struct topic_places *t, int partition, const char *format, int64_t a, int64_t b)
{
    if (*t->another != '\0')
        return;
    t->another_partition = partition;
    snprintf(t->another, sizeof(t->another), format, a, b);
}

/* Looks where the partitions of a topic stand in Kafka and in the ledger, and whether it is another topic. */
static bool look_at_topic(struct places *p, enum topic topic)
{
    struct topic_places *t = &p->topics[topic];
    int n = stream_reader_partitions(p->reader, topic);
    int read;
    if (!database_partitions(p->db, topic, &read))
        return false;
    t->known = read > 0;
    *t->another = '\0';
    if (read > n)
        find_another(t, n, "it has %" PRId64 " partitions, but %" PRId64 " were read before", n, read);
    if (n > t->n) {
        if (t->n > 0)
            log_event(p->log, LOG_INFO, "partitions_added", "topic=%s before=%d now=%d",
                stream_reader_topic_name(p->reader, topic), t->n, n);
        t->partitions = mem_realloc(t->partitions, (size_t)n * sizeof(*t->partitions));
        for (; t->n < n; t->n++)
            t->partitions[t->n] = (struct partition){0};
    }
    for (int i = 0; i < t->n; i++) {
        struct partition *q = &t->partitions[i];
        int64_t end;
        if (!database_place(p->db, topic, i, &q->stored))
            return false;
        if (q->started)
            continue;
        if (!stream_reader_bounds(p->reader, topic, i, q->stored.next, &q->low, &end))
            return false;
        if (q->stored.next > end)
            find_another(
                t, i, "it ends at offset %" PRId64 ", but it was read up to %" PRId64, end, q->stored.next);
    }
    return true;
}

/* ---- comparing ---- */

/* Starts to compare a partition, unless it is being read and has not come to its end yet. */
static bool start_comparing(struct places *p, enum topic topic, int i, size_t *comparing)
{
    struct partition *q = &p->topics[topic].partitions[i];
    q->settled = false;
    q->diverted = false;
    if (q->started && !q->at_end)
        return true;
    q->compare_before = q->started || q->stored.checked > 0 ? q->stored.checked : q->stored.next;
    q->compared = -1;
    q->settled = true;
    int64_t from = q->compare_before > COMPARED_OFFSETS ? q->compare_before - COMPARED_OFFSETS : 0;
    from = from < q->low ? q->low : from;
    if (from >= q->compare_before)
        return true;
    if (!stream_reader_start(p->reader, topic, i, from, QUEUE_COMPARED))
        return false;
    q->diverted = true;
    q->comparing = true;
    ++*comparing;
    return true;
}

/*
 * Takes a message of a partition that is being compared. A record that cannot be decoded tells nothing, since
 * `follow` passed over it and the ledger does not have it. Each record replaces the result of the one before,
 * so that the newest decides.
 *
 * An offset that Kafka does not have ends the comparison too: the records before it were deleted by age
 * meanwhile, or the topic ends before it, which is noticed when it is read on. After other errors librdkafka
 * tries again.
 */
static bool compare_message(struct places *p, const rd_kafka_message_t *message, size_t *comparing)
{
    enum topic topic = stream_reader_topic_of(p->reader, message);
    struct partition *q = &p->topics[topic].partitions[message->partition];
    bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    struct stream_record r;
    if (!q->comparing)
        return true;
    if (record && message->offset < q->compare_before &&
        stream_reader_decode(p->reader, message, &p->arena, &r)) {
        enum database_match match;
        if (!database_compare(p->db, &r, q->compare_before, &match))
            return false;
        if (match != MATCH_UNKNOWN) {
            q->compared = r.offset;
            q->same = match == MATCH_SAME;
        }
    }
    if ((record && message->offset + 1 >= q->compare_before) ||
        message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || stream_reader_offset_gone(message)) {
        q->comparing = false;
        --*comparing;
    }
    return true;
}

/*
 * Compares all partitions. If the records of one did not come in time and it is being read, it can be
 * compared a minute later, but one that is not read yet must not be started: then the result is false.
 */
static bool compare_all(struct places *p)
{
    bool good = true;
    size_t comparing = 0;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        for (int i = 0; i < p->topics[topic].n; i++)
            if (!start_comparing(p, topic, i, &comparing))
                return false;
    int64_t until = clock_monotonic_ms() + COMPARE_MS;
    while (good && comparing > 0 && clock_monotonic_ms() < until) {
        rd_kafka_message_t *messages[TAKE_MAX];
        size_t n = stream_reader_take(p->reader, QUEUE_COMPARED, messages, TAKE_MAX, TAKE_MS);
        for (size_t i = 0; i < n; i++) {
            good = good && compare_message(p, messages[i], &comparing);
            rd_kafka_message_destroy(messages[i]);
        }
    }
    if (!good)
        return false;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
        for (int i = 0; i < p->topics[topic].n; i++) {
            struct partition *q = &p->topics[topic].partitions[i];
            if (q->comparing) {
                q->comparing = false;
                q->settled = false;
                log_event(p->log, q->started ? LOG_WARN : LOG_ERROR, "not_compared",
                    "topic=%s partition=%d error=%s", stream_reader_topic_name(p->reader, topic), i,
                    LOG_QUOTE("the records that were read last did not arrive in time"));
                good = q->started && good;
            } else if (q->settled && q->compared >= 0 && !q->same) {
                find_another(&p->topics[topic], i,
                    "its record at offset %" PRId64
                    " is not the one that was read there before; it was read up to %" PRId64,
                    q->compared, q->stored.next);
            }
        }
    }
    return good;
}

/* ---- deciding ---- */

/*
 * A partition that begins after the offset to go on from has lost records that were never read. For a ledger
 * that begins to read a topic this is where the topic begins.
 */
static bool decide_partition(struct places *p, enum topic topic, int i)
{
    const struct topic_places *t = &p->topics[topic];
    struct partition *q = &t->partitions[i];
    if (q->started || q->stored.next >= q->low)
        return !q->settled || database_check(p->db, topic, i, q->stored.next);
    bool accepted = !t->known || p->options->accept_missing;
    log_event(p->log,
        !accepted  ? LOG_ERROR
        : t->known ? LOG_WARN
                   : LOG_INFO,
        "records_missed",
        "topic=%s partition=%d offsets=%" PRId64 "-%" PRId64 " count=%" PRId64 " reason=%s action=%s",
        stream_reader_topic_name(p->reader, topic), i, q->stored.next, q->low - 1, q->low - q->stored.next,
        LOG_QUOTE("Kafka deleted them before they were read, so the database is incomplete"),
        accepted ? LOG_QUOTE("it goes on after them")
                 : LOG_QUOTE("go on after them with --accept-missing, or read into a new database"));
    if (!accepted || !database_miss(p->db, topic, i, q->low))
        return false;
    q->stored.next = q->low;
    return database_check(p->db, topic, i, q->low);
}

/*
 * Forgets the offsets of topics that are others now if the user asked for that; else following must end.
 * Logs everything that is wrong, not only the first fault, before it fails.
 */
static bool decide_all(struct places *p, bool from_start)
{
    bool good = true;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
        struct topic_places *t = &p->topics[topic];
        if (*t->another == '\0')
            continue;
        log_event(p->log, from_start ? LOG_WARN : LOG_ERROR, "another_topic",
            "topic=%s partition=%d found=%s action=%s", stream_reader_topic_name(p->reader, topic),
            t->another_partition, LOG_QUOTE(t->another),
            LOG_QUOTE(from_start ? from_its_beginning : how_to_go_on));
        for (int i = 0; i < t->n; i++)
            t->partitions[i].stored = (struct database_place){0};
        t->known = false;
        good = from_start && database_forget_offsets(p->db, topic) && good;
    }
    for (enum topic topic = 0; good && topic < TOPIC_COUNT; topic++)
        for (int i = 0; i < p->topics[topic].n; i++)
            good = decide_partition(p, topic, i) && good;
    return good;
}

/* ---- starting ---- */

/*
 * Asks everything before the first partition is read. Once a broker is being fetched from, it answers other
 * questions only after each fetch; and what was read of another topic could not be taken out of the ledger
 * again.
 */
static bool look_and_start(struct places *p, bool from_start)
{
    char *read = database_cluster(p->db);
    if (read == NULL)
        return false;
    char *cluster = stream_reader_cluster(p->reader); /* "" if Kafka tells none */
    bool another_cluster = *read != '\0' && *cluster != '\0' && strcmp(read, cluster) != 0;
    if (another_cluster)
        log_event(p->log, p->options->from_start ? LOG_WARN : LOG_ERROR, "another_cluster",
            "read=%s found=%s action=%s", read, cluster,
            LOG_QUOTE(p->options->from_start ? from_its_beginning : how_to_go_on));
    free(read);
    bool good = !another_cluster || from_start;
    for (enum topic topic = 0; good && topic < TOPIC_COUNT; topic++)
        good = look_at_topic(p, topic);
    for (int i = 0; good && another_cluster && i < TOPIC_COUNT; i++)
        find_another(&p->topics[i], 0, "it belongs to another cluster", 0, 0);
    good = good && compare_all(p) && database_begin(p->db) && decide_all(p, from_start) &&
           (*cluster == '\0' || database_set_cluster(p->db, cluster)) && database_commit(p->db);
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++) {
        for (int i = 0; good && i < p->topics[topic].n; i++) {
            struct partition *q = &p->topics[topic].partitions[i];
            if (q->started && !q->diverted) /* it is read already, and the comparison left it alone */
                continue;
            good =
                stream_reader_start(p->reader, topic, i, from_start ? q->low : q->stored.next, QUEUE_RECORDS);
            q->started = q->started || good;
        }
    }
    free(cluster);
    p->last_look_ms = clock_monotonic_ms();
    return good;
}

bool places_start(struct places *p)
{
    return look_and_start(p, p->options->from_start);
}

bool places_look_again(struct places *p)
{
    if ((double)(clock_monotonic_ms() - p->last_look_ms) < p->options->look_every_s * 1000)
        return true;
    stream_reader_look_again(p->reader);
    return look_and_start(p, false);
}

bool places_restart(struct places *p, enum topic topic)
{
    for (int i = 0; i < p->topics[topic].n; i++)
        p->topics[topic].partitions[i] = (struct partition){0};
    return look_and_start(p, false);
}

/* ---- the ends ---- */

void places_set_end(struct places *p, enum topic topic, int partition, bool at_end)
{
    p->topics[topic].partitions[partition].at_end = at_end;
}

bool places_all_at_end(const struct places *p)
{
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        for (int i = 0; i < p->topics[topic].n; i++)
            if (!p->topics[topic].partitions[i].at_end)
                return false;
    return true;
}
