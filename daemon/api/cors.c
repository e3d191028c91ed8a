/* Players on other origins. */
#include "api/cors.h"

#include "config/config.h"

bool cors_allows(const struct string_list *allowed, struct slice origin)
{
    for (size_t i = 0; origin.len > 0 && i < allowed->n; i++)
        if (strcmp(allowed->items[i], "*") == 0 || slice_is(origin, allowed->items[i]))
            return true;
    return false;
}

/* The origin is echoed even for "*", so Vary keeps a cache from giving one page's answer to another. */
void cors_write(const struct string_list *allowed, struct slice origin, struct buf *b)
{
    if (allowed->n > 0)
        buf_append_string(b, "Vary: Origin\r\n");
    if (!cors_allows(allowed, origin))
        return;
    buf_append_string(b, "Access-Control-Allow-Origin: ");
    buf_append_slice(b, origin);
    buf_append_string(b, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
}

void cors_write_preflight(
    const struct string_list *allowed, struct slice origin, const char *methods, struct buf *b)
{
    if (!cors_allows(allowed, origin))
        return;
    buf_append_string(b, "Access-Control-Allow-Methods: ");
    buf_append_string(b, methods);
    buf_append_string(b, "\r\nAccess-Control-Allow-Headers: authorization, content-type\r\n"
                         "Access-Control-Max-Age: 7200\r\n");
}
