/* Making room for the next program. */
#include "run/begin.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "publish/lease.h"
#include "publish/outbox.h"
#include "publish/outbox_keys.h"
#include "publish/republish.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "store/functions.h"

enum { WORDS_MAX = 512, ENDED_MAX = 1024, NO_FLOOR = 0 };

/* How `program_begins` begins; the program before stands behind it. */
#define CLOSING "closing:"
#define FREEING "freeing:"

enum begin_phase {
    PHASE_READ,
    PHASE_LOOK,
    PHASE_MARK,
    PHASE_LEASE,
    PHASE_CLOSE,
    PHASE_LOOK_AGAIN,
    PHASE_FREE,
    PHASE_SWEEP,
    PHASE_OPEN,
    PHASE_FINISH,
    PHASE_REOPEN,
    PHASE_UNMARK
};

/* A walk through the keys of all servers. */
struct walk {
    struct topology *topology; /* that is walked through; NULL: it has not begun */
    size_t server;
    uint64_t cursor;
    uint64_t connection; /* whose cursor it is; 0: the server's walk has not begun */
    struct arena arena;  /* of the found keys */
    struct outbox_keys found;
};

/* What Redis says of programs. */
struct begin_state {
    char program[ID_MAX + 1];
    char begins[sizeof(CLOSING) + ID_MAX];
    char closes[24];
    char ended[ENDED_MAX];
    int64_t final_through;
    int64_t republish_asked;
    int64_t republish_done;
};

struct begin {
    struct outbox *outbox;
    const char *program;
    struct lease lease;
    enum begin_phase phase;
    bool frees; /* there is no way back any more */
    struct begin_state state;
    char before[ID_MAX + 1]; /* the program that ends */
    char words[WORDS_MAX];
    bool counting;
    struct walk walk;
    bool floors_known;
    int64_t floors[PARTITIONS_MAX]; /* minutes */
    int64_t totals;                 /* keys that are to be deleted, as they were counted */
    int64_t deleted;
};

struct begin *begin_new(struct outbox *o, const struct clock *clock, const char *program, const char *holder)
{
    struct begin *b = mem_zalloc(sizeof(*b));
    b->outbox = o;
    b->program = program;
    b->lease = (struct lease){.outbox = o, .clock = clock, .holder = holder};
    return b;
}

void begin_free(struct begin *b)
{
    lease_release(&b->lease);
    topology_unref(b->walk.topology);
    arena_free(&b->walk.arena);
    free(b);
}

const char *begin_words(const struct begin *b)
{
    return b->words;
}

bool begin_is_counting(const struct begin *b)
{
    return b->counting;
}

static void say(struct begin *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct begin *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->words, sizeof(b->words), format, args);
    va_end(args);
    b->counting = false;
}

static enum begin_status go_on(struct begin *b, enum begin_phase phase)
{
    b->phase = phase;
    b->floors_known = false;
    topology_unref(b->walk.topology);
    b->walk.topology = NULL;
    return BEGIN_GOES_ON;
}

static void format_time(int64_t unix_s, char out[static 32])
{
    time_t at = (time_t)unix_s;
    struct tm utc;
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &utc));
}

/* ---- what Redis says ---- */

static bool copy_text(const redisReply *reply, char *out, size_t n)
{
    return reply != NULL && (size_t)snprintf(out, n, "%s", reply_text(reply)) < n;
}

static bool take_settings(void *ctx, size_t index, const redisReply *reply)
{
    struct begin_state *s = ctx;
    (void)index;
    return copy_text(reply_at(reply, 0), s->program, sizeof(s->program)) &&
           copy_text(reply_at(reply, 1), s->begins, sizeof(s->begins)) &&
           copy_text(reply_at(reply, 2), s->closes, sizeof(s->closes)) &&
           copy_text(reply_at(reply, 3), s->ended, sizeof(s->ended));
}

/* What is no number counts as 0, as whoever publishes reads it. */
static int64_t number_at(const redisReply *reply, size_t i)
{
    int64_t number;
    return reply_number(reply_at(reply, i), &number) ? number : 0;
}

static bool take_watermark(void *ctx, size_t index, const redisReply *reply)
{
    struct begin_state *s = ctx;
    (void)index;
    s->final_through = number_at(reply, 0);
    return reply_is_array(reply);
}

static bool take_republish(void *ctx, size_t index, const redisReply *reply)
{
    struct begin_state *s = ctx;
    (void)index;
    s->republish_asked = number_at(reply, 0);
    s->republish_done = number_at(reply, 1);
    return reply_is_array(reply);
}

static bool read_fields(struct begin *b, const char *key, const char *const *fields, take_reply *take)
{
    struct outbox *o = b->outbox;
    size_t n = 0;
    while (fields[n] != NULL)
        n++;
    resp_begin(&o->command, 2 + n);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_arg(&o->command, slice_of(key));
    for (size_t i = 0; i < n; i++)
        resp_arg(&o->command, slice_of(fields[i]));
    return outbox_call_key(o, key, "begin", false, take, &b->state);
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
            return true;
    return false;
}

/* Whether the program that Redis counts for may end, as far as can be said without looking at what it holds.
 */
static enum begin_status judge(struct begin *b)
{
    const struct begin_state *s = &b->state;
    int64_t closes = strtoll(s->closes, NULL, 10);
    char closes_at[32], final_at[32];
    if (has_word(s->ended, b->program)) {
        say(b,
            "refused: the program %s has ended before (programs_ended in minuted:settings), and its totals "
            "in "
            "Kafka would be replaced: give the new one another name",
            b->program);
        return BEGIN_REFUSED;
    }
    if (strcmp(s->closes, "never") == 0) {
        say(b,
            "refused: the program %s has a course that never closes: give its catalog a last day, and reload "
            "its daemons",
            s->program);
        return BEGIN_REFUSED;
    }
    if (closes <= 0) {
        say(b,
            "refused: minuted:settings does not say when the program %s closes (program_closes): start a "
            "daemon of it, which writes that",
            s->program);
        return BEGIN_REFUSED;
    }
    format_time(closes, closes_at);
    format_time(s->final_through, final_at);
    if (s->final_through < closes) {
        say(b,
            "refused: the last day of the program %s ends at %s, and final_through in minuted:watermarks is "
            "%s: its daemons must run until that has passed",
            s->program, closes_at, s->final_through > 0 ? final_at : "not set");
        return BEGIN_REFUSED;
    }
    if (s->republish_asked != s->republish_done) {
        say(b,
            "refused: minuted:republish asks for everything to be published anew, and that is not done yet");
        return BEGIN_REFUSED;
    }
    say(b, "The program %s closed at %s, and final_through is %s. Looking whether Kafka has all of it.",
        s->program, closes_at, final_at);
    return go_on(b, PHASE_LOOK);
}

static enum begin_status read_state(struct begin *b)
{
    static const char *const settings[] = {
        SETTING_PROGRAM, SETTING_BEGINS, SETTING_CLOSES, SETTING_ENDED, NULL};
    static const char *const watermarks[] = {"final_through", NULL};
    static const char *const republish[] = {"asked", "done", NULL};
    struct begin_state *s = &b->state;
    *s = (struct begin_state){.final_through = 0};
    if (!read_fields(b, KEY_SETTINGS, settings, take_settings) ||
        !read_fields(b, KEY_WATERMARKS, watermarks, take_watermark) ||
        !read_fields(b, KEY_REPUBLISH, republish, take_republish))
        return BEGIN_WAITS;
    bool ours = strcmp(s->program, b->program) == 0;
    bool frees = strncmp(s->begins, FREEING, strlen(FREEING)) == 0;
    if (s->program[0] == '\0' || (ours && s->begins[0] == '\0')) {
        say(b, "done: %s%s", ours ? "Redis counts for the program " : "Redis counts for no program yet",
            ours ? b->program : "");
        return BEGIN_DONE;
    }
    if (!ours && s->begins[0] != '\0') {
        say(b,
            "refused: the program %s is being begun: run minuted --begin-program with its catalog first, "
            "until "
            "that is done",
            s->program);
        return BEGIN_REFUSED;
    }
    snprintf(b->before, sizeof(b->before), "%s", ours ? s->begins + strlen(CLOSING) : s->program);
    if (!ours)
        return judge(b);
    b->frees = frees;
    say(b, "Going on with what was begun before: %s ends, %s begins.", b->before, b->program);
    return go_on(b, PHASE_LEASE);
}

/* ---- walking through the keys ---- */

enum begin_walked { WALKED, WALK_ENDED, WALK_FAILED, WALK_ANEW };

/*
 * Finds the next keys. A cursor is its connection's, and where a partition lies is the topology's: after a
 * change of either, all servers are walked through again.
 */
static enum begin_walked walk_on(struct begin *b)
{
    struct walk *w = &b->walk;
    struct outbox *o = b->outbox;
    w->found.n = 0;
    if (!outbox_follow(o))
        return WALK_FAILED;
    bool begun = w->topology != NULL;
    bool moved = begun && topology_compare(w->topology, o->topology) > TOPOLOGY_USABILITY;
    if (begun && !moved && w->connection != 0 && w->cursor == 0) {
        w->server++;
        w->connection = 0;
        if (w->server == o->topology->n_servers)
            return WALK_ENDED;
    }
    if (!begun || moved || (w->connection != 0 && w->connection != o->links[w->server].number)) {
        topology_unref(w->topology);
        w->topology = topology_ref(o->topology);
        w->server = 0;
        w->cursor = 0;
        w->connection = 0;
        if (begun)
            return WALK_ANEW;
    }
    arena_reset(&w->arena);
    if (!outbox_scan(o, w->server, NULL, &w->cursor, &w->arena, "begin", &w->found))
        return WALK_FAILED;
    if (w->connection == 0)
        w->connection = o->links[w->server].number;
    return w->connection == o->links[w->server].number ? WALKED : WALK_ANEW;
}

/* ---- looking ---- */

/* `t:…`, `l:…` and `w:…`: what a program leaves behind. */
static bool is_left(struct slice name)
{
    return name.len > 2 && name.ptr[1] == ':' &&
           (name.ptr[0] == 't' || name.ptr[0] == 'l' || name.ptr[0] == 'w');
}

struct begin_floor {
    struct begin *b;
    int partition;
    bool done;
    bool lost;
};

/* The floor, or where the partition is closed the one before. */
static bool take_floor(void *ctx, size_t index, const redisReply *reply)
{
    struct begin_floor *call = ctx;
    int64_t *floor = &call->b->floors[call->partition];
    if (index == 0) {
        *floor = NO_FLOOR;
        return reply->type == REDIS_REPLY_NIL || reply_number(reply, floor);
    }
    const redisReply *before = reply_at(reply, 1);
    call->lost = reply_at(reply, 0) != NULL && reply_at(reply, 0)->type != REDIS_REPLY_NIL;
    if (before != NULL && before->type != REDIS_REPLY_NIL && !reply_number(before, floor))
        *floor = NO_FLOOR;
    return before != NULL;
}

static enum begin_status refuse(struct begin *b)
{
    bool marked = b->phase == PHASE_LOOK_AGAIN;
    assert(!b->frees);
    return marked ? go_on(b, PHASE_REOPEN) : BEGIN_REFUSED;
}

static enum begin_status read_floors(struct begin *b)
{
    struct outbox *o = b->outbox;
    struct begin_floor calls[PARTITIONS_MAX] = {{.partition = 0}};
    for (int p = 0; p < outbox_partitions(o); p++) {
        calls[p] = (struct begin_floor){.b = b, .partition = p};
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("GET"));
        resp_key(&o->command, &o->prefixes[p], "floor");
        resp_begin(&o->command, 4);
        resp_arg(&o->command, SLICE_LITERAL("HMGET"));
        resp_key(&o->command, &o->prefixes[p], "epoch");
        resp_arg(&o->command, SLICE_LITERAL("lost"));
        resp_arg(&o->command, SLICE_LITERAL("floor_before"));
        outbox_queue(o, p, 2, take_floor, &calls[p], &calls[p].done);
    }
    if (!outbox_flush(o, "begin", false))
        return BEGIN_WAITS;
    for (int p = 0; p < outbox_partitions(o); p++)
        if (calls[p].lost) {
            say(b,
                "refused: partition %d on %s has lost data that Kafka has, and waits for a way back "
                "(minuted --rebuild)",
                p, outbox_server(o, p));
            return refuse(b);
        }
    b->floors_known = true;
    b->totals = 0;
    return BEGIN_GOES_ON;
}

/* Why a program with the key FOUND may not end; NULL: nothing is against it. */
static const char *find_obstacle(const struct begin *b, const struct outbox_key *found)
{
    struct slice name = found->name;
    if (slice_is(name, "due") || slice_is(name, "ld") || (name.len > 2 && memcmp(name.ptr, "d:", 2) == 0))
        return "is not in Kafka yet";
    if (slice_is(name, "left_out"))
        return "names learners whom minuted --rebuild has still to restore";
    /* Whoever watched then could be credited for the same seconds in the next program. */
    if (name.len > 2 && memcmp(name.ptr, "w:", 2) == 0 &&
        strtoll(name.ptr + 2, NULL, 10) * BUCKET_MINUTES >= b->floors[found->partition])
        return "was credited after the program's last day, and is not final yet";
    return NULL;
}

static enum begin_status look(struct begin *b)
{
    if (!b->floors_known)
        return read_floors(b);
    enum begin_walked walked = walk_on(b);
    if (walked == WALK_FAILED)
        return BEGIN_WAITS;
    if (walked == WALK_ENDED)
        return go_on(b, b->phase == PHASE_LOOK ? PHASE_MARK : PHASE_FREE);
    if (walked == WALK_ANEW)
        b->totals = 0;
    for (size_t i = 0; i < b->walk.found.n; i++) {
        const struct outbox_key *found = &b->walk.found.items[i];
        const char *obstacle = find_obstacle(b, found);
        if (obstacle != NULL) {
            say(b, "refused: partition %d on %s holds %.*s, which %s: let the daemons of %s run on",
                found->partition, outbox_server(b->outbox, found->partition), SLICE_ARG(found->name),
                obstacle, b->before);
            return refuse(b);
        }
        b->totals += is_left(found->name);
    }
    return BEGIN_GOES_ON;
}

/* ---- the settings ---- */

/* Calls set_program(). *CHANGED: the settings were as expected. False when Redis did not answer. */
static bool set_program(struct begin *b, const char *program, const char *begins, const char *to,
    const char *to_begins, const char *ended, bool *changed)
{
    struct outbox *o = b->outbox;
    int64_t did = 0;
    const char *const words[] = {program, begins, to, to_begins, ended};
    resp_fcall(&o->command, STORE_FUNCTION("set_program"), 1, 1 + sizeof(words) / sizeof(words[0]));
    resp_arg(&o->command, SLICE_LITERAL(KEY_SETTINGS));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        resp_arg(&o->command, slice_of(words[i]));
    bool good = outbox_call_key(o, KEY_SETTINGS, "begin", true, outbox_take_integer, &did);
    *changed = did == 1;
    return good;
}

/* After a change whose answer was lost, the settings are not as expected, and what they say is read anew. */
static enum begin_status after_change(struct begin *b, bool answered, bool changed, enum begin_phase next)
{
    if (!answered)
        return BEGIN_WAITS;
    return go_on(b, changed ? next : PHASE_READ);
}

static const char *beginning(
    const struct begin *b, const char *how, char out[static sizeof(CLOSING) + ID_MAX])
{
    snprintf(out, sizeof(CLOSING) + ID_MAX, "%s%s", how, b->before);
    return out;
}

static enum begin_status mark(struct begin *b)
{
    char closing[sizeof(CLOSING) + ID_MAX];
    bool changed;
    bool answered = set_program(b, b->before, "", b->program, beginning(b, CLOSING, closing), "", &changed);
    if (answered && changed)
        say(b, "The program is %s from now on. No daemon uses Redis until this is done.", b->program);
    return after_change(b, answered, changed, PHASE_LEASE);
}

static enum begin_status mark_freeing(struct begin *b)
{
    char closing[sizeof(CLOSING) + ID_MAX];
    char freeing[sizeof(CLOSING) + ID_MAX];
    bool changed;
    bool answered = set_program(b, b->program, beginning(b, CLOSING, closing), b->program,
        beginning(b, FREEING, freeing), "", &changed);
    b->frees = b->frees || changed;
    return after_change(b, answered, changed, PHASE_SWEEP);
}

static enum begin_status unmark(struct begin *b)
{
    char closing[sizeof(CLOSING) + ID_MAX];
    bool changed;
    bool answered = set_program(b, b->program, beginning(b, CLOSING, closing), b->before, "", "", &changed);
    if (!answered)
        return BEGIN_WAITS;
    lease_release(&b->lease);
    return changed ? BEGIN_REFUSED : go_on(b, PHASE_READ);
}

/* ---- partitions ---- */

/* Calls FUNCTION for every partition, and waits until that is durable. */
static bool change_partitions(struct begin *b, const char *function, bool with_argument, int64_t argument)
{
    struct outbox *o = b->outbox;
    int64_t did[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
    for (int p = 0; p < outbox_partitions(o); p++) {
        resp_fcall(&o->command, function, 2, 2 + with_argument);
        resp_key(&o->command, &o->prefixes[p], "floor");
        resp_key(&o->command, &o->prefixes[p], "epoch");
        if (with_argument)
            resp_int(&o->command, argument);
        outbox_queue(o, p, 1, outbox_take_integer, &did[p], &done[p]);
    }
    return outbox_flush(o, "begin", true);
}

static enum begin_status close_all(struct begin *b)
{
    return change_partitions(b, STORE_FUNCTION("close_partition"), false, 0) ? go_on(b, PHASE_LOOK_AGAIN)
                                                                             : BEGIN_WAITS;
}

static enum begin_status reopen(struct begin *b)
{
    return change_partitions(b, STORE_FUNCTION("open_partition"), true, 0) ? go_on(b, PHASE_UNMARK)
                                                                           : BEGIN_WAITS;
}

static enum begin_status open_anew(struct begin *b)
{
    int64_t now_ms = clock_now_ms(b->outbox->clock);
    return change_partitions(b, STORE_FUNCTION("open_partition"), true, now_ms) ? go_on(b, PHASE_FINISH)
                                                                                : BEGIN_WAITS;
}

/* ---- deleting ---- */

static enum begin_status sweep(struct begin *b)
{
    struct outbox *o = b->outbox;
    enum begin_walked walked = walk_on(b);
    if (walked == WALK_FAILED)
        return BEGIN_WAITS;
    if (walked == WALK_ENDED)
        return go_on(b, PHASE_OPEN);
    int64_t *deleted = arena_alloc(&b->walk.arena, b->walk.found.n * sizeof(*deleted));
    bool *done = arena_alloc(&b->walk.arena, b->walk.found.n * sizeof(*done));
    size_t n = 0;
    for (size_t i = 0; i < b->walk.found.n; i++) {
        const struct outbox_key *found = &b->walk.found.items[i];
        if (!is_left(found->name))
            continue;
        resp_begin(&o->command, 2);
        resp_arg(&o->command, SLICE_LITERAL("UNLINK"));
        resp_key(&o->command, &o->prefixes[found->partition], found->name.ptr);
        outbox_queue(o, found->partition, 1, outbox_take_integer, &deleted[n], &done[n]);
        n++;
    }
    if (n > 0 && !outbox_flush(o, "begin", false)) {
        (void)go_on(b, PHASE_SWEEP); /* All is walked through again, since some keys may be left. */
        return BEGIN_WAITS;
    }
    for (size_t i = 0; i < n; i++)
        b->deleted += deleted[i];
    if (b->totals > b->deleted)
        say(b, "%" PRId64 " of %" PRId64 " keys of %s deleted", b->deleted, b->totals, b->before);
    else
        say(b, "%" PRId64 " keys of %s deleted", b->deleted, b->before);
    b->counting = true;
    return BEGIN_GOES_ON;
}

/* ---- the end ---- */

static bool delete_key(struct begin *b, const char *key)
{
    int64_t deleted;
    resp_begin(&b->outbox->command, 2);
    resp_arg(&b->outbox->command, SLICE_LITERAL("DEL"));
    resp_arg(&b->outbox->command, slice_of(key));
    return outbox_call_key(b->outbox, key, "begin", false, outbox_take_integer, &deleted);
}

/*
 * The watermarks said how far the program before was published, and what was final of it; the next one's
 * begin with its first round. A list of ended programs that grows too long loses the oldest.
 */
static enum begin_status finish(struct begin *b)
{
    char freeing[sizeof(CLOSING) + ID_MAX];
    char ended[ENDED_MAX];
    bool changed;
    if (!delete_key(b, KEY_WATERMARKS) || !delete_key(b, KEY_REPUBLISH))
        return BEGIN_WAITS;
    const char *others = b->state.ended;
    snprintf(ended, sizeof(ended), "%s%s%.*s", b->before, others[0] != '\0' ? " " : "",
        (int)(ENDED_MAX - ID_MAX - 3), others);
    bool answered =
        set_program(b, b->program, beginning(b, FREEING, freeing), b->program, "", ended, &changed);
    if (!answered)
        return BEGIN_WAITS;
    if (!changed)
        return go_on(b, PHASE_READ);
    lease_release(&b->lease);
    say(b, "done: %" PRId64 " keys of %s were deleted; daemons of %s begin at 0", b->deleted, b->before,
        b->program);
    return BEGIN_DONE;
}

/*
 * Whoever publishes has written its last watermark when the lease is free. So nobody else makes this change
 * either.
 */
static enum begin_status take_lease(struct begin *b)
{
    if (lease_keep(&b->lease))
        return go_on(b, b->frees ? PHASE_SWEEP : PHASE_CLOSE);
    if (b->lease.owner[0] != '\0')
        say(b, "Waiting for %s, which publishes, to see that and stop.", b->lease.owner);
    return BEGIN_WAITS;
}

enum begin_status begin_step(struct begin *b)
{
    if (b->phase > PHASE_LEASE && !lease_keep(&b->lease))
        return go_on(b, PHASE_LEASE);
    switch (b->phase) {
    case PHASE_READ:
        return read_state(b);
    case PHASE_LOOK:
    case PHASE_LOOK_AGAIN:
        return look(b);
    case PHASE_MARK:
        return mark(b);
    case PHASE_LEASE:
        return take_lease(b);
    case PHASE_CLOSE:
        return close_all(b);
    case PHASE_FREE:
        return mark_freeing(b);
    case PHASE_SWEEP:
        return sweep(b);
    case PHASE_OPEN:
        return open_anew(b);
    case PHASE_FINISH:
        return finish(b);
    case PHASE_REOPEN:
        return reopen(b);
    case PHASE_UNMARK:
        return unmark(b);
    }
    return BEGIN_WAITS;
}
