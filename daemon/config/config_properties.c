/* kafka.properties */
#include "config/config_properties.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * These properties are what the publish protocol rests on, and the plumbing between librdkafka and this
 * process: reports, logs and events come by callbacks, and a signal to a thread of the library would end the
 * daemon.
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

/* Takes PROPERTY, which replaces an earlier one of the same name. */
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
        config_problem(r, pair->value, "kafka.properties.%s: expected one value", pair->key);
    else if (is_ours(property.name))
        config_problem(
            r, pair->value, "kafka.properties.%s: minuted sets this property itself", property.name);
    else
        property.value =
            from_file ? read_text_file(r, pair->value, pair->key) : mem_strdup(pair->value->text);
    if (property.value != NULL)
        set_property(r->config, property);
    else
        free_property(&property);
}

void config_read_properties(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type != YAML_MAP && !yaml_is_null(node))
        config_problem(r, node, "%s: expected a map of librdkafka's properties", key->name);
    for (size_t i = 0; node->type == YAML_MAP && i < node->n; i++)
        add_property(r, &node->pairs[i]);
}

void config_free_properties(struct config *config)
{
    for (size_t i = 0; i < config->kafka.n_properties; i++)
        free_property(&config->kafka.properties[i]);
    free(config->kafka.properties);
}
