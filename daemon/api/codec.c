/* Which codec a request is for. */
#include "api/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "api/codec_internal.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool same_name(struct slice s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

/* The part before SEPARATOR, trimmed; *REST gets what follows it. */
static struct slice part_before(struct slice s, char separator, struct slice *rest)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, separator, s.len);
    size_t len = at == NULL ? s.len : (size_t)(at - s.ptr);
    *rest = at == NULL ? (struct slice){s.ptr + s.len, 0} : (struct slice){at + 1, s.len - len - 1};
    return trim((struct slice){s.ptr, len});
}

enum media_type media_type_of(struct slice content_type)
{
    struct slice parameters;
    struct slice name = part_before(content_type, ';', &parameters);
    if (name.len == 0 || same_name(name, "application/json") || same_name(name, "text/plain"))
        return MEDIA_JSON;
    if (same_name(name, "application/protobuf") || same_name(name, "application/x-protobuf"))
        return MEDIA_PROTOBUF;
    return MEDIA_UNKNOWN;
}

enum media_type media_type_accepted(struct slice accept)
{
    while (accept.len > 0) {
        struct slice name = part_before(accept, ',', &accept);
        if (name.len > 0 && media_type_of(name) == MEDIA_PROTOBUF)
            return MEDIA_PROTOBUF;
    }
    return MEDIA_JSON;
}

const char *media_type_name(enum media_type type)
{
    return type == MEDIA_PROTOBUF ? "application/protobuf" : "application/json";
}

int codec_refuse(char detail[static DETAIL_MAX], int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail, DETAIL_MAX, format, args);
    va_end(args);
    return status;
}

const char *run_status_name(enum run_status status)
{
    static const char *const names[] = {
        [RUN_ACCEPTED] = "accepted", [RUN_RETRY] = "retry", [RUN_REJECTED] = "rejected"};
    return names[status];
}

int decode_session(enum media_type type, struct slice body, struct arena *arena, struct session_request *out,
    char detail[static DETAIL_MAX])
{
    *out = (struct session_request){0};
    return type == MEDIA_PROTOBUF ? protobuf_decode_session(body, arena, out, detail)
                                  : json_decode_session(body, arena, out, detail);
}

int decode_heartbeats(enum media_type type, struct slice body, struct arena *arena,
    struct heartbeat_request *out, char detail[static DETAIL_MAX])
{
    *out = (struct heartbeat_request){0};
    return type == MEDIA_PROTOBUF ? protobuf_decode_heartbeats(body, arena, out, detail)
                                  : json_decode_heartbeats(body, arena, out, detail);
}

void encode_session(enum media_type type, struct buf *b, const struct session_answer *answer)
{
    (type == MEDIA_PROTOBUF ? protobuf_encode_session : json_encode_session)(b, answer);
}

void encode_heartbeats(enum media_type type, struct buf *b, const struct heartbeat_answer *answer)
{
    (type == MEDIA_PROTOBUF ? protobuf_encode_heartbeats : json_encode_heartbeats)(b, answer);
}

void encode_progress(enum media_type type, struct buf *b, const struct progress_answer *answer)
{
    (type == MEDIA_PROTOBUF ? protobuf_encode_progress : json_encode_progress)(b, answer);
}
