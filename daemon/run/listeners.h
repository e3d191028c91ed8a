/*
 * The players' listening sockets. Every worker has a socket of its own for each TCP address of http.listen,
 * among which the kernel shares out the connections. A unix socket has one queue, so all workers share one.
 */
#pragma once

#include <stdbool.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "config/config.h"

enum { WORKERS_MAX = 64 };

struct listeners {
    struct endpoint endpoints[ENDPOINTS_MAX]; /* with the port that the kernel chose in place of port 0 */
    size_t n;
    int fds[WORKERS_MAX][ENDPOINTS_MAX]; /* by worker, then by endpoint */
};

/* Opens the sockets of WORKERS workers (at most WORKERS_MAX) on ENDPOINTS. False after logging why. */
bool listeners_open(struct listeners *l, const struct endpoint_list *endpoints, int workers, struct log *log)
    __attribute__((warn_unused_result));

/* Removes the files of unix sockets, which outlive their sockets. */
void listeners_unlink(const struct listeners *l);
