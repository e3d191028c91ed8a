/* Which codec a request or an answer is for, and what they share. */
#include "api/codec.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "http/head.h"

static const struct codec *codec_of_media_type(struct slice text)
{
    struct slice parameters;
    struct slice name = http_field_part(text, ';', &parameters);
    if (http_field_is(name, "application/json") || http_field_is(name, "text/plain"))
        return &codec_json;
    if (http_field_is(name, "application/protobuf") || http_field_is(name, "application/x-protobuf"))
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
        if (codec_of_media_type(http_field_part(accept, ',', &accept)) == &codec_protobuf)
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
