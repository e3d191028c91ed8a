/*
 * Whether a server's ACL lets this daemon send what it will send. A command that is forbidden is told before
 * anything depends on it, and not by the first heartbeat or by the first minute that is retired. Blocking;
 * the monitor's.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "redis/condition.h"

/* The key that commands are asked for with. Nobody reads it, and nothing is ever written to it. */
#define PERMISSIONS_KEY "minuted:permissions"

/*
 * Asks for the daemon's own commands and for COMMANDS, each a command and its arguments with a space between
 * them; NULL ends the list. WAITS_FOR_DISKS: WAITAOF is sent where the server knows it. *PERMITTED_MS
 * (monotonic; 0 for a new connection) says when all were last found to be allowed; they are asked for again
 * after a minute. False with SEEN's problem filled where one is forbidden or the server does not answer.
 */
bool permissions_check(redisContext *redis, const char *const *commands, bool waits_for_disks,
    int64_t *permitted_ms, struct redis_condition *seen) __attribute__((warn_unused_result));
