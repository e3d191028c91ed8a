/*
 * From seconds to hours, by the catalog's rules. Pure.
 *
 * Which seconds count. A lesson's published total outlives its evidence, which Kafka keeps for 90 days; its
 * evidence, where there is all of it, is never less than the total, and more where a failover of Redis lost
 * a write that had been published. Both are seconds that were really credited, so the greater counts. A
 * second that the evidence shows in two lessons, which only such a failover can do, is paid once, to the
 * lesson that comes first by id, also when the lessons are of different courses.
 *
 * What they give: three figures, each of its own.
 *
 *     hours learned    the time that was watched, in hours, without a maximum
 *     hours certified  a course's hours come whole, when all its minutes were watched and, where the portal
 * asks for it, its test was passed; or not at all. All courses together give at most the catalog's maximum.
 *     certificate      by the portal's rule: `by_course`, who has certified hours gets one for them;
 * `all_hours`, only who has the hours of every course. Certified hours do not depend on this rule.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/catalog.h"

/* ---- which seconds count ---- */

struct hours_tally_lesson {
    const struct lesson *lesson;
    int64_t total;    /* as published, the greatest */
    int64_t evidence; /* seconds of its merged minutes */
    int64_t doubled;  /* of these, already paid for another lesson */
};

/* One learner's lessons. A zeroed struct is an empty tally. */
struct hours_tally {
    struct hours_tally_lesson *lessons;
    size_t n;
    size_t cap;
    int64_t minute; /* of the evidence added last, and what lessons hold of it so far */
    uint64_t taken;
};

void hours_tally_add_total(struct hours_tally *t, const struct lesson *lesson, int64_t seconds);
/* A minute's rows come one after the other, in the order of their lessons' ids. */
void hours_tally_add_evidence(
    struct hours_tally *t, const struct lesson *lesson, int64_t minute_start, uint64_t mask);
/* Seconds that count, of each of the catalog's courses, into SECONDS. */
void hours_tally_courses(const struct hours_tally *t, const struct catalog *catalog, int64_t *seconds);
void hours_tally_clear(struct hours_tally *t);
void hours_tally_free(struct hours_tally *t);

/* ---- what they give ---- */

struct hours_input {
    int64_t seconds;
    bool test_passed;
};

struct hours_course {
    int64_t watched_seconds;
    int64_t needed_seconds;  /* for the course's hours */
    int64_t missing_seconds; /* of them; 0 when all were watched */
    bool test_missing;
    double learned;   /* watched time in hours, uncapped */
    double certified; /* the course's hours, or 0 */
};

/* Whether the course gave its hours. */
bool hours_course_complete(const struct hours_course *course);

struct hours_result {
    double learned;   /* of all courses, uncapped */
    double certified; /* of all courses, at most the catalog's maximum */
    bool complete;    /* every course gave its hours */
    bool certificate; /* the learner gets one, by the portal's rule */
};

/* INPUTS and COURSES have one for each of the catalog's courses; fills the latter. */
struct hours_result hours_judge(const struct catalog *catalog, const struct portal *portal,
    const struct hours_input *inputs, struct hours_course *courses);
