/* What --dev adds: tokens, a clock that can be moved, where the records go. Loopback only. */
#include "api/answer.h"
#include "api/jwt.h"
#include "api/query.h"
#include "base/json.h"

enum { TOKEN_LIFE_MS = 3600 * 1000 };

static void answer_json(struct api *api, struct http_exchange *x)
{
    answer_body(api, x, 200, "application/json");
}

void dev_token_handle(struct api *api, struct http_exchange *x)
{
    struct slice subject = query_value(http_query(x), "sub", http_arena(x));
    struct slice portal = query_value(http_query(x), "portal", http_arena(x));
    if (!name_valid(subject) || !id_valid(portal)) {
        answer_problem(api, x, 400, "sub and portal are wanted: /dev/token?sub=alice&portal=demo", NULL);
        return;
    }
    char *token = arena_alloc(http_arena(x), JWT_MAX);
    int64_t expires_ms = clock_now_ms(api->settings.clock) + TOKEN_LIFE_MS;
    size_t len = jwt_sign_dev(api->settings.dev->secret, portal, subject, expires_ms, token);
    buf_clear(&api->body);
    buf_append_string(&api->body, "{\"token\":");
    json_write_string(&api->body, (struct slice){token, len});
    buf_append_char(&api->body, '}');
    answer_json(api, x);
}

void dev_clock_read_handle(struct api *api, struct http_exchange *x)
{
    buf_clear(&api->body);
    buf_append_string(&api->body, "{\"now_ms\":");
    buf_append_int(&api->body, clock_now_ms(api->settings.clock));
    buf_append_char(&api->body, '}');
    answer_json(api, x);
}

/* {"now_ms": N} sets the clock, {"advance_ms": N} moves it. */
struct move {
    bool relative;
    int64_t ms;
};

static bool read_move(struct http_exchange *x, struct move *move)
{
    struct json_reader r;
    struct slice name;
    struct json_number number;
    size_t n = 0;
    json_read(&r, http_body(x), http_arena(x));
    if (!json_object(&r))
        return false;
    for (; json_member(&r, &name); n++) {
        move->relative = slice_is(name, "advance_ms");
        if (!move->relative && !slice_is(name, "now_ms"))
            return false;
        if (!json_number(&r, &number) || !number.integral)
            return false;
        move->ms = number.integer;
    }
    return json_end(&r) && n == 1;
}

void dev_clock_move_handle(struct api *api, struct http_exchange *x)
{
    struct clock *clock = api->settings.dev->clock;
    struct move move = {0};
    if (!read_move(x, &move)) {
        answer_problem(api, x, 400, "{\"now_ms\": N} or {\"advance_ms\": N} is wanted", NULL);
        return;
    }
    if (move.relative)
        atomic_fetch_add(&clock->offset_ms, move.ms);
    else
        atomic_store(&clock->offset_ms, move.ms - clock_system_ms());
    dev_clock_read_handle(api, x);
}

void dev_kafka_handle(struct api *api, struct http_exchange *x)
{
    buf_clear(&api->body);
    buf_append_string(&api->body, "{\"brokers\":");
    json_write_string(&api->body, slice_of(api->settings.dev->kafka_brokers));
    buf_append_char(&api->body, '}');
    answer_json(api, x);
}
