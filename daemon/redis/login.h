/*
 * redis.username and redis.password, as every connection sends them before any command that needs them: to
 * servers, to sentinels and to the nodes of a cluster. Pure.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/buf.h"

struct redis_login;

enum { LOGIN_ERROR_MAX = 256 };

/* Whether there is anything to be sent. LOGIN may be NULL. */
bool login_wanted(const struct redis_login *login);

/* Appends AUTH. */
void login_encode(struct buf *b, const struct redis_login *login);

/*
 * Whether REPLY lets us in: a server that has no password set answers AUTH with an error, which counts as
 * success. ERROR says why not, and never holds the password, even where the server sends it back.
 */
bool login_judge(const struct redis_login *login, const redisReply *reply, char error[static LOGIN_ERROR_MAX])
    __attribute__((warn_unused_result));
