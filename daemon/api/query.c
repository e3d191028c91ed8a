/* A request's query. */
#include "api/query.h"

#include "base/hex.h"

/* Decodes %XX and '+' of a query's value. */
static struct slice decode_value(struct slice text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.ptr[i] == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
                       hex_digit(text.ptr[i + 2]) >= 0;
        if (escaped) {
            out[n++] = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
            i += 2;
        } else {
            out[n++] = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        }
    }
    return (struct slice){out, n};
}

struct slice query_value(struct slice query, const char *name, struct arena *arena)
{
    size_t len = strlen(name);
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        size_t n = end == NULL ? query.len : (size_t)(end - query.ptr);
        if (n > len && memcmp(query.ptr, name, len) == 0 && query.ptr[len] == '=')
            return decode_value((struct slice){query.ptr + len + 1, n - len - 1}, arena);
        query = end == NULL ? (struct slice){"", 0} : (struct slice){end + 1, query.len - n - 1};
    }
    return (struct slice){"", 0};
}
