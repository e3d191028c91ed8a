/*
 * What --dev adds: tokens, a clock that can be moved, where the records go. Loopback only, and so within
 * reach of every page that a browser on this machine has open:
 *
 *     a page of another origin             may send GET and simple POST requests, but reads no answer, since
 *                                          none of these allows an origin; GET changes nothing
 *     a page whose name was made to mean   is of one origin with the daemon, but its name is in Host
 *     127.0.0.1 (DNS rebinding)
 *     any page                             cannot move the clock: whatever a browser sends is refused
 */
#include "api/dev.h"

#include "api/answer.h"
#include "api/query.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_write.h"
#include "http/head.h"
#include "identity/jwt.h"

#include <arpa/inet.h>

enum { TOKEN_LIFE_MS = 3600 * 1000 };

/* ---- who may ask ---- */

/* An IP address, or `localhost`, which cannot be rebound by DNS, with or without a port. */
static bool is_this_machine(struct slice host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    struct slice rest;
    bool bracketed = host.len > 0 && host.ptr[0] == '[';
    struct slice name = bracketed ? http_field_part((struct slice){host.ptr + 1, host.len - 1}, ']', &rest)
                                  : http_field_part(host, ':', &rest);
    if (http_field_is(name, "localhost"))
        return !bracketed;
    if (name.len >= sizeof(address))
        return false;
    memcpy(address, name.ptr, name.len);
    address[name.len] = '\0';
    return inet_pton(bracketed ? AF_INET6 : AF_INET, address, &parsed) == 1;
}

bool dev_admits(struct api *api, struct http_exchange *x)
{
    struct slice host = x->request.head.headers[HTTP_HEADER_HOST];
    if (host.len == 0 || is_this_machine(host)) /* no browser leaves Host out */
        return true;
    answer_problem(api, x, 403, "below /dev/ the host must be an address or localhost", NULL);
    return false;
}

/* ---- tokens ---- */

static void answer_json(struct api *api, struct http_exchange *x)
{
    answer_body(api, x, 200, "application/json");
}

void dev_token_handle(struct api *api, struct http_exchange *x)
{
    struct slice subject = query_value(x->request.head.query, "sub", &x->arena);
    struct slice portal = query_value(x->request.head.query, "portal", &x->arena);
    if (!id_name_valid(subject) || !id_valid(portal)) {
        answer_problem(api, x, 400, "sub and portal are required: /dev/token?sub=alice&portal=demo", NULL);
        return;
    }
    char *token = arena_alloc(&x->arena, JWT_MAX);
    int64_t expires_ms = clock_now_ms(api->settings.clock) + TOKEN_LIFE_MS;
    size_t len = jwt_sign_dev(api->settings.dev->secret, portal, subject, expires_ms, token);
    buf_clear(&api->body);
    buf_append_string(&api->body, "{\"token\":");
    json_write_string(&api->body, (struct slice){token, len});
    buf_append_char(&api->body, '}');
    answer_json(api, x);
}

/* ---- the clock ---- */

/*
 * Where the clock may be moved: the years 2000 to 9999. Times before 1970 have no minute in Redis, and even
 * with the longest horizon subtracted or the longest session added nothing leaves what dates and sums can
 * hold.
 */
#define CLOCK_MIN_MS INT64_C(946684800000)
#define CLOCK_MAX_MS INT64_C(253402300799999)

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
    json_read(&r, buf_slice(&x->request.body), &x->arena);
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

/* False when the clock would leave its limits; then it stays as it is. Other workers may move it meanwhile.
 */
static bool move_clock(struct clock *clock, const struct move *move)
{
    int64_t offset_ms = atomic_load(&clock->offset_ms);
    int64_t now_ms;
    int64_t wanted_ms;
    do { /* where another worker moved the clock since OFFSET_MS was read, both are read again */
        now_ms = clock_now_ms(clock);
        wanted_ms = move->relative ? now_ms + move->ms : move->ms;
        if (wanted_ms < CLOCK_MIN_MS || wanted_ms > CLOCK_MAX_MS)
            return false;
    } while (!atomic_compare_exchange_weak(&clock->offset_ms, &offset_ms, offset_ms + wanted_ms - now_ms));
    return true;
}

void dev_clock_move_handle(struct api *api, struct http_exchange *x)
{
    const struct slice *headers = x->request.head.headers;
    /* Every browser says where a POST comes from, in one of the two headers or in both. */
    bool from_browser = headers[HTTP_HEADER_ORIGIN].len > 0 || headers[HTTP_HEADER_SEC_FETCH_SITE].len > 0;
    /* No form can send this type, and a script of another origin has to ask first, which is not allowed. */
    struct slice parameters;
    struct slice type = http_field_part(headers[HTTP_HEADER_CONTENT_TYPE], ';', &parameters);
    struct move move = {0};
    if (from_browser)
        answer_problem(api, x, 403,
            "no page may move the clock: a request with Origin or Sec-Fetch-Site is refused", NULL);
    else if (!http_field_is(type, "application/json"))
        answer_problem(
            api, x, 415, "Content-Type must be application/json", "Accept-Post: application/json\r\n");
    else if (!read_move(x, &move))
        answer_problem(api, x, 400,
            "{\"now_ms\": N} or {\"advance_ms\": N} is expected, where N is a whole number", NULL);
    else if (!move_clock(api->settings.dev->clock, &move))
        answer_problem(api, x, 400, "the clock can be moved within the years 2000 to 9999", NULL);
    else
        dev_clock_read_handle(api, x);
}

/* ---- Kafka ---- */

void dev_kafka_handle(struct api *api, struct http_exchange *x)
{
    buf_clear(&api->body);
    buf_append_string(&api->body, "{\"brokers\":");
    json_write_string(&api->body, slice_of(api->settings.dev->kafka_brokers));
    buf_append_char(&api->body, '}');
    answer_json(api, x);
}
