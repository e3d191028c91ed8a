/* Requests into bytes, bytes into replies. */
#include "load/message.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/json_write.h"

enum { HEAD_MAX = 8192, BODY_MAX = 1024 * 1024, RETRY_AFTER_MAX = 3600, CREDITED_MAX = 3600 };

/* ---- requests ---- */

void message_body_begin(struct buf *body, bool alone)
{
    buf_clear(body);
    if (!alone)
        buf_append_string(body, "{\"heartbeats\":[");
}

static void add_number(struct buf *b, const char *name, int64_t value)
{
    buf_append_string(b, name);
    buf_append_int(b, value);
}

void message_body_add(struct buf *body, struct slice token, const struct run *runs, size_t n)
{
    if (body->len > 0 && body->data[body->len - 1] == '}')
        buf_append_char(body, ',');
    buf_append_string(body, "{\"session_token\":\"");
    buf_append_slice(body, token);
    buf_append_string(body, "\",\"runs\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(body, ',');
        add_number(body, "{\"from_ms\":", runs[i].from_ms);
        add_number(body, ",\"to_ms\":", runs[i].to_ms);
        add_number(body, ",\"media_from_ms\":", runs[i].media_from_ms);
        add_number(body, ",\"media_to_ms\":", runs[i].media_to_ms);
        /* The rate is written to two decimals. */
        int64_t hundredths = (int64_t)(runs[i].rate * 100 + 0.5);
        char decimals[] = {'.', (char)('0' + hundredths / 10 % 10), (char)('0' + hundredths % 10)};
        add_number(body, ",\"rate\":", hundredths / 100);
        if (hundredths % 100 > 0)
            buf_append(body, decimals, sizeof(decimals));
        buf_append_char(body, '}');
    }
    buf_append_string(body, "]}");
}

void message_body_end(struct buf *body, bool alone)
{
    if (!alone)
        buf_append_string(body, "]}");
}

static void begin_request(struct buf *out, const struct message_place *place, const char *request)
{
    const char *space = strchr(request, ' ');
    buf_append(out, request, (size_t)(space - request) + 1);
    buf_append_string(out, place->base_path);
    buf_append_string(out, space + 1);
    buf_append_string(out, " HTTP/1.1\r\nHost: ");
    buf_append_string(out, place->host);
    buf_append_string(out, place->close ? "\r\nConnection: close\r\n" : "\r\n");
}

static void end_request(struct buf *out, struct slice body)
{
    add_number(out, "Content-Type: application/json\r\nContent-Length: ", (int64_t)body.len);
    buf_append_string(out, "\r\n\r\n");
    buf_append_slice(out, body);
}

void message_heartbeats(struct buf *out, const struct message_place *place, struct slice body)
{
    begin_request(out, place, "POST /v1/heartbeats");
    end_request(out, body);
}

void message_session(struct buf *out, const struct message_place *place, struct slice jwt,
    struct slice lesson, struct slice device)
{
    struct buf body = {0};
    buf_append_string(&body, "{\"lesson_id\":");
    json_write_string(&body, lesson);
    buf_append_string(&body, ",\"device_id\":");
    json_write_string(&body, device);
    buf_append_char(&body, '}');
    begin_request(out, place, "POST /v1/sessions");
    buf_append_string(out, "Authorization: Bearer ");
    buf_append_slice(out, jwt);
    buf_append_string(out, "\r\n");
    end_request(out, buf_slice(&body));
    buf_free(&body);
}

void message_nothing(struct buf *out, const struct message_place *place)
{
    begin_request(out, place, "OPTIONS /v1/heartbeats");
    buf_append_string(out, "\r\n");
}

/* ---- replies ---- */

static bool read_digits(const char *at, const char *end, int64_t max, int64_t *value)
{
    *value = 0;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9' || *value > max / 10)
            return false;
        *value = *value * 10 + (*at - '0');
    }
    return *value <= max;
}

static bool is_named(const char *line, const char *colon, const char *name)
{
    return (size_t)(colon - line) == strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

/* One header field; false when the reply is not one that is understood. */
static bool read_field(const char *line, const char *end, struct reply *r, int64_t *content_length)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL)
        return false;
    const char *value = colon + 1;
    while (value < end && *value == ' ')
        value++;
    while (end > value && end[-1] == ' ')
        end--;
    if (is_named(line, colon, "content-length"))
        return read_digits(value, end, BODY_MAX, content_length);
    if (is_named(line, colon, "transfer-encoding"))
        return false;
    if (is_named(line, colon, "connection"))
        r->close = end - value == 5 && strncasecmp(value, "close", 5) == 0;
    else if (is_named(line, colon, "retry-after") &&
             !read_digits(value, end, RETRY_AFTER_MAX, &r->retry_after_s))
        r->retry_after_s = -1; /* a date, or next year */
    return true;
}

enum reply_state message_read_reply(struct slice bytes, struct reply *r)
{
    const char *stop = bytes.len > 0 ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
    int64_t content_length = -1;
    *r = (struct reply){.retry_after_s = -1};
    if (stop == NULL)
        return bytes.len > HEAD_MAX ? REPLY_BROKEN : REPLY_PARTIAL;
    const char *end = memmem(bytes.ptr, (size_t)(stop - bytes.ptr) + 2, "\r\n", 2);
    const char *line = bytes.ptr; /* "HTTP/1.1 200 OK" */
    int64_t status;
    if (end - line < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
        !read_digits(line + 9, line + 12, 599, &status))
        return REPLY_BROKEN;
    r->status = (int)status;
    r->close = line[7] == '0'; /* unless a header field says otherwise */
    while (end < stop) {
        line = end + 2;
        end = memmem(line, (size_t)(stop - line) + 2, "\r\n", 2);
        if (!read_field(line, end, r, &content_length))
            return REPLY_BROKEN;
    }
    if (content_length < 0 && r->status != 204)
        return REPLY_BROKEN;
    r->body = (struct slice){stop + 4, content_length > 0 ? (size_t)content_length : 0};
    r->len = (size_t)(r->body.ptr - bytes.ptr) + r->body.len;
    return r->len <= bytes.len ? REPLY_WHOLE : REPLY_PARTIAL;
}

static bool read_run_status(struct json_reader *r, enum run_status *status)
{
    static const char *const names[] = {
        [RUN_ACCEPTED] = "accepted", [RUN_RETRY] = "retry", [RUN_REJECTED] = "rejected"};
    struct slice name;
    if (!json_string(r, &name))
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *status = (enum run_status)i;
        if (slice_is(name, names[i]))
            return true;
    }
    return false;
}

static bool read_result(struct json_reader *r, struct run_answer *answer)
{
    struct json_number number;
    struct slice name;
    bool has_status = false;
    *answer = (struct run_answer){RUN_REJECTED, 0};
    if (!json_object(r))
        return false;
    while (json_member(r, &name)) {
        bool good = true;
        if (slice_is(name, "status")) {
            good = has_status = read_run_status(r, &answer->status);
        } else if (slice_is(name, "credited_seconds")) {
            good = json_number(r, &number) && number.integral && number.integer >= 0 &&
                   number.integer <= CREDITED_MAX;
            answer->credited = good ? (uint32_t)number.integer : 0;
        } else {
            json_skip(r);
        }
        if (!good)
            return false;
    }
    return r->error == NULL && has_status;
}

size_t message_read_results(struct slice body, struct arena *arena, struct run_answer *answers)
{
    struct json_reader r;
    struct slice name;
    size_t n = 0;
    json_read(&r, body, arena);
    if (!json_object(&r))
        return 0;
    while (json_member(&r, &name)) {
        if (!slice_is(name, "results")) {
            json_skip(&r);
            continue;
        }
        if (!json_array(&r))
            return 0;
        while (json_element(&r))
            if (n == MESSAGE_RUNS_MAX || !read_result(&r, &answers[n++]))
                return 0;
    }
    return json_end(&r) ? n : 0;
}

bool message_read_session(struct slice body, struct arena *arena, struct slice *token, int64_t *anchor_ms)
{
    struct json_reader r;
    struct json_number number;
    struct slice name;
    *token = (struct slice){NULL, 0};
    *anchor_ms = 0;
    json_read(&r, body, arena);
    if (!json_object(&r))
        return false;
    while (json_member(&r, &name)) {
        bool good = true;
        if (slice_is(name, "session_token")) {
            good = json_string(&r, token);
        } else if (slice_is(name, "server_time_ms")) {
            good = json_number(&r, &number) && number.integral;
            *anchor_ms = good ? number.integer : 0;
        } else {
            json_skip(&r);
        }
        if (!good)
            return false;
    }
    return json_end(&r) && token->len > 0 && *anchor_ms > 0;
}
