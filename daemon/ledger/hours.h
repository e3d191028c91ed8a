/*
 * From seconds to hours, by the catalog's rules. Pure.
 *
 * Which seconds count. A lesson's published total outlives its evidence, which Kafka deletes by age. As long
 * as all of the evidence is there, it is never less than the total, and it is more if Redis lost what had
 * been published: a write by a failover, or everything, after which its totals began anew in another epoch.
 * Both are seconds that were really credited, so the greater counts. A second that the evidence shows in two
 * lessons, which only a failover can cause, is paid once, to the lesson that comes first by id, even if the
 * lessons are of different courses.
 *
 * What the seconds give. These are three different figures:
 *
 *     hours learned    the time that was watched, in hours, without a maximum
 *     hours certified  the hours of the courses that are complete. A course gives its hours whole or not at
 *                      all: when all its minutes were watched and, if the portal asks for it, its test was
 *                      passed. All courses together give at most the catalog's maximum.
 *     certificate      whether the learner gets one, by the portal's rule: with `by_course` everybody who has
 *                      certified hours, with `all_hours` only those who have the hours of every course.
 *                      Certified hours do not depend on this rule.
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
    int64_t minute; /* whose evidence was added last */
    uint64_t taken; /* seconds of that minute that a lesson already has */
};

void hours_tally_add_total(struct hours_tally *t, const struct lesson *lesson, int64_t seconds);
/* The rows of a minute must come one after the other, in the order of their lessons' ids. */
void hours_tally_add_evidence(
    struct hours_tally *t, const struct lesson *lesson, int64_t minute_start, uint64_t mask);
/* Writes into SECONDS the seconds that count for each of the catalog's courses, in its order. */
void hours_tally_courses(const struct hours_tally *t, const struct catalog *catalog, int64_t *seconds);
void hours_tally_clear(struct hours_tally *t);
void hours_tally_free(struct hours_tally *t);

/* ---- what the seconds give ---- */

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

/* Whether the learner watched all minutes that the course asks for and passed its test, if it has one. */
bool hours_course_complete(const struct hours_course *course);

struct hours_result {
    double learned;   /* of all courses, uncapped */
    double certified; /* of all courses, at most the catalog's maximum */
    bool complete;    /* every course gave its hours */
    bool certificate; /* the learner gets one, by the portal's rule */
};

/* INPUTS and COURSES have an element for each of the catalog's courses; fills COURSES. */
struct hours_result hours_judge(const struct catalog *catalog, const struct portal *portal,
    const struct hours_input *inputs, struct hours_course *courses);
