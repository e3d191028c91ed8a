/*
 * Requests and answers as plain structs, whichever way they are written: JSON or protobuf. A codec knows no
 * sessions and no store; it tells what could not be read, and where. Types alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "credit/claim.h"

enum {
    RUNS_MAX = 256, /* in a request, over all of its heartbeats */
    HEARTBEATS_MAX = 256,
    DETAIL_MAX = 160
};

struct session_request {
    struct slice lesson_id; /* .ptr NULL: missing, or no text */
    struct slice device_id; /* .ptr NULL: missing; empty: no text */
};

struct session_answer {
    struct slice session_id;
    struct slice session_token;
    int64_t server_time_ms;
    int64_t expires_at_ms;
    int64_t heartbeat_interval_ms;
};

struct heartbeat {
    struct slice token; /* .ptr NULL: missing, or no text */
    struct run *runs;   /* one that could not be read is only `malformed` */
    size_t n_runs;
};

struct heartbeat_request {
    bool single; /* session_token and runs at the top, not `heartbeats` */
    struct heartbeat *heartbeats;
    size_t n;
    size_t n_runs; /* of all of them */
};

struct run_result {
    enum run_status status;
    enum run_reason reason;
    uint32_t credited_seconds;
    uint32_t duplicate_seconds;
    uint32_t contested_seconds;
};

struct heartbeat_answer {
    const struct run_result *results;
    size_t n; /* at most RUNS_MAX */
    int64_t server_time_ms;
    int64_t heartbeat_interval_ms;
};

struct progress_course {
    struct slice course_id;
    struct slice title;
    int64_t watched_seconds;
    double hours_learned;
    double hours_max;
    const char *opens; /* NULL: always open */
    const char *closes;
};

struct progress_lesson {
    struct slice lesson_id;
    struct slice course_id;
    int64_t watched_seconds;
    int64_t covered_seconds;
    double covered_ratio; /* negative: the lesson's length is not known */
};

struct progress_answer {
    int64_t watched_seconds;
    double hours_learned;
    double hours_max;
    const struct progress_course *courses;
    size_t n_courses;
    const struct progress_lesson *lessons;
    size_t n_lessons;
};

/*
 * Decoding returns 0, or the status of a problem, then with DETAIL filled. What was read points into BODY and
 * ARENA. Encoding appends to B.
 */
struct codec {
    const char *content_type; /* of answers */
    int (*decode_session)(
        struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX]);
    int (*decode_heartbeats)(struct slice body, struct arena *arena, struct heartbeat_request *out,
        char detail[static DETAIL_MAX]);
    void (*encode_session)(struct buf *b, const struct session_answer *answer);
    void (*encode_heartbeats)(struct buf *b, const struct heartbeat_answer *answer);
    void (*encode_progress)(struct buf *b, const struct progress_answer *answer);
};

/* For the codecs: fills DETAIL like printf() and is STATUS. */
#define CODEC_REFUSE(detail, status, ...) (snprintf((detail), DETAIL_MAX, __VA_ARGS__), (status))
