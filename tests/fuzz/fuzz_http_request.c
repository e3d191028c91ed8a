/* A request's bytes, whole and cut in two: the outcome is the same, and nothing is read beyond them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum request_status feed(struct request *r, struct slice *input)
{
    static const struct http_limits limits = {.max_body = 4096, .max_headers = 2048};
    return request_feed(r, &limits, input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = data[0] % size;
    struct slice all = {(const char *)data + 1, size - 1};
    struct request whole = {0};
    struct slice rest = all;
    enum request_status status = feed(&whole, &rest);

    struct request parts = {0};
    struct slice head = {all.ptr, cut < all.len ? cut : all.len};
    size_t taken = head.len;
    enum request_status cut_status = feed(&parts, &head);
    taken -= head.len;
    if (cut_status == REQUEST_MORE) {
        struct slice tail = {all.ptr + taken, all.len - taken};
        cut_status = feed(&parts, &tail);
    }
    assert(status == cut_status);
    assert(whole.status == parts.status);
    request_free(&whole);
    request_free(&parts);
    return 0;
}
