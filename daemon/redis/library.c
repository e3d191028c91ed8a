/* Loading the library of Redis Functions. */
#include "redis/library.h"

#include <stdio.h>
#include <string.h>

#include "redis/reply.h"
#include "redis/resp.h"

void library_encode_load(struct buf *b, const struct redis_library *library)
{
    resp_begin(b, 3);
    resp_arg(b, SLICE_LITERAL("FUNCTION"));
    resp_arg(b, SLICE_LITERAL("LOAD"));
    resp_arg(b, slice_of(library->text));
}

bool library_is_loaded(const struct redis_library *library, const redisReply *reply)
{
    char there[128];
    if (reply == NULL || !reply_is_error(reply))
        return reply != NULL;
    snprintf(there, sizeof(there), "Library '%s' already exists", library->name);
    return strstr(reply->str, there) != NULL;
}

bool library_is_missing(const char *error)
{
    return strstr(error, "Function not found") != NULL;
}

enum library_loaded library_load(
    const struct redis_library *library, redisContext *redis, char error[static CLIENT_ERROR_MAX])
{
    struct buf command = {0};
    library_encode_load(&command, library);
    redisReply *reply = client_send(redis, &command, error) ? client_receive(redis, error) : NULL;
    buf_free(&command);
    enum library_loaded loaded = LIBRARY_REFUSED;
    if (library_is_loaded(library, reply))
        loaded = reply_is_error(reply) ? LIBRARY_THERE : LIBRARY_LOADED;
    else if (reply != NULL)
        snprintf(error, CLIENT_ERROR_MAX, "%s", reply->str);
    freeReplyObject(reply);
    return loaded;
}
