/*
 * redis-server processes of a test: each with a directory and a port of its own, ended by pid.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/endpoint.h"

struct redis_process {
    pid_t pid;
    char dir[64];
    struct endpoint endpoint;
    redisContext *client;
};

/* Starts `redis-server CONFIG --port …` (appendonly, fsync always, noeviction) and waits until it answers.
 * EXTRA: further arguments, NULL-terminated. */
void redis_process_start(struct redis_process *r, const char *const *extra);

/* The same at an address of loopback and a port that the test chooses. */
void redis_process_start_at(struct redis_process *r, const char *host, int port, const char *const *extra);

/* The same with a clock that is OFFSET seconds ("-10") away from this machine's. */
void redis_process_start_at_offset(struct redis_process *r, const char *offset);

/* The same as `redis-server FILE --sentinel` that watches PRIMARY as "minuted"; MORE lines of FILE, or "". */
void redis_process_start_sentinel(struct redis_process *r, const struct redis_process *primary);
void redis_process_start_sentinel_with(
    struct redis_process *r, const struct redis_process *primary, const char *more);

/* Ends it and removes its directory. */
void redis_process_stop(struct redis_process *r);

/* Runs a command and fails the test on an error reply. */
void redis_process_command(struct redis_process *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Joins N processes started with "--cluster-enabled yes" into a cluster with evenly divided slots. */
void redis_process_join_cluster(struct redis_process *nodes, int n);
