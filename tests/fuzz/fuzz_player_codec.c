/*
 * Any body, in both encodings: it decodes to a request within the limits, or to a problem that says what is
 * wrong. A request says the same in either encoding: written in the one that it did not come in and decoded
 * there, it is equal.
 *
 *     [0: JSON, 1: protobuf] the body
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "api/codec_json.h"
#include "api/codec_protobuf.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "budget.h"
#include "proto/player.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 256 runs in 256 heartbeats, in both encodings and as messages of the library, which the writer makes. */
static const struct budget budget = {1024 * 1024, 64, 10000, 1500};

/* ---- what a decoded request may say ---- */

static void check_run(const struct run *run)
{
    const int64_t times[] = {run->from_ms, run->to_ms, run->media_from_ms, run->media_to_ms};
    for (size_t i = 0; i < 4; i++)
        assert(times[i] >= 0 && times[i] <= RUN_MS_MAX);
    assert(isfinite(run->rate));
}

static void check_heartbeats(const struct heartbeat_request *request)
{
    size_t n_runs = 0;
    assert(request->n <= HEARTBEATS_MAX && request->n_runs <= RUNS_MAX);
    assert(!request->single || request->n == 1);
    for (size_t i = 0; i < request->n; i++) {
        const struct heartbeat *h = &request->heartbeats[i];
        n_runs += h->n_runs;
        assert(h->token.ptr != NULL || h->token.len == 0);
        for (size_t k = 0; k < h->n_runs; k++)
            check_run(&h->runs[k]);
    }
    assert(n_runs == request->n_runs);
}

static void check_problem(int status, const char *detail)
{
    assert(status == 400 || status == 413);
    assert(detail[0] != '\0' && memchr(detail, '\0', DETAIL_MAX) != NULL);
}

static bool decode_heartbeats(
    const struct codec *codec, struct slice body, struct arena *arena, struct heartbeat_request *out)
{
    char detail[DETAIL_MAX] = "";
    int status = codec->decode_heartbeats(body, arena, out, detail);
    if (status == 0)
        check_heartbeats(out);
    else
        check_problem(status, detail);
    return status == 0;
}

static bool decode_session(
    const struct codec *codec, struct slice body, struct arena *arena, struct session_request *out)
{
    char detail[DETAIL_MAX] = "";
    int status = codec->decode_session(body, arena, out, detail);
    if (status != 0)
        check_problem(status, detail);
    return status == 0;
}

/* ---- equality ---- */

static bool same_text(struct slice a, struct slice b)
{
    return slice_equal(a, b) && (a.ptr == NULL) == (b.ptr == NULL);
}

static bool same_run(const struct run *a, const struct run *b)
{
    return a->malformed == b->malformed && a->from_ms == b->from_ms && a->to_ms == b->to_ms &&
           a->media_from_ms == b->media_from_ms && a->media_to_ms == b->media_to_ms && a->rate == b->rate;
}

static bool same_heartbeat(const struct heartbeat *a, const struct heartbeat *b)
{
    for (size_t i = 0; i < a->n_runs && a->n_runs == b->n_runs; i++)
        if (!same_run(&a->runs[i], &b->runs[i]))
            return false;
    return a->n_runs == b->n_runs && same_text(a->token, b->token);
}

static bool same_heartbeats(const struct heartbeat_request *a, const struct heartbeat_request *b)
{
    for (size_t i = 0; i < a->n && a->n == b->n; i++)
        if (!same_heartbeat(&a->heartbeats[i], &b->heartbeats[i]))
            return false;
    return a->n == b->n && a->n_runs == b->n_runs && a->single == b->single;
}

/* ---- writing protobuf ---- */

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.ptr};
}

static Minuted__V1__Run run_message(const struct run *run)
{
    Minuted__V1__Run m = MINUTED__V1__RUN__INIT;
    if (run->malformed)
        return m;
    m.has_from_ms = m.has_to_ms = m.has_media_from_ms = m.has_media_to_ms = m.has_rate = true;
    m.from_ms = run->from_ms;
    m.to_ms = run->to_ms;
    m.media_from_ms = run->media_from_ms;
    m.media_to_ms = run->media_to_ms;
    m.rate = run->rate;
    return m;
}

static Minuted__V1__Run **run_messages(const struct heartbeat *h, struct arena *arena)
{
    Minuted__V1__Run **list = arena_alloc(arena, h->n_runs * sizeof(*list));
    for (size_t i = 0; i < h->n_runs; i++) {
        list[i] = arena_alloc(arena, sizeof(*list[i]));
        *list[i] = run_message(&h->runs[i]);
    }
    return list;
}

static Minuted__V1__Heartbeat *heartbeat_message(const struct heartbeat *h, struct arena *arena)
{
    Minuted__V1__Heartbeat *m = arena_alloc(arena, sizeof(*m));
    minuted__v1__heartbeat__init(m);
    m->has_session_token = h->token.ptr != NULL;
    m->session_token = bytes_of(h->token);
    m->n_runs = h->n_runs;
    m->runs = run_messages(h, arena);
    return m;
}

static void pack(struct buf *b, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    b->len += protobuf_c_message_pack(message, (uint8_t *)buf_reserve(b, len));
}

static void write_protobuf(struct buf *b, const struct heartbeat_request *request, struct arena *arena)
{
    Minuted__V1__HeartbeatRequest m = MINUTED__V1__HEARTBEAT_REQUEST__INIT;
    Minuted__V1__Heartbeat **list = arena_alloc(arena, (request->n + 1) * sizeof(*list));
    for (size_t i = 0; i < request->n; i++)
        list[i] = heartbeat_message(&request->heartbeats[i], arena);
    if (request->single) {
        m.has_session_token = list[0]->has_session_token;
        m.session_token = list[0]->session_token;
        m.n_runs = list[0]->n_runs;
        m.runs = list[0]->runs;
    } else {
        m.n_heartbeats = request->n;
        m.heartbeats = list;
    }
    pack(b, &m.base);
}

/* ---- writing JSON ---- */

static void write_run(struct buf *b, const struct run *run)
{
    if (run->malformed)
        buf_append_string(b, "null");
    else
        buf_printf(b,
            "{\"from_ms\":%lld,\"to_ms\":%lld,\"media_from_ms\":%lld,\"media_to_ms\":%lld,\"rate\":%.17g}",
            (long long)run->from_ms, (long long)run->to_ms, (long long)run->media_from_ms,
            (long long)run->media_to_ms, run->rate);
}

static void write_heartbeat(struct buf *b, const struct heartbeat *h)
{
    buf_append_string(b, "{\"runs\":[");
    for (size_t i = 0; i < h->n_runs; i++) {
        buf_append_string(b, i > 0 ? "," : "");
        write_run(b, &h->runs[i]);
    }
    buf_append_char(b, ']');
    if (h->token.ptr != NULL) {
        buf_append_string(b, ",\"session_token\":");
        json_write_string(b, h->token);
    }
    buf_append_char(b, '}');
}

static void write_json(struct buf *b, const struct heartbeat_request *request)
{
    if (request->single) {
        write_heartbeat(b, &request->heartbeats[0]);
        return;
    }
    buf_append_string(b, "{\"heartbeats\":[");
    for (size_t i = 0; i < request->n; i++) {
        buf_append_string(b, i > 0 ? "," : "");
        write_heartbeat(b, &request->heartbeats[i]);
    }
    buf_append_string(b, "]}");
}

/* ---- from one encoding to the other ---- */

static bool is_utf8(struct slice s)
{
    size_t n = 1;
    for (size_t at = 0; at < s.len && n > 0; at += n)
        n = utf8_length((const unsigned char *)s.ptr + at, s.len - at);
    return n > 0;
}

/* A run that had a length in fractions of a millisecond only. */
static bool has_length(const struct run *run)
{
    return run->malformed || (run->to_ms > run->from_ms && run->media_to_ms > run->media_from_ms);
}

static bool have_length(const struct heartbeat *h)
{
    for (size_t i = 0; i < h->n_runs; i++)
        if (!has_length(&h->runs[i]))
            return false;
    return true;
}

/* In protobuf an empty list cannot be told from a missing one, and there are no fractions; in JSON a text
 * must be UTF-8. */
static bool can_be_said(const struct heartbeat_request *request, bool in_json)
{
    for (size_t i = 0; i < request->n; i++)
        if (in_json ? !is_utf8(request->heartbeats[i].token) : !have_length(&request->heartbeats[i]))
            return false;
    if (in_json)
        return true;
    return request->single ? request->n_runs > 0 || request->heartbeats[0].token.ptr != NULL : request->n > 0;
}

static void check_heartbeats_translate(
    const struct heartbeat_request *request, bool to_json, struct arena *arena)
{
    struct heartbeat_request again;
    struct buf text = {0};
    if (!can_be_said(request, to_json))
        return;
    if (to_json)
        write_json(&text, request);
    else
        write_protobuf(&text, request, arena);
    bool good = decode_heartbeats(to_json ? &codec_json : &codec_protobuf, buf_slice(&text), arena, &again);
    assert(good && same_heartbeats(request, &again));
    buf_free(&text);
}

static void write_session(struct buf *b, const struct session_request *request, bool in_json)
{
    Minuted__V1__SessionRequest m = MINUTED__V1__SESSION_REQUEST__INIT;
    m.has_lesson_id = request->lesson_id.ptr != NULL;
    m.lesson_id = bytes_of(request->lesson_id);
    m.has_device_id = request->device_id.ptr != NULL;
    m.device_id = bytes_of(request->device_id);
    if (!in_json) {
        pack(b, &m.base);
        return;
    }
    buf_append_string(b, "{\"lesson_id\":");
    json_write_string(b, m.has_lesson_id ? request->lesson_id : SLICE_LITERAL(""));
    buf_append_string(b, ",\"device_id\":");
    if (m.has_device_id)
        json_write_string(b, request->device_id);
    else
        buf_append_string(b, "null");
    buf_append_char(b, '}');
}

static void check_session_translates(const struct session_request *request, bool to_json, struct arena *arena)
{
    struct session_request again;
    struct buf text = {0};
    if (to_json && (!is_utf8(request->lesson_id) || !is_utf8(request->device_id)))
        return;
    write_session(&text, request, to_json);
    bool good = decode_session(to_json ? &codec_json : &codec_protobuf, buf_slice(&text), arena, &again);
    assert(good && slice_equal(request->lesson_id, again.lesson_id));
    assert(same_text(request->device_id, again.device_id));
    assert(to_json || same_text(request->lesson_id, again.lesson_id));
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct heartbeat_request heartbeats;
    struct session_request session;
    if (size == 0)
        return 0;
    bool json = data[0] % 2 == 0;
    const struct codec *codec = json ? &codec_json : &codec_protobuf;
    struct slice body = {(const char *)data + 1, size - 1};
    budget_begin();
    if (decode_heartbeats(codec, body, &arena, &heartbeats))
        check_heartbeats_translate(&heartbeats, !json, &arena);
    arena_reset(&arena);
    if (decode_session(codec, body, &arena, &session))
        check_session_translates(&session, !json, &arena);
    arena_free(&arena);
    budget_end(&budget, size);
    return 0;
}
