/*
 * Any configuration: file, environment and --set. Refused with problems that can be read, or within every
 * limit of the schema; and what was read, given once more with --set, changes nothing. Files and hosts that
 * it names are made up here.
 *
 *     [1: --dev] the file NUL (MINUTED_X=value | key=value) NUL ...
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "budget.h"
#include "config/config_load.h"
#include "config/config_schema.h"
#include "yaml_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LAYERS_MAX = 8, MINE_MAX = 32 };

#define FOLDER "fuzz/"
#define FILE_NAME FOLDER "minuted.yaml"

/* Two readings of the file, each with its nodes; a node is 64 bytes for two of its text. */
static const struct budget budget = {512 * 1024, 256, 1000000, 20000};

/* ---- this machine, as the configuration sees it ---- */

/* What open() gives as FILE_NAME: the wrapped function takes no context. */
static struct slice file_text;

int __wrap_open(const char *path, int flags, ...);
int __wrap_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
int __real_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);

static int open_text(struct slice text)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* The configuration, and a secret under every name in its folder that ends in ".key". */
int __wrap_open(const char *path, int flags, ...)
{
    size_t len = strlen(path);
    (void)flags;
    if (strcmp(path, FILE_NAME) == 0)
        return open_text(file_text);
    if (strncmp(path, FOLDER, strlen(FOLDER)) == 0 && len > 4 && strcmp(path + len - 4, ".key") == 0)
        return open_text(SLICE_LITERAL("a secret of thirty-two bytes or more\n"));
    errno = ENOENT;
    return -1;
}

int __wrap_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, service, &numeric, found);
}

/* ---- the layers of an input ---- */

struct layers {
    bool dev;
    char *environment[LAYERS_MAX + 1]; /* NULL-terminated */
    size_t n_environment;
    struct config_override overrides[LAYERS_MAX + MINE_MAX];
    size_t n_overrides;
    struct arena arena;
};

static struct slice take_text(struct slice *rest)
{
    const char *nul = rest->len == 0 ? NULL : memchr(rest->ptr, '\0', rest->len);
    struct slice text = {rest->ptr, nul == NULL ? rest->len : (size_t)(nul - rest->ptr)};
    size_t used = text.len + (nul != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return text;
}

static void add_layer(struct layers *l, struct slice text)
{
    char *copy = arena_strndup(&l->arena, text.ptr, text.len);
    char *equals = strchr(copy, '=');
    if (strncmp(copy, "MINUTED_", 8) == 0) {
        l->environment[l->n_environment++] = copy;
    } else if (equals != NULL) {
        *equals = '\0';
        l->overrides[l->n_overrides++] = (struct config_override){copy, equals + 1};
    }
}

static void read_layers(struct layers *l, struct slice rest)
{
    *l = (struct layers){.dev = rest.ptr[0] % 2 == 1};
    rest = (struct slice){rest.ptr + 1, rest.len - 1};
    file_text = take_text(&rest);
    for (int i = 0; i < LAYERS_MAX && rest.len > 0; i++)
        add_layer(l, take_text(&rest));
}

static struct config *load(const struct layers *l, char **error)
{
    struct config *config =
        config_load(FILE_NAME, l->environment, l->overrides, l->n_overrides, l->dev, error);
    assert((config == NULL) == (*error != NULL));
    return config;
}

/* ---- numbers ---- */

enum kind { MS, US, BYTES, INT, INT64, DOUBLE };

static const struct {
    const char *name;
    size_t offset;
    enum kind kind;
} numbers[] = {
/* NOLINTBEGIN(bugprone-macro-parentheses): SECTION and MEMBER are names of members */
#define NUMBER(kind, section, field, member)                                                                 \
    {                                                                                                        \
#section "." #field, offsetof(struct config, section.member), kind                                   \
    }
    NUMBER(INT, http, workers, workers),
    NUMBER(INT, http, max_connections, max_connections),
    NUMBER(BYTES, http, max_body, max_body),
    NUMBER(MS, http, header_timeout, header_timeout_ms),
    NUMBER(MS, http, request_timeout, request_timeout_ms),
    NUMBER(MS, http, idle_timeout, idle_timeout_ms),
    NUMBER(MS, heartbeats, interval, interval_ms),
    NUMBER(MS, heartbeats, max_interval, max_interval_ms),
    NUMBER(MS, heartbeats, max_run, max_run_ms),
    NUMBER(MS, heartbeats, horizon, horizon_ms),
    NUMBER(MS, heartbeats, clock_slack, clock_slack_ms),
    NUMBER(DOUBLE, heartbeats, max_rate, max_rate),
    NUMBER(INT, redis, partitions, partitions),
    NUMBER(US, redis, linger, linger_us),
    NUMBER(MS, publish, grace, grace_ms),
    NUMBER(MS, publish, running_minutes, running_minutes_ms),
    NUMBER(INT64, publish, max_rate, max_rate),
};
/* NOLINTEND(bugprone-macro-parentheses) */

enum { N_NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static double number_at(const struct config *config, size_t i)
{
    const char *field = (const char *)config + numbers[i].offset;
    if (numbers[i].kind == INT)
        return *(const int *)(const void *)field;
    if (numbers[i].kind == DOUBLE)
        return *(const double *)(const void *)field;
    return (double)*(const int64_t *)(const void *)field;
}

/* In the unit of the schema's row; the linger alone is kept in another. */
static void check_number(const struct config *config, size_t i)
{
    const struct config_key *key = config_find_key(numbers[i].name);
    double value = number_at(config, i) / (numbers[i].kind == US ? 1000 : 1);
    assert(key != NULL && value <= key->max);
    assert(value >= key->min || (value == 0 && strcmp(key->name, "publish.running_minutes") == 0));
}

/* ---- what an accepted configuration promises ---- */

static void check_endpoints(const struct endpoint_list *list)
{
    assert(list->n >= 1 && list->n <= ENDPOINTS_MAX);
    for (size_t i = 0; i < list->n; i++)
        assert(list->items[i].host[0] != '\0' && strlen(list->items[i].host) <= ENDPOINT_HOST_MAX);
}

static void check_auth(const struct config *config, bool dev)
{
    assert(dev || (config->auth.session_keys.n > 0 && config->auth.n_issuers > 0));
    for (size_t i = 0; i < config->auth.session_keys.n; i++)
        assert(config->auth.session_keys.items[i].len >= 32);
    for (size_t i = 0; i < config->auth.n_issuers; i++) {
        const struct config_issuer *issuer = &config->auth.issuers[i];
        assert(issuer->issuer != NULL && id_valid(slice_of(issuer->portal)));
        assert((issuer->secret.bytes != NULL) + (issuer->public_key_file != NULL) +
                   (issuer->jwks_file != NULL) ==
               1);
    }
}

static void check_config(const struct config *config, bool dev)
{
    for (size_t i = 0; i < N_NUMBERS; i++)
        check_number(config, i);
    check_endpoints(&config->http.listen);
    check_endpoints(&config->redis.servers);
    check_auth(config, dev);
    assert(dev || (config->catalog != NULL && strcmp(config->kafka.brokers, "embedded") != 0));
    assert(config->heartbeats.interval_ms <= config->heartbeats.max_interval_ms);
    assert(config->publish.grace_ms >= config->heartbeats.max_interval_ms + 10000);
    assert(config->http.header_timeout_ms <= config->http.request_timeout_ms);
    assert(config->redis.durability.replicas >= 0 && config->redis.durability.replicas <= REPLICAS_MAX);
    const char *path = config->http.base_path;
    assert(path[0] == '\0' || (path[0] == '/' && path[strlen(path) - 1] != '/'));
}

/* ---- the same once more ---- */

/* B, as the value of NAME. */
static void set(struct layers *l, const char *name, struct buf *b)
{
    assert(l->n_overrides < LAYERS_MAX + MINE_MAX);
    l->overrides[l->n_overrides++] =
        (struct config_override){name, arena_strndup(&l->arena, b->data, b->len)};
    buf_clear(b);
}

static void set_number(struct layers *l, const struct config *config, size_t i, struct buf *b)
{
    static const char *const units[] = {
        [MS] = "ms", [US] = "ms", [BYTES] = "", [INT] = "", [INT64] = "", [DOUBLE] = ""};
    double value = number_at(config, i);
    if (value == 0 && numbers[i].kind == MS)
        buf_append_char(b, '0');
    else if (numbers[i].kind == US)
        buf_printf(b, "%.3f", value / 1000);
    else
        buf_printf(b, numbers[i].kind == DOUBLE ? "%.25f" : "%.0f", value);
    if (b->data[0] != '0' || b->len > 1)
        buf_append_string(b, units[numbers[i].kind]);
    set(l, numbers[i].name, b);
}

static void set_text(struct layers *l, const char *name, const char *value, struct buf *b)
{
    if (value == NULL)
        return;
    yaml_write_text(b, value);
    set(l, name, b);
}

static void set_endpoints(
    struct layers *l, const char *name, const struct endpoint *items, size_t n, bool list, struct buf *b)
{
    char text[300];
    buf_append_string(b, list ? "[" : "");
    for (size_t i = 0; i < n; i++) {
        buf_append_string(b, i > 0 ? "," : "");
        yaml_write_text(b, endpoint_format(&items[i], text));
    }
    buf_append_string(b, list ? "]" : "");
    set(l, name, b);
}

static void set_origins(struct layers *l, const struct string_list *origins, struct buf *b)
{
    buf_append_char(b, '[');
    for (size_t i = 0; i < origins->n; i++) {
        buf_append_string(b, i > 0 ? "," : "");
        yaml_write_text(b, origins->items[i]);
    }
    buf_append_char(b, ']');
    set(l, "http.allowed_origins", b);
}

static void set_all(struct layers *l, const struct config *config)
{
    static const char *const modes[] = {"auto", "single", "sentinel", "cluster"};
    static const char *const formats[] = {"protobuf", "json"};
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct buf b = {0};
    for (size_t i = 0; i < N_NUMBERS; i++)
        set_number(l, config, i, &b);
    set_text(l, "http.base_path", config->http.base_path, &b);
    set_text(l, "kafka.brokers", config->kafka.brokers, &b);
    set_text(l, "kafka.deployment", config->kafka.deployment, &b);
    set_text(l, "catalog", config->catalog, &b);
    set_text(l, "redis.mode", modes[config->redis.mode], &b);
    set_text(l, "kafka.format", formats[config->kafka.format], &b);
    set_text(l, "log.level", levels[config->log.level], &b);
    set_endpoints(l, "http.listen", config->http.listen.items, config->http.listen.n, true, &b);
    set_endpoints(l, "redis.servers", config->redis.servers.items, config->redis.servers.n, true, &b);
    set_endpoints(l, "admin.listen", &config->admin.listen, 1, false, &b);
    set_origins(l, &config->http.allowed_origins, &b);
    const struct redis_durability *durability = &config->redis.durability;
    if (durability->replicas > 0)
        buf_printf(&b, "%sreplicas:%d", durability->fsync ? "fsync+" : "", durability->replicas);
    else
        buf_append_string(&b, durability->fsync ? "fsync" : "memory");
    set(l, "redis.durability", &b);
    buf_free(&b);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->is_unix == b->is_unix && strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static void check_same_endpoints(const struct endpoint_list *a, const struct endpoint_list *b)
{
    assert(a->n == b->n);
    for (size_t i = 0; i < a->n; i++)
        assert(same_endpoint(&a->items[i], &b->items[i]));
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < N_NUMBERS; i++)
        assert(number_at(a, i) == number_at(b, i));
    check_same_endpoints(&a->http.listen, &b->http.listen);
    check_same_endpoints(&a->redis.servers, &b->redis.servers);
    assert(same_endpoint(&a->admin.listen, &b->admin.listen));
    assert(same_text(a->http.base_path, b->http.base_path) && same_text(a->kafka.brokers, b->kafka.brokers));
    assert(same_text(a->kafka.deployment, b->kafka.deployment) && same_text(a->catalog, b->catalog));
    assert(a->redis.mode == b->redis.mode && a->redis.durability.fsync == b->redis.durability.fsync);
    assert(
        a->redis.durability.replicas == b->redis.durability.replicas && a->kafka.format == b->kafka.format);
    assert(a->log.level == b->log.level && a->kafka.n_properties == b->kafka.n_properties);
    assert(a->auth.n_issuers == b->auth.n_issuers && a->auth.session_keys.n == b->auth.session_keys.n);
    assert(a->http.allowed_origins.n == b->http.allowed_origins.n);
    for (size_t i = 0; i < a->http.allowed_origins.n; i++)
        assert(same_text(a->http.allowed_origins.items[i], b->http.allowed_origins.items[i]));
}

/* What is split at commas is no YAML, so a path may be any bytes there. */
static bool is_text(const struct endpoint_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!yaml_can_write(list->items[i].host))
            return false;
    return true;
}

static void check_given_again(struct layers *l, const struct config *config)
{
    char *error;
    set_all(l, config);
    struct config *again = load(l, &error);
    if (again == NULL)
        fprintf(stderr, "refused when given again: %s\n", error);
    assert(again != NULL);
    check_same(config, again);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct layers layers;
    char *error;
    if (size == 0)
        return 0;
    budget_begin();
    read_layers(&layers, (struct slice){(const char *)data, size});
    struct config *config = load(&layers, &error);
    if (config != NULL) {
        check_config(config, layers.dev);
        if (is_text(&config->http.listen) && is_text(&config->redis.servers))
            check_given_again(&layers, config);
    } else {
        check_problems(error);
    }
    config_free(config);
    arena_free(&layers.arena);
    budget_end(&budget, size);
    return 0;
}
