/* The configuration's schema. */
#include "config/config_schema.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

#define FIELD(config, key, type) ((type *)(void *)((char *)(config) + (key)->offset))

void config_problem(struct config_reading *r, const struct yaml_node *node, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problems_add(r->problems, r->source->name, r->source->has_lines ? node->line : 0, "%s", text);
}

char *config_resolve_path(const struct config_source *source, const char *path)
{
    struct buf joined = {0};
    if (path[0] != '/')
        buf_append_string(&joined, source->folder);
    buf_append_string(&joined, path);
    buf_append_char(&joined, '\0');
    return joined.data;
}

/* ---- scalars ---- */

static bool want_scalar(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && !yaml_is_null(node))
        return true;
    config_problem(r, node, "%s: one value is wanted, not %s", key->name,
        node->type == YAML_LIST  ? "a list"
        : node->type == YAML_MAP ? "a map"
                                 : "nothing");
    return false;
}

static void read_string(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    char **field = FIELD(r->config, key, char *);
    if (!want_scalar(r, key, node))
        return;
    free(*field);
    *field = mem_strdup(node->text);
}

static void read_path(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    char **field = FIELD(r->config, key, char *);
    if (!want_scalar(r, key, node))
        return;
    free(*field);
    *field = config_resolve_path(r->source, node->text);
}

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool base_path_valid(const char *path)
{
    size_t len = strlen(path);
    return len == 0 || (path[0] == '/' && path[len - 1] != '/' && strstr(path, "//") == NULL &&
                           path[strspn(path, DIGITS LOWER UPPER "._~-/")] == '\0');
}

static void read_base_path(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && base_path_valid(node->text)) {
        free(r->config->http.base_path);
        r->config->http.base_path = mem_strdup(node->text);
    } else {
        config_problem(r, node, "%s: '%s' is neither empty nor like /x", key->name, node->text);
    }
}

/* A deployment names a transactional id and a key in Kafka. */
static void read_name(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!want_scalar(r, key, node))
        return;
    if (!id_valid(slice_of(node->text)))
        config_problem(
            r, node, "%s: '%s' is not 1 to 64 letters, digits, '.', '_' or '-'", key->name, node->text);
    else
        read_string(r, key, node);
}

struct unit {
    const char *name;
    double factor;
};

/* A number with one of UNITS; NAN when it is none. */
static double read_quantity(const char *text, const struct unit *units)
{
    const char *rest;
    double number = yaml_decimal(text, &rest);
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (strcmp(rest, unit->name) == 0)
            return number * unit->factor;
    return NAN;
}

/* VALUE as people write it: with the largest unit that leaves it whole. */
static void format_quantity(double value, const struct unit *units, char text[static 40])
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (fmod(value, unit->factor) == 0 && (value > 0 || unit->factor <= 1))
            best = unit;
    snprintf(text, 40, "%.15g%s", value / best->factor, best->name);
}

static const struct unit durations_ms[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

/* The quantity within the row's limits; NAN after a problem was added. */
static double want_quantity(struct config_reading *r, const struct config_key *key,
    const struct yaml_node *node, const struct unit *units, const char *form)
{
    if (!want_scalar(r, key, node))
        return NAN;
    double value = read_quantity(node->text, units);
    if (isnan(value) && key->min == 0 && strcmp(node->text, "0") == 0)
        return 0; /* in whatever unit */
    if (isnan(value)) {
        config_problem(r, node, "%s: '%s' is not %s", key->name, node->text, form);
    } else if (value < key->min || value > key->max) {
        char min[40], max[40];
        format_quantity(key->min, units, min);
        format_quantity(key->max, units, max);
        config_problem(r, node, "%s: '%s' is out of range (%s to %s)", key->name, node->text, min, max);
        value = NAN;
    }
    return value;
}

static void read_duration(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double ms = want_quantity(r, key, node, durations_ms, "a duration such as 500ms, 15s, 10m or 24h");
    if (!isnan(ms))
        *FIELD(r->config, key, int64_t) = llround(ms);
}

/* The linger alone is kept in microseconds; it is written as every duration. */
static void read_linger(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double ms = want_quantity(r, key, node, durations_ms, "a duration such as 1ms or 0.5ms");
    if (!isnan(ms))
        *FIELD(r->config, key, int64_t) = llround(ms * 1000);
}

static void read_duration_or_off(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && (strcmp(node->text, "off") == 0 || strcmp(node->text, "0") == 0))
        *FIELD(r->config, key, int64_t) = 0;
    else
        read_duration(r, key, node);
}

static void read_size(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double bytes = want_quantity(r, key, node, sizes, "a size such as 512, 64KiB or 1MiB");
    if (!isnan(bytes))
        *FIELD(r->config, key, int64_t) = llround(bytes);
}

static bool is_whole(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node, double value)
{
    if (isnan(value) || value == floor(value))
        return !isnan(value);
    config_problem(r, node, "%s: '%s' is not a whole number", key->name, node->text);
    return false;
}

static void read_int(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number");
    if (is_whole(r, key, node, value))
        *FIELD(r->config, key, int) = (int)value;
}

static void read_rate(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number of records a second");
    if (is_whole(r, key, node, value))
        *FIELD(r->config, key, int64_t) = (int64_t)value;
}

static void read_double(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number");
    if (!isnan(value))
        *FIELD(r->config, key, double) = value;
}

static void read_workers(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && strcmp(node->text, "auto") == 0)
        r->config->http.workers = 0;
    else
        read_int(r, key, node);
}

/* Index of WORD in CHOICES, separated by spaces; -1 when it is none of them. */
static int find_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);
    int index = 0;
    for (const char *at = choices; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0') && len > 0)
            return index;
        index++;
    }
    return -1;
}

static void read_choice(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!want_scalar(r, key, node))
        return;
    int choice = find_choice(key->choices, node->text);
    if (choice < 0)
        config_problem(r, node, "%s: '%s' is none of: %s", key->name, node->text, key->choices);
    else
        *FIELD(r->config, key, int) = choice;
}

static void read_durability(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    const char *rest;
    if (node->type == YAML_SCALAR && strncmp(node->text, "replicas:", 9) == 0) {
        double n = yaml_decimal(node->text + 9, &rest);
        if (!(n >= 1 && n <= 16) || n != floor(n) || *rest != '\0') {
            config_problem(r, node, "%s: '%s': 1 to 16 replicas may be asked for", key->name, node->text);
            return;
        }
        r->config->redis.durability = DURABILITY_REPLICAS;
        r->config->redis.replicas = (int)n;
        return;
    }
    r->config->redis.replicas = 1;
    read_choice(r, key, node);
}

/* ---- lists ---- */

/* Calls READ for each item of a list, or once for a scalar. */
typedef void item_reader(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *item);

static void read_items(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node, item_reader *read)
{
    if (node->type == YAML_SCALAR)
        read(r, key, node);
    for (size_t i = 0; i < node->n && node->type == YAML_LIST; i++)
        read(r, key, node->items[i]);
    if (node->type == YAML_MAP)
        config_problem(r, node, "%s: a value or a list is wanted, not a map", key->name);
}

static bool want_endpoint(struct config_reading *r, const struct config_key *key,
    const struct yaml_node *node, struct endpoint *out)
{
    if (!want_scalar(r, key, node))
        return false;
    if (endpoint_parse(node->text, out))
        return true;
    config_problem(r, node, "%s: '%s' is not host:port, [::1]:port or unix:/path", key->name, node->text);
    return false;
}

static void add_endpoint(struct config_reading *r, const struct config_key *key, const struct yaml_node *item)
{
    struct endpoint_list *list = FIELD(r->config, key, struct endpoint_list);
    struct endpoint endpoint;
    if (!want_endpoint(r, key, item, &endpoint))
        return;
    if (list->n == ENDPOINTS_MAX) {
        config_problem(r, item, "%s: more than %d addresses", key->name, ENDPOINTS_MAX);
        return;
    }
    list->items = mem_realloc(list->items, (list->n + 1) * sizeof(*list->items));
    list->items[list->n++] = endpoint;
}

static void read_endpoints(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct endpoint_list *list = FIELD(r->config, key, struct endpoint_list);
    list->n = 0;
    read_items(r, key, node, add_endpoint);
    if (node->type == YAML_LIST && node->n == 0)
        config_problem(r, node, "%s: at least one address is wanted", key->name);
}

static void read_endpoint(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct endpoint endpoint;
    if (want_endpoint(r, key, node, &endpoint))
        *FIELD(r->config, key, struct endpoint) = endpoint;
}

/* As browsers write it: scheme and host in lower case, perhaps a port, and no path. */
static bool origin_valid(const char *text)
{
    size_t scheme = strspn(text, LOWER DIGITS "+.-");
    if (strcmp(text, "*") == 0)
        return true;
    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
        return false;
    size_t host = strspn(text + scheme + 3, LOWER DIGITS "._-:[]");
    return host > 0 && text[scheme + 3 + host] == '\0';
}

static void add_origin(struct config_reading *r, const struct config_key *key, const struct yaml_node *item)
{
    struct string_list *list = FIELD(r->config, key, struct string_list);
    if (!want_scalar(r, key, item))
        return;
    if (!origin_valid(item->text)) {
        config_problem(r, item, "%s: '%s' is not an origin such as https://training.example, nor '*'",
            key->name, item->text);
        return;
    }
    list->items = mem_realloc(list->items, (list->n + 1) * sizeof(*list->items));
    list->items[list->n++] = mem_strdup(item->text);
}

static void clear_strings(struct string_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    list->n = 0;
}

static void read_origins(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    clear_strings(FIELD(r->config, key, struct string_list));
    read_items(r, key, node, add_origin);
}

/* ---- kafka.brokers ---- */

/* host, host:port, [::1] or [::1]:port */
static bool broker_valid(const char *text, size_t len)
{
    char address[ENDPOINT_HOST_MAX + 16];
    struct endpoint endpoint;
    if (len == 0 || len > ENDPOINT_HOST_MAX)
        return false;
    bool has_port = text[len - 1] != ']' && memchr(text, ':', len) != NULL;
    snprintf(address, sizeof(address), "%.*s%s", (int)len, text, has_port ? "" : ":9092");
    return endpoint_parse(address, &endpoint) && endpoint.port != 0 &&
           endpoint.host[strspn(endpoint.host, DIGITS LOWER UPPER "._-:%")] == '\0';
}

/* librdkafka takes whatever it does not understand for a host's name, and looks for it for ever. */
static void read_brokers(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!want_scalar(r, key, node))
        return;
    size_t n = 0;
    for (const char *at = node->text + strspn(node->text, ", "); *at != '\0'; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ", ");
        if (!broker_valid(at, len))
            config_problem(r, node, "%s: '%.*s' is not host:port or [::1]:port", key->name, (int)len, at);
        at += len;
        n++;
    }
    if (n == 0)
        config_problem(r, node, "%s: at least one address is wanted", key->name);
    read_string(r, key, node);
}

/* ---- kafka.properties ---- */

/*
 * What the publish protocol rests on, and the plumbing between librdkafka and this process: reports, logs and
 * events come by callbacks, and a signal to a thread of the library would end the daemon.
 */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"bootstrap.servers", "metadata.broker.list", "transactional.id",
        "enable.idempotence", "acks", "request.required.acks", "enable.gapless.guarantee",
        "delivery.report.only.error", "enabled_events", "log.queue", "internal.termination.signal"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(ours[i], name) == 0)
            return true;
    return false;
}

static char *read_text_file(struct config_reading *r, const struct yaml_node *node, const char *name)
{
    struct buf text = {0};
    if (!config_read_file(r, node, name, &text))
        return NULL;
    buf_append_char(&text, '\0');
    return text.data;
}

static void free_property(struct config_property *property)
{
    free(property->name);
    if (property->value != NULL)
        explicit_bzero(property->value, strlen(property->value));
    free(property->value);
    free(property->source);
}

/* Takes PROPERTY, in place of what was given before for the same name. */
static void set_property(struct config *config, struct config_property property)
{
    for (size_t i = 0; i < config->kafka.n_properties; i++) {
        if (strcmp(config->kafka.properties[i].name, property.name) == 0) {
            free_property(&config->kafka.properties[i]);
            config->kafka.properties[i] = property;
            return;
        }
    }
    size_t n = config->kafka.n_properties++;
    config->kafka.properties =
        mem_realloc(config->kafka.properties, (n + 1) * sizeof(*config->kafka.properties));
    config->kafka.properties[n] = property;
}

static void add_property(struct config_reading *r, const struct yaml_pair *pair)
{
    size_t len = strlen(pair->key);
    bool from_file = len > 5 && strcmp(pair->key + len - 5, "_file") == 0;
    struct config_property property = {
        .name = mem_strndup(pair->key, from_file ? len - 5 : len),
        .secret = from_file,
        .source = mem_strdup(r->source->name),
        .line = r->source->has_lines ? pair->line : 0,
    };
    if (pair->value->type != YAML_SCALAR)
        config_problem(r, pair->value, "kafka.properties.%s: one value is wanted", pair->key);
    else if (is_ours(property.name))
        config_problem(r, pair->value, "kafka.properties.%s: minuted sets this one itself", property.name);
    else
        property.value =
            from_file ? read_text_file(r, pair->value, pair->key) : mem_strdup(pair->value->text);
    if (property.value != NULL)
        set_property(r->config, property);
    else
        free_property(&property);
}

static void read_properties(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type != YAML_MAP && !yaml_is_null(node))
        config_problem(r, node, "%s: a map of librdkafka's properties is wanted", key->name);
    for (size_t i = 0; node->type == YAML_MAP && i < node->n; i++)
        add_property(r, &node->pairs[i]);
}

/* ---- the table ---- */

#define AT(field) offsetof(struct config, field)
#define DAY_MS 86400000.0

const struct config_key config_keys[] = {
    {"http.listen", read_endpoints, AT(http.listen), "127.0.0.1:8080", 0, 0, NULL},
    {"http.base_path", read_base_path, AT(http.base_path), "''", 0, 0, NULL},
    {"http.workers", read_workers, AT(http.workers), "auto", 0, 64, NULL},
    {"http.allowed_origins", read_origins, AT(http.allowed_origins), "[]", 0, 0, NULL},
    {"http.max_connections", read_int, AT(http.max_connections), "16000", 1, 1000000, NULL},
    {"http.max_body", read_size, AT(http.max_body), "64KiB", 1024, 1048576, NULL},
    {"http.header_timeout", read_duration, AT(http.header_timeout_ms), "10s", 100, 300000, NULL},
    {"http.request_timeout", read_duration, AT(http.request_timeout_ms), "20s", 100, 300000, NULL},
    {"http.idle_timeout", read_duration, AT(http.idle_timeout_ms), "75s", 100, 3600000, NULL},
    {"admin.listen", read_endpoint, AT(admin.listen), "127.0.0.1:9180", 0, 0, NULL},
    {"auth.session_key", config_read_session_key, AT(auth.session_keys), NULL, 0, 0, NULL},
    {"auth.session_key_file", config_read_session_key_file, AT(auth.session_keys), NULL, 0, 0, NULL},
    {"auth.issuers", config_read_issuers, AT(auth.issuers), NULL, 0, 0, NULL},
    {"heartbeats.interval", read_duration, AT(heartbeats.interval_ms), "15s", 1000, 60000, NULL},
    {"heartbeats.max_interval", read_duration, AT(heartbeats.max_interval_ms), "60s", 1000, 600000, NULL},
    {"heartbeats.max_run", read_duration, AT(heartbeats.max_run_ms), "10m", 1000, 600000, NULL},
    {"heartbeats.horizon", read_duration, AT(heartbeats.horizon_ms), "24h", 7200000, 7 * DAY_MS, NULL},
    {"heartbeats.clock_slack", read_duration, AT(heartbeats.clock_slack_ms), "5s", 0, 60000, NULL},
    {"heartbeats.max_rate", read_double, AT(heartbeats.max_rate), "2.0", 0.25, 16, NULL},
    {"redis.servers", read_endpoints, AT(redis.servers), "127.0.0.1:6379", 0, 0, NULL},
    {"redis.username", read_string, AT(redis.login.username), NULL, 0, 0, NULL},
    {"redis.password", config_read_password, AT(redis.login.password), NULL, 0, 0, NULL},
    {"redis.password_file", config_read_password_file, AT(redis.login.password), NULL, 0, 0, NULL},
    {"redis.mode", read_choice, AT(redis.mode), "auto", 0, 0, "auto single sentinel cluster"},
    {"redis.durability", read_durability, AT(redis.durability), "fsync", 0, 0, "fsync replicas memory"},
    {"redis.partitions", read_int, AT(redis.partitions), "16", 1, 256, NULL},
    {"redis.linger", read_linger, AT(redis.linger_us), "1ms", 0, 100, NULL},
    {"redis.early_retire", read_duration_or_off, AT(redis.early_retire_ms), "off", 7200000, 7 * DAY_MS, NULL},
    {"kafka.brokers", read_brokers, AT(kafka.brokers), "127.0.0.1:9092", 0, 0, NULL},
    {"kafka.properties", read_properties, AT(kafka.properties), NULL, 0, 0, NULL},
    {"kafka.format", read_choice, AT(kafka.format), "protobuf", 0, 0, "protobuf json"},
    {"kafka.deployment", read_name, AT(kafka.deployment), "default", 0, 0, NULL},
    {"publish.grace", read_duration, AT(publish.grace_ms), "70s", 70000, DAY_MS, NULL},
    {"publish.running_minutes", read_duration_or_off, AT(publish.running_minutes_ms), "off", 1000, 60000,
        NULL},
    {"publish.max_rate", read_rate, AT(publish.max_rate), "0", 0, 1e9, NULL},
    {"catalog", read_path, AT(catalog), NULL, 0, 0, NULL},
    {"log.level", read_choice, AT(log.level), "info", 0, 0, "debug info warn error"},
};

const size_t n_config_keys = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "tables of keys are larger");

const struct config_key *config_find_key(const char *name)
{
    for (size_t i = 0; i < n_config_keys; i++)
        if (strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    return NULL;
}

bool config_key_is_list(const struct config_key *key)
{
    return key->read == read_endpoints || key->read == read_origins ||
           key->read == config_read_session_key_file;
}

void config_free_values(struct config *config)
{
    free(config->http.listen.items);
    free(config->http.base_path);
    clear_strings(&config->http.allowed_origins);
    free(config->http.allowed_origins.items);
    free(config->redis.servers.items);
    free(config->redis.login.username);
    free(config->kafka.brokers);
    for (size_t i = 0; i < config->kafka.n_properties; i++)
        free_property(&config->kafka.properties[i]);
    free(config->kafka.properties);
    free(config->kafka.deployment);
    free(config->catalog);
    config_free_auth(config);
}
