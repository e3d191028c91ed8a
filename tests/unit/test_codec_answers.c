/* Both codecs: requests for a session, which codec an answer is for, and what answers look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "api/codec_json.h"
#include "api/codec_protobuf.h"
#include "proto/player.pb-c.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* ---- sessions ---- */

static void test_sessions(void **state)
{
    static const struct {
        const struct codec *codec;
        const char *body;
        int status;
        const char *lesson, *device; /* NULL: missing */
    } rows[] = {
        {&codec_json, "{\"lesson_id\":\"a\",\"device_id\":\"b\"}", 0, "a", "b"},
        {&codec_json, "{\"device_id\":\"\\u738b\",\"x\":{\"lesson_id\":1},\"lesson_id\":\"\"}", 0, "", "王"},
        {&codec_json, "{}", 0, NULL, NULL},
        {&codec_json, "{\"lesson_id\":1,\"device_id\":null}", 0, NULL, NULL},
        {&codec_json, "{\"lesson_id\":1,\"lesson_id\":\"a\"}", 400, NULL, NULL},
        {&codec_json, "{\"device_id\":\"a\",\"device_id\":\"a\"}", 400, NULL, NULL},
        {&codec_json, "[]", 400, NULL, NULL},
        {&codec_json, "", 400, NULL, NULL},
        {&codec_json, "{\"lesson_id\":\"a\"", 400, NULL, NULL},
        {&codec_protobuf, "\x0a\x01\x61\x12\x01\x62", 0, "a", "b"},
        {&codec_protobuf, "", 0, NULL, NULL},
        {&codec_protobuf, "\x0a", 400, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = {0};
        struct session_request request;
        char detail[DETAIL_MAX];
        assert_int_equal(
            rows[i].codec->decode_session(slice_of(rows[i].body), &arena, &request, detail), rows[i].status);
        if (rows[i].status == 0) {
            assert_int_equal(request.lesson_id.ptr == NULL, rows[i].lesson == NULL);
            assert_int_equal(request.device_id.ptr == NULL, rows[i].device == NULL);
            assert_true(rows[i].lesson == NULL || slice_is(request.lesson_id, rows[i].lesson));
            assert_true(rows[i].device == NULL || slice_is(request.device_id, rows[i].device));
        }
        arena_free(&arena);
    }
}

/* ---- answers ---- */

static const struct run_result results[] = {
    {.status = RUN_ACCEPTED, .credited_seconds = 10, .duplicate_seconds = 2, .contested_seconds = 1},
    {.status = RUN_ACCEPTED},
    {.status = RUN_RETRY, .reason = REASON_AHEAD_OF_CLOCK},
    {.status = RUN_REJECTED, .reason = REASON_TOO_LATE},
};

static void test_json_answers(void **state)
{
    struct buf b = {0};
    (void)state;
    codec_json.encode_heartbeats(
        &b, &(struct heartbeat_answer){results, COUNT(results), 1674187200500, 15000});
    assert_true(slice_is(buf_slice(&b),
        "{\"results\":["
        "{\"status\":\"accepted\",\"credited_seconds\":10,\"duplicate_seconds\":2,\"contested_seconds\":1},"
        "{\"status\":\"accepted\",\"credited_seconds\":0,\"duplicate_seconds\":0,\"contested_seconds\":0},"
        "{\"status\":\"retry\",\"reason\":\"ahead_of_clock\"},"
        "{\"status\":\"rejected\",\"reason\":\"too_late\"}],"
        "\"server_time_ms\":1674187200500,\"heartbeat_interval_ms\":15000}"));
    buf_clear(&b);
    codec_json.encode_session(
        &b, &(struct session_answer){slice_of("id"), slice_of("m1.t"), 1674187200500, 1674201600500, 60000});
    assert_true(slice_is(buf_slice(&b), "{\"session_id\":\"id\",\"session_token\":\"m1.t\","
                                        "\"server_time_ms\":1674187200500,\"expires_at_ms\":1674201600500,"
                                        "\"heartbeat_interval_ms\":60000}"));
    buf_free(&b);
}

static void test_protobuf_answers(void **state)
{
    struct buf b = {0};
    (void)state;
    codec_protobuf.encode_heartbeats(
        &b, &(struct heartbeat_answer){results, COUNT(results), 1674187200500, 15000});
    Minuted__V1__HeartbeatResponse *answer =
        minuted__v1__heartbeat_response__unpack(NULL, b.len, (const uint8_t *)b.data);
    assert_non_null(answer);
    assert_int_equal(answer->server_time_ms, 1674187200500);
    assert_int_equal(answer->heartbeat_interval_ms, 15000);
    assert_int_equal(answer->n_results, COUNT(results));
    assert_int_equal(answer->results[0]->status, MINUTED__V1__STATUS__ACCEPTED);
    assert_int_equal(answer->results[0]->credited_seconds, 10);
    assert_int_equal(answer->results[0]->duplicate_seconds, 2);
    assert_int_equal(answer->results[0]->contested_seconds, 1);
    assert_false(answer->results[0]->has_reason);
    assert_true(answer->results[1]->has_credited_seconds && answer->results[1]->has_contested_seconds);
    assert_int_equal(answer->results[2]->status, MINUTED__V1__STATUS__RETRY);
    assert_int_equal(answer->results[2]->reason, MINUTED__V1__REASON__AHEAD_OF_CLOCK);
    assert_int_equal(answer->results[3]->status, MINUTED__V1__STATUS__REJECTED);
    assert_int_equal(answer->results[3]->reason, MINUTED__V1__REASON__TOO_LATE);
    assert_false(answer->results[3]->has_credited_seconds);
    minuted__v1__heartbeat_response__free_unpacked(answer, NULL);
    buf_free(&b);
}

/* The names on the wire are the same in both encodings. */
static void test_reasons_have_one_name(void **state)
{
    (void)state;
    for (int reason = REASON_MALFORMED; reason < REASON_COUNT; reason++) {
        char name[32];
        snprintf(name, sizeof(name), "%s", claim_reason_name((enum run_reason)reason));
        for (char *c = name; *c != '\0'; c++)
            *c = (char)(*c == '_' ? '_' : *c - 'a' + 'A');
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value_by_name(&minuted__v1__reason__descriptor, name);
        assert_non_null(value);
        assert_int_equal(value->value, reason);
    }
    assert_int_equal(minuted__v1__reason__descriptor.n_values, REASON_COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_json_answers),
        cmocka_unit_test(test_protobuf_answers),
        cmocka_unit_test(test_reasons_have_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
