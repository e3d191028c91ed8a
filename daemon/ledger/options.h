/*
 * The command line: minuted-ledger COMMAND [options].
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "config/config.h"

enum command { COMMAND_FOLLOW, COMMAND_HOURS, COMMAND_WHY, COMMAND_TOTALS, COMMAND_COUNT };

enum format { FORMAT_AS_TEXT, FORMAT_AS_JSON, FORMAT_AS_CSV };

enum { PROPERTIES_MAX = 64 };

/* Options that were not given are NULL or zero, unless a comment says otherwise. */
struct ledger_options {
    enum command command;
    const char *brokers;
    const char *database;
    const char *topic_prefix; /* "minuted" */
    struct config_property properties[PROPERTIES_MAX];
    size_t n_properties;
    double until_idle_s; /* negative: follow for ever */
    double look_every_s; /* 60 */
    bool from_start;
    bool accept_missing;      /* go on although Kafka deleted records before they were read */
    enum log_level log_level; /* LOG_INFO */
    const char *catalog;
    const char *passes;
    const char *program;
    const char *portal;
    const char *learner;
    int64_t minute; /* Unix seconds of its start; negative: not given */
    enum format format;
};

/*
 * Parses ARGV, which *OPTIONS then points into, and cuts properties in two. True when the command is to be
 * run; else *STATUS is what to exit with, and help, version or the problem was printed.
 */
bool ledger_options_parse(int argc, char **argv, struct ledger_options *options, enum exit_status *status)
    __attribute__((warn_unused_result));
