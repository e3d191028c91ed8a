/* Loading the issuers' keys. */
#include "identity/jwt_issuers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "identity/jwk.h"

enum { KEY_FILE_MAX = 1 << 20 };

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

static struct jwt_key_list *add_issuer(
    struct jwt_issuers *issuers, const char *name, const char *audience, const char *portal)
{
    issuers->items = mem_realloc(issuers->items, (issuers->n + 1) * sizeof(*issuers->items));
    struct jwt_issuer *issuer = &issuers->items[issuers->n++];
    *issuer = (struct jwt_issuer){mem_strdup(name), copy_or_null(audience), copy_or_null(portal), {NULL, 0}};
    return &issuer->keys;
}

static bool load_keys(
    const struct config *config, const struct config_issuer *from, struct jwt_key_list *keys, char **error)
{
    const char *path = from->public_key_file != NULL ? from->public_key_file : from->jwks_file;
    const char *problem;
    struct buf bytes = {0};
    struct buf text = {0};
    if (from->secret.bytes != NULL) {
        jwt_key_add_secret(keys, (struct slice){from->secret.bytes, from->secret.len});
        return true;
    }
    bool good = file_read(path, KEY_FILE_MAX, &bytes);
    if (!good)
        problem = strerror(errno);
    else if (from->public_key_file != NULL)
        good = jwt_key_add_pem(keys, buf_slice(&bytes), &problem);
    else
        good = jwk_add_set(keys, buf_slice(&bytes), &problem);
    buf_free(&bytes);
    if (good)
        return true;
    buf_append_string(&text, config->file == NULL ? "configuration" : config->file);
    if (from->line > 0)
        buf_printf(&text, ":%d", from->line);
    buf_printf(&text, ": issuer '%s': cannot read %s '%s': %s", from->issuer,
        from->public_key_file != NULL ? "public_key_file" : "jwks_file", path, problem);
    buf_append_char(&text, '\0');
    *error = text.data;
    return false;
}

struct jwt_issuers *jwt_issuers_load(const struct config *config, char **error)
{
    struct jwt_issuers *issuers = mem_zalloc(sizeof(*issuers));
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        const struct config_issuer *from = &config->auth.issuers[i];
        if (!load_keys(
                config, from, add_issuer(issuers, from->issuer, from->audience, from->portal), error)) {
            jwt_issuers_free(issuers);
            return NULL;
        }
    }
    return issuers;
}

struct jwt_issuers *jwt_issuers_load_dev(const struct config *config, struct slice secret, char **error)
{
    struct jwt_issuers *issuers = jwt_issuers_load(config, error);
    if (issuers != NULL)
        jwt_key_add_secret(add_issuer(issuers, JWT_DEV_ISSUER, NULL, NULL), secret);
    return issuers;
}

void jwt_issuers_free(struct jwt_issuers *issuers)
{
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < issuers->n; i++) {
        free(issuers->items[i].name);
        free(issuers->items[i].audience);
        free(issuers->items[i].portal);
        jwt_key_list_free(&issuers->items[i].keys);
    }
    free(issuers->items);
    free(issuers);
}
