/* From seconds to hours. */
#include "ledger/hours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "credit/mask.h"

enum { SECONDS_PER_MINUTE = 60, LESSONS_AT_FIRST = 32 };

/* ---- which seconds count ---- */

/* A learner has a few dozen lessons at most: looking through them beats an index. */
static struct hours_tally_lesson *find(struct hours_tally *t, const struct lesson *lesson)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->lessons[i].lesson == lesson)
            return &t->lessons[i];
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? LESSONS_AT_FIRST : t->cap * 2;
        t->lessons = mem_realloc(t->lessons, t->cap * sizeof(*t->lessons));
    }
    t->lessons[t->n] = (struct hours_tally_lesson){.lesson = lesson};
    return &t->lessons[t->n++];
}

void hours_tally_add_total(struct hours_tally *t, const struct lesson *lesson, int64_t seconds)
{
    find(t, lesson)->total += seconds;
}

void hours_tally_add_evidence(
    struct hours_tally *t, const struct lesson *lesson, int64_t minute_start, uint64_t mask)
{
    struct hours_tally_lesson *l = find(t, lesson);
    if (minute_start != t->minute)
        t->taken = 0;
    t->minute = minute_start;
    l->evidence += mask_count(mask);
    l->doubled += mask_count(mask & t->taken);
    t->taken |= mask;
}

void hours_tally_courses(const struct hours_tally *t, const struct catalog *catalog, int64_t *seconds)
{
    memset(seconds, 0, catalog->n_courses * sizeof(*seconds));
    for (size_t i = 0; i < t->n; i++) {
        const struct hours_tally_lesson *l = &t->lessons[i];
        int64_t credited = l->total > l->evidence ? l->total : l->evidence;
        seconds[l->lesson->course - catalog->courses] += credited - l->doubled;
    }
}

void hours_tally_clear(struct hours_tally *t)
{
    t->n = 0;
    t->minute = 0;
    t->taken = 0;
}

void hours_tally_free(struct hours_tally *t)
{
    free(t->lessons);
    *t = (struct hours_tally){0};
}

/* ---- what the seconds give ---- */

bool hours_course_complete(const struct hours_course *course)
{
    return course->missing_seconds == 0 && !course->test_missing;
}

struct hours_result hours_judge(const struct catalog *catalog, const struct portal *portal,
    const struct hours_input *inputs, struct hours_course *courses)
{
    double hour_seconds = (double)(SECONDS_PER_MINUTE * catalog->minutes_per_hour);
    struct hours_result result = {.complete = true};
    for (size_t i = 0; i < catalog->n_courses; i++) {
        const struct course *course = &catalog->courses[i];
        struct hours_course *c = &courses[i];
        *c = (struct hours_course){
            .watched_seconds = inputs[i].seconds,
            .needed_seconds = llround(course->hours * hour_seconds),
            .test_missing = portal->tests == TESTS_REQUIRED && !inputs[i].test_passed,
            .learned = (double)inputs[i].seconds / hour_seconds,
        };
        if (c->watched_seconds < c->needed_seconds)
            c->missing_seconds = c->needed_seconds - c->watched_seconds;
        if (hours_course_complete(c))
            c->certified = course->hours;
        else
            result.complete = false;
        result.learned += c->learned;
        result.certified += c->certified;
    }
    if (result.certified > catalog->hours_max)
        result.certified = catalog->hours_max;
    result.certificate =
        portal->certificate == CERTIFICATE_ALL_HOURS ? result.complete : result.certified > 0;
    return result;
}
