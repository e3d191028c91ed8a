/* An answer as bytes. */
#include "http/response.h"

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown"; /* the phrase may be anything */
}

static const char *date_text(struct response_date *date)
{
    time_t now = time(NULL);
    if (now != date->second || date->text[0] == '\0') {
        struct tm utc;
        gmtime_r(&now, &utc);
        strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        date->second = now;
    }
    return date->text;
}

static void write_line(struct buf *out, const char *name, const char *value)
{
    buf_append_string(out, name);
    buf_append_string(out, value);
    buf_append(out, "\r\n", 2);
}

static bool has_content(int status)
{
    return status != 204 && status != 304;
}

static void write_content_headers(struct buf *out, const struct http_response *response)
{
    if (response->content_type != NULL)
        write_line(out, "Content-Type: ", response->content_type);
    buf_append_string(out, "Content-Length: ");
    buf_append_int(out, (int64_t)response->body.len);
    buf_append(out, "\r\n", 2);
}

void response_write(struct buf *out, const struct http_response *response, const struct response_frame *frame,
    struct response_date *date)
{
    static const char *const connection[] = {[RESPONSE_KEEP] = "",
        [RESPONSE_KEEP_1_0] = "Connection: keep-alive\r\n",
        [RESPONSE_CLOSE] = "Connection: close\r\n"};
    bool content = has_content(response->status);
    buf_append_string(out, "HTTP/1.1 ");
    buf_append_int(out, response->status);
    buf_append_char(out, ' ');
    write_line(out, reason_of(response->status), "");
    write_line(out, "Date: ", date_text(date));
    if (content)
        write_content_headers(out, response);
    if (response->headers != NULL)
        buf_append_string(out, response->headers);
    buf_append_string(out, connection[frame->connection]);
    buf_append(out, "\r\n", 2);
    if (content && !frame->without_body)
        buf_append_slice(out, response->body);
}
