/* Values of one word or number. */
#include "config/config_scalars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

void config_read_string(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    char **field = CONFIG_FIELD(r->config, key, char *);
    if (!config_want_scalar(r, key, node))
        return;
    free(*field);
    *field = mem_strdup(node->text);
}

void config_read_path(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    char **field = CONFIG_FIELD(r->config, key, char *);
    if (!config_want_scalar(r, key, node))
        return;
    free(*field);
    *field = config_resolve_path(r->source, node->text);
}

void config_free_located(struct config_located *value)
{
    free(value->text);
    free(value->source);
    *value = (struct config_located){0};
}

static void read_located(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node, bool is_path)
{
    struct config_located *field = CONFIG_FIELD(r->config, key, struct config_located);
    if (!config_want_scalar(r, key, node))
        return;
    if (node->text[0] == '\0') {
        config_problem(r, node, "%s is empty", key->name);
        return;
    }
    config_free_located(field);
    field->text = is_path ? config_resolve_path(r->source, node->text) : mem_strdup(node->text);
    field->source = mem_strdup(r->source->name);
    field->line = r->source->has_lines ? node->line : 0;
}

void config_read_located(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    read_located(r, key, node, false);
}

void config_read_located_path(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    read_located(r, key, node, true);
}

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

void config_read_base_path(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    const char *path = node->text;
    size_t len = strlen(path);
    bool valid = len == 0 || (path[0] == '/' && path[len - 1] != '/' && strstr(path, "//") == NULL &&
                                 path[strspn(path, DIGITS LOWER UPPER "._~-/")] == '\0');
    if (node->type == YAML_SCALAR && valid) {
        free(r->config->http.base_path);
        r->config->http.base_path = mem_strdup(path);
    } else {
        config_problem(r, node, "%s: '%s' is neither empty nor like /x", key->name, path);
    }
}

void config_read_name(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!config_want_scalar(r, key, node))
        return;
    if (!id_valid(slice_of(node->text)))
        config_problem(
            r, node, "%s: '%s' must be 1 to 64 letters, digits, '.', '_' or '-'", key->name, node->text);
    else
        config_read_string(r, key, node);
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
    if (!config_want_scalar(r, key, node))
        return NAN;
    double value = read_quantity(node->text, units);
    if (isnan(value) && key->min == 0 && strcmp(node->text, "0") == 0)
        return 0; /* 0 needs no unit */
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

void config_read_duration(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double ms = want_quantity(r, key, node, durations_ms, "a duration such as 500ms, 15s, 10m or 24h");
    if (!isnan(ms))
        *CONFIG_FIELD(r->config, key, int64_t) = llround(ms);
}

/* The linger is written like every duration, but kept in microseconds. */
void config_read_linger(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double ms = want_quantity(r, key, node, durations_ms, "a duration such as 1ms or 0.5ms");
    if (!isnan(ms))
        *CONFIG_FIELD(r->config, key, int64_t) = llround(ms * 1000);
}

void config_read_duration_or_off(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && (strcmp(node->text, "off") == 0 || strcmp(node->text, "0") == 0))
        *CONFIG_FIELD(r->config, key, int64_t) = 0;
    else
        config_read_duration(r, key, node);
}

void config_read_size(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double bytes = want_quantity(r, key, node, sizes, "a size such as 512, 64KiB or 1MiB");
    if (!isnan(bytes))
        *CONFIG_FIELD(r->config, key, int64_t) = llround(bytes);
}

static bool is_whole(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node, double value)
{
    if (isnan(value) || value == floor(value))
        return !isnan(value);
    config_problem(r, node, "%s: '%s' is not a whole number", key->name, node->text);
    return false;
}

void config_read_int(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number");
    if (is_whole(r, key, node, value))
        *CONFIG_FIELD(r->config, key, int) = (int)value;
}

void config_read_rate(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number of records a second");
    if (is_whole(r, key, node, value))
        *CONFIG_FIELD(r->config, key, int64_t) = (int64_t)value;
}

void config_read_double(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    double value = want_quantity(r, key, node, plain, "a number");
    if (!isnan(value))
        *CONFIG_FIELD(r->config, key, double) = value;
}

void config_read_workers(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && strcmp(node->text, "auto") == 0)
        r->config->http.workers = 0;
    else
        config_read_int(r, key, node);
}

/* Index of WORD in CHOICES, separated by spaces; -1 when it is none of them. */
static int find_choice(const char *choices, const char *word)
{
    size_t len = strcspn(word, " ");
    int index = 0;
    if (word[len] != '\0') /* two words are no choice */
        return -1;
    for (const char *at = choices; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0') && len > 0)
            return index;
        index++;
    }
    return -1;
}

void config_read_choice(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!config_want_scalar(r, key, node))
        return;
    int choice = find_choice(key->choices, node->text);
    if (choice < 0)
        config_problem(r, node, "%s: '%s' is none of: %s", key->name, node->text, key->choices);
    else
        *CONFIG_FIELD(r->config, key, int) = choice;
}

/* `fsync`, `replicas`, `replicas:2`, `fsync+replicas`, `fsync+replicas:2` or `memory`. */
void config_read_durability(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    char kind[32];
    const char *rest = "";
    double n = 1;
    if (!config_want_scalar(r, key, node))
        return;
    size_t len = strcspn(node->text, ":");
    snprintf(kind, sizeof(kind), "%.*s", (int)len, node->text);
    bool replicas = strcmp(kind, "replicas") == 0 || strcmp(kind, "fsync+replicas") == 0;
    if (find_choice(key->choices, replicas ? kind : node->text) < 0) {
        config_problem(r, node, "%s: '%s' is none of: %s", key->name, node->text, key->choices);
        return;
    }
    if (node->text[len] == ':')
        n = yaml_decimal(node->text + len + 1, &rest);
    if (!(n >= 1 && n <= REPLICAS_MAX) || n != floor(n) || *rest != '\0') {
        config_problem(
            r, node, "%s: '%s': 1 to %d replicas may be asked for", key->name, node->text, REPLICAS_MAX);
        return;
    }
    r->config->redis.durability.fsync = strncmp(kind, "fsync", strlen("fsync")) == 0;
    r->config->redis.durability.replicas = replicas ? (int)n : 0;
}
