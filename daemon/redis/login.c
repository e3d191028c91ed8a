/* Logging in to Redis. */
#include "redis/login.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "redis/reply.h"
#include "redis/resp.h"

enum { PIECE = 4 };

bool login_wanted(const struct redis_login *login)
{
    return login != NULL && login->password.len > 0;
}

void login_encode(struct buf *b, const struct redis_login *login)
{
    resp_begin(b, login->username != NULL ? 3 : 2);
    resp_arg(b, SLICE_LITERAL("AUTH"));
    if (login->username != NULL)
        resp_arg(b, slice_of(login->username));
    resp_arg(b, (struct slice){login->password.bytes, login->password.len});
}

/*
 * Whether TEXT holds a piece of the password. Redis repeats what it was sent when it does not know a command,
 * and cuts it.
 */
static bool tells_password(const struct secret *password, const char *text)
{
    size_t piece = password->len < PIECE ? password->len : PIECE;
    size_t len = strlen(text);
    for (size_t i = 0; i + piece <= password->len; i++)
        if (memmem(text, len, password->bytes + i, piece) != NULL)
            return true;
    return false;
}

bool login_judge(const struct redis_login *login, const redisReply *reply, char error[static LOGIN_ERROR_MAX])
{
    if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0)
        return true;
    const char *why = reply_is_error(reply) ? reply->str : "unexpected reply to AUTH";
    if (strstr(why, "without any password configured") != NULL)
        return true;
    if (reply_is_error_code(reply, "WRONGPASS"))
        why = "WRONGPASS: it does not take redis.username and redis.password as they are configured";
    else if (reply_is_error(reply) && tells_password(&login->password, why))
        why = "AUTH is refused with an error that repeats the password";
    snprintf(error, LOGIN_ERROR_MAX, "%s", why);
    return false;
}
