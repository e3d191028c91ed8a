/* Connections that have asked once and then do nothing, as of players who read or have fallen asleep. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "load/message.h"
#include "load/pool.h"

/*
 * Opens N connections, each with one answered request behind it, and stops at the first that cannot be
 * opened. Writes them into FDS; returns how many.
 */
size_t idle_open(const struct pool_plan *plan, const struct message_place *place, int *fds, size_t n);
/* Closes the connections; returns how many of them the server had closed before. */
size_t idle_close(int *fds, size_t n);
