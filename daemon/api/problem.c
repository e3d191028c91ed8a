/* Problem details. */
#include "api/problem.h"

#include "base/json_write.h"
#include "http/exchange.h"

void problem_write(struct buf *b, int status, const char *detail)
{
    buf_append_string(b, "{\"type\":\"about:blank\",\"title\":");
    json_write_string(b, slice_of(http_phrase(status)));
    buf_append_string(b, ",\"status\":");
    buf_append_int(b, status);
    buf_append_string(b, ",\"detail\":");
    json_write_string(b, slice_of(detail));
    buf_append_char(b, '}');
}
