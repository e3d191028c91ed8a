/* Files that are part of the program. */
#include "api/assets.h"

#include <assert.h>

#include "api/answer.h"
#include "embedded/dev_html.h"
#include "embedded/minuted_d_ts.h"
#include "embedded/minuted_d_ts_gz.h"
#include "embedded/minuted_js.h"
#include "embedded/minuted_js_gz.h"
#include "embedded/minuted_mjs.h"
#include "embedded/minuted_mjs_gz.h"
#include "http/accept_encoding.h"
#include "http/entity_tag.h"

/*
 * Any site may load the SDK. A script tag with `integrity` makes the browser ask for CORS; the answer is the
 * same for every origin, so that it needs no Vary: Origin.
 */
#define PUBLIC                                                                                               \
    "Access-Control-Allow-Origin: *\r\n"                                                                     \
    "Cross-Origin-Resource-Policy: cross-origin\r\n"                                                         \
    "X-Content-Type-Options: nosniff\r\n"
/* Caches keep the compressed and the plain form apart. Both may change with a new version of the daemon. */
#define LIBRARY PUBLIC "Cache-Control: public, max-age=3600\r\nVary: Accept-Encoding\r\n"
#define PAGE                                                                                                 \
    "X-Content-Type-Options: nosniff\r\n"                                                                    \
    "Cache-Control: no-cache\r\n"                                                                            \
    "Referrer-Policy: no-referrer\r\n"                                                                       \
    "Content-Security-Policy: default-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src blob:; "   \
    "base-uri 'none'\r\n"

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
    struct form gzip; /* without bytes where the asset is not compressed */
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

/* The type declarations are plain text: TypeScript has no registered media type, and tools go by the name. */
static const struct asset assets[] = {
    {"/v1/minuted.js", SCRIPT_TYPE, LIBRARY, FORM(minuted_js), FORM(minuted_js_gz)},
    {"/v1/minuted.mjs", SCRIPT_TYPE, LIBRARY, FORM(minuted_mjs), FORM(minuted_mjs_gz)},
    {"/v1/minuted.d.ts", "text/plain; charset=utf-8", LIBRARY, FORM(minuted_d_ts), FORM(minuted_d_ts_gz)},
    {"/dev/", "text/html; charset=utf-8", PAGE, FORM(dev_html), NO_FORM},
};

void assets_handle(struct api *api, struct http_exchange *x)
{
    struct slice path = answer_path(api, x);
    const struct asset *asset = NULL;
    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]) && asset == NULL; i++)
        if (slice_is(path, assets[i].path))
            asset = &assets[i];
    assert(asset != NULL);
    bool packed = asset->gzip.bytes.len > 0 &&
                  accept_encoding_takes_gzip(x->request.head.headers[HTTP_HEADER_ACCEPT_ENCODING]);
    const struct form *form = packed ? &asset->gzip : &asset->plain;
    buf_clear(&api->headers);
    buf_printf(&api->headers, "ETag: %s\r\n%s", form->tag, asset->headers);
    if (entity_tag_listed(x->request.head.headers[HTTP_HEADER_IF_NONE_MATCH], form->tag)) {
        answer_with(api, x, &(struct http_response){.status = 304});
        return;
    }
    if (packed)
        buf_append_string(&api->headers, "Content-Encoding: gzip\r\n");
    answer_with(api, x,
        &(struct http_response){.status = 200, .content_type = asset->content_type, .body = form->bytes});
}
