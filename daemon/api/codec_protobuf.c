/*
 * The protobuf codec. Requests are read in place from the wire, since the library would keep every field that
 * it does not know; answers, which are our own, are packed by the library.
 */
#include "api/codec_protobuf.h"

#include <assert.h>

#include "base/wire.h"
#include "proto/player.pb-c.h"

/* ---- decoding ----
 * The field numbers are those of player.proto. As the format asks, a singular field that is repeated has its
 * last value, and a known number with another wire type is passed over like an unknown one.
 */

static bool is_bytes(const struct wire_field *field, uint32_t number)
{
    return field->number == number && field->type == WIRE_BYTES;
}

/* The text of FIELD. Its pointer is never NULL, which would say that the field is missing. */
static struct slice text_of(const struct wire_field *field)
{
    return (struct slice){field->bytes.len > 0 ? field->bytes.ptr : "", field->bytes.len};
}

static int refuse_message(char detail[static DETAIL_MAX], const char *name)
{
    return CODEC_REFUSE(detail, 400, "the body is not a protobuf message %s", name);
}

static int decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX])
{
    struct wire_field field;
    (void)arena;
    *out = (struct session_request){0};
    struct cursor c = cursor_of(body);
    while (wire_next(&c, &field)) {
        if (is_bytes(&field, 1))
            out->lesson_id = text_of(&field);
        else if (is_bytes(&field, 2))
            out->device_id = text_of(&field);
    }
    return c.ok ? 0 : refuse_message(detail, "minuted.v1.SessionRequest");
}

enum { RUN_TIMES = 4, RUN_RATE = RUN_TIMES + 1, RUN_FIELDS = (1 << RUN_RATE) - 1 };

/* False when MESSAGE is no message at all; a run that lacks a field is only malformed. */
static bool read_run(struct slice message, struct run *out)
{
    struct run run = {0};
    int64_t *const times[RUN_TIMES] = {&run.from_ms, &run.to_ms, &run.media_from_ms, &run.media_to_ms};
    int seen = 0;
    struct wire_field field;
    struct cursor c = cursor_of(message);
    while (wire_next(&c, &field)) {
        if (field.number <= RUN_TIMES && field.type == WIRE_VARINT)
            *times[field.number - 1] = (int64_t)field.value;
        else if (field.number == RUN_RATE && field.type == WIRE_FIXED64)
            memcpy(&run.rate, &field.value, sizeof(run.rate));
        else
            continue;
        seen |= 1 << (field.number - 1);
    }
    run.malformed = seen != RUN_FIELDS || run.to_ms <= run.from_ms || run.media_to_ms <= run.media_from_ms;
    *out = claim_run_well_formed(&run) ? run : (struct run){.malformed = true};
    return c.ok;
}

/* What stands at the top of a HeartbeatRequest, or in one of its heartbeats, where field 3 is unknown. */
struct outline {
    struct slice token;
    size_t n_runs;
    size_t n_heartbeats;
};

static bool read_outline(struct slice message, struct outline *out)
{
    struct wire_field field;
    *out = (struct outline){0};
    struct cursor c = cursor_of(message);
    while (wire_next(&c, &field)) {
        if (is_bytes(&field, 1))
            out->token = text_of(&field);
        out->n_runs += is_bytes(&field, 2);
        out->n_heartbeats += is_bytes(&field, 3);
    }
    return c.ok;
}

/* The next field NUMBER of what is known to be well formed and to have one. */
static struct slice next_message(struct cursor *c, uint32_t number)
{
    struct wire_field field;
    while (wire_next(c, &field) && !is_bytes(&field, number))
        ;
    return field.bytes;
}

static int refuse_size(char detail[static DETAIL_MAX], const char *what)
{
    return CODEC_REFUSE(detail, 413, "more than 256 %s in a request", what);
}

/* MESSAGE, whose OUTLINE was read, as the next heartbeat of OUT. */
static int take_heartbeat(struct slice message, const struct outline *outline, struct arena *arena,
    struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    struct heartbeat *h = &out->heartbeats[out->n++];
    *h = (struct heartbeat){.token = outline->token};
    if (outline->n_runs > RUNS_MAX - out->n_runs)
        return refuse_size(detail, "runs");
    h->runs = arena_alloc(arena, outline->n_runs * sizeof(*h->runs));
    h->n_runs = outline->n_runs;
    out->n_runs += outline->n_runs;
    struct cursor c = cursor_of(message);
    for (size_t i = 0; i < h->n_runs; i++)
        if (!read_run(next_message(&c, 2), &h->runs[i]))
            return refuse_message(detail, "minuted.v1.HeartbeatRequest");
    return 0;
}

/* Unlike JSON, an empty list cannot be told from a missing one: a token alone is a heartbeat without runs. */
static int decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    struct outline top;
    *out = (struct heartbeat_request){0};
    if (!read_outline(body, &top))
        return refuse_message(detail, "minuted.v1.HeartbeatRequest");
    if (top.n_heartbeats > 0 && (top.n_runs > 0 || top.token.len > 0))
        return CODEC_REFUSE(detail, 400, "%s and heartbeats are both given: send one of them",
            top.n_runs > 0 ? "runs" : "session_token");
    if (top.n_heartbeats == 0 && top.n_runs == 0 && top.token.ptr == NULL)
        return CODEC_REFUSE(detail, 400, "runs is missing, and so is heartbeats");
    if (top.n_heartbeats > HEARTBEATS_MAX)
        return refuse_size(detail, "heartbeats");
    out->single = top.n_heartbeats == 0;
    size_t n = out->single ? 1 : top.n_heartbeats;
    out->heartbeats = arena_alloc(arena, n * sizeof(*out->heartbeats));
    if (out->single)
        return take_heartbeat(body, &top, arena, out, detail);
    struct cursor c = cursor_of(body);
    for (size_t i = 0; i < n; i++) {
        struct outline outline;
        struct slice message = next_message(&c, 3);
        if (!read_outline(message, &outline))
            return refuse_message(detail, "minuted.v1.HeartbeatRequest");
        int status = take_heartbeat(message, &outline, arena, out, detail);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- encoding ---- */

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

static void pack(struct buf *b, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    protobuf_c_message_pack(message, (uint8_t *)buf_reserve(b, len));
    b->len += len;
}

static void encode_session(struct buf *b, const struct session_answer *answer)
{
    Minuted__V1__SessionResponse message = MINUTED__V1__SESSION_RESPONSE__INIT;
    message.session_id = bytes_of(answer->session_id);
    message.session_token = bytes_of(answer->session_token);
    message.server_time_ms = answer->server_time_ms;
    message.expires_at_ms = answer->expires_at_ms;
    message.heartbeat_interval_ms = answer->heartbeat_interval_ms;
    pack(b, &message.base);
}

/* Reasons have the same numbers in C and on the wire. */
#define SAME_NUMBER(reason)                                                                                  \
    static_assert((int)REASON_##reason == (int)MINUTED__V1__REASON__##reason, #reason " differs")
SAME_NUMBER(MALFORMED);
SAME_NUMBER(TOKEN_INVALID);
SAME_NUMBER(SESSION_EXPIRED);
SAME_NUMBER(TOO_LONG);
SAME_NUMBER(RATE_TOO_HIGH);
SAME_NUMBER(MEDIA_MISMATCH);
SAME_NUMBER(OUTSIDE_LESSON);
SAME_NUMBER(LESSON_UNKNOWN);
SAME_NUMBER(LESSON_CLOSED);
SAME_NUMBER(AHEAD_OF_CLOCK);
SAME_NUMBER(TOO_LATE);
SAME_NUMBER(UNAVAILABLE);
SAME_NUMBER(TOKEN_UNKNOWN);
static_assert(REASON_COUNT == 14, "a reason is missing here, and perhaps in player.proto");

static const Minuted__V1__Status wire_statuses[] = {
    [RUN_ACCEPTED] = MINUTED__V1__STATUS__ACCEPTED,
    [RUN_RETRY] = MINUTED__V1__STATUS__RETRY,
    [RUN_REJECTED] = MINUTED__V1__STATUS__REJECTED,
};

static void encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer)
{
    Minuted__V1__Result results[RUNS_MAX];
    Minuted__V1__Result *pointers[RUNS_MAX];
    Minuted__V1__HeartbeatResponse message = MINUTED__V1__HEARTBEAT_RESPONSE__INIT;
    assert(answer->n <= RUNS_MAX);
    for (size_t i = 0; i < answer->n; i++) {
        const struct run_result *result = &answer->results[i];
        bool accepted = result->status == RUN_ACCEPTED;
        Minuted__V1__Result *written = &results[i];
        *written = (Minuted__V1__Result)MINUTED__V1__RESULT__INIT;
        written->status = wire_statuses[result->status];
        written->has_reason = !accepted;
        written->reason = accepted ? MINUTED__V1__REASON__MALFORMED : (Minuted__V1__Reason)result->reason;
        written->has_credited_seconds = accepted;
        written->has_duplicate_seconds = accepted;
        written->has_contested_seconds = accepted;
        written->credited_seconds = result->credited_seconds;
        written->duplicate_seconds = result->duplicate_seconds;
        written->contested_seconds = result->contested_seconds;
        pointers[i] = written;
    }
    message.n_results = answer->n;
    message.results = pointers;
    message.server_time_ms = answer->server_time_ms;
    message.heartbeat_interval_ms = answer->heartbeat_interval_ms;
    pack(b, &message.base);
}

/* A message as field NUMBER, below 16, of another. */
static void pack_field(struct buf *b, uint32_t number, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    buf_append_u8(b, (uint8_t)(number << 3 | 2));
    for (size_t rest = len;; rest >>= 7) {
        buf_append_u8(b, (uint8_t)(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest));
        if (rest <= 0x7f)
            break;
    }
    pack(b, message);
}

/* The message is written field by field: it is the concatenation of its fields, so no list of pointers is
 * needed. */
static void encode_progress(struct buf *b, const struct progress_answer *answer)
{
    Minuted__V1__Progress__Total total = MINUTED__V1__PROGRESS__TOTAL__INIT;
    total.watched_seconds = answer->watched_seconds;
    total.hours_learned = answer->hours_learned;
    total.hours_max = answer->hours_max;
    pack_field(b, 1, &total.base);
    for (size_t i = 0; i < answer->n_courses; i++) {
        const struct progress_course *course = &answer->courses[i];
        Minuted__V1__Progress__Course message = MINUTED__V1__PROGRESS__COURSE__INIT;
        message.course_id = bytes_of(course->course_id);
        message.has_title = true;
        message.title = bytes_of(course->title);
        message.watched_seconds = course->watched_seconds;
        message.hours_learned = course->hours_learned;
        message.hours_max = course->hours_max;
        message.has_opens = course->opens != NULL;
        message.has_closes = course->closes != NULL;
        if (message.has_opens)
            message.opens = bytes_of(slice_of(course->opens));
        if (message.has_closes)
            message.closes = bytes_of(slice_of(course->closes));
        pack_field(b, 2, &message.base);
    }
    for (size_t i = 0; i < answer->n_lessons; i++) {
        const struct progress_lesson *lesson = &answer->lessons[i];
        Minuted__V1__Progress__Lesson message = MINUTED__V1__PROGRESS__LESSON__INIT;
        message.lesson_id = bytes_of(lesson->lesson_id);
        message.course_id = bytes_of(lesson->course_id);
        message.watched_seconds = lesson->watched_seconds;
        message.covered_seconds = lesson->covered_seconds;
        message.has_covered_ratio = lesson->covered_ratio >= 0;
        message.covered_ratio = lesson->covered_ratio;
        pack_field(b, 3, &message.base);
    }
}

const struct codec codec_protobuf = {
    .content_type = "application/protobuf",
    .decode_session = decode_session,
    .decode_heartbeats = decode_heartbeats,
    .encode_session = encode_session,
    .encode_heartbeats = encode_heartbeats,
    .encode_progress = encode_progress,
};
