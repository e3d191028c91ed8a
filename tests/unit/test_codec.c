/* Both codecs: what a body of heartbeats says, whichever way it is written, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/codec_json.h"
#include "api/codec_protobuf.h"
#include "proto/player.pb-c.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }
#define RUN_OF(from, to, media_from, media_to, rate)                                                         \
    "{\"from_ms\":" from ",\"to_ms\":" to ",\"media_from_ms\":" media_from ",\"media_to_ms\":" media_to      \
    ",\"rate\":" rate "}"
#define GOOD RUN_OF("0", "1000", "5", "1005", "1")

/* BODY stands alone in a block of its own size, so that a read beyond it is seen. */
struct read {
    char *body;
    struct arena arena;
    struct heartbeat_request request;
    char detail[DETAIL_MAX];
    int status;
};

static struct read read_heartbeats(const struct codec *codec, const void *body, size_t len)
{
    struct read read = {.body = malloc(len > 0 ? len : 1)};
    assert_non_null(read.body);
    memcpy(read.body, body, len);
    read.status =
        codec->decode_heartbeats((struct slice){read.body, len}, &read.arena, &read.request, read.detail);
    return read;
}

static struct read read_json(const char *body)
{
    return read_heartbeats(&codec_json, body, strlen(body));
}

static struct read read_message(const Minuted__V1__HeartbeatRequest *message)
{
    uint8_t body[65536];
    size_t len = protobuf_c_message_get_packed_size(&message->base);
    assert_true(len <= sizeof(body));
    protobuf_c_message_pack(&message->base, body);
    return read_heartbeats(&codec_protobuf, body, len);
}

static void forget(struct read *read)
{
    arena_free(&read->arena);
    free(read->body);
}

static void assert_run(const struct run *run, const struct run *expected)
{
    assert_int_equal(run->malformed, expected->malformed);
    assert_int_equal(run->from_ms, expected->from_ms);
    assert_int_equal(run->to_ms, expected->to_ms);
    assert_int_equal(run->media_from_ms, expected->media_from_ms);
    assert_int_equal(run->media_to_ms, expected->media_to_ms);
    assert_true(run->rate == expected->rate);
}

/* ---- runs ---- */

static void test_json_runs(void **state)
{
    static const struct {
        const char *json;
        struct run expected;
    } rows[] = {
        {GOOD, {0, 1000, 5, 1005, 1, false}},
        {RUN_OF("1e3", "1001.0", "10.0e2", "9007199254740992", "0.5"),
            {1000, 1001, 1000, 9007199254740992, 0.5, false}},
        /* browsers' clocks give fractions: both sides of an edge round alike */
        {RUN_OF("0.3", "3000.4", "59.99", "3.0605e3", "1"), {0, 3000, 60, 3061, 1, false}},
        {RUN_OF("3000.4", "3.0004999e3", "3060.5", "3061.5", "1"), {3000, 3000, 3061, 3062, 1, false}},
        {RUN_OF("-0", "1e1", "-0.4", "0.6", "1e0"), {0, 10, 0, 1, 1, false}},
        {RUN_OF("1.1", "1.2", "5.1", "5.2", "1"),
            {1, 1, 5, 5, 1, false}}, /* no length is left, and it had one */
        {RUN_OF("0", "1", "9007199254740991.4", "9007199254740992.4", "1"),
            {0, 1, 9007199254740991, 9007199254740992, 1, false}},
        {"{\"rate\":2,\"to_ms\":4,\"from_ms\":3,\"x\":[{}],\"media_to_ms\":2,\"media_from_ms\":1}",
            {3, 4, 1, 2, 2, false}},
        {"{\"r\\u0061te\":1,\"from_ms\":0,\"to_ms\":1,\"media_from_ms\":0,\"media_to_ms\":1}",
            {0, 1, 0, 1, 1, false}},
        {RUN_OF("1", "2", "8", "9", "-5"), {1, 2, 8, 9, -5, false}}, /* the claim's to judge */
        {"{\"from_ms\":null,\"from_ms\":1,\"to_ms\":2,\"media_from_ms\":8,\"media_to_ms\":9,\"rate\":1,"
         "\"rate\":null,\"quality\":null}",
            {1, 2, 8, 9, 1, false}},
#define MALFORMED {.malformed = true}
        {"{}", MALFORMED},
        {"null", MALFORMED},
        {"5", MALFORMED},
        {"\"run\"", MALFORMED},
        {"[]", MALFORMED},
        {"true", MALFORMED},
        {RUN_OF("-1", "1000", "0", "1000", "1"), MALFORMED},
        {RUN_OF("-0.5", "1000", "0", "1000", "1"), MALFORMED},
        {RUN_OF("0", "1000", "-0.500001", "1000", "1"), MALFORMED},
        {RUN_OF("0", "9007199254740993", "0", "1000", "1"), MALFORMED},
        {RUN_OF("0", "9007199254740992.5", "0", "1000", "1"), MALFORMED},
        {RUN_OF("2", "1", "8", "9", "1"), MALFORMED},
        {RUN_OF("1", "1", "8", "9", "1"), MALFORMED},
        {RUN_OF("1", "2", "9", "8", "1"), MALFORMED},
        {RUN_OF("1", "2", "9", "9", "1"), MALFORMED},
        {RUN_OF("1.4", "1.3", "8", "9", "1"), MALFORMED},
        {RUN_OF("1.4", "1.40", "8", "9", "1"), MALFORMED},
        {RUN_OF("0", "1e300", "0", "1000", "1"), MALFORMED},
        {RUN_OF("0", "9223372036854775808", "0", "1000", "1"), MALFORMED},
        {RUN_OF("\"0\"", "1000", "0", "1000", "1"), MALFORMED},
        {RUN_OF("null", "1000", "0", "1000", "1"), MALFORMED},
        {RUN_OF("0", "true", "0", "1000", "1"), MALFORMED},
        {RUN_OF("0", "1000", "[0]", "1000", "1"), MALFORMED},
        {RUN_OF("0", "1000", "0", "{}", "1"), MALFORMED},
        {RUN_OF("0", "1000", "0", "1000", "\"1\""), MALFORMED},
        {RUN_OF("0", "1000", "0", "1000", "null"), MALFORMED},
        {RUN_OF("0", "1000", "0", "1000", "1e999"), MALFORMED},
        {"{\"from_ms\":0,\"to_ms\":1,\"media_from_ms\":0,\"media_to_ms\":1}", MALFORMED},
        {"{\"to_ms\":1,\"media_from_ms\":0,\"media_to_ms\":1,\"rate\":1}", MALFORMED},
        {"{\"from_ms\":0,\"from_ms\":0,\"to_ms\":1,\"media_from_ms\":0,\"media_to_ms\":1,\"rate\":1}",
            MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[1024];
        snprintf(
            body, sizeof(body), "{\"runs\":[" GOOD ", %s ," GOOD "],\"session_token\":\"t\"}", rows[i].json);
        struct read read = read_json(body);
        assert_int_equal(read.status, 0);
        assert_true(read.request.single);
        assert_int_equal(read.request.n, 1);
        assert_int_equal(read.request.n_runs, 3);
        assert_run(&read.request.heartbeats[0].runs[0], &rows[0].expected);
        assert_run(&read.request.heartbeats[0].runs[1], &rows[i].expected);
        assert_run(&read.request.heartbeats[0].runs[2], &rows[0].expected);
        forget(&read);
    }
}

static Minuted__V1__Run run_message(
    int64_t from, int64_t to, int64_t media_from, int64_t media_to, double rate)
{
    Minuted__V1__Run run = MINUTED__V1__RUN__INIT;
    run.has_from_ms = run.has_to_ms = run.has_media_from_ms = run.has_media_to_ms = run.has_rate = true;
    run.from_ms = from;
    run.to_ms = to;
    run.media_from_ms = media_from;
    run.media_to_ms = media_to;
    run.rate = rate;
    return run;
}

static void test_protobuf_runs(void **state)
{
    const struct {
        Minuted__V1__Run message;
        struct run expected;
    } rows[] = {
        {run_message(0, 1000, 5, 1005, 1), {0, 1000, 5, 1005, 1, false}},
        {run_message(1, RUN_MS_MAX, RUN_MS_MAX - 1, RUN_MS_MAX, 0.25),
            {1, RUN_MS_MAX, RUN_MS_MAX - 1, RUN_MS_MAX, 0.25, false}},
        {run_message(1, 2, 8, 9, -5), {1, 2, 8, 9, -5, false}},
        {run_message(2, 2, 8, 9, 1), MALFORMED},
        {run_message(2, 1, 8, 9, 1), MALFORMED},
        {run_message(1, 2, 9, 9, 1), MALFORMED},
        {run_message(-1, 1000, 0, 1000, 1), MALFORMED},
        {run_message(0, RUN_MS_MAX + 1, 0, 1000, 1), MALFORMED},
        {run_message(0, 1000, INT64_MIN, 1000, 1), MALFORMED},
        {run_message(0, 1000, 0, INT64_MAX, 1), MALFORMED},
        {run_message(0, 1000, 0, 1000, (double)NAN), MALFORMED},
        {run_message(0, 1000, 0, 1000, (double)INFINITY), MALFORMED},
        {run_message(0, 1000, 0, 1000, -(double)INFINITY), MALFORMED},
        {MINUTED__V1__RUN__INIT, MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Minuted__V1__Run runs[] = {rows[0].message, rows[i].message};
        Minuted__V1__Run *pointers[] = {&runs[0], &runs[1]};
        Minuted__V1__HeartbeatRequest message = MINUTED__V1__HEARTBEAT_REQUEST__INIT;
        message.n_runs = 2;
        message.runs = pointers;
        struct read read = read_message(&message);
        assert_int_equal(read.status, 0);
        assert_true(read.request.single);
        assert_null(read.request.heartbeats[0].token.ptr);
        assert_run(&read.request.heartbeats[0].runs[0], &rows[0].expected);
        assert_run(&read.request.heartbeats[0].runs[1], &rows[i].expected);
        forget(&read);
    }
}

static void test_protobuf_run_with_a_field_missing(void **state)
{
    (void)state;
    for (int missing = 0; missing < 5; missing++) {
        Minuted__V1__Run run = run_message(0, 1000, 5, 1005, 1);
        protobuf_c_boolean *const has[] = {
            &run.has_from_ms, &run.has_to_ms, &run.has_media_from_ms, &run.has_media_to_ms, &run.has_rate};
        Minuted__V1__Run *pointer = &run;
        Minuted__V1__HeartbeatRequest message = MINUTED__V1__HEARTBEAT_REQUEST__INIT;
        *has[missing] = false;
        message.n_runs = 1;
        message.runs = &pointer;
        struct read read = read_message(&message);
        assert_int_equal(read.status, 0);
        assert_run(&read.request.heartbeats[0].runs[0], &(struct run)MALFORMED);
        forget(&read);
    }
}

/* ---- the shapes of heartbeats ---- */

static void test_json_shapes(void **state)
{
    static const struct {
        const char *json;
        bool single;
        size_t n, n_runs;
        const char *token; /* of the last heartbeat; NULL: missing */
    } rows[] = {
        {"{\"session_token\":\"t\",\"runs\":[]}", true, 1, 0, "t"},
        {" {\"runs\" : [" GOOD "] , \"session_token\" : \"t\\u0074\" } ", true, 1, 1, "tt"},
        {"{\"runs\":[]}", true, 1, 0, NULL},
        {"{\"session_token\":7,\"runs\":[]}", true, 1, 0, NULL},
        {"{\"session_token\":null,\"runs\":[{}]}", true, 1, 1, NULL},
        {"{\"session_token\":\"\",\"runs\":[]}", true, 1, 0, ""},
        {"{\"heartbeats\":[]}", false, 0, 0, NULL},
        {"{\"heartbeats\":[{\"session_token\":\"a\",\"runs\":[{},{}]},{\"runs\":[{}],\"session_token\":\"b\"}"
         "]}",
            false, 2, 3, "b"},
        /* generated clients send every member, with null or nothing in it */
        {"{\"session_token\":\"t\",\"runs\":[" GOOD "],\"heartbeats\":null}", true, 1, 1, "t"},
        {"{\"session_token\":\"t\",\"runs\":[" GOOD "],\"heartbeats\":[]}", true, 1, 1, "t"},
        {"{\"heartbeats\":[],\"session_token\":\"t\",\"runs\":[]}", true, 1, 0, "t"},
        {"{\"session_token\":null,\"runs\":null,\"heartbeats\":[{\"session_token\":\"a\",\"runs\":[{}]}]}",
            false, 1, 1, "a"},
        {"{\"session_token\":\"\",\"runs\":[],\"heartbeats\":[{\"session_token\":\"a\",\"runs\":[{}]}]}",
            false, 1, 1, "a"},
        {"{\"heartbeats\":[{\"session_token\":\"a\",\"runs\":[{}],\"heartbeats\":null}],\"runs\":[]}", false,
            1, 1, "a"},
        {"{\"runs\":[],\"heartbeats\":[]}", false, 0, 0, NULL},
        {"{\"runs\":null,\"heartbeats\":[],\"session_token\":null}", false, 0, 0, NULL},
        {"{\"runs\":null,\"runs\":[],\"runs\":null,\"x\":null}", true, 1, 0, NULL},
        {"\xef\xbb\xbf{\"session_token\":\"t\",\"runs\":[" GOOD "]}\r\n", true, 1, 1, "t"},
        {"{\"heartbeats\":[{\"runs\":[],\"heartbeats\":5,\"y\":{}}],\"x\":[1,{}]}", false, 1, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct read read = read_json(rows[i].json);
        if (read.status != 0)
            fail_msg("%s: %s", rows[i].json, read.detail);
        assert_int_equal(read.request.single, rows[i].single);
        assert_int_equal(read.request.n, rows[i].n);
        assert_int_equal(read.request.n_runs, rows[i].n_runs);
        if (rows[i].n > 0) {
            struct slice token = read.request.heartbeats[rows[i].n - 1].token;
            assert_int_equal(token.ptr == NULL, rows[i].token == NULL);
            assert_true(rows[i].token == NULL || slice_is(token, rows[i].token));
        }
        forget(&read);
    }
}

static void test_json_refused(void **state)
{
    static const struct {
        const char *json;
        const char *detail; /* part of it */
    } rows[] = {
        {"", "an object was expected at byte 0"},
        {"[]", "an object was expected at byte 0"},
        {"null", "an object was expected at byte 0"},
        {"{", "at byte 1"},
        {"{\"runs\":[", "at byte 9"},
        {"{\"runs\":[}", "at byte 9"},
        {"{\"runs\":[{\"from_ms\":NaN}]}", "at byte 20"},
        {"{\"runs\":[{\"rate\":-Infinity}]}", "at byte 18"},
        {"{\"runs\":[{\"rate\":01}]}", "a number with a leading zero"},
        {"{\"runs\":[]} x", "something follows the end at byte 12"},
        {"{\"runs\":[],}", "at byte 11"},
        {"{\"session_token\":\"\xff\",\"runs\":[]}", "invalid UTF-8 at byte 18"},
        {"{}", "runs is missing, and so is heartbeats"},
        {"{\"session_token\":\"t\"}", "runs is missing, and so is heartbeats"},
        {"{\"runs\":{}}", "runs is not an array"},
        {"{\"runs\":null}", "runs is missing, and so is heartbeats"},
        {"{\"heartbeats\":null}", "runs is missing, and so is heartbeats"},
        {"{\"session_token\":\"t\",\"runs\":null,\"heartbeats\":null}",
            "runs is missing, and so is heartbeats"},
        {"{\"heartbeats\":[{\"session_token\":\"t\",\"runs\":null}]}", "heartbeats[0].runs is missing"},
        {"{\"heartbeats\":[null]}", "heartbeats[0] is not an object"},
        {"{\"heartbeats\":nul}", "at byte 14"},
        {"\xef\xbb\xbf", "an object was expected at byte 3"},
        {"{\"heartbeats\":{}}", "heartbeats is not an array"},
        {"{\"heartbeats\":[{\"runs\":[]},5]}", "heartbeats[1] is not an object"},
        {"{\"heartbeats\":[{\"runs\":[]},{\"runs\":5}]}", "heartbeats[1].runs is not an array"},
        {"{\"heartbeats\":[{\"session_token\":\"t\"}]}", "heartbeats[0].runs is missing"},
        {"{\"runs\":[{}],\"heartbeats\":[{\"runs\":[]}]}", "runs and heartbeats are both given"},
        {"{\"heartbeats\":[{\"runs\":[]}],\"session_token\":\"t\",\"runs\":[]}",
            "session_token and heartbeats are both given"},
        {"{\"heartbeats\":[],\"session_token\":\"t\"}", "runs is missing"},
        {"{\"runs\":[],\"runs\":[]}", "runs is given twice"},
        {"{\"session_token\":5,\"session_token\":\"t\",\"runs\":[]}", "session_token is given twice"},
        {"{\"heartbeats\":[],\"heartbeats\":[]}", "heartbeats is given twice"},
        {"{\"heartbeats\":[{\"runs\":[],\"runs\":[]}]}", "heartbeats[0].runs is given twice"},
        {"{\"heartbeats\":[{\"session_token\":1,\"session_token\":1}]}",
            "heartbeats[0].session_token is given twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct read read = read_json(rows[i].json);
        assert_int_equal(read.status, 400);
        if (strstr(read.detail, rows[i].detail) == NULL)
            fail_msg("%s: %s", rows[i].json, read.detail);
        forget(&read);
    }
}

/* Every prefix of a good body is refused, and none is read beyond. */
static void test_json_cut_off(void **state)
{
    static const char body[] =
        "{\"heartbeats\":[{\"session_token\":\"t\\u0041\",\"runs\":[" GOOD ",null]}],\"x\":[true]}";
    (void)state;
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        struct read read = read_heartbeats(&codec_json, body, len);
        assert_int_equal(read.status, 400);
        forget(&read);
    }
    struct read whole = read_json(body);
    assert_int_equal(whole.status, 0);
    forget(&whole);
}

/* N times ITEM, separated by commas, between BEFORE and AFTER. */
static struct read read_repeated(const char *before, const char *item, size_t n, const char *after)
{
    struct buf b = {0};
    buf_append_string(&b, before);
    for (size_t i = 0; i < n; i++) {
        buf_append_string(&b, i > 0 ? "," : "");
        buf_append_string(&b, item);
    }
    buf_append_string(&b, after);
    struct read read = read_heartbeats(&codec_json, b.data, b.len);
    buf_free(&b);
    return read;
}

static void test_json_limits(void **state)
{
    static const struct {
        const char *before, *item, *after;
        size_t most;
    } rows[] = {
        {"{\"runs\":[", "{}", "]}", 256},
        {"{\"heartbeats\":[{\"runs\":[", GOOD, "]}]}", 256},
        {"{\"heartbeats\":[{\"runs\":[{},{}]},{\"runs\":[", GOOD, "]}]}", 254},
        {"{\"heartbeats\":[", "{\"runs\":[" GOOD "]}", "]}", 256},
        {"{\"heartbeats\":[", "{\"runs\":[]}", "]}", 256},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct read most = read_repeated(rows[i].before, rows[i].item, rows[i].most, rows[i].after);
        assert_int_equal(most.status, 0);
        forget(&most);
        struct read more = read_repeated(rows[i].before, rows[i].item, rows[i].most + 1, rows[i].after);
        assert_int_equal(more.status, 413);
        assert_non_null(strstr(more.detail, "more than 256 "));
        forget(&more);
    }
}

static void test_json_keeps_all(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_append_string(&b, "{\"heartbeats\":[");
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%s{\"session_token\":\"%02d\",\"runs\":[" GOOD ",{},{},{}," GOOD ",{}]}",
            i > 0 ? "," : "", i);
    buf_append_string(&b, "]}");
    struct read read = read_heartbeats(&codec_json, b.data, b.len);
    assert_int_equal(read.status, 0);
    assert_int_equal(read.request.n, 40);
    assert_int_equal(read.request.n_runs, 240);
    for (int i = 0; i < 40; i++) {
        const struct heartbeat *h = &read.request.heartbeats[i];
        char token[16];
        snprintf(token, sizeof(token), "%02d", i);
        assert_true(slice_is(h->token, token));
        assert_int_equal(h->n_runs, 6);
        for (int k = 0; k < 6; k++)
            assert_int_equal(h->runs[k].malformed, k % 4 != 0);
    }
    forget(&read);
    buf_free(&b);
}

static void test_protobuf_shapes(void **state)
{
    (void)state;
    Minuted__V1__Run run = run_message(0, 1000, 5, 1005, 1);
    Minuted__V1__Run *runs[257];
    Minuted__V1__Heartbeat heartbeat = MINUTED__V1__HEARTBEAT__INIT;
    Minuted__V1__Heartbeat *heartbeats[257];
    for (size_t i = 0; i < 257; i++) {
        runs[i] = &run;
        heartbeats[i] = &heartbeat;
    }
    heartbeat.runs = runs;
    const struct {
        size_t n_runs, n_heartbeats, n_runs_each;
        const char *token;
        int status;
        const char *detail;
    } rows[] = {
        {1, 0, 0, "t", 0, ""},
        {0, 0, 0, "t", 0, ""},
        {256, 0, 0, NULL, 0, ""},
        {0, 2, 128, NULL, 0, ""},
        {0, 256, 1, NULL, 0, ""},
        {0, 256, 0, NULL, 0, ""},
        {0, 0, 0, NULL, 400, "runs is missing, and so is heartbeats"},
        {1, 1, 1, NULL, 400, "runs and heartbeats are both given"},
        {0, 1, 1, "t", 400, "session_token and heartbeats are both given"},
        {0, 1, 1, "", 0, ""},
        {257, 0, 0, NULL, 413, "more than 256 runs"},
        {0, 2, 129, NULL, 413, "more than 256 runs"},
        {0, 257, 0, NULL, 413, "more than 256 heartbeats"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Minuted__V1__HeartbeatRequest message = MINUTED__V1__HEARTBEAT_REQUEST__INIT;
        message.n_runs = rows[i].n_runs;
        message.runs = runs;
        message.n_heartbeats = rows[i].n_heartbeats;
        message.heartbeats = heartbeats;
        heartbeat.n_runs = rows[i].n_runs_each;
        message.has_session_token = rows[i].token != NULL;
        uint8_t text[] = {'t'};
        message.session_token =
            (ProtobufCBinaryData){rows[i].token != NULL ? strlen(rows[i].token) : 0, text};
        struct read read = read_message(&message);
        assert_int_equal(read.status, rows[i].status);
        if (rows[i].status != 0) {
            assert_non_null(strstr(read.detail, rows[i].detail));
        } else {
            assert_int_equal(read.request.single, rows[i].n_heartbeats == 0);
            assert_int_equal(read.request.n, rows[i].n_heartbeats > 0 ? rows[i].n_heartbeats : 1);
            assert_int_equal(
                read.request.n_runs, rows[i].n_runs + rows[i].n_heartbeats * rows[i].n_runs_each);
            assert_int_equal(
                read.request.heartbeats[0].token.len > 0, rows[i].token != NULL && rows[i].token[0] != '\0');
        }
        forget(&read);
    }
}

static void test_protobuf_refused(void **state)
{
    static const char *const bodies[] = {
        "\xff", "\x0a\x05hi", "\x0a\xff\xff\xff\xff\x0f", "\x12\x05hi", "{}"};
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct read read = read_heartbeats(&codec_protobuf, bodies[i], strlen(bodies[i]));
        assert_int_equal(read.status, 400);
        assert_non_null(strstr(read.detail, "minuted.v1.HeartbeatRequest"));
        forget(&read);
    }
}

/* A field that nobody knows yet, in each encoding that there is. */
static const struct slice unknown[] = {TEXT("\x78\x00"), TEXT("\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    TEXT("\x79"
         "12345678"),
    TEXT("\x7d"
         "1234"),
    TEXT("\x7a\x00"), TEXT("\x7a\x03\xff\xff\xff"), TEXT("\xf8\xff\xff\xff\x0f\x05"), /* number 2^29 - 1 */
    TEXT("\x7b\x7c"),
    TEXT("\x7b\x08\x01\x7b\x0a\x01x\x7c\x15"
         "1234\x7c"),
    TEXT("\x0b\x0c"), TEXT("\x13\x1b\x1c\x14"), /* groups with the numbers of known fields */
    TEXT("\x09"
         "12345678"),
    TEXT("\x10\x05"), TEXT("\x18\x05")}; /* known numbers with other types */

#define TOKEN_FIELD TEXT("\x0a\x01t")

/* COUNT of them, and of all kinds, between and within everything that is known; in a heartbeat or at the top.
 */
static struct buf with_unknown_fields(size_t count, bool single)
{
    struct buf run = {0};
    struct buf heartbeat = {0};
    struct buf body = {0};
    struct slice token = TOKEN_FIELD;
    size_t k = 0;
    static const char *const fields[] = {"\x08\x01", "\x10\xe8\x07", "\x18\x05", "\x20\x06"};
    for (size_t i = 0; i < COUNT(fields); i++) {
        buf_append_string(&run, fields[i]);
        buf_append_slice(&run, unknown[k++ % 9]);
    }
    buf_append(&run, "\x29\x00\x00\x00\x00\x00\x00\xf0\x3f", 9);
    buf_append_slice(&heartbeat, token);
    for (size_t i = 0; i < count; i++)
        buf_append_slice(&heartbeat, unknown[i % COUNT(unknown)]);
    for (int i = 0; i < 2; i++) {
        buf_append_u8(&heartbeat, 0x12);
        buf_append_u8(&heartbeat, (uint8_t)run.len);
        buf_append_slice(&heartbeat, buf_slice(&run));
        buf_append_slice(&heartbeat, unknown[k++ % COUNT(unknown)]);
    }
    buf_free(&run);
    if (single)
        return heartbeat;
    for (int i = 0; i < 2; i++) {
        buf_append_slice(&body, unknown[k++ % COUNT(unknown)]);
        buf_append_u8(&body, 0x1a);
        buf_append_u8(&body, (uint8_t)(heartbeat.len & 0x7f) | 0x80);
        buf_append_u8(&body, (uint8_t)(heartbeat.len >> 7 & 0x7f) | 0x80);
        buf_append_u8(&body, (uint8_t)(heartbeat.len >> 14));
        buf_append_slice(&body, buf_slice(&heartbeat));
    }
    buf_free(&heartbeat);
    return body;
}

/* A newer player may say more: it is heard, and what is not understood takes no memory at all. */
static void test_protobuf_unknown_fields(void **state)
{
    static const struct run expected = {1, 1000, 5, 6, 1, false};
    (void)state;
    size_t without = 0;
    for (size_t count = 0; count <= 10000; count = count * 10 + 10) {
        for (int single = 0; single < 2; single++) {
            struct buf b = with_unknown_fields(count, single == 1);
            struct read read = read_heartbeats(&codec_protobuf, b.data, b.len);
            assert_int_equal(read.status, 0);
            assert_int_equal(read.request.single, single);
            assert_int_equal(read.request.n, 2 - single);
            assert_int_equal(read.request.n_runs, 2 * (2 - single));
            for (size_t i = 0; i < read.request.n; i++) {
                const struct heartbeat *h = &read.request.heartbeats[i];
                assert_true(slice_is(h->token, "t"));
                assert_int_equal(h->n_runs, 2);
                assert_run(&h->runs[0], &expected);
                assert_run(&h->runs[1], &expected);
            }
            without = count == 0 && single == 0 ? read.arena.total : without;
            assert_true(read.arena.total <= without);
            forget(&read);
            buf_free(&b);
        }
    }
}

static void test_protobuf_repeated_fields(void **state)
{
    static const struct run expected = {1, 1000, 5, 6, 1, false};
    static const char body[] =
        "\x0a\x01s\x0a\x01t"
        "\x12\x16\x08\x07\x10\x09\x10\xe8\x07\x18\x05\x20\x06\x29\0\0\0\0\0\0\xf0\x3f\x08\x01";
    (void)state;
    struct read read = read_heartbeats(&codec_protobuf, body, sizeof(body) - 1);
    assert_int_equal(read.status, 0);
    assert_true(slice_is(read.request.heartbeats[0].token, "t"));
    assert_run(&read.request.heartbeats[0].runs[0], &expected);
    forget(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_runs),
        cmocka_unit_test(test_protobuf_runs),
        cmocka_unit_test(test_protobuf_run_with_a_field_missing),
        cmocka_unit_test(test_json_shapes),
        cmocka_unit_test(test_json_refused),
        cmocka_unit_test(test_json_cut_off),
        cmocka_unit_test(test_json_limits),
        cmocka_unit_test(test_json_keeps_all),
        cmocka_unit_test(test_protobuf_shapes),
        cmocka_unit_test(test_protobuf_refused),
        cmocka_unit_test(test_protobuf_unknown_fields),
        cmocka_unit_test(test_protobuf_repeated_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
