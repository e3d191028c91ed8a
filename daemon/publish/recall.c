/* What the topics say of learners. */
#include "publish/recall.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "stream/stream_reader.h"

enum {
    ANSWER_MS = 15000,
    TAKE_MAX = 2000,
    TAKE_MS = 200,
    SILENT_MS = 60000,       /* without a message, while some are still to come */
    MASK_BYTES = 24,         /* of memory that a message of a minute takes at most, as a rule */
    TOTAL_BYTES = 192,       /* and one of a total, with its learner's name */
    RECORD_MEMORY = 4 << 20, /* of a record being decoded */
    FIRST_ROOM = 4
};

/* The topics that are read, in the order in which they are. */
static const enum topic read_topics[] = {TOPIC_LEARNER_MINUTES, TOPIC_LEARNER_LESSONS};
enum { READ_TOPICS = sizeof(read_topics) / sizeof(read_topics[0]) };

/* A hash table from names to their numbers, which count up from 0. */
struct name_slot {
    struct slice name; /* in the arena; NULL: the slot is free */
    uint64_t hash;
    size_t number;
};

struct name_table {
    struct name_slot *slots;
    size_t n_slots; /* a power of two; 0: nothing was added yet */
    size_t n;
};

/* A topic partition, as it was when the evidence was opened, and how far a reading is. */
struct recall_part {
    enum topic topic;
    int partition;
    int64_t low;
    int64_t end;
    int64_t start; /* where the reading has begun */
    int64_t next;
    bool done;
};

struct recall {
    struct log *log;
    struct stream_reader *reader;
    struct recall_part *parts;
    size_t n_parts;
    struct arena record;       /* of the record being decoded */
    struct arena names;        /* of what was read: names and intervals */
    struct arena lesson_names; /* of all readings */
    struct name_table learner_table;
    struct name_table lesson_table;
    struct recall_learner *learners;
    size_t learners_room;
    struct recall_lesson *lessons;
    size_t lessons_room;
    int64_t malformed;
    int64_t foreign;
};

/* ---- tables ---- */

static struct name_slot *find_slot(const struct name_table *t, struct slice name, uint64_t hash)
{
    size_t i = hash & (t->n_slots - 1);
    while (t->slots[i].name.ptr != NULL && !(t->slots[i].hash == hash && slice_equal(t->slots[i].name, name)))
        i = (i + 1) & (t->n_slots - 1);
    return &t->slots[i];
}

static void grow_table(struct name_table *t)
{
    struct name_table old = *t;
    t->n_slots = old.n_slots == 0 ? 1024 : 2 * old.n_slots;
    t->slots = mem_zalloc(t->n_slots * sizeof(*t->slots));
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.slots[i].name.ptr != NULL)
            *find_slot(t, old.slots[i].name, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

/* The number of NAME, which is added and copied into ARENA where it is new: *ADDED. */
static const struct name_slot *find_or_add(
    struct name_table *t, struct arena *arena, struct slice name, uint64_t hash, bool *added)
{
    if (2 * (t->n + 1) > t->n_slots)
        grow_table(t);
    struct name_slot *slot = find_slot(t, name, hash);
    *added = slot->name.ptr == NULL;
    if (*added)
        *slot = (struct name_slot){{arena_strndup(arena, name.ptr, name.len), name.len}, hash, t->n++};
    return slot;
}

/* Makes room for one more of N items of SIZE. */
static void *make_room(void *items, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return items;
    *room = *room == 0 ? FIRST_ROOM : *room + *room / 2;
    return mem_realloc(items, *room * size);
}

/* ---- keeping records ---- */

static void forget(struct recall *e)
{
    for (size_t i = 0; i < e->learner_table.n; i++) {
        free(e->learners[i].masks);
        free(e->learners[i].totals);
    }
    free(e->learner_table.slots);
    e->learner_table = (struct name_table){0};
    arena_free(&e->names);
    e->malformed = e->foreign = 0;
}

static uint32_t lesson_of(struct recall *e, const struct stream_record *r)
{
    bool added;
    uint64_t hash = topology_hash_learner(r->lesson, (struct slice){"", 0});
    const struct name_slot *slot = find_or_add(&e->lesson_table, &e->lesson_names, r->lesson, hash, &added);
    if (added) {
        e->lessons = make_room(e->lessons, slot->number, &e->lessons_room, sizeof(*e->lessons));
        e->lessons[slot->number] = (struct recall_lesson){.id = slot->name};
    }
    struct recall_lesson *lesson = &e->lessons[slot->number];
    if (r->course.len > 0 && !slice_equal(lesson->course, r->course))
        lesson->course =
            (struct slice){arena_strndup(&e->lesson_names, r->course.ptr, r->course.len), r->course.len};
    return (uint32_t)slot->number;
}

static struct recall_learner *learner_of(
    struct recall *e, const struct stream_record *r, uint64_t hash, int partition)
{
    char name[512];
    bool added;
    int len = snprintf(name, sizeof(name), "%.*s/%.*s", SLICE_ARG(r->portal), SLICE_ARG(r->learner));
    assert(len < (int)sizeof(name));
    const struct name_slot *slot =
        find_or_add(&e->learner_table, &e->names, (struct slice){name, (size_t)len}, hash, &added);
    if (added) {
        const char *kept = slot->name.ptr;
        e->learners = make_room(e->learners, slot->number, &e->learners_room, sizeof(*e->learners));
        e->learners[slot->number] = (struct recall_learner){.portal = {kept, r->portal.len},
            .learner = {kept + r->portal.len + 1, r->learner.len},
            .partition = partition};
    }
    return &e->learners[slot->number];
}

static void keep_mask(struct recall *e, struct recall_learner *l, const struct stream_record *r)
{
    uint32_t lesson = lesson_of(e, r);
    uint32_t minute = (uint32_t)(r->minute_start / MINUTE_SECONDS);
    struct recall_mask *last = l->n_masks == 0 ? NULL : &l->masks[l->n_masks - 1];
    if (last != NULL && last->minute == minute && last->lesson == lesson) {
        last->mask |= r->mask;
        return;
    }
    l->masks = make_room(l->masks, l->n_masks, &l->masks_room, sizeof(*l->masks));
    l->masks[l->n_masks++] = (struct recall_mask){r->mask, minute, lesson};
}

static void keep_total(struct recall *e, struct recall_learner *l, const struct stream_record *r)
{
    uint32_t lesson = lesson_of(e, r);
    size_t i = 0;
    while (i < l->n_totals && l->totals[i].lesson != lesson)
        i++;
    if (i == l->n_totals) {
        l->totals = make_room(l->totals, l->n_totals, &l->totals_room, sizeof(*l->totals));
        l->totals[l->n_totals++] = (struct recall_total){.lesson = lesson};
    }
    struct recall_total *total = &l->totals[i];
    if (r->epoch < total->epoch ||
        (r->epoch == total->epoch && r->watched_seconds < (int64_t)total->watched_seconds))
        return;
    struct buf covered = {0};
    for (size_t k = 0; k < r->covered.n; k++)
        buf_append_u32(&covered, (uint32_t)r->covered.items[k]);
    total->epoch = r->epoch;
    total->watched_seconds = (uint32_t)r->watched_seconds;
    total->last_minute = (uint32_t)(r->minute_start / MINUTE_SECONDS);
    if (!slice_equal(total->covered, buf_slice(&covered)))
        total->covered = (struct slice){
            covered.len == 0 ? "" : arena_strndup(&e->names, covered.data, covered.len), covered.len};
    buf_free(&covered);
}

/* A learner was erased, or a lesson's part of it: what came before the tombstone is no evidence any more. */
static void drop(struct recall *e, struct recall_learner *l, const struct stream_record *r)
{
    uint32_t lesson = lesson_of(e, r);
    size_t n = 0;
    if (r->topic == TOPIC_LEARNER_LESSONS) {
        while (n < l->n_totals && l->totals[n].lesson != lesson)
            n++;
        if (n < l->n_totals)
            l->totals[n] = l->totals[--l->n_totals];
        return;
    }
    for (size_t i = 0; i < l->n_masks; i++)
        if (l->masks[i].lesson != lesson || l->masks[i].minute != r->minute_start / MINUTE_SECONDS)
            l->masks[n++] = l->masks[i];
    l->n_masks = n;
}

static void keep_record(struct recall *e, const struct recall_terms *terms, const struct stream_record *r)
{
    int64_t minute = r->minute_start / MINUTE_SECONDS;
    if (!slice_is(r->program, terms->program)) {
        e->foreign++;
        return;
    }
    if (minute > terms->last_minute || r->watched_seconds > UINT32_MAX) {
        e->malformed++;
        return;
    }
    uint64_t hash = topology_hash_learner(r->portal, r->learner);
    int partition = topology_partition_of(hash, terms->partitions);
    uint64_t share = hash / (uint64_t)terms->partitions % (uint64_t)terms->slices;
    bool timeless = r->tombstone && r->topic == TOPIC_LEARNER_LESSONS; /* its key has no minute */
    if (terms->first_minute[partition] == RECALL_NOTHING || share != (uint64_t)terms->slice ||
        (minute < terms->first_minute[partition] && !timeless))
        return;
    if (r->tombstone)
        drop(e, learner_of(e, r, hash, partition), r);
    else if (r->topic == TOPIC_LEARNER_MINUTES)
        keep_mask(e, learner_of(e, r, hash, partition), r);
    else if (terms->totals[partition])
        keep_total(e, learner_of(e, r, hash, partition), r);
}

/* ---- opening ---- */

static bool look_up_ends(struct recall *e, struct stream_reader *reader, enum topic topic)
{
    int n = stream_reader_partitions(reader, topic);
    e->parts = mem_realloc(e->parts, (e->n_parts + (size_t)n) * sizeof(*e->parts));
    for (int p = 0; p < n; p++) {
        struct recall_part *part = &e->parts[e->n_parts++];
        *part = (struct recall_part){.topic = topic, .partition = p};
        if (!stream_reader_bounds(reader, topic, p, 0, &part->low, &part->end))
            return false;
    }
    return true;
}

struct recall *recall_open(
    const struct config *config, struct log *log, char **cluster, char why[static RECALL_WHY_MAX])
{
    struct stream_topics topics = stream_topics_of(config->kafka.topic_prefix);
    struct stream_options options = {.brokers = config->kafka.brokers,
        .client_id = "minuted",
        .topics = &topics,
        .properties = config->kafka.properties,
        .n_properties = config->kafka.n_properties,
        .answer_ms = ANSWER_MS,
        .log = log};
    struct recall *e = mem_zalloc(sizeof(*e));
    bool away;
    e->log = log;
    e->record.limit = RECORD_MEMORY;
    *cluster = NULL;
    for (size_t i = 0; i < READ_TOPICS; i++)
        options.read[read_topics[i]] = true;
    /* A transaction that is open, such as another deployment's, holds back what was committed behind it. A
     * reading that ended there would miss it; so it goes on to where the topics end, and waits where it has
     * to. */
    options.uncommitted = true;
    struct stream_reader *ends = stream_reader_open(&options, &away);
    bool good = ends != NULL;
    for (size_t i = 0; good && i < READ_TOPICS; i++)
        good = look_up_ends(e, ends, read_topics[i]);
    stream_reader_close(ends);
    options.uncommitted = false;
    e->reader = good ? stream_reader_open(&options, &away) : NULL;
    if (e->reader != NULL) {
        *cluster = stream_reader_cluster(e->reader);
        return e;
    }
    snprintf(why, RECALL_WHY_MAX, "the topics %.90s and %.90s of kafka.brokers %.80s cannot be read",
        topics.names[read_topics[0]], topics.names[read_topics[1]], config->kafka.brokers);
    recall_close(e);
    return NULL;
}

void recall_close(struct recall *e)
{
    if (e == NULL)
        return;
    forget(e);
    stream_reader_close(e->reader);
    arena_free(&e->record);
    arena_free(&e->lesson_names);
    free(e->lesson_table.slots);
    free(e->learners);
    free(e->lessons);
    free(e->parts);
    free(e);
}

int recall_slices(const struct recall *e, int64_t bytes)
{
    int64_t needed = 0;
    for (size_t i = 0; i < e->n_parts; i++) {
        int64_t messages = e->parts[i].end - e->parts[i].start;
        needed += messages * (e->parts[i].topic == TOPIC_LEARNER_MINUTES ? MASK_BYTES : TOTAL_BYTES);
    }
    return (int)(needed / bytes) + 1;
}

/* ---- reading ---- */

static bool seek(struct recall *e, struct recall_part *part, int64_t first_minute)
{
    int64_t at;
    part->start = part->low;
    if (first_minute <= 0 || part->low >= part->end)
        return true;
    /* A record's time is its minute's; a total's is that of its last minute. */
    if (!stream_reader_offset_at(
            e->reader, part->topic, part->partition, first_minute * MINUTE_SECONDS * 1000, &at))
        return false;
    part->start = at < 0 ? part->end : at > part->low ? at : part->low;
    return true;
}

bool recall_seek(struct recall *e, int64_t first_minute)
{
    bool good = true;
    for (size_t i = 0; good && i < e->n_parts; i++)
        good = seek(e, &e->parts[i], first_minute);
    return good;
}

static bool start_part(struct recall *e, struct recall_part *part)
{
    part->next = part->start;
    part->done = part->start >= part->end;
    return part->done ||
           stream_reader_start(e->reader, part->topic, part->partition, part->start, QUEUE_RECORDS);
}

static void take_message(
    struct recall *e, const struct recall_terms *terms, struct recall_part *part, const rd_kafka_message_t *m)
{
    struct stream_record record;
    bool is_record = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (part->done || (!is_record && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF))
        return;
    if (is_record && m->offset < part->end && stream_reader_decode(e->reader, m, &e->record, &record))
        keep_record(e, terms, &record);
    else if (is_record && m->offset < part->end)
        e->malformed++;
    part->next = is_record ? m->offset + 1 : m->offset;
    part->done = part->next >= part->end;
}

/* Takes what has come. False with WHY when the topics cannot be read to their ends. */
static bool take_batch(struct recall *e, const struct recall_terms *terms, bool *any, char *why)
{
    rd_kafka_message_t *messages[TAKE_MAX];
    size_t n = stream_reader_take(e->reader, QUEUE_RECORDS, messages, TAKE_MAX, TAKE_MS);
    bool good = true;
    *any = false;
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_message_t *m = messages[i];
        enum topic topic = stream_reader_topic_of(e->reader, m);
        *any = *any || m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (good && stream_reader_offset_gone(m)) {
            good = false;
            snprintf(why, RECALL_WHY_MAX, "%s, partition %d: Kafka has deleted records meanwhile",
                stream_reader_topic_name(e->reader, topic), m->partition);
        }
        if (good && stream_reader_denied(m)) {
            good = false;
            snprintf(why, RECALL_WHY_MAX, "Kafka's ACLs do not allow Read on Topic %s",
                stream_reader_topic_name(e->reader, topic));
        }
        for (size_t k = 0; good && k < e->n_parts; k++)
            if (e->parts[k].topic == topic && e->parts[k].partition == m->partition)
                take_message(e, terms, &e->parts[k], m);
        rd_kafka_message_destroy(messages[i]);
    }
    return good;
}

bool recall_read(struct recall *e, const struct recall_terms *terms, recall_progress *progress, void *ctx,
    char why[static RECALL_WHY_MAX])
{
    why[0] = '\0';
    forget(e);
    for (size_t i = 0; i < e->n_parts; i++)
        if (!start_part(e, &e->parts[i])) {
            snprintf(why, RECALL_WHY_MAX, "Kafka does not answer");
            return false;
        }
    int64_t heard_ms = clock_monotonic_ms();
    for (;;) {
        int64_t records = 0;
        int64_t of_records = 0;
        bool done = true;
        bool any;
        for (size_t i = 0; i < e->n_parts; i++) {
            const struct recall_part *part = &e->parts[i];
            records += (part->done ? part->end : part->next) - part->start;
            of_records += part->end - part->start;
            done = done && part->done;
        }
        if (!progress(ctx, records, of_records))
            return false;
        if (done)
            return true;
        if (!take_batch(e, terms, &any, why))
            return false;
        heard_ms = any ? clock_monotonic_ms() : heard_ms;
        if (clock_monotonic_ms() - heard_ms > SILENT_MS) {
            snprintf(why, RECALL_WHY_MAX,
                "Kafka gives no further records; a transaction may be open: run this again");
            return false;
        }
    }
}

bool recall_is_cut(const struct recall *e)
{
    for (size_t i = 0; i < e->n_parts; i++)
        if (e->parts[i].topic == TOPIC_LEARNER_MINUTES && e->parts[i].low > 0)
            return true;
    return false;
}

int64_t recall_malformed(const struct recall *e)
{
    return e->malformed;
}

int64_t recall_foreign(const struct recall *e)
{
    return e->foreign;
}

size_t recall_learners(const struct recall *e)
{
    return e->learner_table.n;
}

const struct recall_learner *recall_learner(const struct recall *e, size_t i)
{
    assert(i < e->learner_table.n);
    return &e->learners[i];
}

const struct recall_lesson *recall_lesson(const struct recall *e, size_t i)
{
    assert(i < e->lesson_table.n);
    return &e->lessons[i];
}

/* ---- one learner ---- */

static int by_minute(const void *a, const void *b, void *masks)
{
    const struct recall_mask *all = masks;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    if (all[x].minute != all[y].minute)
        return all[x].minute < all[y].minute ? -1 : 1;
    return x < y ? -1 : x > y; /* the one that stands first in the topic */
}

static struct recall_sum *sum_of(struct recall_summary *s, uint32_t lesson)
{
    size_t i = 0;
    while (i < s->n_sums && s->sums[i].lesson != lesson)
        i++;
    if (i == s->n_sums)
        s->sums[s->n_sums++] = (struct recall_sum){.lesson = lesson};
    return &s->sums[i];
}

/* The masks ALL[ORDER[0 .. N)] are of one minute: merges those of each lesson, and tells contested seconds.
 */
static void sum_up_minute(
    struct recall_summary *s, const struct recall_mask *all, const uint32_t *order, size_t n, int64_t kept)
{
    uint64_t taken = 0;
    size_t first = s->n_masks;
    for (size_t i = 0; i < n; i++) {
        const struct recall_mask *m = &all[order[i]];
        struct recall_mask *merged = NULL;
        for (size_t k = first; k < s->n_masks && merged == NULL; k++)
            if (s->masks[k].lesson == m->lesson)
                merged = &s->masks[k];
        if (merged == NULL) {
            merged = &s->masks[s->n_masks++];
            *merged = (struct recall_mask){0, m->minute, m->lesson};
        }
        merged->mask |= m->mask & ~taken;
        taken |= m->mask;
    }
    for (size_t k = first; k < s->n_masks; k++) {
        struct recall_sum *sum = sum_of(s, s->masks[k].lesson);
        uint64_t all_seconds = 0;
        for (size_t i = 0; i < n; i++)
            if (all[order[i]].lesson == s->masks[k].lesson)
                all_seconds |= all[order[i]].mask;
        sum->seconds += mask_count(all_seconds);
        if (s->masks[k].mask != 0)
            sum->last_minute = s->masks[k].minute;
        if (s->masks[k].minute < kept)
            sum->before += mask_count(s->masks[k].mask);
    }
    if (all[order[0]].minute < kept)
        s->n_masks = first;
}

struct recall_summary recall_sum_up(const struct recall_learner *l, int64_t kept, struct arena *arena)
{
    struct recall_summary s = {0};
    uint32_t *order = arena_alloc(arena, (l->n_masks + 1) * sizeof(*order));
    s.masks = arena_alloc(arena, (l->n_masks + 1) * sizeof(*s.masks));
    s.sums = arena_alloc(arena, (l->n_masks + l->n_totals + 1) * sizeof(*s.sums));
    for (size_t i = 0; i < l->n_masks; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, l->n_masks, sizeof(*order), by_minute, l->masks);
    for (size_t i = 0, n; i < l->n_masks; i += n) {
        for (n = 1; i + n < l->n_masks && l->masks[order[i + n]].minute == l->masks[order[i]].minute;)
            n++;
        sum_up_minute(&s, l->masks, order + i, n, kept);
    }
    for (size_t i = 0; i < l->n_totals; i++)
        sum_of(&s, l->totals[i].lesson)->total = &l->totals[i];
    return s;
}
