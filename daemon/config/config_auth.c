/* The configuration's section `auth`: session keys and issuers; and Redis's password. */
#include "config/config_auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/nearest.h"

enum { SECRET_MIN = 32, PASSWORD_MAX = 1024 };

/* ---- secrets ---- */

static void free_secret(struct secret *secret)
{
    if (secret->bytes != NULL)
        explicit_bzero(secret->bytes, secret->len);
    free(secret->bytes);
    *secret = (struct secret){0};
}

static bool long_enough(struct config_reading *r, const struct yaml_node *node, const char *key, size_t len)
{
    if (len >= SECRET_MIN)
        return true;
    config_problem(r, node, "%s: a secret needs at least %d bytes, this one has %zu", key, SECRET_MIN, len);
    return false;
}

static bool read_secret(
    struct config_reading *r, const struct yaml_node *node, const char *key, struct secret *out)
{
    if (node->type != YAML_SCALAR) {
        config_problem(r, node, "%s: expected one value", key);
        return false;
    }
    if (!long_enough(r, node, key, strlen(node->text)))
        return false;
    *out = (struct secret){mem_strdup(node->text), strlen(node->text)};
    return true;
}

static bool read_secret_file(
    struct config_reading *r, const struct yaml_node *node, const char *key, struct secret *out)
{
    struct buf bytes = {0};
    if (!config_read_file(r, node, key, &bytes))
        return false;
    if (!long_enough(r, node, key, bytes.len)) {
        buf_free(&bytes);
        return false;
    }
    *out = (struct secret){bytes.data, bytes.len};
    return true;
}

/* ---- session keys ---- */

static void clear_session_keys(struct config *config)
{
    for (size_t i = 0; i < config->auth.session_keys.n; i++)
        free_secret(&config->auth.session_keys.items[i]);
    config->auth.session_keys.n = 0;
}

static void add_session_key(struct config *config, struct secret key)
{
    struct secret_list *list = &config->auth.session_keys;
    list->items = mem_realloc(list->items, (list->n + 1) * sizeof(*list->items));
    list->items[list->n++] = key;
}

void config_read_session_key(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct secret secret;
    clear_session_keys(r->config);
    if (read_secret(r, node, key->name, &secret))
        add_session_key(r->config, secret);
}

void config_read_session_key_file(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    const struct yaml_node *const *files =
        node->type == YAML_LIST ? (const struct yaml_node *const *)node->items : &node;
    size_t n = node->type == YAML_LIST ? node->n : 1;
    struct secret secret;
    clear_session_keys(r->config);
    for (size_t i = 0; i < n; i++)
        if (read_secret_file(r, files[i], key->name, &secret))
            add_session_key(r->config, secret);
    if (n == 0)
        config_problem(r, node, "%s: expected at least one file", key->name);
}

/* ---- Redis's password ---- */

/* Takes over BYTES. */
static void set_password(struct config_reading *r, const struct config_key *key, const struct yaml_node *node,
    struct secret password)
{
    struct secret *field = &r->config->redis.login.password;
    free_secret(field);
    *field = password;
    if (password.len == 0)
        config_problem(r, node, "%s: the password is empty", key->name);
    else if (password.len > PASSWORD_MAX)
        config_problem(r, node, "%s: the password is longer than %d bytes", key->name, PASSWORD_MAX);
}

void config_read_password(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type != YAML_SCALAR || yaml_is_null(node))
        config_problem(r, node, "%s: expected one value", key->name);
    else
        set_password(r, key, node, (struct secret){mem_strdup(node->text), strlen(node->text)});
}

void config_read_password_file(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct buf bytes = {0};
    if (config_read_file(r, node, key->name, &bytes))
        set_password(r, key, node, (struct secret){bytes.data, bytes.len});
}

/* ---- issuers ---- */

static const char *const issuer_keys[] = {
    "issuer", "audience", "portal", "secret", "secret_file", "public_key_file", "jwks_file"};

enum { FIRST_KEY_SOURCE = 3, N_ISSUER_KEYS = sizeof(issuer_keys) / sizeof(issuer_keys[0]) };

static void clear_issuers(struct config *config)
{
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        struct config_issuer *issuer = &config->auth.issuers[i];
        free(issuer->issuer);
        free(issuer->audience);
        free(issuer->portal);
        free_secret(&issuer->secret);
        free(issuer->public_key_file);
        free(issuer->jwks_file);
    }
    config->auth.n_issuers = 0;
}

static void check_issuer_keys(struct config_reading *r, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->n; i++) {
        bool known = false;
        for (size_t k = 0; k < N_ISSUER_KEYS; k++)
            known = known || strcmp(map->pairs[i].key, issuer_keys[k]) == 0;
        char hint[NEAREST_HINT_MAX];
        const struct yaml_node at = {.line = map->pairs[i].line};
        if (!known)
            config_problem(r, &at, "unknown key 'auth.issuers[].%s'%s", map->pairs[i].key,
                nearest_hint(hint, map->pairs[i].key, issuer_keys, N_ISSUER_KEYS));
    }
}

/* A copy of the text of KEY; NULL when missing. */
static char *issuer_text(
    struct config_reading *r, const struct yaml_node *map, const char *key, bool required)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node != NULL && node->type == YAML_SCALAR && node->text[0] != '\0' && !yaml_is_null(node))
        return mem_strdup(node->text);
    if (required || node != NULL)
        config_problem(r, node != NULL ? node : map, "auth.issuers[]: '%s' is %s", key,
            node == NULL                ? "missing"
            : node->type == YAML_SCALAR ? "empty"
                                        : "not one value");
    return NULL;
}

static char *issuer_path(struct config_reading *r, const struct yaml_node *map, const char *key)
{
    char *text = issuer_text(r, map, key, false);
    if (text == NULL)
        return NULL;
    char *path = config_resolve_path(r->source, text);
    free(text);
    return path;
}

static void add_issuer(struct config_reading *r, const struct yaml_node *map)
{
    if (map->type != YAML_MAP) {
        config_problem(r, map, "auth.issuers: each item is a map with issuer, portal and a key");
        return;
    }
    struct config_issuer issuer = {.line = r->source->has_lines ? map->line : 0};
    check_issuer_keys(r, map);
    int sources = 0;
    for (size_t k = FIRST_KEY_SOURCE; k < N_ISSUER_KEYS; k++)
        sources += yaml_get(map, issuer_keys[k]) != NULL;
    if (sources != 1)
        config_problem(r, map,
            "auth.issuers[]: expected exactly one of secret, secret_file, public_key_file and jwks_file");
    issuer.issuer = issuer_text(r, map, "issuer", true);
    issuer.portal = issuer_text(r, map, "portal", true);
    issuer.audience = issuer_text(r, map, "audience", false);
    issuer.public_key_file = issuer_path(r, map, "public_key_file");
    issuer.jwks_file = issuer_path(r, map, "jwks_file");
    const struct yaml_node *secret = yaml_get(map, "secret");
    const struct yaml_node *secret_file = yaml_get(map, "secret_file");
    bool good = true;
    if (secret_file != NULL)
        good = read_secret_file(r, secret_file, "auth.issuers[].secret_file", &issuer.secret);
    else if (secret != NULL)
        good = read_secret(r, secret, "auth.issuers[].secret", &issuer.secret);
    (void)good; /* where it is not, a problem was added, so that the configuration is refused */
    if (issuer.portal != NULL && !id_valid(slice_of(issuer.portal)))
        config_problem(r, map, "auth.issuers[]: portal '%s' is not [A-Za-z0-9._-]{1,64}", issuer.portal);
    size_t n = r->config->auth.n_issuers++;
    r->config->auth.issuers = mem_realloc(r->config->auth.issuers, (n + 1) * sizeof(issuer));
    r->config->auth.issuers[n] = issuer;
}

void config_read_issuers(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    clear_issuers(r->config);
    if (node->type != YAML_LIST && !yaml_is_null(node))
        config_problem(r, node, "%s: expected a list", key->name);
    for (size_t i = 0; node->type == YAML_LIST && i < node->n; i++)
        add_issuer(r, node->items[i]);
}

void config_free_auth(struct config *config)
{
    clear_session_keys(config);
    free(config->auth.session_keys.items);
    clear_issuers(config);
    free(config->auth.issuers);
    free_secret(&config->redis.login.password);
}
