/*
 * Who may vouch for learners: the configured issuers with their keys in memory. Immutable once loaded;
 * loading and freeing are declared in api/jwt.h.
 */
#pragma once

#include "identity/jwt_key.h"

#define JWT_DEV_ISSUER "minuted-dev"

struct jwt_issuer {
    char *name;     /* `iss`; several issuers may have the same, with other keys, audiences and portals */
    char *audience; /* NULL: not asked for */
    char *portal;   /* NULL: the token carries it (--dev) */
    struct jwt_key_list keys;
};

struct jwt_issuers {
    struct jwt_issuer *items;
    size_t n;
};
