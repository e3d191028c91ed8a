/*
 * The arrivals of an open loop: when each request is due, whatever became of those before it.
 *
 *     rate ^        ___________
 *          |      /            |        2000-20000:30s,20000:60s
 *          |____/______________|___> time
 *
 * Pure. A closed loop ("max:30s") has a length but no due times: each connection sends when it has its
 * answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCHEDULE_PHASES_MAX = 16, SCHEDULE_SECONDS_MAX = 3 * 3600 };

struct schedule_phase {
    double from; /* requests/s at its start */
    double to;   /* at its end */
    double seconds;
};

struct schedule {
    struct schedule_phase phases[SCHEDULE_PHASES_MAX];
    size_t n;
    bool closed;
};

/*
 * Parses phases "RATE:TIME" or "RATE-RATE:TIME", separated by commas, or "max:TIME" alone; three hours in all
 * at most, since a session ends after four. False with PROBLEM filled.
 */
bool schedule_parse(const char *text, struct schedule *s, char problem[static 256])
    __attribute__((warn_unused_result));

double schedule_seconds(const struct schedule *s);
/* All of an open loop. */
uint64_t schedule_requests(const struct schedule *s);
/* The greatest rate. */
double schedule_peak(const struct schedule *s);
/* The rate at SECOND; 0 beyond the end and in a closed loop. */
double schedule_rate(const struct schedule *s, double second);
/* When request K (from 0) is due, in microseconds since the start; INT64_MAX beyond the last. */
int64_t schedule_due_us(const struct schedule *s, uint64_t k);
