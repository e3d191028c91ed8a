/* Judging a run. */
#include "credit/claim.h"

#include <math.h>
#include <stddef.h>

const char *claim_reason_name(enum run_reason reason)
{
    static const char *const names[REASON_COUNT] = {
        [REASON_NONE] = "",
        [REASON_MALFORMED] = "malformed",
        [REASON_TOKEN_INVALID] = "token_invalid",
        [REASON_SESSION_EXPIRED] = "session_expired",
        [REASON_TOO_LONG] = "too_long",
        [REASON_RATE_TOO_HIGH] = "rate_too_high",
        [REASON_MEDIA_MISMATCH] = "media_mismatch",
        [REASON_OUTSIDE_LESSON] = "outside_lesson",
        [REASON_LESSON_UNKNOWN] = "lesson_unknown",
        [REASON_LESSON_CLOSED] = "lesson_closed",
        [REASON_AHEAD_OF_CLOCK] = "ahead_of_clock",
        [REASON_TOO_LATE] = "too_late",
        [REASON_UNAVAILABLE] = "unavailable",
        [REASON_TOKEN_UNKNOWN] = "token_unknown",
    };
    return names[reason];
}

enum run_status claim_reason_status(enum run_reason reason)
{
    switch (reason) {
    case REASON_NONE:
        return RUN_ACCEPTED;
    case REASON_LESSON_UNKNOWN:
    case REASON_AHEAD_OF_CLOCK:
    case REASON_UNAVAILABLE:
    case REASON_TOKEN_UNKNOWN:
        return RUN_RETRY;
    default:
        return RUN_REJECTED;
    }
}

static bool ms_valid(int64_t from, int64_t to)
{
    return from >= 0 && to >= from && to <= RUN_MS_MAX;
}

bool claim_run_well_formed(const struct run *run)
{
    return !run->malformed && ms_valid(run->from_ms, run->to_ms) &&
           ms_valid(run->media_from_ms, run->media_to_ms) && isfinite(run->rate);
}

/* Rate times time is rounded. A run that is exactly at a limit stays within it by this much. */
#define ROUNDING_MS 1e-6

static int64_t ceil_seconds(int64_t ms)
{
    return ms / 1000 + (ms % 1000 > 0 ? 1 : 0);
}

/* Where the media stood at PLAYER_MS, since a run plays evenly from one end to the other. */
static int64_t media_at(const struct run *run, int64_t player_ms)
{
    if (run->to_ms == run->from_ms)
        return run->media_from_ms;
    double share = (double)(player_ms - run->from_ms) / (double)(run->to_ms - run->from_ms);
    return run->media_from_ms + (int64_t)llround(share * (double)(run->media_to_ms - run->media_from_ms));
}

enum run_reason claim_judge(const struct claim_rules *rules, const struct claim_session *session,
    const struct claim_lesson *lesson, int64_t now_ms, const struct run *run, struct claim *claim)
{
    if (!claim_run_well_formed(run))
        return REASON_MALFORMED;
    int64_t start_ms = session->anchor_ms + run->from_ms;
    int64_t end_ms = session->anchor_ms + run->to_ms;
    if (end_ms > session->expiry_ms)
        return REASON_SESSION_EXPIRED;
    if (run->to_ms - run->from_ms > rules->max_run_ms)
        return REASON_TOO_LONG;
    if (run->rate < RUN_RATE_MIN || run->rate > rules->max_rate)
        return REASON_RATE_TOO_HIGH;
    /* The media advances by elapsed time times rate in playing, and does not in seeking. Players' clocks are
     * a little off, so a tenth and half a second more or less will do. */
    double expected = (double)(run->to_ms - run->from_ms) * run->rate;
    double advance = (double)(run->media_to_ms - run->media_from_ms);
    if (fabs(advance - expected) > expected * 0.10 + 500.0 + ROUNDING_MS)
        return REASON_MEDIA_MISMATCH;
    if (lesson != NULL && lesson->length_ms > 0 && run->media_to_ms > lesson->length_ms)
        return REASON_OUTSIDE_LESSON;
    if (lesson == NULL)
        return REASON_LESSON_UNKNOWN;
    int64_t first = ceil_seconds(start_ms);
    int64_t end = ceil_seconds(end_ms);
    bool empty = first == end; /* a run that claims no whole second has nothing to clip, wherever it lies */
    /* A lesson that is always open has the ends of int64_t here, which bound nothing. */
    int64_t opens = ceil_seconds(lesson->opens_ms);
    int64_t closes = ceil_seconds(lesson->closes_ms);
    int64_t open_first = empty || first > opens ? first : opens;
    int64_t open_end = empty || end < closes ? end : closes;
    if (open_first >= open_end && !empty)
        return REASON_LESSON_CLOSED;
    if (end_ms > now_ms + rules->clock_slack_ms)
        return REASON_AHEAD_OF_CLOCK;
    *claim = (struct claim){
        .first_second = open_first,
        .end_second = open_end,
        .start_ms = open_first > first ? open_first * 1000 : start_ms,
    };
    int64_t stop_ms = open_end < end ? open_end * 1000 : end_ms;
    claim->length_ms = stop_ms - claim->start_ms;
    claim->media_from_ms = media_at(run, claim->start_ms - session->anchor_ms);
    /* The check above tolerates more media than the rate allows, but only what the rate allows is covered. It
     * is rounded down, since a run of one millisecond may be all that claims a second. */
    int64_t most_ms =
        claim->media_from_ms + (int64_t)floor((double)claim->length_ms * run->rate + ROUNDING_MS);
    int64_t media_to_ms = media_at(run, stop_ms - session->anchor_ms);
    claim->media_to_ms = media_to_ms < most_ms ? media_to_ms : most_ms;
    return REASON_NONE;
}
