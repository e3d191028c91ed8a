/* The command line of minuted-bench. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/exit_status.h"
#include "config/config_load.h"
#include "load/sampler.h"
#include "load/schedule.h"

enum { OVERRIDES_MAX = 64, PLACES_MAX = 16, SOURCES_MAX = 64, PLAYERS_MAX = 4000000 };

struct load_options {
    /* the deployment */
    const char *config_file;
    struct config_override overrides[OVERRIDES_MAX];
    size_t n_overrides;
    struct endpoint places[PLACES_MAX]; /* none: http.listen */
    size_t n_places;
    const char *base_path; /* NULL: http.base_path */
    /* the load */
    const char *schedule_text; /* as given */
    struct schedule schedule;
    double players;      /* 0: as many as the greatest rate takes */
    int64_t interval_us; /* 0: heartbeats.interval */
    unsigned batch;
    unsigned connections; /* of all threads */
    unsigned threads;
    unsigned idle;
    const char *sources[SOURCES_MAX];
    size_t n_sources;
    int64_t timeout_us;
    int64_t warmup_us;
    int64_t drain_us;
    uint64_t seed;
    /* the players */
    int64_t backdate_us;
    int64_t claim_us; /* 0: the interval */
    double pauses;
    double seeks;
    double resends;
    double speeds;
    /* what is looked at, and what is written */
    struct watched watched[WATCHED_MAX];
    size_t n_watched;
    int64_t verify_wait_us;
    const char *assertions;
    const char *title;
    const char *json_file;
    const char *hgrm_file;
    const char *html_file;
    /* switches */
    bool dev;
    bool close;
    bool make_sessions;
    bool any_answer;
    bool verify;
    bool quiet;
};

/*
 * Parses ARGV, which *OPTIONS then points into. True when the load is to be run; else *STATUS is what to exit
 * with, and help, version or the problem was printed.
 */
bool load_options_parse(int argc, char **argv, struct load_options *options, enum exit_status *status)
    __attribute__((warn_unused_result));
