/* Publishing anew all that Redis holds. */
#include "publish/republish.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "publish/outbox_keys.h"
#include "publish/outbox_minutes.h"
#include "publish/outbox_sums.h"
#include "publish/record.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum {
    LOOK_EVERY_MS = 5000,
    TELL_EVERY_MS = 1000,
    TOTALS_MAX = 200,     /* learners whose totals a step publishes */
    MINUTES_SEEN = 16384, /* more than the longest horizon has */
    SCANS_MAX = 20,       /* a step; a SCAN may find nothing of ours */
    TRIES_MAX = 30,       /* of a step, a second apart; what cannot be read then is left out */
    PER_LEARNER = 20      /* records that a learner's key comes to, as a rule */
};

enum kind { KIND_TOTALS, KIND_MASKS, KIND_SUMS };

/* A key that has something to publish. */
struct found {
    enum kind kind;
    int partition;
    struct slice portal; /* of totals, as is the learner */
    struct slice learner;
    int64_t number; /* of masks: the bucket; of sums: the minute */
};

/* How far a walk has come. */
struct walked {
    size_t server;
    size_t next;     /* of the found keys */
    uint64_t cursor; /* within the masks of that key */
};

struct republish {
    const struct clock *clock;
    struct log *log;
    int64_t look_due_ms;       /* steady */
    int64_t told_ms;           /* steady; when Redis was told how far it has come */
    int64_t asked;             /* the number that was asked for; 0: there is nothing to do */
    struct topology *topology; /* that is walked through; NULL: the walk has not begun */
    struct walked place;       /* up to here all is published */
    struct walked after;       /* where the step that is being committed ends */
    bool scanned;              /* this step has asked for further keys */
    bool ended;                /* every server has been walked through */
    uint64_t scan_cursor;      /* where the server's next keys begin */
    uint64_t connection;       /* whose cursors these are; 0: the server's walk has not begun */
    struct arena arena;        /* the found keys */
    struct found *found;
    size_t n_found;
    int64_t seen[MINUTES_SEEN]; /* minutes whose sums are published, by minute modulo MINUTES_SEEN */
    int64_t seen_next;          /* the one of the step that is being committed; 0: none */
    int tries;                  /* that the next step was made in vain */
    int64_t keys_before;        /* of the servers that were walked through */
    int64_t keys;               /* of this one */
    int64_t of_keys;
    int64_t records;
    int64_t left_out; /* keys that could not be read, or values in them */
    int64_t step_left_out;
    size_t step_records;
};

struct republish *republish_new(const struct clock *clock, struct log *log)
{
    struct republish *walk = mem_zalloc(sizeof(*walk));
    walk->clock = clock;
    walk->log = log;
    return walk;
}

void republish_free(struct republish *walk)
{
    topology_unref(walk->topology);
    arena_free(&walk->arena);
    free(walk);
}

static void begin_server(struct republish *walk, size_t server)
{
    walk->place = (struct walked){.server = server};
    walk->n_found = 0;
    walk->connection = 0;
    walk->keys = 0;
}

static void begin(struct republish *walk, int64_t asked)
{
    topology_unref(walk->topology);
    walk->topology = NULL;
    walk->asked = asked;
    walk->ended = false;
    begin_server(walk, 0);
    memset(walk->seen, 0, sizeof(walk->seen));
    walk->keys_before = walk->of_keys = walk->records = walk->left_out = 0;
    walk->tries = 0;
}

/* ---- what Kafka has lost ---- */

static bool take_kafka_lost(void *ctx, size_t index, const redisReply *reply)
{
    bool *lost = ctx;
    (void)index;
    *lost = reply->type != REDIS_REPLY_NIL;
    return !*lost || reply->type == REDIS_REPLY_STRING;
}

static void begin_kafka_lost(struct outbox *o, size_t n, struct slice command)
{
    resp_begin(&o->command, n);
    resp_arg(&o->command, command);
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    resp_arg(&o->command, SLICE_LITERAL("kafka_lost"));
}

bool republish_kafka_lost(struct outbox *o, bool *lost)
{
    begin_kafka_lost(o, 3, SLICE_LITERAL("HGET"));
    return outbox_call_key(o, KEY_REPUBLISH, "kafka_lost", false, take_kafka_lost, lost);
}

bool republish_note_kafka_lost(struct outbox *o)
{
    int64_t made;
    begin_kafka_lost(o, 4, SLICE_LITERAL("HSET"));
    resp_int(&o->command, clock_now_ms(o->clock));
    return outbox_call_key(o, KEY_REPUBLISH, "kafka_lost", true, outbox_take_integer, &made);
}

static bool forget_kafka_lost(struct outbox *o)
{
    int64_t made;
    begin_kafka_lost(o, 3, SLICE_LITERAL("HDEL"));
    return outbox_call_key(o, KEY_REPUBLISH, "kafka_lost", false, outbox_take_integer, &made);
}

/* ---- what is asked for ---- */

struct asked_for {
    int64_t asked;
    int64_t done;
};

static bool take_request(void *ctx, size_t index, const redisReply *reply)
{
    struct asked_for *request = ctx;
    (void)index;
    /* What is no number asks for nothing. */
    if (!reply_number(reply_at(reply, 0), &request->asked))
        request->asked = 0;
    if (!reply_number(reply_at(reply, 1), &request->done))
        request->done = 0;
    return reply_is_array(reply) && reply->elements == 2;
}

enum republish_look republish_look(struct republish *walk, struct outbox *o)
{
    struct asked_for request;
    int64_t now_ms = clock_steady_ms(walk->clock);
    if (now_ms < walk->look_due_ms)
        return walk->asked != 0 ? REPUBLISH_GOES_ON : REPUBLISH_NOTHING;
    walk->look_due_ms = now_ms + LOOK_EVERY_MS;
    resp_begin(&o->command, 4);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    resp_arg(&o->command, SLICE_LITERAL("asked"));
    resp_arg(&o->command, SLICE_LITERAL("done"));
    if (!outbox_call_key(o, KEY_REPUBLISH, "republish", false, take_request, &request))
        return REPUBLISH_NOTHING;
    int64_t wanted = request.asked == request.done ? 0 : request.asked;
    if (wanted == walk->asked)
        return wanted != 0 ? REPUBLISH_GOES_ON : REPUBLISH_NOTHING;
    begin(walk, wanted);
    if (wanted == 0)
        log_event(walk->log, LOG_INFO, "republish_withdrawn", "asked=%" PRId64, request.asked);
    return wanted != 0 ? REPUBLISH_BEGINS : REPUBLISH_NOTHING;
}

void republish_leave(struct republish *walk)
{
    begin(walk, 0);
}

/* ---- which keys there are ---- */

/* A minute or a bucket, as keys are named by it. */
static bool read_number(struct slice text, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || *number > UINT32_MAX / 100)
            return false;
        *number = *number * 10 + text.ptr[i] - '0';
    }
    return *number > 0;
}

static void leave_out(struct republish *walk, const struct outbox *o, int partition, const char *name)
{
    walk->step_left_out++;
    log_event(walk->log, LOG_ERROR, "republish_unreadable", "server=%s partition=%d name=%s",
        outbox_server(o, partition), partition, LOG_QUOTE(name));
}

static void note_key(struct republish *walk, const struct outbox *o, const struct outbox_key *key)
{
    struct slice name = key->name;
    struct found found = {.partition = key->partition};
    if (name.len < 3 || name.ptr[1] != ':')
        return;
    struct slice rest = {name.ptr + 2, name.len - 2};
    if (name.ptr[0] == 't') {
        found.kind = KIND_TOTALS;
        if (!outbox_split_learner(rest, &found.portal, &found.learner)) {
            leave_out(walk, o, found.partition, rest.ptr);
            return;
        }
    } else if (read_number(rest, &found.number) && (name.ptr[0] == 'w' || name.ptr[0] == 'l')) {
        found.kind = name.ptr[0] == 'w' ? KIND_MASKS : KIND_SUMS;
    } else {
        return;
    }
    walk->found[walk->n_found++] = found;
}

static uint64_t connection_to(const struct outbox *o, size_t server)
{
    return o->links[server].number;
}

/* Asks the server for its next keys, from the beginning where its walk has not begun. */
static bool scan(struct republish *walk, struct outbox *o)
{
    struct outbox_keys keys;
    if (walk->connection == 0) {
        int64_t size = 0;
        resp_begin(&o->command, 1);
        resp_arg(&o->command, SLICE_LITERAL("DBSIZE"));
        if (!outbox_call_server(o, walk->place.server, "republish", outbox_take_integer, &size))
            return false;
        walk->of_keys = walk->keys_before + size;
        walk->scan_cursor = 0;
        walk->connection = connection_to(o, walk->place.server);
    }
    arena_reset(&walk->arena);
    walk->n_found = 0;
    if (!outbox_scan(o, walk->place.server, "hash", &walk->scan_cursor, &walk->arena, "republish", &keys))
        return false;
    walk->found = arena_alloc(&walk->arena, keys.n * sizeof(*walk->found));
    for (size_t i = 0; i < keys.n; i++)
        note_key(walk, o, &keys.items[i]);
    walk->keys += (int64_t)keys.seen;
    walk->place.next = 0;
    walk->place.cursor = 0;
    walk->scanned = true;
    return true;
}

/* Whether keys may be on other servers than when the walk began. */
static bool has_moved(const struct republish *walk, const struct outbox *o)
{
    return topology_compare(walk->topology, o->topology) > TOPOLOGY_USABILITY;
}

/*
 * Finds the next key that is to be published. False when there is none for now; walk->ended: for good. A
 * cursor is its connection's, and where a partition lies is the topology's: after a change of either, what
 * was walked through in vain is walked through again.
 */
static bool find_next(struct republish *walk, struct outbox *o)
{
    if (!outbox_follow(o))
        return false;
    if (walk->topology == NULL || has_moved(walk, o)) {
        begin(walk, walk->asked);
        walk->topology = topology_ref(o->topology);
    }
    for (int i = 0; i < SCANS_MAX; i++) {
        if (walk->connection != 0 && walk->connection != connection_to(o, walk->place.server))
            begin_server(walk, walk->place.server);
        if (walk->place.next < walk->n_found)
            return true;
        if (walk->connection != 0 && walk->scan_cursor == 0) {
            walk->keys_before += walk->keys;
            begin_server(walk, walk->place.server + 1);
            walk->ended = walk->place.server == o->topology->n_servers;
        }
        if (walk->ended || !scan(walk, o))
            return false;
    }
    return walk->place.next < walk->n_found;
}

/* ---- steps that are made in vain ---- */

/*
 * Nothing is sent, and the same step is made again: a server may be away, or replicas. What cannot be read
 * however often is left out, since it would keep all that comes after it from being published.
 */
static bool try_again(struct republish *walk)
{
    if (++walk->tries > TRIES_MAX)
        return false;
    walk->after = walk->place;
    walk->step_left_out = 0;
    return true;
}

/* For steps whose size a transaction limits. */
static size_t learners_for(const struct round *r, size_t most)
{
    size_t n = r->records_max / PER_LEARNER;
    return n < 1 ? 1 : n < most ? n : most;
}

/* ---- totals ---- */

struct totals_call {
    struct republish *walk;
    struct round *round;
    const struct found *found;
    struct lesson_total *totals;
    size_t n;
    bool done;
};

static bool take_totals(void *ctx, size_t index, const redisReply *reply)
{
    struct totals_call *call = ctx;
    struct arena *arena = call->round->arena;
    (void)index;
    if (!reply_is_array(reply) || reply->elements % 2 != 0)
        return false;
    call->totals = arena_alloc(arena, reply->elements / 2 * sizeof(*call->totals));
    for (size_t i = 0; i < reply->elements; i += 2) {
        struct slice lesson, text;
        struct lesson_total *total = &call->totals[call->n];
        if (!reply_string(reply->element[i], &lesson) || !reply_string(reply->element[i + 1], &text))
            return false;
        struct slice value = {arena_strndup(arena, text.ptr, text.len), text.len};
        if (!id_valid(lesson) || !values_decode_total(value, total)) {
            leave_out(call->walk, call->round->outbox, call->found->partition, call->found->learner.ptr);
            continue;
        }
        total->lesson = (struct slice){arena_strndup(arena, lesson.ptr, lesson.len), lesson.len};
        call->n++;
    }
    return true;
}

/* What Kafka refuses is told as it is refused, and left out. */
static enum producer_status send_record(struct republish *walk, struct round *r, struct record record)
{
    enum producer_status status = producer_send(r->producer, &record);
    bool refused = status == PRODUCER_REFUSED;
    walk->step_left_out += refused;
    walk->step_records += !refused;
    return refused ? PRODUCER_DONE : status;
}

/* The totals of the next learners, as many as stand together. */
static enum producer_status send_totals(struct republish *walk, struct round *r)
{
    struct outbox *o = r->outbox;
    struct totals_call *calls = arena_alloc(r->arena, TOTALS_MAX * sizeof(*calls));
    size_t most = learners_for(r, TOTALS_MAX);
    size_t n = 0;
    enum producer_status status = PRODUCER_DONE;
    while (
        walk->after.next < walk->n_found && walk->found[walk->after.next].kind == KIND_TOTALS && n < most) {
        struct totals_call *call = &calls[n++];
        const struct found *found = &walk->found[walk->after.next++];
        *call = (struct totals_call){.walk = walk, .round = r, .found = found};
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
        resp_key_totals(&o->command, &o->prefixes[found->partition], found->portal, found->learner);
        outbox_queue(o, found->partition, 1, take_totals, call, &call->done);
    }
    if (!outbox_flush(o, "republish", true) && try_again(walk))
        return PRODUCER_DONE;
    for (size_t i = 0; i < n; i++) {
        const struct found *found = calls[i].found;
        if (!calls[i].done)
            leave_out(walk, o, found->partition, found->learner.ptr);
        for (size_t k = 0; calls[i].done && k < calls[i].n && status == PRODUCER_DONE; k++) {
            calls[i].totals[k].epoch = o->epochs[found->partition].id;
            struct learner_total total = {found->portal, found->learner, &calls[i].totals[k]};
            status = send_record(walk, r, record_learner_lesson(r->writer, &total));
        }
    }
    return status;
}

/* ---- masks ---- */

struct masks_call {
    struct republish *walk;
    struct round *round;
    const struct found *found;
    struct outbox_portion portions[BUCKET_MINUTES];
};

/* What one learner has of the bucket, minute by minute. False when it cannot be read. */
static bool take_learner(struct masks_call *call, struct slice name, struct slice value)
{
    struct arena *arena = call->round->arena;
    struct learner_masks masks[BUCKET_MINUTES] = {0};
    struct slice portal, learner;
    if (!outbox_split_learner(name, &portal, &learner))
        return false;
    for (int i = 0; i < BUCKET_MINUTES; i++)
        if (!values_decode_masks(value, call->portions[i].minute, arena, &masks[i]))
            return false;
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        struct outbox_portion *portion = &call->portions[i];
        masks[i].portal = portal;
        masks[i].learner = learner;
        if (masks[i].n_masks > 0)
            portion->learners[portion->n_learners++] = masks[i];
    }
    return true;
}

static bool take_masks(void *ctx, size_t index, const redisReply *reply)
{
    struct masks_call *call = ctx;
    struct arena *arena = call->round->arena;
    const redisReply *pairs = reply_at(reply, 1);
    struct slice text;
    (void)index;
    if (!reply_string(reply_at(reply, 0), &text) || !reply_is_array(pairs) || pairs->elements % 2 != 0)
        return false;
    call->walk->after.cursor = strtoull(text.ptr, NULL, 10);
    for (int i = 0; i < BUCKET_MINUTES; i++)
        call->portions[i].learners = arena_alloc(arena, pairs->elements / 2 * sizeof(struct learner_masks));
    for (size_t i = 0; i < pairs->elements; i += 2) {
        struct slice name, value;
        if (!reply_string(pairs->element[i], &name) || !reply_string(pairs->element[i + 1], &value))
            return false;
        name.ptr = arena_strndup(arena, name.ptr, name.len);
        value.ptr = arena_strndup(arena, value.ptr, value.len);
        if (!take_learner(call, name, value))
            leave_out(call->walk, call->round->outbox, call->found->partition, name.ptr);
    }
    return true;
}

/* Reads some learners of the bucket, with their totals. False when that was in vain. */
static bool read_masks(struct republish *walk, struct round *r, struct masks_call *call)
{
    struct outbox *o = r->outbox;
    struct outbox_portion *portions[BUCKET_MINUTES];
    struct outbox_totals totals;
    char cursor[24];
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        portions[i] = &call->portions[i];
        portions[i]->partition = call->found->partition;
        portions[i]->minute = call->found->number * BUCKET_MINUTES + i;
    }
    snprintf(cursor, sizeof(cursor), "%" PRIu64, walk->place.cursor);
    resp_begin(&o->command, 5);
    resp_arg(&o->command, SLICE_LITERAL("HSCAN"));
    resp_key_number(&o->command, &o->prefixes[call->found->partition], "w", call->found->number);
    resp_arg(&o->command, slice_of(cursor));
    resp_arg(&o->command, SLICE_LITERAL("COUNT"));
    resp_int(&o->command, (int64_t)learners_for(r, OUTBOX_TAKE_MAX));
    if (!outbox_call(o, call->found->partition, 1, "republish", take_masks, call))
        return false;
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        portions[i]->done = true;
        portions[i]->connection = walk->connection;
    }
    outbox_totals(o, portions, BUCKET_MINUTES, (struct outbox_leave_out){NULL, NULL}, r->arena, &totals);
    bool good = true;
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        good = good && portions[i]->done;
        walk->step_left_out += (int64_t)portions[i]->n_left_out;
    }
    return good;
}

/* The evidence of some learners of a bucket. */
static enum producer_status send_masks(struct republish *walk, struct round *r)
{
    struct masks_call *call = arena_alloc(r->arena, sizeof(*call));
    enum producer_status status = PRODUCER_DONE;
    *call = (struct masks_call){.walk = walk, .round = r, .found = &walk->found[walk->place.next]};
    if (!read_masks(walk, r, call)) {
        if (!try_again(walk)) { /* All that is left of this key. */
            leave_out(walk, r->outbox, call->found->partition, "masks");
            walk->after.next++;
            walk->after.cursor = 0;
        }
        return PRODUCER_DONE;
    }
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        const struct outbox_portion *portion = &call->portions[i];
        for (size_t n = 0; n < portion->n_learners; n++)
            for (size_t k = 0; k < portion->learners[n].n_masks && status == PRODUCER_DONE; k++)
                status = send_record(walk, r,
                    record_learner_minute(
                        r->writer, portion->minute, &portion->learners[n], &portion->learners[n].masks[k]));
    }
    walk->after.next += walk->after.cursor == 0;
    return status;
}

/* ---- lesson sums ---- */

static enum producer_status send_sums(struct republish *walk, struct round *r)
{
    struct outbox_sums sums;
    int64_t minute = walk->found[walk->place.next].number;
    int partition = walk->found[walk->place.next].partition;
    enum producer_status status = PRODUCER_DONE;
    walk->after.next++;
    if (walk->seen[minute % MINUTES_SEEN] == minute)
        return PRODUCER_DONE; /* All partitions' sums were published together. */
    if (!outbox_all_sums(r->outbox, minute, r->arena, &sums)) {
        if (!try_again(walk))
            leave_out(walk, r->outbox, partition, "sums");
        return PRODUCER_DONE;
    }
    for (int p = 0; p < outbox_partitions(r->outbox); p++)
        walk->step_left_out += sums.parts[p].unreadable;
    for (size_t i = 0; i < sums.n && status == PRODUCER_DONE; i++)
        status = send_record(walk, r, record_lesson_minute(r->writer, minute, &sums.sums[i]));
    walk->seen_next = minute;
    return status;
}

/* ---- steps ---- */

enum producer_status republish_send(struct republish *walk, struct round *r)
{
    walk->step_records = 0;
    walk->step_left_out = 0;
    walk->seen_next = 0;
    walk->scanned = false;
    bool found = walk->asked != 0 && find_next(walk, r->outbox);
    walk->left_out += walk->step_left_out; /* Names are read once, and the step may be made again. */
    walk->step_left_out = 0;
    walk->after = walk->place;
    if (!found)
        return PRODUCER_DONE;
    switch (walk->found[walk->place.next].kind) {
    case KIND_TOTALS:
        return send_totals(walk, r);
    case KIND_MASKS:
        return send_masks(walk, r);
    case KIND_SUMS:
        return send_sums(walk, r);
    }
    return PRODUCER_DONE;
}

static void append_field(struct buf *b, const char *name, int64_t value)
{
    resp_arg(b, slice_of(name));
    resp_int(b, value);
}

/* Tells Redis, and so whoever has asked, how far the walk has come. */
static bool tell(struct republish *walk, struct outbox *o)
{
    int64_t made;
    /* If the process ends between this and what follows, everything is published once more. */
    if (walk->ended && !forget_kafka_lost(o))
        return false;
    resp_begin(&o->command, 2 + (walk->ended ? 10 : 8));
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    append_field(&o->command, "keys", walk->keys_before + walk->keys);
    append_field(&o->command, "of_keys", walk->of_keys);
    append_field(&o->command, "records", walk->records);
    append_field(&o->command, "left_out", walk->left_out);
    if (walk->ended)
        append_field(&o->command, "done", walk->asked);
    return outbox_call_key(o, KEY_REPUBLISH, "republish", walk->ended, outbox_take_integer, &made);
}

bool republish_note(struct republish *walk, struct outbox *o)
{
    int64_t now_ms = clock_steady_ms(walk->clock);
    bool moved =
        walk->scanned || walk->place.next != walk->after.next || walk->place.cursor != walk->after.cursor;
    walk->place = walk->after;
    walk->records += (int64_t)walk->step_records;
    walk->left_out += walk->step_left_out;
    walk->tries = moved ? 0 : walk->tries;
    if (walk->seen_next != 0)
        walk->seen[walk->seen_next % MINUTES_SEEN] = walk->seen_next;
    if (!walk->ended && now_ms - walk->told_ms < TELL_EVERY_MS)
        return moved;
    walk->told_ms = now_ms;
    if (!tell(walk, o) || !walk->ended)
        return moved;
    log_event(walk->log, walk->left_out == 0 ? LOG_INFO : LOG_WARN, "republish_ended",
        "asked=%" PRId64 " keys=%" PRId64 " records=%" PRId64 " left_out=%" PRId64, walk->asked,
        walk->keys_before + walk->keys, walk->records, walk->left_out);
    begin(walk, 0);
    return false;
}
