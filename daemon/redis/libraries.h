/*
 * The libraries of Redis Functions that daemons have loaded. A library is named by its content, so builds
 * that differ use their own side by side. Once an hour each daemon writes into `minuted:settings` that it
 * uses its own, as `library:<name>` = Unix time of the server that holds the settings; a library that nobody
 * has named for a day is deleted from every server. The monitor's; its thread alone.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct redis_library;

/* A zeroed struct has not looked yet. */
struct libraries {
    int64_t due_ms; /* monotonic; when to look again */
};

/*
 * Looks, when it is time to. SERVERS are the connections to all N primaries, NULL where one cannot be used;
 * SETTINGS is the index of the one that holds the settings. Where that one cannot be written to, nothing is
 * deleted, and the next call tries again. OURS is the library that this daemon uses. A failed connection
 * leaves its err set.
 */
void libraries_look(struct libraries *l, const struct redis_library *ours, redisContext *const *servers,
    size_t n, size_t settings, struct log *log);
