/* GET /dev/minutes. */
#include "api/dev_minutes.h"

#include <inttypes.h>

#include "api/answer.h"
#include "api/query.h"
#include "base/id.h"
#include "base/json_write.h"
#include "credit/mask.h"
#include "store/values.h"

enum { BUCKET_MS = BUCKET_MINUTES * MINUTE_SECONDS * 1000 };

/* A question on its way to Redis. Lives in the exchange's arena. */
struct minutes_question {
    struct api *api;
    struct http_exchange *x;
    struct slice portal;
    struct slice learner;
    int64_t now_ms;
    struct slice earlier; /* the minutes of the bucket before, as JSON */
};

/* Each with a comma behind it. */
static void write_minutes(struct buf *b, const struct store_minute *minutes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "{\"minute_start\":%" PRId64 ",\"lesson_id\":", minutes[i].minute * MINUTE_SECONDS);
        json_write_string(b, minutes[i].lesson);
        buf_printf(b, ",\"seconds_mask\":\"%015" PRIx64 "\"},", minutes[i].mask);
    }
}

static void on_current(void *ctx, bool ok, const struct store_minute *minutes, size_t n)
{
    struct minutes_question *q = ctx;
    struct buf *body = &q->api->body;
    if (!ok) {
        answer_unavailable(q->api, q->x);
        return;
    }
    buf_clear(body);
    buf_printf(body, "{\"now_ms\":%" PRId64 ",\"minutes\":[", q->now_ms);
    buf_append_slice(body, q->earlier);
    write_minutes(body, minutes, n);
    /* JSON allows no comma behind the last minute. */
    if (body->data[body->len - 1] == ',')
        body->len--;
    buf_append_string(body, "]}");
    answer_body(q->api, q->x, 200, "application/json");
}

static void ask(struct minutes_question *q, int64_t bucket, store_minutes_done *done)
{
    q->api->settings.calls->minutes(q->api->settings.store, q->portal, q->learner, bucket, done, q);
}

static void on_earlier(void *ctx, bool ok, const struct store_minute *minutes, size_t n)
{
    struct minutes_question *q = ctx;
    struct buf *body = &q->api->body;
    if (!ok) {
        answer_unavailable(q->api, q->x);
        return;
    }
    buf_clear(body);
    write_minutes(body, minutes, n);
    q->earlier = (struct slice){arena_strndup(&q->x->arena, body->data, body->len), body->len};
    ask(q, q->now_ms / BUCKET_MS, on_current);
}

void dev_minutes_handle(struct api *api, struct http_exchange *x)
{
    struct minutes_question *q = arena_alloc(&x->arena, sizeof(*q));
    *q = (struct minutes_question){.api = api, .x = x, .now_ms = clock_now_ms(api->settings.clock)};
    q->portal = query_value(x->request.head.query, "portal", &x->arena);
    q->learner = query_value(x->request.head.query, "sub", &x->arena);
    if (!id_name_valid(q->learner) || !id_valid(q->portal))
        answer_problem(api, x, 400, "sub and portal are required: /dev/minutes?sub=alice&portal=demo", NULL);
    else if (!api->settings.calls->admits(api->settings.store))
        answer_unavailable(api, x);
    else
        ask(q, q->now_ms / BUCKET_MS - 1, on_earlier);
}
