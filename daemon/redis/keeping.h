/*
 * Whether a server keeps what it has accepted: it must not evict, and where `redis.durability` asks for the
 * disk, a write must be on it before it is answered. Asked of primaries, and of the replicas that may become
 * one. Blocking.
 */
#pragma once

#include <hiredis/hiredis.h>

#include "redis/condition.h"

struct config;

/* Judges the server behind REDIS, whose INFO is given. Fills SEEN's memory, and its problem unless it is
 * good. */
enum check_result keeping_check(
    const struct config *config, redisContext *redis, const char *info, struct redis_condition *seen);
