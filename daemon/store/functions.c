/* functions.lua as C knows it. */
#include "store/functions.h"

#include <stddef.h>

#include "embedded/functions_lua.h"
#include "redis/permissions.h"

/* What functions.lua calls, and by what daemons read what it has written. */
static const char *const commands[] = {"GET " PERMISSIONS_KEY, "SET " PERMISSIONS_KEY " x",
    "DEL " PERMISSIONS_KEY, "UNLINK " PERMISSIONS_KEY, "EXISTS " PERMISSIONS_KEY,
    "HGET " PERMISSIONS_KEY " x", "HSET " PERMISSIONS_KEY " x x", "HSETNX " PERMISSIONS_KEY " x x",
    "HMGET " PERMISSIONS_KEY " x", "HGETALL " PERMISSIONS_KEY, "HDEL " PERMISSIONS_KEY " x",
    "HINCRBY " PERMISSIONS_KEY " x 1", "MEMORY USAGE " PERMISSIONS_KEY, "SADD " PERMISSIONS_KEY " x",
    "SREM " PERMISSIONS_KEY " x", "SMEMBERS " PERMISSIONS_KEY, "SCARD " PERMISSIONS_KEY,
    "SISMEMBER " PERMISSIONS_KEY " x", "SSCAN " PERMISSIONS_KEY " 0", "ZADD " PERMISSIONS_KEY " 0 x",
    "ZREM " PERMISSIONS_KEY " x", "ZRANGE " PERMISSIONS_KEY " 0 0", "TIME", "SCAN 0",
    "HSCAN " PERMISSIONS_KEY " 0", "DBSIZE", NULL};

const struct redis_library functions_library = {
    .name = STORE_LIBRARY,
    .text = (const char *)functions_lua,
    .probe = STORE_FUNCTION("probe"),
    .commands = commands,
};
