/* Addresses and origins, alone or in lists. */
#include "config/config_lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config_scalars.h"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

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
        config_problem(r, node, "%s: expected a value or a list, not a map", key->name);
}

static bool want_endpoint(struct config_reading *r, const struct config_key *key,
    const struct yaml_node *node, struct endpoint *out)
{
    if (!config_want_scalar(r, key, node))
        return false;
    if (endpoint_parse(node->text, out))
        return true;
    config_problem(r, node, "%s: '%s' is not host:port, [::1]:port or unix:/path", key->name, node->text);
    return false;
}

static void add_endpoint(struct config_reading *r, const struct config_key *key, const struct yaml_node *item)
{
    struct endpoint_list *list = CONFIG_FIELD(r->config, key, struct endpoint_list);
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

void config_read_endpoints(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct endpoint_list *list = CONFIG_FIELD(r->config, key, struct endpoint_list);
    list->n = 0;
    read_items(r, key, node, add_endpoint);
    if (node->type == YAML_LIST && node->n == 0)
        config_problem(r, node, "%s: expected at least one address", key->name);
}

void config_read_endpoint(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    struct endpoint endpoint;
    if (want_endpoint(r, key, node, &endpoint))
        *CONFIG_FIELD(r->config, key, struct endpoint) = endpoint;
}

/* Whether TEXT is an origin as browsers write it: scheme and host in lower case, perhaps a port, and no path.
 */
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
    struct string_list *list = CONFIG_FIELD(r->config, key, struct string_list);
    if (!config_want_scalar(r, key, item))
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

void config_read_origins(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    clear_strings(CONFIG_FIELD(r->config, key, struct string_list));
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

/* The addresses are checked here, since librdkafka would take a malformed one for a host name and try it for
 * ever.
 */
void config_read_brokers(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (!config_want_scalar(r, key, node))
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
        config_problem(r, node, "%s: expected at least one address", key->name);
    config_read_string(r, key, node);
}

void config_free_lists(struct config *config)
{
    free(config->http.listen.items);
    clear_strings(&config->http.allowed_origins);
    free(config->http.allowed_origins.items);
    free(config->redis.servers.items);
}
