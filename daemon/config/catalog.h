/*
 * The catalog: which lessons belong to which course, when a course may be watched, and what its hours
 * are worth. Read from one YAML file and immutable afterwards; see config/winter-2023.yaml.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "credit/claim.h"

struct course;

struct lesson {
    const char *id;
    const char *title;      /* "" when left out */
    int64_t length_seconds; /* 0 when not known */
    const struct course *course;
    struct claim_lesson allows; /* the course's window in Unix ms, the length in ms */
};

struct course {
    const char *id;
    const char *title;  /* "" when left out */
    const char *opens;  /* YYYY-MM-DD, first day; NULL: always open */
    const char *closes; /* YYYY-MM-DD, last day, included; NULL: never closes */
    int64_t opens_ms;   /* Unix ms of the first day's start in the catalog's timezone; INT64_MIN */
    int64_t closes_ms;  /* Unix ms of the end of the last day; INT64_MAX */
    double hours;       /* what can be certified at most */
    struct lesson *lessons;
    size_t n_lessons;
};

enum portal_tests { TESTS_NONE, TESTS_REQUIRED };
enum portal_certificate { CERTIFICATE_BY_COURSE, CERTIFICATE_ALL_HOURS };

struct portal {
    const char *id;
    enum portal_tests tests; /* required: a passed test per course before its hours count */
    /* by_course: everybody with certified hours gets a certificate; all_hours: only learners with all hours
     * of all courses do. Hours are certified either way. */
    enum portal_certificate certificate;
};

struct catalog {
    const char *program;  /* an id (base/id.h) */
    const char *timezone; /* IANA name */
    int64_t minutes_per_hour;
    double hours_max;
    struct portal *portals;
    size_t n_portals;
    struct course *courses;
    size_t n_courses;
    struct catalog_index *index; /* lessons by id */
};

/*
 * Reads PATH. On failure returns NULL and *ERROR gets "file:line: what", to be freed by the caller.
 * Limits: 1 MiB, 1,000 courses, 100,000 lessons.
 */
struct catalog *catalog_load(const char *path, char **error);
/* The same from TEXT; NAME stands for the file in errors. */
struct catalog *catalog_parse(const char *name, struct slice text, char **error);
void catalog_free(struct catalog *catalog);

/* Unix ms at which the last of its courses ends; INT64_MAX where one never does. */
int64_t catalog_closes_ms(const struct catalog *catalog);

/* NULL when there is none. Borrowed from the catalog. */
const struct lesson *catalog_find_lesson(const struct catalog *catalog, struct slice id);
const struct course *catalog_find_course(const struct catalog *catalog, struct slice id);
const struct portal *catalog_find_portal(const struct catalog *catalog, struct slice id);
