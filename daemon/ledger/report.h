/*
 * What `hours` says of a learner, in three formats, on standard output.
 */
#pragma once

#include "ledger/hours.h"
#include "ledger/options.h"

struct report_learner {
    const struct portal *portal;
    struct slice learner;
    struct hours_result result;
    const struct hours_course *courses; /* one for each of the catalog's */
};

struct report {
    enum format format;
    const struct catalog *catalog;
    long learners;  /* reported so far */
    long certified; /* with certified hours */
    long certificates;
};

void report_begin(const struct report *r);
void report_learner(struct report *r, const struct report_learner *l);
void report_end(const struct report *r);
