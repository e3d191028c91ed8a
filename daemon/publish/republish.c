/* Publishing anew all that Redis holds. */
#include "publish/republish.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "publish/outbox_minutes.h"
#include "publish/outbox_sums.h"
#include "publish/record.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum {
    LOOK_EVERY_MS = 5000,
    TELL_EVERY_MS = 1000,
    KEYS = 1000,          /* of a SCAN, as a rule */
    TOTALS_MAX = 200,     /* learners whose totals a step publishes */
    MINUTES_SEEN = 16384, /* more than the longest horizon has */
    SCANS_MAX = 20        /* a step; a SCAN may find nothing of ours */
};

enum kind { KIND_TOTALS, KIND_MASKS, KIND_SUMS };

/* A key that has something to publish. */
struct found {
    enum kind kind;
    int partition;
    struct slice learner; /* of totals: "portal/learner" */
    int64_t number;       /* of masks: the bucket; of sums: the minute */
};

/* How far a walk has come. */
struct walked {
    size_t server;
    size_t next;     /* of the found keys */
    uint64_t cursor; /* within the masks of that key */
    bool ended;      /* every server has been walked through */
};

struct republish {
    const struct clock *clock;
    struct log *log;
    int64_t look_due_ms; /* steady */
    int64_t told_ms;     /* steady; when Redis was told how far it has come */
    int64_t asked;       /* the number that was asked for; 0: there is nothing to do */
    uint64_t version;    /* of the topology that is walked through */
    struct walked place; /* up to here all is published */
    struct walked after; /* where the step that is being committed ends */
    uint64_t cursor;     /* of the server: where its next keys begin */
    uint64_t connection; /* whose cursors these are; 0: the server's walk has not begun */
    struct arena arena;  /* the found keys */
    struct found *found;
    size_t n_found;
    int64_t
        seen[MINUTES_SEEN]; /* minutes whose sums this walk has published, by minute modulo MINUTES_SEEN */
    int64_t keys;
    int64_t of_keys;
    int64_t records;
    size_t step_records;
};

struct republish *republish_new(const struct clock *clock, struct log *log)
{
    struct republish *a = mem_zalloc(sizeof(*a));
    a->clock = clock;
    a->log = log;
    return a;
}

void republish_free(struct republish *a)
{
    arena_free(&a->arena);
    free(a);
}

static void begin(struct republish *a, int64_t asked)
{
    a->asked = asked;
    a->place = (struct walked){.server = 0};
    a->n_found = 0;
    a->connection = 0;
    a->version = 0;
    memset(a->seen, 0, sizeof(a->seen));
    a->keys = a->of_keys = a->records = 0;
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

enum republish_look republish_look(struct republish *a, struct outbox *o)
{
    struct asked_for request;
    int64_t now_ms = clock_steady_ms(a->clock);
    if (now_ms < a->look_due_ms)
        return a->asked != 0 ? REPUBLISH_GOES_ON : REPUBLISH_NOTHING;
    a->look_due_ms = now_ms + LOOK_EVERY_MS;
    resp_begin(&o->command, 4);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    resp_arg(&o->command, SLICE_LITERAL("asked"));
    resp_arg(&o->command, SLICE_LITERAL("done"));
    if (!outbox_call_key(o, KEY_REPUBLISH, "republish", false, take_request, &request))
        return REPUBLISH_NOTHING;
    int64_t wanted = request.asked == request.done ? 0 : request.asked;
    if (wanted == a->asked)
        return wanted != 0 ? REPUBLISH_GOES_ON : REPUBLISH_NOTHING;
    begin(a, wanted);
    if (wanted == 0)
        log_event(a->log, LOG_INFO, "republish_withdrawn", "asked=%" PRId64, request.asked);
    return wanted != 0 ? REPUBLISH_BEGINS : REPUBLISH_NOTHING;
}

void republish_leave(struct republish *a)
{
    begin(a, 0);
}

/* ---- which keys there are ---- */

/* The partition that KEY is of, when it is one of server A->place.server's; -1. The rest of the key is in
 * *NAME. */
static int partition_of(
    const struct republish *a, const struct outbox *o, struct slice key, struct slice *name)
{
    for (int p = 0; p < outbox_partitions(o); p++) {
        const struct key_prefix *prefix = &o->prefixes[p];
        if (key.len <= prefix->len || memcmp(key.ptr, prefix->text, prefix->len) != 0)
            continue;
        *name = (struct slice){key.ptr + prefix->len, key.len - prefix->len};
        return o->topology->server_of[p] == (int)a->place.server ? p : -1;
    }
    return -1;
}

static bool read_number(struct slice text, int64_t *number)
{
    char digits[24];
    char *end;
    if (text.len == 0 || text.len >= sizeof(digits))
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    *number = strtoll(digits, &end, 10);
    return *end == '\0' && *number > 0;
}

static void note_key(struct republish *a, const struct outbox *o, struct slice key)
{
    struct slice name;
    struct found found = {.partition = partition_of(a, o, key, &name)};
    if (found.partition < 0 || name.len < 3 || name.ptr[1] != ':')
        return;
    struct slice rest = {name.ptr + 2, name.len - 2};
    if (name.ptr[0] == 't') {
        found.kind = KIND_TOTALS;
        found.learner = (struct slice){arena_strndup(&a->arena, rest.ptr, rest.len), rest.len};
    } else if (read_number(rest, &found.number) && (name.ptr[0] == 'w' || name.ptr[0] == 'l')) {
        found.kind = name.ptr[0] == 'w' ? KIND_MASKS : KIND_SUMS;
    } else {
        return;
    }
    a->found[a->n_found++] = found;
}

struct scan {
    struct republish *a;
    struct outbox *o;
};

static bool take_keys(void *ctx, size_t index, const redisReply *reply)
{
    struct scan *scan = ctx;
    struct republish *a = scan->a;
    const redisReply *keys = reply_at(reply, 1);
    struct slice text;
    (void)index;
    if (!reply_string(reply_at(reply, 0), &text) || !reply_is_array(keys))
        return false;
    a->cursor = strtoull(text.ptr, NULL, 10);
    arena_reset(&a->arena);
    a->found = arena_alloc(&a->arena, keys->elements * sizeof(*a->found));
    a->n_found = 0;
    for (size_t i = 0; i < keys->elements; i++)
        if (reply_string(keys->element[i], &text))
            note_key(a, scan->o, text);
    a->keys += (int64_t)keys->elements;
    return true;
}

static uint64_t connection_to(const struct outbox *o, size_t server)
{
    return o->links[server].number;
}

/* Asks the server for its next keys, from the beginning where its walk has not begun. */
static bool scan(struct republish *a, struct outbox *o)
{
    struct scan ctx = {a, o};
    char cursor[24];
    if (a->connection == 0) {
        int64_t size = 0;
        resp_begin(&o->command, 1);
        resp_arg(&o->command, SLICE_LITERAL("DBSIZE"));
        if (!outbox_call_server(o, a->place.server, "republish", outbox_take_integer, &size))
            return false;
        a->of_keys += size;
        a->cursor = 0;
        a->connection = connection_to(o, a->place.server);
    }
    snprintf(cursor, sizeof(cursor), "%" PRIu64, a->cursor);
    resp_begin(&o->command, 8);
    resp_arg(&o->command, SLICE_LITERAL("SCAN"));
    resp_arg(&o->command, slice_of(cursor));
    resp_arg(&o->command, SLICE_LITERAL("MATCH"));
    resp_arg(&o->command, SLICE_LITERAL("minuted:{*"));
    resp_arg(&o->command, SLICE_LITERAL("COUNT"));
    resp_int(&o->command, KEYS);
    resp_arg(&o->command, SLICE_LITERAL("TYPE"));
    resp_arg(&o->command, SLICE_LITERAL("hash"));
    if (!outbox_call_server(o, a->place.server, "republish", take_keys, &ctx))
        return false;
    a->place.next = 0;
    a->place.cursor = 0;
    return true;
}

/*
 * Finds the next key that is to be published. False when there is none for now; a->place.ended: for good. A
 * cursor is its connection's, and where a partition lies is the topology's: after a change of either, what
 * was walked through in vain is walked through again.
 */
static bool find_next(struct republish *a, struct outbox *o)
{
    if (!outbox_follow(o))
        return false;
    if (a->version != o->topology->version) {
        begin(a, a->asked);
        a->version = o->topology->version;
    }
    for (int i = 0; i < SCANS_MAX; i++) {
        if (a->connection != 0 && a->connection != connection_to(o, a->place.server)) {
            a->n_found = a->place.next = 0;
            a->connection = 0;
        }
        if (a->place.next < a->n_found)
            return true;
        if (a->connection != 0 && a->cursor == 0) {
            a->place = (struct walked){.server = a->place.server + 1};
            a->place.ended = a->place.server == o->topology->n_servers;
            a->n_found = 0;
            a->connection = 0;
        }
        if (a->place.ended || !scan(a, o))
            return false;
    }
    return a->place.next < a->n_found;
}

/* ---- totals ---- */

struct totals_call {
    struct republish *a;
    struct round *round;
    const struct found *found;
    struct slice portal;
    struct slice learner;
    struct lesson_total *totals;
    size_t n;
    bool done;
};

static void leave_out(
    const struct republish *a, const struct outbox *o, const struct found *f, const char *name)
{
    log_event(a->log, LOG_ERROR, "total_unreadable", "server=%s partition=%d learner=%.*s lesson=%s",
        outbox_server(o, f->partition), f->partition, SLICE_ARG(f->learner), LOG_QUOTE(name));
}

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
        if (!id_valid(lesson) || !values_decode_total(value, total) || !id_valid(total->course)) {
            leave_out(call->a, call->round->outbox, call->found, lesson.ptr);
            continue;
        }
        total->lesson = (struct slice){arena_strndup(arena, lesson.ptr, lesson.len), lesson.len};
        call->n++;
    }
    return true;
}

static bool split_learner(struct totals_call *call)
{
    struct slice name = call->found->learner;
    const char *slash = memchr(name.ptr, '/', name.len);
    if (slash == NULL)
        return false;
    call->portal = (struct slice){name.ptr, (size_t)(slash - name.ptr)};
    call->learner = (struct slice){slash + 1, name.len - call->portal.len - 1};
    return id_valid(call->portal) && id_name_valid(call->learner);
}

static enum producer_status send_record(struct republish *a, struct round *r, struct record record)
{
    a->step_records++;
    return producer_send(r->producer, &record);
}

/* The totals of the next learners, as many as stand together. */
static enum producer_status send_totals(struct republish *a, struct round *r)
{
    struct outbox *o = r->outbox;
    struct totals_call *calls = arena_alloc(r->arena, TOTALS_MAX * sizeof(*calls));
    size_t n = 0;
    enum producer_status status = PRODUCER_DONE;
    for (; a->after.next < a->n_found && a->found[a->after.next].kind == KIND_TOTALS && n < TOTALS_MAX;
         a->after.next++) {
        struct totals_call *call = &calls[n];
        *call = (struct totals_call){.a = a, .round = r, .found = &a->found[a->after.next]};
        if (!split_learner(call)) {
            leave_out(a, o, call->found, "");
            continue;
        }
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("HGETALL"));
        resp_key_totals(&o->command, &o->prefixes[call->found->partition], call->portal, call->learner);
        outbox_queue(o, call->found->partition, 1, take_totals, call, &call->done);
        n++;
    }
    if (n > 0 && !outbox_flush(o, "republish", true)) {
        a->after = a->place; /* Nothing is sent, and the same step is tried again. */
        return PRODUCER_DONE;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < calls[i].n && status == PRODUCER_DONE; k++) {
            calls[i].totals[k].epoch = o->epochs[calls[i].found->partition].id;
            struct learner_total total = {calls[i].portal, calls[i].learner, &calls[i].totals[k]};
            status = send_record(a, r, record_learner_lesson(r->writer, &total));
        }
    return status;
}

/* ---- masks ---- */

struct masks_call {
    struct republish *a;
    struct round *round;
    const struct found *found;
    struct outbox_portion portions[BUCKET_MINUTES];
};

static bool take_masks(void *ctx, size_t index, const redisReply *reply)
{
    struct masks_call *call = ctx;
    struct arena *arena = call->round->arena;
    const redisReply *pairs = reply_at(reply, 1);
    struct slice text;
    (void)index;
    if (!reply_string(reply_at(reply, 0), &text) || !reply_is_array(pairs) || pairs->elements % 2 != 0)
        return false;
    call->a->after.cursor = strtoull(text.ptr, NULL, 10);
    for (int i = 0; i < BUCKET_MINUTES; i++)
        call->portions[i].learners = arena_alloc(arena, pairs->elements / 2 * sizeof(struct learner_masks));
    for (size_t i = 0; i < pairs->elements; i += 2) {
        struct totals_call name = {.found = &(struct found){.partition = call->found->partition}};
        struct slice learner, value;
        if (!reply_string(pairs->element[i], &learner) || !reply_string(pairs->element[i + 1], &value))
            return false;
        struct found who = {.partition = call->found->partition,
            .learner = {arena_strndup(arena, learner.ptr, learner.len), learner.len}};
        value.ptr = arena_strndup(arena, value.ptr, value.len);
        name.found = &who;
        bool good = split_learner(&name);
        for (int minute = 0; good && minute < BUCKET_MINUTES; minute++) {
            struct outbox_portion *portion = &call->portions[minute];
            struct learner_masks *masks = &portion->learners[portion->n_learners];
            *masks = (struct learner_masks){.portal = name.portal, .learner = name.learner};
            good = values_decode_masks(value, portion->minute, arena, masks);
            portion->n_learners += good && masks->n_masks > 0;
        }
        if (!good)
            leave_out(call->a, call->round->outbox, &who, "");
    }
    return true;
}

/* The evidence of some learners of a bucket. */
static enum producer_status send_masks(struct republish *a, struct round *r)
{
    struct outbox *o = r->outbox;
    const struct found *found = &a->found[a->place.next];
    const struct key_prefix *prefix = &o->prefixes[found->partition];
    struct masks_call *call = arena_alloc(r->arena, sizeof(*call));
    struct outbox_portion *portions[BUCKET_MINUTES];
    struct outbox_totals totals;
    enum producer_status status = PRODUCER_DONE;
    char cursor[24];
    *call = (struct masks_call){.a = a, .round = r, .found = found};
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        portions[i] = &call->portions[i];
        portions[i]->partition = found->partition;
        portions[i]->minute = found->number * BUCKET_MINUTES + i;
    }
    snprintf(cursor, sizeof(cursor), "%" PRIu64, a->place.cursor);
    resp_begin(&o->command, 5);
    resp_arg(&o->command, SLICE_LITERAL("HSCAN"));
    resp_key_number(&o->command, prefix, "w", found->number);
    resp_arg(&o->command, slice_of(cursor));
    resp_arg(&o->command, SLICE_LITERAL("COUNT"));
    resp_int(&o->command, OUTBOX_TAKE_MAX);
    bool good = outbox_call(o, found->partition, 1, "republish", take_masks, call);
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        portions[i]->done = good;
        portions[i]->connection = outbox_connection(o, found->partition);
    }
    outbox_totals(o, portions, BUCKET_MINUTES, r->arena, &totals);
    for (int i = 0; i < BUCKET_MINUTES; i++)
        good = good && portions[i]->done;
    if (!good || a->connection != connection_to(o, a->place.server)) {
        a->after = a->place; /* Nothing is sent, and the same step is tried again. */
        return PRODUCER_DONE;
    }
    for (int i = 0; i < BUCKET_MINUTES; i++)
        for (size_t n = 0; n < portions[i]->n_learners; n++)
            for (size_t k = 0; k < portions[i]->learners[n].n_masks && status == PRODUCER_DONE; k++) {
                const struct learner_masks *learner = &portions[i]->learners[n];
                status = send_record(
                    a, r, record_learner_minute(r->writer, portions[i]->minute, learner, &learner->masks[k]));
            }
    if (a->after.cursor == 0)
        a->after.next++;
    return status;
}

/* ---- lesson sums ---- */

static enum producer_status send_sums(struct republish *a, struct round *r)
{
    struct outbox_sums sums;
    int64_t minute = a->found[a->place.next].number;
    enum producer_status status = PRODUCER_DONE;
    a->after.next++;
    if (a->seen[minute % MINUTES_SEEN] == minute)
        return PRODUCER_DONE; /* All partitions' sums were published together. */
    if (!outbox_all_sums(r->outbox, minute, r->arena, &sums)) {
        a->after = a->place;
        return PRODUCER_DONE;
    }
    for (size_t i = 0; i < sums.n && status == PRODUCER_DONE; i++)
        status = send_record(a, r, record_lesson_minute(r->writer, minute, &sums.sums[i]));
    a->seen[minute % MINUTES_SEEN] = minute;
    return status;
}

/* ---- steps ---- */

enum producer_status republish_send(struct republish *a, struct round *r)
{
    a->step_records = 0;
    bool found = a->asked != 0 && find_next(a, r->outbox);
    a->after = a->place;
    if (!found)
        return PRODUCER_DONE;
    switch (a->found[a->place.next].kind) {
    case KIND_TOTALS:
        return send_totals(a, r);
    case KIND_MASKS:
        return send_masks(a, r);
    default:
        return send_sums(a, r);
    }
}

/* Tells Redis, and so whoever has asked, how far the walk has come. */
static bool tell(struct republish *a, struct outbox *o)
{
    int64_t made;
    resp_begin(&o->command, 2 + (a->place.ended ? 8 : 6));
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    resp_arg(&o->command, SLICE_LITERAL("keys"));
    resp_int(&o->command, a->keys);
    resp_arg(&o->command, SLICE_LITERAL("of_keys"));
    resp_int(&o->command, a->of_keys);
    resp_arg(&o->command, SLICE_LITERAL("records"));
    resp_int(&o->command, a->records);
    if (a->place.ended) {
        resp_arg(&o->command, SLICE_LITERAL("done"));
        resp_int(&o->command, a->asked);
    }
    return outbox_call_key(o, KEY_REPUBLISH, "republish", a->place.ended, outbox_take_integer, &made);
}

bool republish_note(struct republish *a, struct outbox *o)
{
    int64_t now_ms = clock_steady_ms(a->clock);
    bool moved = memcmp(&a->place, &a->after, sizeof(a->place)) != 0;
    a->place = a->after;
    a->records += (int64_t)a->step_records;
    if (!a->place.ended && now_ms - a->told_ms < TELL_EVERY_MS)
        return moved;
    a->told_ms = now_ms;
    if (!tell(a, o) || !a->place.ended)
        return moved;
    log_event(a->log, LOG_INFO, "republish_ended", "asked=%" PRId64 " keys=%" PRId64 " records=%" PRId64,
        a->asked, a->keys, a->records);
    begin(a, 0);
    return false;
}
