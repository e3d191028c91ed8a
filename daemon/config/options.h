/*
 * The command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config_load.h"

enum { OVERRIDES_MAX = 64 };

enum options_action {
    ACTION_RUN,
    ACTION_CHECK_CONFIG,
    ACTION_CREATE_TOPICS,
    ACTION_REPUBLISH,
    ACTION_BEGIN_PROGRAM,
    ACTION_REBUILD,
    ACTION_LOWER_FLOOR,
    ACTION_EXIT_GOOD, /* help or version was printed */
    ACTION_EXIT_USAGE /* the problem was printed */
};

struct options {
    enum options_action action;
    const char *config_file; /* NULL: none */
    struct config_override overrides[OVERRIDES_MAX];
    size_t n_overrides;
    bool dev;
    bool to_new_kafka; /* with ACTION_REPUBLISH */
};

/* Parses ARGV, which *OPTIONS then points into; the keys of --set are cut off at '='. */
void options_parse(int argc, char **argv, struct options *options);
