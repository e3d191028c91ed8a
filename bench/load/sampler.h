/*
 * What processes and Redis have used so far, read from /proc and INFO. Blocks, if shortly.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "load/result.h"

/* A process to be watched, with all its descendants. */
struct watched {
    char name[NAME_MAX_CHARS + 1];
    pid_t pid;
};

struct sample {
    struct usage watched[WATCHED_MAX];
    bool gone[WATCHED_MAX]; /* it has ended, so what it used is not known */
    bool has_redis;
    struct redis_usage redis; /* the sum of all servers */
};

struct sampler;

/* PROCESSES and SERVERS are borrowed. */
struct sampler *sampler_new(const struct watched *processes, size_t n_processes,
    const struct endpoint_list *servers, const struct redis_login *login);
void sampler_free(struct sampler *s);

/* For a process that has ended, and a server that does not answer, repeats the last sample. */
void sampler_read(struct sampler *s, struct sample *sample);
