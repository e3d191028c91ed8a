/* From watched seconds to hours. */
#include "ledger/hours.h"

#include <math.h>

static struct hours_course judge_course(const struct catalog *catalog, const struct portal *portal,
    const struct course *course, struct hours_input input)
{
    double hour_seconds = 60.0 * (double)catalog->minutes_per_hour;
    struct hours_course result = {
        .watched_seconds = input.watched_seconds,
        .needed_seconds = (int64_t)llround(ceil(course->hours * hour_seconds)),
        .test_missing = portal->tests == TESTS_REQUIRED && !input.test_passed,
        .learned = (double)input.watched_seconds / hour_seconds,
    };
    if (input.watched_seconds < result.needed_seconds)
        result.missing_seconds = result.needed_seconds - input.watched_seconds;
    if (result.missing_seconds == 0 && !result.test_missing)
        result.certified = course->hours;
    return result;
}

struct hours_result hours_judge(const struct catalog *catalog, const struct portal *portal,
    const struct hours_input *inputs, struct hours_course *courses)
{
    struct hours_result result = {.complete = true};
    for (size_t i = 0; i < catalog->n_courses; i++) {
        courses[i] = judge_course(catalog, portal, &catalog->courses[i], inputs[i]);
        result.learned += courses[i].learned;
        result.certified += courses[i].certified;
        result.complete = result.complete && courses[i].certified > 0;
    }
    if (result.certified > catalog->hours_max)
        result.certified = catalog->hours_max;
    if (portal->certificate == CERTIFICATE_ALL_HOURS && !result.complete)
        result.certified = 0;
    return result;
}
