/* Which codec a request or an answer is for, and what they share. */
#include "api/codec.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

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
    *rest = at == NULL ? (struct slice){"", 0} : (struct slice){at + 1, s.len - len - 1};
    return trim((struct slice){s.ptr, len});
}

static const struct codec *codec_of_media_type(struct slice text)
{
    struct slice parameters;
    struct slice name = part_before(text, ';', &parameters);
    if (same_name(name, "application/json") || same_name(name, "text/plain"))
        return &codec_json;
    if (same_name(name, "application/protobuf") || same_name(name, "application/x-protobuf"))
        return &codec_protobuf;
    return NULL;
}

const struct codec *codec_of_request(struct slice content_type, struct slice body)
{
    if (content_type.len == 0 && body.len == 0)
        return &codec_json;
    return codec_of_media_type(content_type);
}

const struct codec *codec_of_accept(struct slice accept)
{
    while (accept.len > 0)
        if (codec_of_media_type(part_before(accept, ',', &accept)) == &codec_protobuf)
            return &codec_protobuf;
    return &codec_json;
}

int codec_refuse(char detail[static DETAIL_MAX], int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail, DETAIL_MAX, format, args);
    va_end(args);
    return status;
}

static bool ms_in_range(int64_t ms)
{
    return ms >= 0 && ms <= RUN_MS_MAX;
}

struct run codec_check_run(struct run run)
{
    bool good = !run.malformed && ms_in_range(run.from_ms) && ms_in_range(run.to_ms) &&
                ms_in_range(run.media_from_ms) && ms_in_range(run.media_to_ms) && isfinite(run.rate);
    return good ? run : (struct run){.malformed = true};
}
