/*
 * The operators' listener: /metrics, /livez, /readyz, /readyz?verbose, /status.json and the live page at /.
 * It has the players' HTTP server to itself, with small limits, on the main thread's loop, so it answers
 * while every worker is busy.
 */
#pragma once

#include "base/endpoint.h"
#include "base/log.h"
#include "ops/ops.h"

struct admin;
struct event_base;

/*
 * Listens on ENDPOINT. Borrows SOURCES and LOG until admin_stop(); reads SOURCES only from BASE's thread. On
 * failure returns NULL and *ERROR says what and where, to be freed by the caller.
 */
struct admin *admin_start(struct event_base *base, const struct endpoint *endpoint,
    const struct ops_sources *sources, struct log *log, char **error);
void admin_stop(struct admin *admin);
