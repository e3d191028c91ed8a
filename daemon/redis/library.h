/*
 * The library of Redis Functions that a daemon uses, as whoever owns the functions hands it down: how a
 * server is given it, and how a server says that it has it or has it not. What the functions do is not known
 * here.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/buf.h"
#include "redis/client.h"

struct redis_library {
    const char *name;  /* says what is in it: two libraries of one name are the same */
    const char *text;  /* as FUNCTION LOAD takes it */
    const char *probe; /* a function of it that does nothing, and is refused whenever a write would be */
    /* What its functions and their callers send, as permissions.h asks for it; ends with NULL. */
    const char *const *commands;
};

/* Appends FUNCTION LOAD. */
void library_encode_load(struct buf *b, const struct redis_library *library);

/* Whether REPLY, to FUNCTION LOAD, says that the server has the library now: another daemon may be first. */
bool library_is_loaded(const struct redis_library *library, const redisReply *reply);

/* Whether ERROR, of a call of one of its functions, says that the server does not have the library. */
bool library_is_missing(const char *error);

enum library_loaded { LIBRARY_LOADED, LIBRARY_THERE, LIBRARY_REFUSED };

/*
 * Gives the server of REDIS the library, unless it has one of that name. ERROR says why it is refused;
 * redis->err tells whether the connection failed.
 */
enum library_loaded library_load(
    const struct redis_library *library, redisContext *redis, char error[static CLIENT_ERROR_MAX]);
