/*
 * The two codecs behind codec.h, and what they share.
 */
#pragma once

#include "api/codec.h"

int json_decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX]);
int json_decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX]);
void json_encode_session(struct buf *b, const struct session_answer *answer);
void json_encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer);
void json_encode_progress(struct buf *b, const struct progress_answer *answer);

int protobuf_decode_session(
    struct slice body, struct arena *arena, struct session_request *out, char detail[static DETAIL_MAX]);
int protobuf_decode_heartbeats(
    struct slice body, struct arena *arena, struct heartbeat_request *out, char detail[static DETAIL_MAX]);
void protobuf_encode_session(struct buf *b, const struct session_answer *answer);
void protobuf_encode_heartbeats(struct buf *b, const struct heartbeat_answer *answer);
void protobuf_encode_progress(struct buf *b, const struct progress_answer *answer);

/* Fills DETAIL and returns STATUS. */
int codec_refuse(char detail[static DETAIL_MAX], int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
