/*
 * From watched seconds to hours, by the catalog's rules. Pure.
 *
 * A course's certified hours come whole, when all its minutes were watched and, where the portal asks for it,
 * its test was passed; or not at all. All courses together give at most the catalog's maximum. A portal may
 * certify only learners who have every hour of every course.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"

/* What is known of a learner and a course, in the catalog's order. */
struct hours_input {
    int64_t watched_seconds;
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

struct hours_result {
    double learned;   /* of all courses, uncapped */
    double certified; /* at most the catalog's maximum; 0 when the portal's condition is not met */
    bool complete;    /* every course gave its hours */
};

/* Fills COURSES, one for each of the catalog's, and the result. */
struct hours_result hours_judge(const struct catalog *catalog, const struct portal *portal,
    const struct hours_input *inputs, struct hours_course *courses);
