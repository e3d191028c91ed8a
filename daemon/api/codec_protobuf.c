/* The protobuf codec. */
#include "api/codec.h"
#include "proto/player.pb-c.h"

/*
 * Unknown fields unpack to many times what they take on the wire: beyond this much more than the body itself
 * the message is refused. A request of RUNS_MAX runs in HEARTBEATS_MAX heartbeats needs a quarter of it.
 */
enum { UNPACKED_MAX = 256 * 1024 };

/* ---- decoding ---- */

static void *allocate(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void keep(void *data, void *ptr)
{
    (void)data; /* the arena gives it back */
    (void)ptr;
}

/* NULL when BODY is no such message or unpacks to too much. */
static ProtobufCMessage *unpack(
    const ProtobufCMessageDescriptor *type, struct slice body, struct arena *arena)
{
    ProtobufCAllocator allocator = {allocate, keep, arena};
    size_t limit = arena->limit;
    arena->limit = arena->total + body.len + UNPACKED_MAX;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, body.len, (const uint8_t *)body.ptr);
    arena->limit = limit;
    return message;
}

static struct slice text_of(protobuf_c_boolean has, ProtobufCBinaryData bytes)
{
    if (!has)
        return (struct slice){NULL, 0};
    return (struct slice){bytes.len > 0 ? (const char *)bytes.data : "", bytes.len};
}

static int refuse_message(char detail[static DETAIL_MAX], const char *name)
{
    return codec_refuse(
        detail, 400, "the body is not a protobuf message %s, or has too many unknown fields", name);
}

static int decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX])
{
    const Minuted__V1__SessionRequest *message =
        (const Minuted__V1__SessionRequest *)unpack(&minuted__v1__session_request__descriptor, body, arena);
    *out = (struct session_request){0};
    if (message == NULL)
        return refuse_message(detail, "minuted.v1.SessionRequest");
    out->lesson_id = text_of(message->has_lesson_id, message->lesson_id);
    out->device_id = text_of(message->has_device_id, message->device_id);
    return 0;
}

static struct run run_of(const Minuted__V1__Run *message)
{
    return codec_check_run((struct run){
        .from_ms = message->from_ms,
        .to_ms = message->to_ms,
        .media_from_ms = message->media_from_ms,
        .media_to_ms = message->media_to_ms,
        .rate = message->rate,
        .malformed = !message->has_from_ms || !message->has_to_ms || !message->has_media_from_ms ||
                     !message->has_media_to_ms || !message->has_rate || message->to_ms <= message->from_ms ||
                     message->media_to_ms <= message->media_from_ms,
    });
}

static void take_heartbeat(
    struct heartbeat *h, struct slice token, Minuted__V1__Run *const *runs, size_t n, struct arena *arena)
{
    *h = (struct heartbeat){token, arena_alloc(arena, n * sizeof(*h->runs)), n};
    for (size_t i = 0; i < n; i++)
        h->runs[i] = run_of(runs[i]);
}

static size_t count_runs(const Minuted__V1__HeartbeatRequest *message)
{
    size_t n = message->n_runs;
    for (size_t i = 0; i < message->n_heartbeats; i++)
        n += message->heartbeats[i]->n_runs;
    return n;
}

static void take_heartbeats(
    const Minuted__V1__HeartbeatRequest *message, struct arena *arena, struct heartbeat_request *out)
{
    out->single = message->n_heartbeats == 0;
    out->n = out->single ? 1 : message->n_heartbeats;
    out->heartbeats = arena_alloc(arena, out->n * sizeof(*out->heartbeats));
    if (out->single)
        take_heartbeat(&out->heartbeats[0], text_of(message->has_session_token, message->session_token),
            message->runs, message->n_runs, arena);
    for (size_t i = 0; i < message->n_heartbeats; i++) {
        const Minuted__V1__Heartbeat *h = message->heartbeats[i];
        take_heartbeat(
            &out->heartbeats[i], text_of(h->has_session_token, h->session_token), h->runs, h->n_runs, arena);
    }
}

/* Unlike JSON, an empty list cannot be told from a missing one: a token alone is a heartbeat without runs. */
static int decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    const Minuted__V1__HeartbeatRequest *message = (const Minuted__V1__HeartbeatRequest *)unpack(
        &minuted__v1__heartbeat_request__descriptor, body, arena);
    *out = (struct heartbeat_request){0};
    if (message == NULL)
        return refuse_message(detail, "minuted.v1.HeartbeatRequest");
    bool has_token = message->has_session_token && message->session_token.len > 0;
    if (message->n_heartbeats > 0 && (message->n_runs > 0 || has_token))
        return codec_refuse(detail, 400, "%s and heartbeats are both given: send one of them",
            message->n_runs > 0 ? "runs" : "session_token");
    if (message->n_heartbeats == 0 && message->n_runs == 0 && !message->has_session_token)
        return codec_refuse(detail, 400, "runs is missing, and so is heartbeats");
    out->n_runs = count_runs(message);
    if (out->n_runs > RUNS_MAX || message->n_heartbeats > HEARTBEATS_MAX)
        return codec_refuse(
            detail, 413, "more than 256 %s in a request", out->n_runs > RUNS_MAX ? "runs" : "heartbeats");
    take_heartbeats(message, arena, out);
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

/* On the wire a status is one more than ours, which begin at 0; reasons are the same. */
static Minuted__V1__Result result_message(const struct run_result *result)
{
    Minuted__V1__Result message = MINUTED__V1__RESULT__INIT;
    bool accepted = result->status == RUN_ACCEPTED;
    message.status = (Minuted__V1__Status)(result->status + 1);
    message.has_reason = !accepted;
    message.reason = accepted ? MINUTED__V1__REASON__MALFORMED : (Minuted__V1__Reason)result->reason;
    message.has_credited_seconds = message.has_duplicate_seconds = message.has_contested_seconds = accepted;
    message.credited_seconds = result->credited_seconds;
    message.duplicate_seconds = result->duplicate_seconds;
    message.contested_seconds = result->contested_seconds;
    return message;
}

static void encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer)
{
    Minuted__V1__Result results[RUNS_MAX];
    Minuted__V1__Result *pointers[RUNS_MAX];
    Minuted__V1__HeartbeatResponse message = MINUTED__V1__HEARTBEAT_RESPONSE__INIT;
    for (size_t i = 0; i < answer->n; i++) {
        results[i] = result_message(&answer->results[i]);
        pointers[i] = &results[i];
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

static Minuted__V1__Progress__Course course_message(const struct progress_course *course)
{
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
    return message;
}

static Minuted__V1__Progress__Lesson lesson_message(const struct progress_lesson *lesson)
{
    Minuted__V1__Progress__Lesson message = MINUTED__V1__PROGRESS__LESSON__INIT;
    message.lesson_id = bytes_of(lesson->lesson_id);
    message.course_id = bytes_of(lesson->course_id);
    message.watched_seconds = lesson->watched_seconds;
    message.covered_seconds = lesson->covered_seconds;
    message.has_covered_ratio = lesson->covered_ratio >= 0;
    message.covered_ratio = lesson->covered_ratio;
    return message;
}

/* Field by field: a message is the concatenation of its fields, so no list of pointers is needed. */
static void encode_progress(struct buf *b, const struct progress_answer *answer)
{
    Minuted__V1__Progress__Total total = MINUTED__V1__PROGRESS__TOTAL__INIT;
    total.watched_seconds = answer->watched_seconds;
    total.hours_learned = answer->hours_learned;
    total.hours_max = answer->hours_max;
    pack_field(b, 1, &total.base);
    for (size_t i = 0; i < answer->n_courses; i++) {
        Minuted__V1__Progress__Course course = course_message(&answer->courses[i]);
        pack_field(b, 2, &course.base);
    }
    for (size_t i = 0; i < answer->n_lessons; i++) {
        Minuted__V1__Progress__Lesson lesson = lesson_message(&answer->lessons[i]);
        pack_field(b, 3, &lesson.base);
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
