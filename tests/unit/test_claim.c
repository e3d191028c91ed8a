/* Claims: every rule on both sides of its boundary, and which of two faults is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "credit/claim.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define ANCHOR_S INT64_C(1673000000)
#define ANCHOR (ANCHOR_S * 1000)
#define HOUR INT64_C(3600000)

/* Times are milliseconds after ANCHOR. What is left out is as in rules_of(), session_of() and lesson_of(). */
struct row {
    const char *name;
    int64_t seconds;
    struct run run;
    int64_t max_run_ms;
    int64_t clock_slack_ms;
    double max_rate;
    int64_t anchor_in;
    int64_t expiry_in;
    int64_t opens_in;
    int64_t closes_in;
    int64_t length_ms;
    int64_t now_in;
    enum run_reason reason;
    bool unknown;
};

/* A run at normal speed from the start of the video, and any other. */
#define PLAY(from, to) .run = {(from), (to), (from), (to), 1.0, false}
#define RUN(from, to, media_from, media_to, rate)                                                            \
    .run = {(from), (to), (media_from), (media_to), (rate), false}
#define OK(n) .reason = REASON_NONE, .seconds = (n)
#define NO(what) .reason = REASON_##what

static const struct row rows[] = {
    /* which seconds: anchor + from <= 1000 s < anchor + to */
    {"ten whole seconds", OK(10), PLAY(0, 10000)}, {"one ms on a second", OK(1), PLAY(0, 1)},
    {"up to the next second", OK(1), PLAY(0, 1000)}, {"1 ms beyond", OK(2), PLAY(0, 1001)},
    {"1 ms before the next", OK(1), PLAY(0, 999)}, {"between two seconds", OK(0), PLAY(1, 1000)},
    {"between two, and on the second", OK(1), PLAY(1, 1001)},
    {"a ms before a second", OK(0), PLAY(999, 1000)}, {"a ms on a second", OK(1), PLAY(1000, 1001)},
    {"a second across a boundary", OK(1), PLAY(500, 1500)},
    {"999 ms across a boundary", OK(1), PLAY(500, 1499)}, {"1001 ms from just behind", OK(1), PLAY(1, 1002)},
    {"1999 ms with one boundary", OK(1), PLAY(1, 2000)}, {"2 ms over a minute", OK(1), PLAY(59999, 60001)},
    {"an odd anchor, before its second", OK(0), PLAY(0, 877), .anchor_in = 123},
    {"an odd anchor, on its second", OK(1), PLAY(0, 878), .anchor_in = 123},
    {"an odd anchor, ten seconds", OK(10), PLAY(0, 10000), .anchor_in = 123},
    {"the last ms before a second", OK(0), PLAY(0, 1), .anchor_in = 999},
    {"the last ms and the second", OK(1), PLAY(0, 2), .anchor_in = 999},
    {"a minute and a half", OK(90), PLAY(30000, 120000)},

    /* malformed */
    {"a codec's verdict", NO(MALFORMED), .run = {0, 10000, 0, 10000, 1.0, true}},
    {"from below 0", NO(MALFORMED), RUN(-1, 10000, 0, 10000, 1)},
    {"to equal to from, which rounding makes", OK(0), RUN(5000, 5000, 0, 0, 1)},
    {"and a little of the media", OK(0), RUN(5000, 5000, 0, 100, 1), .opens_in = HOUR},
    {"media as far as rounding makes it", OK(1), RUN(5000, 5001, 7, 7, 1)},
    {"to before from", NO(MALFORMED), RUN(5000, 4999, 0, 100, 1)},
    {"media from below 0", NO(MALFORMED), RUN(0, 10000, -1, 10000, 1)},
    {"media standing still", NO(MEDIA_MISMATCH), RUN(0, 10000, 5000, 5000, 1)},
    {"media backwards", NO(MALFORMED), RUN(0, 10000, 10000, 0, 1)},
    {"rate not a number", NO(MALFORMED), RUN(0, 10000, 0, 10000, NAN)},
    {"rate infinite", NO(MALFORMED), RUN(0, 10000, 0, 10000, INFINITY)},
    {"rate minus infinite", NO(MALFORMED), RUN(0, 10000, 0, 10000, -INFINITY)},
    {"to at its greatest", OK(1), RUN(RUN_MS_MAX - 1000, RUN_MS_MAX, 0, 1000, 1), .expiry_in = RUN_MS_MAX,
        .now_in = RUN_MS_MAX},
    {"to beyond it", NO(MALFORMED), RUN(RUN_MS_MAX - 999, RUN_MS_MAX + 1, 0, 1000, 1),
        .expiry_in = 2 * RUN_MS_MAX},
    {"media to at its greatest", OK(1), RUN(0, 1000, RUN_MS_MAX - 1000, RUN_MS_MAX, 1)},
    {"media to beyond it", NO(MALFORMED), RUN(0, 1000, RUN_MS_MAX - 999, RUN_MS_MAX + 1, 1)},
    {"to of 64 bits", NO(MALFORMED), RUN(0, INT64_MAX, 0, 1000, 1)},
    {"from of 64 bits", NO(MALFORMED), RUN(INT64_MIN, INT64_MAX, 0, 1000, 1)},
    {"media of 64 bits", NO(MALFORMED), RUN(0, 1000, INT64_MIN, INT64_MAX, 1)},

    /* session_expired: the claimed time ends at expiry at the latest */
    {"ends at expiry", OK(10), PLAY(10000, 20000), .expiry_in = 20000},
    {"ends 1 ms after expiry", NO(SESSION_EXPIRED), PLAY(10000, 20001), .expiry_in = 20000},
    {"begins after expiry", NO(SESSION_EXPIRED), PLAY(30000, 40000), .expiry_in = 20000},
    {"expiry with an odd anchor", OK(10), PLAY(10000, 20000), .anchor_in = 123, .expiry_in = 20123},
    {"1 ms over it", NO(SESSION_EXPIRED), PLAY(10000, 20000), .anchor_in = 123, .expiry_in = 20122},
    {"in time, delivered long after expiry", OK(10), PLAY(0, 10000), .expiry_in = 20000,
        .now_in = 1000 * HOUR},

    /* too_long */
    {"as long as allowed", OK(600), PLAY(0, 600000)}, {"1 ms longer", NO(TOO_LONG), PLAY(0, 600001)},
    {"as long, later", OK(600), PLAY(1000000, 1600000)},
    {"longer, later", NO(TOO_LONG), PLAY(1000000, 1600001)},
    {"another limit, as long", OK(60), PLAY(0, 60000), .max_run_ms = 60000},
    {"another limit, longer", NO(TOO_LONG), PLAY(0, 60001), .max_run_ms = 60000},

    /* rate_too_high, which also is too low */
    {"slowest", OK(10), RUN(0, 10000, 0, 2500, 0.25)},
    {"slower", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 2499, 0.2499)},
    {"just slower", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 2500, 0x1.fffffffffffffp-3)},
    {"fastest", OK(10), RUN(0, 10000, 0, 20000, 2)},
    {"faster", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 20100, 2.01)},
    {"just faster", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 20000, 0x1.0000000000001p+1)},
    {"standing", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 1, 0)},
    {"backwards", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 1, -1)},
    {"another limit, at it", OK(10), RUN(0, 10000, 0, 15000, 1.5), .max_rate = 1.5},
    {"another limit, over it", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 16000, 1.6), .max_rate = 1.5},

    /* media_mismatch: elapsed x rate, off by 10 % and half a second at most */
    {"media fast, at the limit", OK(10), RUN(0, 10000, 0, 11500, 1)},
    {"media fast, over it", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 11501, 1)},
    {"media slow, at the limit", OK(10), RUN(0, 10000, 0, 8500, 1)},
    {"media slow, over it", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 8499, 1)},
    {"at double speed, at the limit", OK(10), RUN(0, 10000, 0, 22500, 2)},
    {"at double speed, over it", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 22501, 2)},
    {"at double speed, slow, at the limit", OK(10), RUN(0, 10000, 0, 17500, 2)},
    {"at double speed, slow, over it", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 17499, 2)},
    {"at quarter speed, at the limit", OK(10), RUN(0, 10000, 0, 3250, 0.25)},
    {"at quarter speed, over it", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 3251, 0.25)},
    {"a limit that a double does not hold", OK(15), RUN(0, 15000, 0, 3145, 0.27)},
    {"1 ms over that", NO(MEDIA_MISMATCH), RUN(0, 15000, 0, 3144, 0.27)},
    {"its upper side", OK(15), RUN(0, 15000, 0, 4955, 0.27)},
    {"1 ms over its upper side", NO(MEDIA_MISMATCH), RUN(0, 15000, 0, 4956, 0.27)},
    {"a short run, at the limit", OK(1), RUN(0, 100, 0, 610, 1)},
    {"a short run, over it", NO(MEDIA_MISMATCH), RUN(0, 100, 0, 611, 1)},
    {"a seek within a run", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 60000, 1)},
    {"a pause within a run", NO(MEDIA_MISMATCH), RUN(0, 60000, 0, 10000, 1)},
    {"from the middle of the media", OK(10), RUN(0, 10000, 300000, 310000, 1)},
    {"the media from its start again", OK(10), RUN(500000, 510000, 0, 10000, 1)},

    /* outside_lesson */
    {"to the lesson's end", OK(10), RUN(0, 10000, 50000, 60000, 1), .length_ms = 60000},
    {"1 ms past its end", NO(OUTSIDE_LESSON), RUN(0, 10000, 50001, 60001, 1), .length_ms = 60000},
    {"wholly past its end", NO(OUTSIDE_LESSON), RUN(0, 10000, 70000, 80000, 1), .length_ms = 60000},
    {"no length known", OK(10), RUN(0, 10000, 90000000, 90010000, 1)},

    {"unknown lesson", NO(LESSON_UNKNOWN), PLAY(0, 10000), .unknown = true},

    /* lesson_closed: clipped by the second */
    {"opens in the middle", OK(5), PLAY(0, 10000), .opens_in = 5000},
    {"opens 1 ms into a second", OK(4), PLAY(0, 10000), .opens_in = 5001},
    {"opens 1 ms before a second", OK(5), PLAY(0, 10000), .opens_in = 4999},
    {"ends as it opens", NO(LESSON_CLOSED), PLAY(0, 5000), .opens_in = 5000},
    {"ends 1 ms after it opened", OK(1), PLAY(0, 5001), .opens_in = 5000},
    {"begins as it opens", OK(5), PLAY(5000, 10000), .opens_in = 5000},
    {"closes in the middle", OK(5), PLAY(0, 10000), .closes_in = 5000},
    {"closes 1 ms into a second", OK(6), PLAY(0, 10000), .closes_in = 5001},
    {"closes 1 ms before a second", OK(5), PLAY(0, 10000), .closes_in = 4999},
    {"begins as it closes", NO(LESSON_CLOSED), PLAY(5000, 10000), .closes_in = 5000},
    {"begins a second before it closes", OK(1), PLAY(4000, 10000), .closes_in = 5000},
    {"begins 1 ms later", NO(LESSON_CLOSED), PLAY(4001, 10000), .closes_in = 5000},
    {"ends as it closes", OK(5), PLAY(0, 5000), .closes_in = 5000},
    {"opens and closes within the run", OK(4), PLAY(0, 10000), .opens_in = 3000, .closes_in = 7000},
    {"open for one second", OK(1), PLAY(0, 10000), .opens_in = 3000, .closes_in = 3001},
    {"open between two seconds", NO(LESSON_CLOSED), PLAY(0, 10000), .opens_in = 3001, .closes_in = 3999},
    {"never open", NO(LESSON_CLOSED), PLAY(0, 10000), .opens_in = 5000, .closes_in = 5000},
    {"long before it opens", NO(LESSON_CLOSED), PLAY(0, 10000), .opens_in = HOUR},
    {"open when claimed, closed on arrival", OK(10), PLAY(0, 10000), .closes_in = HOUR, .now_in = 2 * HOUR},
    {"closed when claimed, open on arrival", NO(LESSON_CLOSED), PLAY(0, 10000), .opens_in = HOUR,
        .now_in = 2 * HOUR},
    {"no whole second, before it opens", OK(0), PLAY(100, 200), .opens_in = 5000},
    {"no whole second, after it closed", OK(0), PLAY(9100, 9200), .closes_in = 5000},

    /* ahead_of_clock */
    {"ends with the clock's slack", OK(10), PLAY(0, 10000), .now_in = 5000},
    {"1 ms ahead of it", NO(AHEAD_OF_CLOCK), PLAY(0, 10000), .now_in = 4999},
    {"another slack, at it", OK(10), PLAY(0, 10000), .now_in = 9000, .clock_slack_ms = 1000},
    {"another slack, over it", NO(AHEAD_OF_CLOCK), PLAY(0, 10000), .now_in = 8999, .clock_slack_ms = 1000},
    {"an odd anchor, at it", OK(10), PLAY(0, 10000), .anchor_in = 123, .now_in = 5123},
    {"an odd anchor, ahead of it", NO(AHEAD_OF_CLOCK), PLAY(0, 10000), .anchor_in = 123, .now_in = 5122},
    {"the clipped part is ahead", NO(AHEAD_OF_CLOCK), PLAY(0, 100000), .closes_in = 5000, .now_in = 50000},
    {"months later: the store's to judge", OK(10), PLAY(0, 10000), .now_in = 5000 * HOUR},

    /* two faults: the earlier is named */
    {"malformed, expired", NO(MALFORMED), RUN(-1, 10000, 0, 10001, 1), .expiry_in = 5000},
    {"malformed, unknown", NO(MALFORMED), RUN(0, 10000, 0, 10000, NAN), .unknown = true},
    {"malformed, ahead", NO(MALFORMED), RUN(0, 10000, 5, 4, 1), .now_in = 1},
    {"expired, too long", NO(SESSION_EXPIRED), PLAY(0, 700000), .expiry_in = 5000},
    {"expired, too fast", NO(SESSION_EXPIRED), RUN(0, 10000, 0, 30000, 3), .expiry_in = 5000},
    {"expired, unknown", NO(SESSION_EXPIRED), PLAY(0, 10000), .expiry_in = 5000, .unknown = true},
    {"expired, ahead", NO(SESSION_EXPIRED), PLAY(0, 10000), .expiry_in = 5000, .now_in = 1},
    {"too long, too fast", NO(TOO_LONG), RUN(0, 700000, 0, 2100000, 3)},
    {"too long, mismatch", NO(TOO_LONG), RUN(0, 700000, 0, 1, 1)},
    {"too long, closed", NO(TOO_LONG), PLAY(0, 700000), .opens_in = HOUR},
    {"too fast, mismatch", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 1, 3)},
    {"too slow, outside", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 1000, 0.1), .length_ms = 500},
    {"too fast, unknown", NO(RATE_TOO_HIGH), RUN(0, 10000, 0, 30000, 3), .unknown = true},
    {"mismatch, outside", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 30000, 1), .length_ms = 20000},
    {"mismatch, unknown", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 30000, 1), .unknown = true},
    {"mismatch, ahead", NO(MEDIA_MISMATCH), RUN(0, 10000, 0, 30000, 1), .now_in = 1},
    {"outside, closed", NO(OUTSIDE_LESSON), PLAY(0, 10000), .length_ms = 5000, .opens_in = HOUR},
    {"outside, ahead", NO(OUTSIDE_LESSON), PLAY(0, 10000), .length_ms = 5000, .now_in = 1},
    {"unknown, ahead", NO(LESSON_UNKNOWN), PLAY(0, 10000), .unknown = true, .now_in = 1},
    {"closed, ahead", NO(LESSON_CLOSED), PLAY(0, 10000), .opens_in = HOUR, .now_in = 1},
    {"all but malformed", NO(SESSION_EXPIRED), RUN(0, 700000, 0, 1, 3), .expiry_in = 5, .length_ms = 0,
        .now_in = 1, .unknown = true}};

static int64_t or_else(int64_t value, int64_t normal)
{
    return value != 0 ? value : normal;
}

static struct claim_rules rules_of(const struct row *row)
{
    return (struct claim_rules){.max_run_ms = or_else(row->max_run_ms, 600000),
        .clock_slack_ms = or_else(row->clock_slack_ms, 5000),
        .max_rate = row->max_rate > 0 ? row->max_rate : 2.0};
}

static struct claim_session session_of(const struct row *row)
{
    return (struct claim_session){ANCHOR + row->anchor_in, ANCHOR + or_else(row->expiry_in, 4 * HOUR)};
}

static struct claim_lesson lesson_of(const struct row *row)
{
    return (struct claim_lesson){.opens_ms = row->opens_in != 0 ? ANCHOR + row->opens_in : INT64_MIN,
        .closes_ms = row->closes_in != 0 ? ANCHOR + row->closes_in : INT64_MAX,
        .length_ms = row->length_ms};
}

static enum run_reason judge(const struct row *row, struct claim *claim)
{
    struct claim_rules rules = rules_of(row);
    struct claim_session session = session_of(row);
    struct claim_lesson lesson = lesson_of(row);
    return claim_judge(&rules, &session, row->unknown ? NULL : &lesson,
        ANCHOR + or_else(row->now_in, 4 * HOUR), &row->run, claim);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct claim claim = {0};
        enum run_reason reason = judge(&rows[i], &claim);
        if (reason != rows[i].reason)
            fail_msg("%s: %s", rows[i].name, reason == REASON_NONE ? "accepted" : claim_reason_name(reason));
        int64_t seconds = reason == REASON_NONE ? claim.end_second - claim.first_second : 0;
        if (seconds != rows[i].seconds)
            fail_msg("%s: %lld seconds", rows[i].name, (long long)seconds);
        assert_true(claim.length_ms >= 0 && claim.media_to_ms >= claim.media_from_ms);
    }
}

/* The definition, second by second, for every edge of a window around a run with odd ends. */
static void test_a_window_is_clipped_by_the_second(void **state)
{
    (void)state;
    for (int64_t opens = 1; opens < 9000; opens += 137) {
        for (int64_t closes = 1; closes < 9000; closes += 251) {
            struct row row = {PLAY(1250, 7001), .anchor_in = 400, .opens_in = opens, .closes_in = closes};
            struct claim claim;
            enum run_reason reason = judge(&row, &claim);
            int64_t wanted = 0;
            for (int64_t s = 0; s < 10; s++) {
                bool claimed = 1650 <= s * 1000 && s * 1000 < 7401 && opens <= s * 1000 && s * 1000 < closes;
                if (claimed && wanted++ == 0)
                    assert_int_equal(claim.first_second, ANCHOR_S + s);
            }
            assert_int_equal(reason, wanted == 0 ? REASON_LESSON_CLOSED : REASON_NONE);
            if (reason == REASON_NONE)
                assert_int_equal(claim.end_second - claim.first_second, wanted);
        }
    }
}

/* Coverage is only of what was played while the lesson was open. */
static void test_the_media_is_clipped_alike(void **state)
{
    (void)state;
    struct row row = {RUN(0, 10000, 100000, 120000, 2)};
    struct claim c;
    assert_int_equal(judge(&row, &c), REASON_NONE);
    assert_true(c.start_ms == ANCHOR && c.length_ms == 10000);
    assert_true(c.media_from_ms == 100000 && c.media_to_ms == 120000);
    row.opens_in = 3000;
    row.closes_in = 8000;
    assert_int_equal(judge(&row, &c), REASON_NONE);
    assert_true(c.first_second == ANCHOR_S + 3 && c.end_second == ANCHOR_S + 8);
    assert_true(c.start_ms == ANCHOR + 3000 && c.length_ms == 5000);
    assert_true(c.media_from_ms == 106000 && c.media_to_ms == 116000);
    row.opens_in = 2999;
    row.closes_in = 7001;
    assert_int_equal(judge(&row, &c), REASON_NONE);
    assert_true(c.start_ms == ANCHOR + 3000 && c.media_from_ms == 106000);
    assert_true(c.start_ms + c.length_ms == ANCHOR + 8000 && c.media_to_ms == 116000);
}

/* A second's coverage is the run's speed, so a run of a millisecond must not look faster than it says. */
static void test_the_media_is_never_faster_than_the_rate(void **state)
{
    (void)state;
    static const double rates[] = {0.25, 0.5, 1, 1.01, 1.1, 1.25, 1.5, 2};
    for (size_t i = 0; i < COUNT(rates); i++) {
        for (int64_t ms = 1; ms < 5000; ms += ms < 20 ? 1 : 173) {
            int64_t fast = (int64_t)((double)ms * rates[i] * 1.1) + 499;
            struct row row = {RUN(0, ms, 100000, 100000 + fast, rates[i])};
            struct claim c;
            assert_int_equal(judge(&row, &c), REASON_NONE);
            double advance = (double)(c.media_to_ms - c.media_from_ms);
            assert_true(advance <= (double)c.length_ms * rates[i] + 1e-6);
            assert_true(advance > (double)c.length_ms * rates[i] - 1);
        }
    }
}

/* A run that writes nothing is left as it is: it has no second to clip. */
static void test_a_run_without_a_second_is_not_clipped(void **state)
{
    (void)state;
    struct row row = {PLAY(100, 200), .opens_in = 5000, .closes_in = 6000};
    struct claim c;
    assert_int_equal(judge(&row, &c), REASON_NONE);
    assert_int_equal(c.first_second, c.end_second);
    assert_true(c.start_ms == ANCHOR + 100 && c.length_ms == 100);
    assert_true(c.media_from_ms == 100 && c.media_to_ms == 200);
}

static void test_names_and_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum run_status status;
    } wanted[REASON_COUNT] = {{"", RUN_ACCEPTED}, {"malformed", RUN_REJECTED},
        {"token_invalid", RUN_REJECTED}, {"session_expired", RUN_REJECTED}, {"too_long", RUN_REJECTED},
        {"rate_too_high", RUN_REJECTED}, {"media_mismatch", RUN_REJECTED}, {"outside_lesson", RUN_REJECTED},
        {"lesson_unknown", RUN_RETRY}, {"lesson_closed", RUN_REJECTED}, {"ahead_of_clock", RUN_RETRY},
        {"too_late", RUN_REJECTED}, {"unavailable", RUN_RETRY}, {"token_unknown", RUN_RETRY}};
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        assert_string_equal(claim_reason_name((enum run_reason)reason), wanted[reason].name);
        assert_int_equal(claim_reason_status((enum run_reason)reason), wanted[reason].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_a_window_is_clipped_by_the_second),
        cmocka_unit_test(test_the_media_is_clipped_alike),
        cmocka_unit_test(test_the_media_is_never_faster_than_the_rate),
        cmocka_unit_test(test_a_run_without_a_second_is_not_clipped),
        cmocka_unit_test(test_names_and_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
