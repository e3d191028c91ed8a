/* The configuration: layers over the schema's defaults, and what concerns several keys. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_schema.h"

#define ENVIRONMENT_PREFIX "MINUTED_"

struct loading {
    struct config *config;
    struct arena arena;
    struct problems problems;
};

/* ---- one key ---- */

static void unknown_key(struct loading *l, const char *source, int line, const char *name)
{
    const char *names[64];
    for (size_t i = 0; i < n_config_keys; i++)
        names[i] = config_keys[i].name;
    const char *nearest = yaml_nearest(name, names, n_config_keys);
    if (nearest != NULL)
        problems_add(&l->problems, source, line, "unknown key '%s'; did you mean '%s'?", name, nearest);
    else
        problems_add(&l->problems, source, line, "unknown key '%s'", name);
}

static void read_key(struct loading *l, const struct config_source *source, const struct config_key *key,
    const struct yaml_node *node)
{
    struct config_reading reading = {l->config, source, &l->problems};
    key->read(&reading, key, node);
}

/* ---- the file ---- */

static bool is_section(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n_config_keys; i++)
        if (strncmp(config_keys[i].name, name, len) == 0 && config_keys[i].name[len] == '.')
            return true;
    return false;
}

static void read_section(
    struct loading *l, const struct config_source *source, const char *section, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->n; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s.%s", section, map->pairs[i].key);
        const struct config_key *key = config_find_key(name);
        if (key != NULL)
            read_key(l, source, key, map->pairs[i].value);
        else
            unknown_key(l, source->name, map->pairs[i].line, name);
    }
}

static void read_top(struct loading *l, const struct config_source *source, const struct yaml_pair *pair)
{
    const struct config_key *key = config_find_key(pair->key);
    if (key != NULL && !is_section(pair->key)) {
        read_key(l, source, key, pair->value);
    } else if (!is_section(pair->key)) {
        static const char *const tops[] = {
            "http", "admin", "auth", "heartbeats", "redis", "kafka", "publish", "catalog", "log"};
        const char *nearest = yaml_nearest(pair->key, tops, sizeof(tops) / sizeof(tops[0]));
        problems_add(&l->problems, source->name, pair->line, "unknown section '%s'%s%s%s", pair->key,
            nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "'?");
    } else if (pair->value->type == YAML_MAP) {
        read_section(l, source, pair->key, pair->value);
    } else if (!yaml_is_null(pair->value)) {
        problems_add(&l->problems, source->name, pair->line, "'%s' is a section: a map is wanted", pair->key);
    }
}

/* A layer says one thing of the session keys. */
static void check_session_keys(
    struct loading *l, const struct config_source *source, const struct yaml_node *root)
{
    const struct yaml_node *auth = yaml_get(root, "auth");
    const struct yaml_node *file = auth == NULL ? NULL : yaml_get(auth, "session_key_file");
    if (file != NULL && yaml_get(auth, "session_key") != NULL)
        problems_add(&l->problems, source->name, file->line,
            "auth.session_key and auth.session_key_file are both given: keep one");
}

static void read_file(struct loading *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_strndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    struct config_source source = {path, folder, true};
    struct yaml_node *root = yaml_read_file(path, &l->arena, &l->problems);
    if (root != NULL && root->type != YAML_MAP) {
        problems_add(&l->problems, path, root->line, "a map of sections is wanted");
    } else if (root != NULL) {
        check_session_keys(l, &source, root);
        for (size_t i = 0; i < root->n; i++)
            read_top(l, &source, &root->pairs[i]);
    }
    free(folder);
}

/* ---- values from elsewhere ---- */

static void read_value(
    struct loading *l, const char *source_name, const struct config_key *key, const char *value)
{
    struct config_source source = {source_name, "", false};
    struct yaml_node *node = yaml_read_text(source_name, value, strlen(value), &l->arena, &l->problems);
    if (node != NULL && node->type == YAML_MAP && node->n == 0)
        *node = (struct yaml_node){.type = YAML_SCALAR, .quoted = true, .text = ""}; /* an empty value */
    if (node != NULL)
        read_key(l, &source, key, node);
}

static void read_defaults(struct loading *l)
{
    for (size_t i = 0; i < n_config_keys; i++)
        if (config_keys[i].initial != NULL)
            read_value(l, config_keys[i].name, &config_keys[i], config_keys[i].initial);
}

/* "http.max_body" as the environment spells it: HTTP_MAX_BODY. */
static void environment_name(const char *key, char name[static 64])
{
    size_t i = 0;
    for (; key[i] != '\0' && i < 63; i++)
        name[i] = key[i] == '.' ? '_' : (char)toupper((unsigned char)key[i]);
    name[i] = '\0';
}

static const struct config_key *find_environment_key(const char *name, size_t len)
{
    char spelled[64];
    for (size_t i = 0; i < n_config_keys; i++) {
        environment_name(config_keys[i].name, spelled);
        if (strlen(spelled) == len && strncmp(spelled, name, len) == 0)
            return &config_keys[i];
    }
    return NULL;
}

static void unknown_variable(struct loading *l, const char *source, const char *name)
{
    char spelled[64][64];
    const char *names[64];
    for (size_t i = 0; i < n_config_keys; i++) {
        environment_name(config_keys[i].name, spelled[i]);
        names[i] = spelled[i];
    }
    const char *nearest = yaml_nearest(name, names, n_config_keys);
    problems_add(&l->problems, source, 0, "no such key%s%s%s",
        nearest == NULL ? "" : "; did you mean '" ENVIRONMENT_PREFIX, nearest == NULL ? "" : nearest,
        nearest == NULL ? "" : "'?");
}

static void read_variable(struct loading *l, const char *variable)
{
    size_t prefix = strlen(ENVIRONMENT_PREFIX);
    const char *equals = strchr(variable, '=');
    if (strncmp(variable, ENVIRONMENT_PREFIX, prefix) != 0 || equals == NULL)
        return;
    size_t len = (size_t)(equals - variable);
    char source[160];
    snprintf(source, sizeof(source), "environment %.*s", (int)(len < 128 ? len : 128), variable);
    const struct config_key *key = find_environment_key(variable + prefix, len - prefix);
    if (key != NULL)
        read_value(l, source, key, equals + 1);
    else
        unknown_variable(l, source, source + strlen("environment ") + prefix);
}

/* kafka.properties.NAME is one property; the rest are the schema's keys. */
static void read_override(struct loading *l, const struct config_override *override)
{
    static const char properties[] = "kafka.properties.";
    char source[160];
    snprintf(source, sizeof(source), "--set %.140s", override->key);
    const struct config_key *key = config_find_key(override->key);
    if (key != NULL) {
        read_value(l, source, key, override->value);
    } else if (strncmp(override->key, properties, sizeof(properties) - 1) == 0) {
        struct config_source from = {source, "", false};
        struct yaml_node value = {.type = YAML_SCALAR, .text = override->value};
        struct yaml_pair pair = {override->key + sizeof(properties) - 1, 0, &value};
        struct yaml_node map = {.type = YAML_MAP, .n = 1, .pairs = &pair};
        read_key(l, &from, config_find_key("kafka.properties"), &map);
    } else {
        unknown_key(l, source, 0, override->key);
    }
}

/* ---- what concerns several keys ---- */

static void check(struct loading *l, bool wrong, const char *message)
{
    if (wrong)
        problems_add(
            &l->problems, l->config->file == NULL ? "configuration" : l->config->file, 0, "%s", message);
}

static void check_loopback(struct loading *l, const char *key, const struct endpoint *endpoint)
{
    struct sockaddr_storage addr;
    socklen_t len;
    char name[300];
    if (endpoint_resolve(endpoint, &addr, &len) && endpoint_is_loopback(&addr))
        return;
    problems_add(&l->problems, key, 0, "%s is not on loopback: --dev hands out tokens to anybody",
        endpoint_format(endpoint, name));
}

static void check_dev(struct loading *l)
{
    struct config *config = l->config;
    for (size_t i = 0; i < config->http.listen.n; i++)
        check_loopback(l, "http.listen", &config->http.listen.items[i]);
    check_loopback(l, "admin.listen", &config->admin.listen);
}

static void check_production(struct loading *l)
{
    const struct config *config = l->config;
    check(l, config->auth.session_keys.n == 0, "auth.session_key_file is missing");
    check(l, config->auth.n_issuers == 0, "auth.issuers is missing: nobody could open a session");
    check(l, config->catalog == NULL, "catalog is missing");
    check(l, strcmp(config->kafka.brokers, "embedded") == 0,
        "kafka.brokers: 'embedded' keeps nothing and is for --dev only");
}

static void check_all(struct loading *l, bool dev)
{
    const struct config *config = l->config;
    check(l, config->heartbeats.interval_ms > config->heartbeats.max_interval_ms,
        "heartbeats.interval is longer than heartbeats.max_interval");
    check(l, config->publish.grace_ms < config->heartbeats.max_interval_ms + 10000,
        "publish.grace is shorter than heartbeats.max_interval + 10s: a minute would be due before its "
        "heartbeats came");
    check(l, config->http.header_timeout_ms > config->http.request_timeout_ms,
        "http.header_timeout is longer than http.request_timeout");
    if (dev)
        check_dev(l);
    else
        check_production(l);
}

/* ---- the interface ---- */

struct config *config_load(const char *file, char *const *environment,
    const struct config_override *overrides, size_t n_overrides, bool dev, char **error)
{
    struct loading l = {.config = mem_zalloc(sizeof(*l.config))};
    read_defaults(&l);
    if (file != NULL) {
        l.config->file = mem_strdup(file);
        read_file(&l, file);
    }
    for (; environment != NULL && *environment != NULL; environment++)
        read_variable(&l, *environment);
    for (size_t i = 0; i < n_overrides; i++)
        read_override(&l, &overrides[i]);
    if (l.problems.n == 0)
        check_all(&l, dev);
    arena_free(&l.arena);
    *error = problems_take(&l.problems);
    if (*error != NULL) {
        config_free(l.config);
        return NULL;
    }
    return l.config;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    config_free_values(config);
    free(config->file);
    free(config);
}

const char *record_format_content_type(enum record_format format)
{
    return format == FORMAT_JSON ? "application/json" : "application/protobuf";
}
