/* Any text: read as JSON, it ends in a value or in an error with its offset inside the text. */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {.limit = 1 << 20};
    struct json_reader r;
    json_read(&r, (struct slice){(const char *)data, size}, &arena);
    json_skip(&r);
    if (!json_end(&r))
        assert(r.error != NULL && r.error_offset <= size);
    arena_free(&arena);
    return 0;
}
