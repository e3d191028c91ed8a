/* The JSON codec. */
#include "api/codec_json.h"

#include "base/json.h"
#include "base/json_write.h"

/* Hours are compared with seconds / 2700 by those who check: a second is 0.00037 hours. */
enum { ROOM_FIRST = 4, HOURS_DECIMALS = 10, RATIO_DECIMALS = 4 };

/* ---- decoding ---- */

/* What reading a body gathers. `status` is set when the request is refused though it is JSON. */
struct json_reading {
    struct json_reader r;
    struct arena *arena;
    struct heartbeat_request *out; /* NULL for a session */
    char *detail;
    int status;
};

/* Where a member stands: at the top, or in heartbeats[i]. */
#define AT_TOP SIZE_MAX

static bool refuse_member(struct json_reading *g, size_t at, const char *name, const char *what)
{
    g->status = at == AT_TOP ? CODEC_REFUSE(g->detail, 400, "%s %s", name, what)
                             : CODEC_REFUSE(g->detail, 400, "heartbeats[%zu].%s %s", at, name, what);
    return false;
}

static bool refuse_size(struct json_reading *g, const char *what)
{
    g->status = CODEC_REFUSE(g->detail, 413, "more than 256 %s in a request", what);
    return false;
}

/* Marks BIT of *SEEN; false when it was already. */
static bool mark(struct json_reading *g, size_t at, const char *name, int bit, int *seen)
{
    if ((*seen & bit) != 0)
        return refuse_member(g, at, name, "is given twice");
    *seen |= bit;
    return true;
}

/* How reading ended: DONE says that no reader stopped before the end. */
static int status_of(struct json_reading *g, bool done)
{
    if (g->status != 0)
        return g->status;
    if (done && json_end(&g->r))
        return 0;
    return CODEC_REFUSE(g->detail, 400, "the body is not the JSON that is expected: %s at byte %zu",
        g->r.error, g->r.error_offset);
}

/* The next member that has a value: null says the same as no member. */
static bool next_member(struct json_reader *r, struct slice *name)
{
    while (json_member(r, name)) {
        if (json_next_type(r) != JSON_NULL)
            return true;
        if (!json_skip(r))
            return false;
    }
    return false;
}

/* A text; a value of another type is passed over and leaves *OUT missing. False at bad JSON. */
static bool read_text(struct json_reader *r, struct slice *out)
{
    *out = (struct slice){NULL, 0};
    return json_next_type(r) == JSON_STRING ? json_string(r, out) : json_skip(r);
}

static int decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX])
{
    struct json_reading g = {.arena = arena, .detail = detail};
    struct slice name;
    int seen = 0;
    *out = (struct session_request){0};
    json_read(&g.r, body, arena);
    bool good = json_object(&g.r);
    while (good && next_member(&g.r, &name)) {
        if (slice_is(name, "lesson_id"))
            good = mark(&g, AT_TOP, "lesson_id", 1, &seen) && read_text(&g.r, &out->lesson_id);
        else if (slice_is(name, "device_id"))
            good = mark(&g, AT_TOP, "device_id", 2, &seen) && read_text(&g.r, &out->device_id);
        else
            good = json_skip(&g.r);
    }
    if ((seen & 2) != 0 && out->device_id.ptr == NULL)
        out->device_id = SLICE_LITERAL(""); /* given but no string, which is not the same as missing */
    return status_of(&g, good);
}

enum run_field { FROM, TO, MEDIA_FROM, MEDIA_TO, RATE, RUN_FIELDS };

/*
 * Browsers' clocks give fractions of a millisecond. Each edge is rounded by itself, so that a run and the
 * next one still meet. Whether a run has a length is judged by what was written, before rounding.
 */
static struct run run_of(const struct json_number numbers[static RUN_FIELDS])
{
    struct run run = {
        .from_ms = numbers[FROM].integer,
        .to_ms = numbers[TO].integer,
        .media_from_ms = numbers[MEDIA_FROM].integer,
        .media_to_ms = numbers[MEDIA_TO].integer,
        .rate = numbers[RATE].value,
        .malformed =
            numbers[TO].value <= numbers[FROM].value || numbers[MEDIA_TO].value <= numbers[MEDIA_FROM].value,
    };
    return claim_run_well_formed(&run) ? run : (struct run){.malformed = true};
}

/* A run that cannot be understood is malformed and spoils no other; only bad JSON ends the reading. */
static bool read_run(struct json_reader *r, struct run *out)
{
    static const char *const names[RUN_FIELDS] = {"from_ms", "to_ms", "media_from_ms", "media_to_ms", "rate"};
    struct json_number numbers[RUN_FIELDS];
    struct slice name;
    int seen = 0;
    bool good = true; /* each field that was read is a number and was not read before */
    *out = (struct run){.malformed = true};
    if (json_next_type(r) != JSON_OBJECT)
        return json_skip(r);
    if (!json_object(r))
        return false;
    while (next_member(r, &name)) {
        int field = 0;
        while (field < RUN_FIELDS && !slice_is(name, names[field]))
            field++;
        if (field == RUN_FIELDS || json_next_type(r) != JSON_NUMBER) {
            good = good && field == RUN_FIELDS;
            if (!json_skip(r))
                return false;
            continue;
        }
        if (!json_number(r, &numbers[field]))
            return false;
        good = good && (seen & 1 << field) == 0;
        seen |= 1 << field;
    }
    if (good && seen == (1 << RUN_FIELDS) - 1)
        *out = run_of(numbers);
    return r->error == NULL;
}

/* ITEMS with room for one more than N: they move to twice the room when it is used up. */
static void *make_room(struct arena *arena, void *items, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return items;
    *room = *room == 0 ? ROOM_FIRST : *room * 2;
    void *larger = arena_alloc(arena, *room * size);
    if (n > 0)
        memcpy(larger, items, n * size);
    return larger;
}

static bool read_runs(struct json_reading *g, size_t at, struct heartbeat *h)
{
    size_t room = 0;
    if (json_next_type(&g->r) != JSON_ARRAY)
        return refuse_member(g, at, "runs", "is not an array");
    if (!json_array(&g->r))
        return false;
    while (json_element(&g->r)) {
        if (g->out->n_runs == RUNS_MAX)
            return refuse_size(g, "runs");
        h->runs = make_room(g->arena, h->runs, h->n_runs, &room, sizeof(*h->runs));
        g->out->n_runs++;
        if (!read_run(&g->r, &h->runs[h->n_runs++]))
            return false;
    }
    return g->r.error == NULL;
}

enum { MEMBER_TOKEN = 1, MEMBER_RUNS = 2, MEMBER_HEARTBEATS = 4 };

/* The token or the runs of the heartbeat AT; *OURS tells whether the member was one of them. */
static bool read_heartbeat_member(
    struct json_reading *g, size_t at, struct slice name, struct heartbeat *h, int *seen, bool *ours)
{
    *ours = true;
    if (slice_is(name, "session_token"))
        return mark(g, at, "session_token", MEMBER_TOKEN, seen) && read_text(&g->r, &h->token);
    if (slice_is(name, "runs"))
        return mark(g, at, "runs", MEMBER_RUNS, seen) && read_runs(g, at, h);
    *ours = false;
    return true;
}

static bool read_heartbeat(struct json_reading *g, size_t at, struct heartbeat *h)
{
    struct slice name;
    int seen = 0;
    bool ours;
    if (json_next_type(&g->r) != JSON_OBJECT) {
        g->status = CODEC_REFUSE(g->detail, 400, "heartbeats[%zu] is not an object", at);
        return false;
    }
    bool good = json_object(&g->r);
    while (good && next_member(&g->r, &name))
        good = read_heartbeat_member(g, at, name, h, &seen, &ours) && (ours || json_skip(&g->r));
    if (!good || g->r.error != NULL)
        return false;
    return (seen & MEMBER_RUNS) != 0 || refuse_member(g, at, "runs", "is missing");
}

static bool read_heartbeats(struct json_reading *g)
{
    struct heartbeat_request *out = g->out;
    size_t room = 0;
    if (json_next_type(&g->r) != JSON_ARRAY)
        return refuse_member(g, AT_TOP, "heartbeats", "is not an array");
    if (!json_array(&g->r))
        return false;
    while (json_element(&g->r)) {
        if (out->n == HEARTBEATS_MAX)
            return refuse_size(g, "heartbeats");
        out->heartbeats = make_room(g->arena, out->heartbeats, out->n, &room, sizeof(*out->heartbeats));
        size_t at = out->n++;
        if (!read_heartbeat(g, at, &out->heartbeats[at]))
            return false;
    }
    return g->r.error == NULL;
}

/*
 * The one form that a request has, of what SINGLE has from its top and *OUT from its list of heartbeats. What
 * says nothing (a list without an element, a token without a character) is passed over beside what says
 * something, since generated clients send every member that they know.
 */
static int choose_form(struct heartbeat_request *out, struct heartbeat *single, int seen, char *detail)
{
    bool at_top = single->n_runs > 0 || single->token.len > 0;
    if (at_top && out->n > 0)
        return CODEC_REFUSE(detail, 400, "%s and heartbeats are both given: send one of them",
            single->n_runs > 0 ? "runs" : "session_token");
    if (out->n > 0 || ((seen & MEMBER_HEARTBEATS) != 0 && !at_top))
        return 0;
    if ((seen & MEMBER_RUNS) == 0)
        return CODEC_REFUSE(detail, 400, "runs is missing, and %s",
            (seen & MEMBER_HEARTBEATS) != 0 ? "heartbeats is empty" : "so is heartbeats");
    *out = (struct heartbeat_request){true, single, 1, single->n_runs};
    return 0;
}

static int decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    struct json_reading g = {.arena = arena, .out = out, .detail = detail};
    struct heartbeat *single = arena_alloc(arena, sizeof(*single));
    struct slice name;
    int seen = 0;
    bool ours;
    *out = (struct heartbeat_request){0};
    json_read(&g.r, body, arena);
    bool good = json_object(&g.r);
    while (good && next_member(&g.r, &name)) {
        good = read_heartbeat_member(&g, AT_TOP, name, single, &seen, &ours);
        if (!good || ours)
            continue;
        good = slice_is(name, "heartbeats")
                   ? mark(&g, AT_TOP, "heartbeats", MEMBER_HEARTBEATS, &seen) && read_heartbeats(&g)
                   : json_skip(&g.r);
    }
    int status = status_of(&g, good);
    return status != 0 ? status : choose_form(out, single, seen, detail);
}

/* ---- encoding ---- */

static void member_int(struct buf *b, const char *name, int64_t value)
{
    buf_append_string(b, name);
    buf_append_int(b, value);
}

static void member_text(struct buf *b, const char *name, struct slice value)
{
    buf_append_string(b, name);
    json_write_string(b, value);
}

static void member_number(struct buf *b, const char *name, double value, int decimals)
{
    buf_append_string(b, name);
    json_write_number(b, value, decimals);
}

static void member_day(struct buf *b, const char *name, const char *day)
{
    buf_append_string(b, name);
    if (day == NULL)
        buf_append_string(b, "null");
    else
        json_write_string(b, slice_of(day));
}

static void encode_session(struct buf *b, const struct session_answer *answer)
{
    member_text(b, "{\"session_id\":", answer->session_id);
    member_text(b, ",\"session_token\":", answer->session_token);
    member_int(b, ",\"server_time_ms\":", answer->server_time_ms);
    member_int(b, ",\"expires_at_ms\":", answer->expires_at_ms);
    member_int(b, ",\"heartbeat_interval_ms\":", answer->heartbeat_interval_ms);
    buf_append_char(b, '}');
}

static void encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer)
{
    buf_append_string(b, "{\"results\":[");
    for (size_t i = 0; i < answer->n; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        const struct run_result *result = &answer->results[i];
        if (result->status == RUN_ACCEPTED) {
            member_int(b, "{\"status\":\"accepted\",\"credited_seconds\":", result->credited_seconds);
            member_int(b, ",\"duplicate_seconds\":", result->duplicate_seconds);
            member_int(b, ",\"contested_seconds\":", result->contested_seconds);
            buf_append_char(b, '}');
        } else {
            buf_append_string(b, result->status == RUN_RETRY ? "{\"status\":\"retry\",\"reason\":\""
                                                             : "{\"status\":\"rejected\",\"reason\":\"");
            buf_append_string(b, claim_reason_name(result->reason));
            buf_append_string(b, "\"}");
        }
    }
    member_int(b, "],\"server_time_ms\":", answer->server_time_ms);
    member_int(b, ",\"heartbeat_interval_ms\":", answer->heartbeat_interval_ms);
    buf_append_char(b, '}');
}

static void encode_progress(struct buf *b, const struct progress_answer *answer)
{
    member_int(b, "{\"total\":{\"watched_seconds\":", answer->watched_seconds);
    member_number(b, ",\"hours_learned\":", answer->hours_learned, HOURS_DECIMALS);
    member_number(b, ",\"hours_max\":", answer->hours_max, HOURS_DECIMALS);
    buf_append_string(b, "},\"courses\":[");
    for (size_t i = 0; i < answer->n_courses; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        const struct progress_course *course = &answer->courses[i];
        member_text(b, "{\"course_id\":", course->course_id);
        member_text(b, ",\"title\":", course->title);
        member_int(b, ",\"watched_seconds\":", course->watched_seconds);
        member_number(b, ",\"hours_learned\":", course->hours_learned, HOURS_DECIMALS);
        member_number(b, ",\"hours_max\":", course->hours_max, HOURS_DECIMALS);
        member_day(b, ",\"opens\":", course->opens);
        member_day(b, ",\"closes\":", course->closes);
        buf_append_char(b, '}');
    }
    buf_append_string(b, "],\"lessons\":[");
    for (size_t i = 0; i < answer->n_lessons; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        const struct progress_lesson *lesson = &answer->lessons[i];
        member_text(b, "{\"lesson_id\":", lesson->lesson_id);
        member_text(b, ",\"course_id\":", lesson->course_id);
        member_int(b, ",\"watched_seconds\":", lesson->watched_seconds);
        member_int(b, ",\"covered_seconds\":", lesson->covered_seconds);
        if (lesson->covered_ratio >= 0)
            member_number(b, ",\"covered_ratio\":", lesson->covered_ratio, RATIO_DECIMALS);
        else
            buf_append_string(b, ",\"covered_ratio\":null");
        buf_append_char(b, '}');
    }
    buf_append_string(b, "]}");
}

const struct codec codec_json = {
    .content_type = "application/json",
    .decode_session = decode_session,
    .decode_heartbeats = decode_heartbeats,
    .encode_session = encode_session,
    .encode_heartbeats = encode_heartbeats,
    .encode_progress = encode_progress,
};
