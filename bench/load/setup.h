/* From options and the daemon's configuration to all that a load needs. */
#pragma once

#include <stdbool.h>

#include "config/catalog.h"
#include "config/config.h"
#include "load/options.h"
#include "load/plan.h"

enum {
    PROBLEM_MAX = 1024,
    HEAD_START_MS = 2000 /* that players play after opening their sessions, to have something to claim */
};

struct setup {
    const struct load_options *options;
    struct config *config;
    struct catalog *catalog;
    char portal[64 + 1];
    char prefix[32]; /* of the learners' ids: another one for each load */
    const char **lessons;
    const char **courses; /* of the lessons */
    int64_t *lesson_lengths_ms;
    size_t n_lessons;
    struct link_address *places;
    struct link_address *sources;
    struct playing playing;
    struct evidence evidence;
    struct load_plan plan;
};

/* Borrows OPTIONS. False with PROBLEM, and nothing to be freed, when there can be no load. */
bool setup_init(struct setup *s, const struct load_options *options, char problem[static PROBLEM_MAX])
    __attribute__((warn_unused_result));
/*
 * Makes room in the evidence for what will be accepted. To be called when the sessions are open, since the
 * minutes are counted from then. False with PROBLEM when there is no memory.
 */
bool setup_make_evidence(struct setup *s, char problem[static PROBLEM_MAX])
    __attribute__((warn_unused_result));
void setup_free(struct setup *s);
