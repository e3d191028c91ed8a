/* The configuration: layers over the schema's defaults, and what concerns several keys. */
#include "config/config_load.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/config_schema.h"
#include "config/service_variables.h"

#define ENVIRONMENT_PREFIX "MINUTED_"

/* Where a value may come from. The value of a later layer replaces that of an earlier one. */
enum layer { LAYER_DEFAULT, LAYER_FILE, LAYER_ENVIRONMENT, LAYER_OVERRIDE };

/* What is known of a field of the configuration, which alternative keys may share. */
struct config_slot {
    enum layer
        top; /* the last that gives a value: earlier values are not read, and their files may be missing */
    enum layer layer;             /* that gave the value so far */
    const struct config_key *key; /* of alternatives the one that was given; NULL: nobody gave it */
    const char *source;
    int line;
};

struct loading {
    struct config *config;
    struct config_slot slots[CONFIG_KEYS_MAX];
    struct arena arena;
    struct problems problems;
};

/* The one value that the layers merge, property by property; all other values they replace. */
#define PROPERTIES "kafka.properties"

/* ---- one key ---- */

static void unknown_key(struct loading *l, const char *source, int line, const char *name)
{
    const char *names[CONFIG_KEYS_MAX];
    for (size_t i = 0; i < config_n_keys; i++)
        names[i] = config_keys[i].name;
    char hint[NEAREST_HINT_MAX];
    problems_add(&l->problems, source, line, "unknown key '%s'%s", name,
        nearest_hint(hint, name, names, config_n_keys));
}

/* Alternatives share the slot of the first of them. */
static struct config_slot *slot_of(struct loading *l, const struct config_key *key)
{
    size_t i = 0;
    while (config_keys[i].offset != key->offset)
        i++;
    return &l->slots[i];
}

static struct config_slot *slot_named(struct loading *l, const char *name)
{
    return slot_of(l, config_find_key(name));
}

/* A hash (FNV-1a) of a value as it was given, so that it can be compared later although its text is not kept.
 */
static uint64_t fingerprint(uint64_t hash, const char *text)
{
    const uint64_t prime = UINT64_C(0x100000001b3);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * prime;
    return hash * prime; /* one step more, so that "a","b" is not "ab" */
}

/* Recursion ends at YAML_DEPTH_MAX. NOLINTNEXTLINE(misc-no-recursion) */
static uint64_t fingerprint_node(uint64_t hash, const struct yaml_node *node)
{
    static const char *const types[] = {[YAML_SCALAR] = "scalar", [YAML_LIST] = "list", [YAML_MAP] = "map"};
    hash = fingerprint(hash, types[node->type]);
    if (node->type == YAML_SCALAR)
        return fingerprint(hash, node->text);
    for (size_t i = 0; i < node->n; i++) {
        if (node->type == YAML_MAP)
            hash = fingerprint(hash, node->pairs[i].key);
        hash = fingerprint_node(hash, node->type == YAML_MAP ? node->pairs[i].value : node->items[i]);
    }
    return hash;
}

static void read_key(struct loading *l, enum layer layer, const struct config_source *source,
    const struct config_key *key, const struct yaml_node *node)
{
    struct config_slot *slot = slot_of(l, key);
    struct config_reading reading = {l->config, source, &l->problems};
    if (layer < slot->top)
        return;
    if (slot->key != NULL && slot->key != key && slot->layer == layer)
        config_problem(&reading, node, "%s and %s are both given: keep one", slot->key->name, key->name);
    assert(layer >= slot->layer);
    slot->layer = layer;
    slot->key = key;
    slot->source = arena_strndup(&l->arena, source->name, strlen(source->name));
    slot->line = source->has_lines ? node->line : 0;
    uint64_t *print = &l->config->fingerprints[key - config_keys];
    uint64_t hash = strcmp(key->name, PROPERTIES) == 0 ? *print : 1;
    if (node->type == YAML_SCALAR && config_key_is_list(key)) /* one item may stand for a list of it */
        hash = fingerprint(hash, "list");
    *print = fingerprint_node(hash, node);
    key->read(&reading, key, node);
}

/* ---- the file ---- */

static bool is_section(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < config_n_keys; i++)
        if (strncmp(config_keys[i].name, name, len) == 0 && config_keys[i].name[len] == '.')
            return true;
    return false;
}

/* SECTION's items, which may be sections in turn: as deep as the schema's names go.
 * NOLINTNEXTLINE(misc-no-recursion) */
static void read_section(
    struct loading *l, const struct config_source *source, const char *section, const struct yaml_pair *pair)
{
    const struct yaml_node *map = pair->value;
    if (map->type != YAML_MAP && !yaml_is_null(map))
        problems_add(&l->problems, source->name, pair->line, "'%s' is a section: expected a map", section);
    for (size_t i = 0; map->type == YAML_MAP && i < map->n; i++) {
        const struct yaml_pair *item = &map->pairs[i];
        char name[128];
        snprintf(name, sizeof(name), "%s.%s", section, item->key);
        const struct config_key *key = config_find_key(name);
        if (key != NULL)
            read_key(l, LAYER_FILE, source, key, item->value);
        else if (is_section(name))
            read_section(l, source, name, item);
        else
            unknown_key(l, source->name, item->line, name);
    }
}

static void read_top(struct loading *l, const struct config_source *source, const struct yaml_pair *pair)
{
    const struct config_key *key = config_find_key(pair->key);
    if (key != NULL && !is_section(pair->key)) {
        read_key(l, LAYER_FILE, source, key, pair->value);
    } else if (!is_section(pair->key)) {
        static const char *const tops[] = {
            "http", "admin", "auth", "heartbeats", "redis", "kafka", "publish", "catalog", "log"};
        char hint[NEAREST_HINT_MAX];
        problems_add(&l->problems, source->name, pair->line, "unknown section '%s'%s", pair->key,
            nearest_hint(hint, pair->key, tops, sizeof(tops) / sizeof(tops[0])));
    } else {
        read_section(l, source, pair->key, pair);
    }
}

/* False when the file says nothing. */
static bool read_file(struct loading *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_strndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    struct config_source source = {path, folder, true};
    struct yaml_node *root = yaml_read_file(path, &l->arena, &l->problems);
    if (root != NULL && root->type != YAML_MAP)
        problems_add(&l->problems, path, root->line, "expected a map of sections");
    bool good = root != NULL && root->type == YAML_MAP;
    for (size_t i = 0; good && i < root->n; i++)
        read_top(l, &source, &root->pairs[i]);
    free(folder);
    return good;
}

/* ---- values from elsewhere ---- */

static struct yaml_node *new_scalar(struct loading *l, const char *text, size_t len)
{
    struct yaml_node *node = arena_alloc(&l->arena, sizeof(*node));
    *node = (struct yaml_node){.type = YAML_SCALAR, .text = arena_strndup(&l->arena, text, len)};
    return node;
}

/* "a,b" */
static struct yaml_node *split_items(struct loading *l, const char *value)
{
    struct yaml_node *list = arena_alloc(&l->arena, sizeof(*list));
    list->type = YAML_LIST;
    list->items = arena_alloc(&l->arena, (strlen(value) + 1) * sizeof(list->items[0]));
    for (const char *at = value + strspn(value, ", "); *at != '\0'; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ", ");
        list->items[list->n++] = new_scalar(l, at, len);
        at += len;
    }
    list->text = "";
    return list;
}

/* Most values are YAML, but "[::1]:80" is an address, and "a,b" may stand for a list. */
static void read_value(struct loading *l, enum layer layer, const char *source_name,
    const struct config_key *key, const char *value)
{
    struct config_source source = {source_name, "", false};
    if (layer < slot_of(l, key)->top)
        return;
    const struct yaml_node *node;
    size_t len = strlen(value);
    bool yaml_list = value[0] == '[' && value[len - 1] == ']';
    bool quoted = value[0] == '\'' || value[0] == '"';
    if (config_key_is_list(key) && !yaml_list && !quoted)
        node = split_items(l, value);
    else if (len == 0 || (value[0] == '[' && !yaml_list))
        node = new_scalar(l, value, len);
    else
        node = yaml_read_text(source_name, value, len, &l->arena, &l->problems);
    if (node != NULL)
        read_key(l, layer, &source, key, node);
}

/* "http.max_body" as the environment spells it: HTTP_MAX_BODY. */
static void environment_name(const char *key, char name[static 64])
{
    size_t i = 0;
    for (; key[i] != '\0' && i < 63; i++)
        name[i] = key[i] == '.' ? '_' : (char)toupper((unsigned char)key[i]);
    name[i] = '\0';
}

/* The key of a variable of ours, and where its value begins; NULL for all others. */
static const struct config_key *match_variable(const char *variable, const char **value)
{
    size_t prefix = strlen(ENVIRONMENT_PREFIX);
    const char *equals = strchr(variable, '=');
    if (strncmp(variable, ENVIRONMENT_PREFIX, prefix) != 0 || equals == NULL)
        return NULL;
    const char *name = variable + prefix;
    size_t len = (size_t)(equals - name);
    *value = equals + 1;
    for (size_t i = 0; i < config_n_keys; i++) {
        char spelled[64];
        environment_name(config_keys[i].name, spelled);
        if (strlen(spelled) == len && strncmp(spelled, name, len) == 0)
            return &config_keys[i];
    }
    return NULL;
}

static void unknown_variable(struct loading *l, const char *source, const char *name)
{
    char spelled[CONFIG_KEYS_MAX][64];
    const char *names[CONFIG_KEYS_MAX];
    for (size_t i = 0; i < config_n_keys; i++) {
        environment_name(config_keys[i].name, spelled[i]);
        names[i] = spelled[i];
    }
    const char *nearest = nearest_name(name, names, config_n_keys);
    problems_add(&l->problems, source, 0, "no such key%s%s%s",
        nearest == NULL ? "" : "; did you mean '" ENVIRONMENT_PREFIX, nearest == NULL ? "" : nearest,
        nearest == NULL ? "" : "'?");
}

static void read_variable(struct loading *l, const char *variable)
{
    static const char environment[] = "environment ";
    const char *value = NULL;
    char source[160];
    if (strncmp(variable, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0)
        return;
    size_t len = strcspn(variable, "=");
    snprintf(source, sizeof(source), "%s%.*s", environment, (int)(len < 128 ? len : 128), variable);
    const struct config_key *key = match_variable(variable, &value);
    if (key != NULL) {
        read_value(l, LAYER_ENVIRONMENT, source, key, value);
        return;
    }
    char *name = mem_strndup(variable, len);
    if (variable[len] != '=' || !service_variable_is(name, variable + len + 1))
        unknown_variable(l, source, source + strlen(environment) + strlen(ENVIRONMENT_PREFIX));
    else if (l->config->n_ignored++ == 0)
        l->config->first_ignored = mem_strdup(name);
    free(name);
}

/* kafka.properties.NAME is one property; the rest are the schema's keys. */
static void read_override(struct loading *l, const struct config_override *override)
{
    static const char properties[] = PROPERTIES ".";
    char source[160];
    snprintf(source, sizeof(source), "--set %.140s", override->key);
    const struct config_key *key = config_find_key(override->key);
    if (key != NULL) {
        read_value(l, LAYER_OVERRIDE, source, key, override->value);
    } else if (strncmp(override->key, properties, sizeof(properties) - 1) == 0) {
        struct config_source from = {source, "", false};
        struct yaml_node value = {.type = YAML_SCALAR, .text = override->value};
        struct yaml_pair pair = {override->key + sizeof(properties) - 1, 0, &value};
        struct yaml_node map = {.type = YAML_MAP, .n = 1, .pairs = &pair};
        read_key(l, LAYER_OVERRIDE, &from, config_find_key(PROPERTIES), &map);
    } else {
        unknown_key(l, source, 0, override->key);
    }
}

static void raise_top(struct loading *l, const struct config_key *key, enum layer layer)
{
    if (key != NULL && strcmp(key->name, PROPERTIES) != 0)
        slot_of(l, key)->top = layer;
}

/* ---- what concerns several keys ---- */

static bool is_given(struct loading *l, const char *name)
{
    return slot_named(l, name)->layer > LAYER_DEFAULT;
}

/* Adds a problem at the place where KEY was given, or of the whole file where it was not. */
static void blame(struct loading *l, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void blame(struct loading *l, const char *key, const char *format, ...)
{
    const struct config_slot *slot = slot_named(l, key);
    const char *file = l->config->file == NULL ? "configuration" : l->config->file;
    bool given = is_given(l, key);
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problems_add(&l->problems, given ? slot->source : file, given ? slot->line : 0, "%s", text);
}

static void check_loopback(struct loading *l, const char *key, const struct endpoint *endpoint)
{
    struct sockaddr_storage addr;
    socklen_t len;
    char name[300];
    if (endpoint_resolve(endpoint, &addr, &len) && endpoint_is_loopback(&addr))
        return;
    blame(l, key, "%s: %s is not a loopback address, but --dev gives tokens to anybody", key,
        endpoint_format(endpoint, name));
}

static void check_production(struct loading *l)
{
    if (!is_given(l, "auth.session_key_file"))
        blame(l, "auth.session_key_file", "auth.session_key_file is missing");
    if (!is_given(l, "auth.issuers"))
        blame(l, "auth.issuers", "auth.issuers is missing, so nobody could open a session");
    else if (l->config->auth.n_issuers == 0 && l->problems.n == 0)
        blame(l, "auth.issuers", "auth.issuers is empty, so nobody could open a session");
    if (!is_given(l, "catalog"))
        blame(l, "catalog", "catalog is missing");
    if (strcmp(l->config->kafka.brokers, "embedded") == 0)
        blame(l, "kafka.brokers", "kafka.brokers: 'embedded' keeps nothing and is allowed with --dev only");
}

/* Adds MESSAGE where a relation of two keys is WRONG: at KEY, or at OTHER where KEY was not given. */
static void check(struct loading *l, bool wrong, const char *key, const char *other, const char *message)
{
    if (wrong)
        blame(l, is_given(l, key) ? key : other, "%s", message);
}

static void check_relations(struct loading *l)
{
    const struct config *config = l->config;
    check(l, config->heartbeats.interval_ms > config->heartbeats.max_interval_ms, "heartbeats.interval",
        "heartbeats.max_interval", "heartbeats.interval is longer than heartbeats.max_interval");
    check(l, config->publish.grace_ms < config->heartbeats.max_interval_ms + 10000, "publish.grace",
        "heartbeats.max_interval",
        "publish.grace is shorter than heartbeats.max_interval + 10s: a minute would be due before its "
        "heartbeats came");
    check(l, config->redis.early_retire_ms >= config->heartbeats.horizon_ms, "redis.early_retire",
        "heartbeats.horizon", "redis.early_retire is not shorter than heartbeats.horizon");
    const struct redis_login *login = &config->redis.login;
    check(l, login->username != NULL && login->username[0] == '\0', "redis.username", "redis.username",
        "redis.username is empty; leave it out for the default user");
    check(l, login->username != NULL && login->password.len == 0, "redis.username", "redis.username",
        "redis.username is given without redis.password or redis.password_file");
    check(l, config->http.header_timeout_ms > config->http.request_timeout_ms, "http.header_timeout",
        "http.request_timeout", "http.header_timeout is longer than http.request_timeout");
}

/* ---- the interface ---- */

struct config *config_load(const char *file, char *const *environment,
    const struct config_override *overrides, size_t n_overrides, bool dev, char **error)
{
    struct loading l = {.config = mem_zalloc(sizeof(*l.config))};
    const char *value;
    bool complete = true;
    l.config->dev = dev;
    for (size_t i = 0; i < config_n_keys; i++)
        if (config_keys[i].initial != NULL)
            read_value(&l, LAYER_DEFAULT, config_keys[i].name, &config_keys[i], config_keys[i].initial);
    /* The last layer that gives a field its value is found before anything is read. */
    for (char *const *variable = environment; variable != NULL && *variable != NULL; variable++)
        raise_top(&l, match_variable(*variable, &value), LAYER_ENVIRONMENT);
    for (size_t i = 0; i < n_overrides; i++)
        raise_top(&l, config_find_key(overrides[i].key), LAYER_OVERRIDE);
    if (file != NULL) {
        l.config->file = mem_strdup(file);
        complete = read_file(&l, file);
    }
    for (; environment != NULL && *environment != NULL; environment++)
        read_variable(&l, *environment);
    for (size_t i = 0; i < n_overrides; i++)
        read_override(&l, &overrides[i]);
    /* A key with a wrong value keeps its default, which is not to be compared with other keys. */
    if (l.problems.n == 0)
        check_relations(&l);
    for (size_t i = 0; dev && i < l.config->http.listen.n; i++)
        check_loopback(&l, "http.listen", &l.config->http.listen.items[i]);
    if (dev)
        check_loopback(&l, "admin.listen", &l.config->admin.listen);
    else if (complete)
        check_production(&l);
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
    free(config->first_ignored);
    free(config);
}
