/*
 * Who may vouch for learners: the configured issuers with their keys in memory. Immutable once loaded.
 */
#pragma once

#include "config/config.h"
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

/* Reads the issuers' keys. On failure returns NULL and *ERROR gets "file:line: what", to be freed. */
struct jwt_issuers *jwt_issuers_load(const struct config *config, char **error);
/*
 * The same plus the issuer of --dev: HS256 with SECRET, issuer "minuted-dev", whose tokens carry their portal
 * in the private claim `portal`.
 */
struct jwt_issuers *jwt_issuers_load_dev(const struct config *config, struct slice secret, char **error);
void jwt_issuers_free(struct jwt_issuers *issuers);
