/* Whether a server keeps what it has accepted. */
#include "redis/keeping.h"

#include <string.h>

#include "config/config.h"
#include "redis/client.h"
#include "redis/info.h"
#include "redis/reply.h"

/* Whether CONFIG GET says that NAME is WANTED. */
static enum check_result check_directive(
    redisContext *redis, const char *name, const char *wanted, struct redis_condition *seen)
{
    char error[CLIENT_ERROR_MAX];
    redisReply *reply = client_words(redis, error, "CONFIG", "GET", name, NULL);
    bool readable = reply_is_array(reply) && reply->elements == 2;
    const char *value = reply_text(reply_at(reply, 1));
    bool good = readable && strcmp(value, wanted) == 0;
    if (!readable)
        condition_complain(
            seen, "cannot be asked for %s: %.150s", name, reply == NULL ? error : "unexpected reply");
    else if (!good)
        condition_complain(
            seen, "has %s %.30s; redis.durability fsync needs %s %s", name, value, name, wanted);
    freeReplyObject(reply);
    if (good)
        return CHECK_GOOD;
    return redis->err != 0 ? CHECK_PASSING : CHECK_WRONG;
}

enum check_result keeping_check(
    const struct config *config, redisContext *redis, const char *info, struct redis_condition *seen)
{
    char value[INFO_VALUE_MAX];
    seen->used_memory = info_number(info, "used_memory");
    seen->max_memory = info_number(info, "maxmemory");
    if (!info_is(info, "maxmemory_policy", "noeviction")) {
        condition_complain(seen,
            "has maxmemory-policy %.40s, which would evict what was accepted; set maxmemory-policy "
            "noeviction",
            info_value(info, "maxmemory_policy", value));
        return CHECK_WRONG;
    }
    if (!config->redis.durability.fsync)
        return CHECK_GOOD;
    if (!info_is(info, "aof_enabled", "1")) {
        condition_complain(
            seen, "has appendonly no; redis.durability fsync needs appendonly yes and appendfsync always");
        return CHECK_WRONG;
    }
    enum check_result result = check_directive(redis, "appendfsync", "always", seen);
    if (result == CHECK_GOOD) /* yes would answer before the disk does, for as long as the log is rewritten */
        result = check_directive(redis, "no-appendfsync-on-rewrite", "no", seen);
    return result;
}
