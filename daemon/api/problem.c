/* Problem details. */
#include "api/problem.h"

#include "base/json_write.h"

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void problem_write(struct buf *b, int status, const char *detail)
{
    buf_append_string(b, "{\"type\":\"about:blank\",\"title\":");
    json_write_string(b, slice_of(title_of(status)));
    buf_append_string(b, ",\"status\":");
    buf_append_int(b, status);
    buf_append_string(b, ",\"detail\":");
    json_write_string(b, slice_of(detail));
    buf_append_char(b, '}');
}
