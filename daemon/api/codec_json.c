/* The JSON codec. */
#include "api/codec_internal.h"
#include "base/json.h"

enum { RUNS_FIRST = 4 };

/* ---- decoding ---- */

static int refuse_json(const struct json_reader *r, char detail[static DETAIL_MAX])
{
    return codec_refuse(
        detail, 400, "the body is not the JSON that is expected: %s at byte %zu", r->error, r->error_offset);
}

/* A text; a value of another type is passed over and leaves *OUT missing. False at bad JSON. */
static bool read_text(struct json_reader *r, struct slice *out)
{
    *out = (struct slice){NULL, 0};
    return json_next_type(r) == JSON_STRING ? json_string(r, out) : json_skip(r);
}

int json_decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX])
{
    struct json_reader r;
    struct slice name;
    bool good = true;
    json_read(&r, body, arena);
    if (!json_object(&r))
        return refuse_json(&r, detail);
    while (good && json_member(&r, &name)) {
        struct slice *field = slice_is(name, "lesson_id")   ? &out->lesson_id
                              : slice_is(name, "device_id") ? &out->device_id
                                                            : NULL;
        if (field != NULL && field->ptr != NULL)
            return codec_refuse(detail, 400, "%.*s is given twice", SLICE_ARG(name));
        good = field != NULL ? read_text(&r, field) : json_skip(&r);
    }
    return json_end(&r) ? 0 : refuse_json(&r, detail);
}

/* Whole milliseconds; anything else makes the run malformed. */
static bool read_ms(struct json_reader *r, int64_t *out, bool *malformed)
{
    struct json_number number;
    if (json_next_type(r) != JSON_NUMBER) {
        *malformed = true;
        return json_skip(r);
    }
    if (!json_number(r, &number))
        return false;
    *malformed = *malformed || !number.integral;
    *out = number.integer;
    return true;
}

static bool read_rate(struct json_reader *r, double *out, bool *malformed)
{
    struct json_number number;
    if (json_next_type(r) != JSON_NUMBER) {
        *malformed = true;
        return json_skip(r);
    }
    if (!json_number(r, &number))
        return false;
    *out = number.value;
    return true;
}

enum {
    FIELD_FROM = 1,
    FIELD_TO = 2,
    FIELD_MEDIA_FROM = 4,
    FIELD_MEDIA_TO = 8,
    FIELD_RATE = 16,
    FIELDS_ALL = 31
};

static bool read_run_member(struct json_reader *r, struct slice name, struct run *run, int *field)
{
    *field = 0;
    if (slice_is(name, "from_ms")) {
        *field = FIELD_FROM;
        return read_ms(r, &run->from_ms, &run->malformed);
    }
    if (slice_is(name, "to_ms")) {
        *field = FIELD_TO;
        return read_ms(r, &run->to_ms, &run->malformed);
    }
    if (slice_is(name, "media_from_ms")) {
        *field = FIELD_MEDIA_FROM;
        return read_ms(r, &run->media_from_ms, &run->malformed);
    }
    if (slice_is(name, "media_to_ms")) {
        *field = FIELD_MEDIA_TO;
        return read_ms(r, &run->media_to_ms, &run->malformed);
    }
    if (slice_is(name, "rate")) {
        *field = FIELD_RATE;
        return read_rate(r, &run->rate, &run->malformed);
    }
    return json_skip(r);
}

/* A run that cannot be understood is malformed and spoils no other; only bad JSON ends the reading. */
static bool read_run(struct json_reader *r, struct run *run)
{
    struct slice name;
    int seen = 0;
    int field;
    *run = (struct run){0};
    if (json_next_type(r) != JSON_OBJECT) {
        run->malformed = true;
        return json_skip(r);
    }
    if (!json_object(r))
        return false;
    while (json_member(r, &name)) {
        if (!read_run_member(r, name, run, &field))
            return false;
        run->malformed = run->malformed || (seen & field) != 0;
        seen |= field;
    }
    run->malformed = run->malformed || seen != FIELDS_ALL;
    return r->error == NULL;
}

/* What reading heartbeats gathers; `status` is set when the request is refused. */
struct gathering {
    struct json_reader r;
    struct arena *arena;
    struct heartbeat_request *out;
    char *detail;
    int status;
};

static bool refuse(struct gathering *g, int status, const char *what, size_t where)
{
    g->status = where == SIZE_MAX ? codec_refuse(g->detail, status, "%s", what)
                                  : codec_refuse(g->detail, status, "heartbeats[%zu]: %s", where, what);
    return false;
}

static struct run *add_run(struct gathering *g, struct heartbeat *h, size_t *room)
{
    if (h->n_runs == *room) {
        *room = *room == 0 ? RUNS_FIRST : *room * 2;
        struct run *larger = arena_alloc(g->arena, *room * sizeof(*larger));
        if (h->n_runs > 0)
            memcpy(larger, h->runs, h->n_runs * sizeof(*larger));
        h->runs = larger;
    }
    g->out->n_runs++;
    return &h->runs[h->n_runs++];
}

static bool read_runs(struct gathering *g, struct heartbeat *h, size_t where)
{
    size_t room = 0;
    if (json_next_type(&g->r) != JSON_ARRAY)
        return refuse(g, 400, "runs is not a list", where);
    if (!json_array(&g->r))
        return false;
    while (json_element(&g->r)) {
        if (g->out->n_runs == RUNS_MAX)
            return refuse(g, 413, "more than 256 runs in a request", SIZE_MAX);
        if (!read_run(&g->r, add_run(g, h, &room)))
            return false;
    }
    return g->r.error == NULL;
}

enum { MEMBER_TOKEN = 1, MEMBER_RUNS = 2, MEMBER_HEARTBEATS = 4 };

static int member_of(struct slice name)
{
    if (slice_is(name, "session_token"))
        return MEMBER_TOKEN;
    if (slice_is(name, "runs"))
        return MEMBER_RUNS;
    return slice_is(name, "heartbeats") ? MEMBER_HEARTBEATS : 0;
}

/* One heartbeat of a list; WHERE is its place. */
static bool read_heartbeat(struct gathering *g, struct heartbeat *h, size_t where)
{
    struct slice name;
    int seen = 0;
    bool good = true;
    if (json_next_type(&g->r) != JSON_OBJECT)
        return refuse(g, 400, "not an object", where);
    if (!json_object(&g->r))
        return false;
    while (good && json_member(&g->r, &name)) {
        int member = member_of(name) & ~MEMBER_HEARTBEATS;
        if ((seen & member) != 0)
            return refuse(g, 400, "session_token or runs is given twice", where);
        seen |= member;
        good = member == MEMBER_TOKEN  ? read_text(&g->r, &h->token)
               : member == MEMBER_RUNS ? read_runs(g, h, where)
                                       : json_skip(&g->r);
    }
    if (good && g->r.error == NULL && (seen & MEMBER_RUNS) == 0)
        return refuse(g, 400, "runs is missing", where);
    return good && g->r.error == NULL;
}

static bool read_heartbeats(struct gathering *g)
{
    size_t room = 0;
    if (json_next_type(&g->r) != JSON_ARRAY)
        return refuse(g, 400, "heartbeats is not a list", SIZE_MAX);
    if (!json_array(&g->r))
        return false;
    while (json_element(&g->r)) {
        struct heartbeat_request *out = g->out;
        if (out->n == HEARTBEATS_MAX)
            return refuse(g, 413, "more than 256 heartbeats in a request", SIZE_MAX);
        if (out->n == room) {
            room = room == 0 ? RUNS_FIRST : room * 2;
            struct heartbeat *larger = arena_alloc(g->arena, room * sizeof(*larger));
            if (out->n > 0)
                memcpy(larger, out->heartbeats, out->n * sizeof(*larger));
            out->heartbeats = larger;
        }
        size_t where = out->n++;
        if (!read_heartbeat(g, &out->heartbeats[where], where))
            return false;
    }
    return g->r.error == NULL;
}

/* The members at the top, in any order. *SEEN tells which there were. */
static bool read_top(struct gathering *g, struct heartbeat *single, int *seen)
{
    struct slice name;
    bool good = true;
    *seen = 0;
    if (!json_object(&g->r))
        return false;
    while (good && json_member(&g->r, &name)) {
        int member = member_of(name);
        if ((*seen & member) != 0)
            return refuse(g, 400, "session_token, runs or heartbeats is given twice", SIZE_MAX);
        *seen |= member;
        good = member == MEMBER_TOKEN        ? read_text(&g->r, &single->token)
               : member == MEMBER_RUNS       ? read_runs(g, single, SIZE_MAX)
               : member == MEMBER_HEARTBEATS ? read_heartbeats(g)
                                             : json_skip(&g->r);
    }
    return good;
}

int json_decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    struct gathering g = {.arena = arena, .out = out, .detail = detail};
    struct heartbeat *single = arena_alloc(arena, sizeof(*single));
    int seen;
    json_read(&g.r, body, arena);
    bool read = read_top(&g, single, &seen);
    if (g.status != 0)
        return g.status;
    if (!read || !json_end(&g.r))
        return refuse_json(&g.r, detail);
    if ((seen & MEMBER_HEARTBEATS) != 0 && (seen & (MEMBER_RUNS | MEMBER_TOKEN)) != 0)
        return codec_refuse(detail, 400, "runs and heartbeats are both given: send one of them");
    if ((seen & (MEMBER_HEARTBEATS | MEMBER_RUNS)) == 0)
        return codec_refuse(detail, 400, "neither runs nor heartbeats is given");
    if ((seen & MEMBER_RUNS) != 0) {
        out->single = true;
        out->heartbeats = single;
        out->n = 1;
    }
    return 0;
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
    if (day != NULL) {
        member_text(b, name, slice_of(day));
        return;
    }
    buf_append_string(b, name);
    buf_append_string(b, "null");
}

void json_encode_session(struct buf *b, const struct session_answer *answer)
{
    member_text(b, "{\"session_id\":", answer->session_id);
    member_text(b, ",\"session_token\":", answer->session_token);
    member_int(b, ",\"server_time_ms\":", answer->server_time_ms);
    member_int(b, ",\"expires_at_ms\":", answer->expires_at_ms);
    member_int(b, ",\"heartbeat_interval_ms\":", answer->heartbeat_interval_ms);
    buf_append_char(b, '}');
}

static void encode_result(struct buf *b, const struct run_result *result)
{
    buf_append_string(b, "{\"status\":\"");
    buf_append_string(b, run_status_name(result->status));
    if (result->status == RUN_ACCEPTED) {
        member_int(b, "\",\"credited_seconds\":", result->credited_seconds);
        member_int(b, ",\"duplicate_seconds\":", result->duplicate_seconds);
        member_int(b, ",\"contested_seconds\":", result->contested_seconds);
        buf_append_char(b, '}');
    } else {
        buf_append_string(b, "\",\"reason\":\"");
        buf_append_string(b, run_reason_name(result->reason));
        buf_append_string(b, "\"}");
    }
}

void json_encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer)
{
    buf_append_string(b, "{\"results\":[");
    for (size_t i = 0; i < answer->n; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        encode_result(b, &answer->results[i]);
    }
    member_int(b, "],\"server_time_ms\":", answer->server_time_ms);
    member_int(b, ",\"heartbeat_interval_ms\":", answer->heartbeat_interval_ms);
    buf_append_char(b, '}');
}

static void encode_course(struct buf *b, const struct progress_course *course)
{
    member_text(b, "{\"course_id\":", course->course_id);
    member_text(b, ",\"title\":", course->title);
    member_int(b, ",\"watched_seconds\":", course->watched_seconds);
    member_number(b, ",\"hours_learned\":", course->hours_learned, 4);
    member_number(b, ",\"hours_max\":", course->hours_max, 4);
    member_day(b, ",\"opens\":", course->opens);
    member_day(b, ",\"closes\":", course->closes);
    buf_append_char(b, '}');
}

static void encode_lesson(struct buf *b, const struct progress_lesson *lesson)
{
    member_text(b, "{\"lesson_id\":", lesson->lesson_id);
    member_text(b, ",\"course_id\":", lesson->course_id);
    member_int(b, ",\"watched_seconds\":", lesson->watched_seconds);
    member_int(b, ",\"covered_seconds\":", lesson->covered_seconds);
    if (lesson->covered_ratio >= 0)
        member_number(b, ",\"covered_ratio\":", lesson->covered_ratio, 4);
    else
        buf_append_string(b, ",\"covered_ratio\":null");
    buf_append_char(b, '}');
}

void json_encode_progress(struct buf *b, const struct progress_answer *answer)
{
    member_int(b, "{\"total\":{\"watched_seconds\":", answer->watched_seconds);
    member_number(b, ",\"hours_learned\":", answer->hours_learned, 4);
    member_number(b, ",\"hours_max\":", answer->hours_max, 4);
    buf_append_string(b, "},\"courses\":[");
    for (size_t i = 0; i < answer->n_courses; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        encode_course(b, &answer->courses[i]);
    }
    buf_append_string(b, "],\"lessons\":[");
    for (size_t i = 0; i < answer->n_lessons; i++) {
        if (i > 0)
            buf_append_char(b, ',');
        encode_lesson(b, &answer->lessons[i]);
    }
    buf_append_string(b, "]}");
}
