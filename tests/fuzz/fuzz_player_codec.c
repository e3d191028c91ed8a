/* Any body, in both encodings: it decodes to a request within the limits, or to a problem that says what is
 * wrong. */
#include <assert.h>
#include <stdint.h>

#include "api/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_heartbeats(const struct heartbeat_request *request)
{
    size_t n_runs = 0;
    assert(request->n <= HEARTBEATS_MAX && request->n_runs <= RUNS_MAX);
    for (size_t i = 0; i < request->n; i++) {
        const struct heartbeat *h = &request->heartbeats[i];
        n_runs += h->n_runs;
        for (size_t k = 0; k < h->n_runs; k++)
            assert(h->runs[k].malformed || (h->runs[k].from_ms >= 0 && h->runs[k].to_ms <= RUN_MS_MAX));
    }
    assert(n_runs == request->n_runs);
}

static void decode(const struct codec *codec, struct slice body)
{
    struct arena arena = {0};
    struct heartbeat_request heartbeats;
    struct session_request session;
    char detail[DETAIL_MAX] = "";
    int status = codec->decode_heartbeats(body, &arena, &heartbeats, detail);
    assert(status == 0 || ((status == 400 || status == 413) && detail[0] != '\0'));
    if (status == 0)
        check_heartbeats(&heartbeats);
    detail[0] = '\0';
    status = codec->decode_session(body, &arena, &session, detail);
    assert(status == 0 || (status == 400 && detail[0] != '\0'));
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = {(const char *)data, size};
    decode(&codec_json, body);
    decode(&codec_protobuf, body);
    return 0;
}
