/* Files that are part of the program. */
#include "api/assets.h"

#include <assert.h>
#include <stdio.h>

#include "api/answer.h"
#include "embedded/dev_html.h"
#include "embedded/lesson_1_mp4.h"
#include "embedded/lesson_2_mp4.h"
#include "embedded/minuted_d_ts.h"
#include "embedded/minuted_d_ts_gz.h"
#include "embedded/minuted_js.h"
#include "embedded/minuted_js_gz.h"
#include "embedded/minuted_mjs.h"
#include "embedded/minuted_mjs_gz.h"
#include "http/accept_encoding.h"
#include "http/entity_tag.h"
#include "http/range.h"

/* For every site, whoever it is of: a script's tag with `integrity` asks for CORS. So no Vary: Origin either.
 */
#define PUBLIC                                                                                               \
    "Access-Control-Allow-Origin: *\r\n"                                                                     \
    "Cross-Origin-Resource-Policy: cross-origin\r\n"                                                         \
    "X-Content-Type-Options: nosniff\r\n"
/* Compressed and plain are told apart by caches; both change with a new version of the daemon. */
#define LIBRARY PUBLIC "Cache-Control: public, max-age=3600\r\nVary: Accept-Encoding\r\n"
#define FILM PUBLIC "Cache-Control: no-cache\r\nAccept-Ranges: bytes\r\n"
#define PAGE                                                                                                 \
    "X-Content-Type-Options: nosniff\r\n"                                                                    \
    "Cache-Control: no-cache\r\n"                                                                            \
    "Referrer-Policy: no-referrer\r\n"                                                                       \
    "Content-Security-Policy: default-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'\r\n"

/* The bytes of an asset in one encoding. */
struct form {
    struct slice bytes;
    const char *tag;
};

struct asset {
    const char *path; /* below http.base_path */
    const char *content_type;
    const char *headers;
    struct form plain;
    struct form gzip; /* no bytes: there is none */
    bool ranges;
};

#define FORM(symbol)                                                                                         \
    {                                                                                                        \
        {(const char *)(symbol), sizeof(symbol) - 1}, "\"" symbol##_sha256 "\""                              \
    }
#define NO_FORM                                                                                              \
    {                                                                                                        \
        {"", 0}, ""                                                                                          \
    }
#define SCRIPT_TYPE "text/javascript; charset=utf-8"

/* Types are shown as text: no media type is registered for TypeScript, and tools go by the name. */
static const struct asset assets[] = {
    {"/v1/minuted.js", SCRIPT_TYPE, LIBRARY, FORM(minuted_js), FORM(minuted_js_gz), false},
    {"/v1/minuted.mjs", SCRIPT_TYPE, LIBRARY, FORM(minuted_mjs), FORM(minuted_mjs_gz), false},
    {"/v1/minuted.d.ts", "text/plain; charset=utf-8", LIBRARY, FORM(minuted_d_ts), FORM(minuted_d_ts_gz),
        false},
    {"/dev/", "text/html; charset=utf-8", PAGE, FORM(dev_html), NO_FORM, false},
    {"/dev/lesson-1.mp4", "video/mp4", FILM, FORM(lesson_1_mp4), NO_FORM, true},
    {"/dev/lesson-2.mp4", "video/mp4", FILM, FORM(lesson_2_mp4), NO_FORM, true},
};

static const struct asset *find_asset(struct slice path)
{
    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
        if (slice_is(path, assets[i].path))
            return &assets[i];
    return NULL;
}

static const struct form *choose_form(const struct asset *asset, const struct http_exchange *x)
{
    bool packed =
        asset->gzip.bytes.len > 0 && accept_encoding_takes_gzip(http_header(x, HTTP_HEADER_ACCEPT_ENCODING));
    return packed ? &asset->gzip : &asset->plain;
}

/* What 304 says, too. */
static void start_headers(struct api *api, const struct asset *asset, const struct form *form)
{
    buf_clear(&api->headers);
    buf_printf(&api->headers, "ETag: %s\r\n%s", form->tag, asset->headers);
}

/* Range is for GET alone (RFC 9110, section 14.2). */
static enum range_verdict ask_range(
    const struct asset *asset, const struct form *form, const struct http_exchange *x, struct range *out)
{
    struct slice header = http_header(x, HTTP_HEADER_RANGE);
    bool heeded = asset->ranges && http_method(x) == HTTP_METHOD_GET &&
                  entity_tag_unchanged(http_header(x, HTTP_HEADER_IF_RANGE), form->tag);
    return range_read(heeded ? header : (struct slice){"", 0}, form->bytes.len, out);
}

static void refuse_range(struct api *api, struct http_exchange *x, const struct form *form)
{
    char headers[64];
    snprintf(headers, sizeof(headers), "Content-Range: bytes */%zu\r\n", form->bytes.len);
    answer_problem(api, x, 416, "the range begins behind the end", headers);
}

/* What is embedded outlives every connection; films are too long to be copied for each. */
static void send_content(
    struct api *api, struct http_exchange *x, const struct asset *asset, const struct form *form)
{
    struct range range;
    enum range_verdict verdict = ask_range(asset, form, x, &range);
    if (verdict == RANGE_UNSATISFIABLE) {
        refuse_range(api, x, form);
        return;
    }
    start_headers(api, asset, form);
    if (form == &asset->gzip)
        buf_append_string(&api->headers, "Content-Encoding: gzip\r\n");
    if (verdict == RANGE_PART)
        buf_printf(&api->headers, "Content-Range: bytes %zu-%zu/%zu\r\n", range.first,
            range.first + range.len - 1, form->bytes.len);
    answer_with(api, x,
        &(struct http_response){.status = verdict == RANGE_PART ? 206 : 200,
            .content_type = asset->content_type,
            .body = {form->bytes.ptr + range.first, range.len},
            .body_kept = true});
}

void assets_handle(struct api *api, struct http_exchange *x)
{
    struct slice path = http_path(x);
    size_t base = strlen(api->settings.config->http.base_path);
    const struct asset *asset = find_asset((struct slice){path.ptr + base, path.len - base});
    assert(asset != NULL);
    const struct form *form = choose_form(asset, x);
    if (!entity_tag_listed(http_header(x, HTTP_HEADER_IF_NONE_MATCH), form->tag)) {
        send_content(api, x, asset, form);
        return;
    }
    start_headers(api, asset, form);
    answer_with(api, x, &(struct http_response){.status = 304});
}
