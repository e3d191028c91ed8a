/* The configuration's schema. */
#include "config/config_schema.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_auth.h"
#include "config/config_lists.h"
#include "config/config_properties.h"
#include "config/config_scalars.h"

#define AT(field) offsetof(struct config, field)
#define DAY_MS 86400000.0

/* Whether a reload puts a new value in force, or a restart. */
enum { RESTART = false, RELOAD = true };

const struct config_key config_keys[] = {
    {"http.listen", config_read_endpoints, AT(http.listen), "127.0.0.1:8080", 0, 0, NULL, RESTART},
    {"http.base_path", config_read_base_path, AT(http.base_path), "''", 0, 0, NULL, RESTART},
    {"http.workers", config_read_workers, AT(http.workers), "auto", 0, 64, NULL, RESTART},
    {"http.allowed_origins", config_read_origins, AT(http.allowed_origins), "[]", 0, 0, NULL, RESTART},
    {"http.max_connections", config_read_int, AT(http.max_connections), "16000", 1, 1000000, NULL, RESTART},
    {"http.max_body", config_read_size, AT(http.max_body), "64KiB", 1024, 1048576, NULL, RESTART},
    {"http.header_timeout", config_read_duration, AT(http.header_timeout_ms), "10s", 100, 300000, NULL,
        RESTART},
    {"http.request_timeout", config_read_duration, AT(http.request_timeout_ms), "20s", 100, 300000, NULL,
        RESTART},
    {"http.idle_timeout", config_read_duration, AT(http.idle_timeout_ms), "75s", 100, 3600000, NULL, RESTART},
    {"admin.listen", config_read_endpoint, AT(admin.listen), "127.0.0.1:9180", 0, 0, NULL, RESTART},
    {"auth.session_key", config_read_session_key, AT(auth.session_keys), NULL, 0, 0, NULL, RELOAD},
    {"auth.session_key_file", config_read_session_key_file, AT(auth.session_keys), NULL, 0, 0, NULL, RELOAD},
    {"auth.issuers", config_read_issuers, AT(auth.issuers), NULL, 0, 0, NULL, RELOAD},
    {"heartbeats.interval", config_read_duration, AT(heartbeats.interval_ms), "15s", 1000, 60000, NULL,
        RESTART},
    {"heartbeats.max_interval", config_read_duration, AT(heartbeats.max_interval_ms), "60s", 1000, 600000,
        NULL, RESTART},
    {"heartbeats.max_run", config_read_duration, AT(heartbeats.max_run_ms), "10m", 1000, 600000, NULL,
        RESTART},
    {"heartbeats.horizon", config_read_duration, AT(heartbeats.horizon_ms), "24h", 7200000, 7 * DAY_MS, NULL,
        RESTART},
    {"heartbeats.clock_slack", config_read_duration, AT(heartbeats.clock_slack_ms), "5s", 0, 60000, NULL,
        RESTART},
    {"heartbeats.max_rate", config_read_double, AT(heartbeats.max_rate), "2.0", 0.25, 16, NULL, RESTART},
    {"redis.servers", config_read_endpoints, AT(redis.servers), "127.0.0.1:6379", 0, 0, NULL, RESTART},
    {"redis.username", config_read_string, AT(redis.login.username), NULL, 0, 0, NULL, RESTART},
    {"redis.password", config_read_password, AT(redis.login.password), NULL, 0, 0, NULL, RESTART},
    {"redis.password_file", config_read_password_file, AT(redis.login.password), NULL, 0, 0, NULL, RESTART},
    {"redis.tls.ca", config_read_located_path, AT(redis.tls.ca), NULL, 0, 0, NULL, RESTART},
    {"redis.tls.cert", config_read_located_path, AT(redis.tls.cert), NULL, 0, 0, NULL, RESTART},
    {"redis.tls.key", config_read_located_path, AT(redis.tls.key), NULL, 0, 0, NULL, RESTART},
    {"redis.tls.server_name", config_read_located, AT(redis.tls.server_name), NULL, 0, 0, NULL, RESTART},
    {"redis.mode", config_read_choice, AT(redis.mode), "auto", 0, 0, "auto single sentinel cluster", RESTART},
    {"redis.primary", config_read_name, AT(redis.primary), NULL, 0, 0, NULL, RESTART},
    {"redis.durability", config_read_durability, AT(redis.durability), "fsync", 0, 0,
        "fsync replicas fsync+replicas memory", RESTART},
    {"redis.partitions", config_read_int, AT(redis.partitions), "16", 1, 256, NULL, RESTART},
    {"redis.linger", config_read_linger, AT(redis.linger_us), "1ms", 0, 100, NULL, RESTART},
    {"redis.early_retire", config_read_duration_or_off, AT(redis.early_retire_ms), "off", 7200000, 7 * DAY_MS,
        NULL, RESTART},
    {"kafka.brokers", config_read_brokers, AT(kafka.brokers), "127.0.0.1:9092", 0, 0, NULL, RESTART},
    {"kafka.properties", config_read_properties, AT(kafka.properties), NULL, 0, 0, NULL, RESTART},
    {"kafka.format", config_read_choice, AT(kafka.format), "protobuf", 0, 0, "protobuf json", RESTART},
    {"kafka.deployment", config_read_name, AT(kafka.deployment), "default", 0, 0, NULL, RESTART},
    {"kafka.topic_prefix", config_read_name, AT(kafka.topic_prefix), "minuted", 0, 0, NULL, RESTART},
    {"publish.grace", config_read_duration, AT(publish.grace_ms), "70s", 70000, DAY_MS, NULL, RESTART},
    {"publish.running_minutes", config_read_duration_or_off, AT(publish.running_minutes_ms), "off", 1000,
        60000, NULL, RESTART},
    {"publish.max_rate", config_read_rate, AT(publish.max_rate), "0", 0, 1e9, NULL, RESTART},
    {"catalog", config_read_path, AT(catalog), NULL, 0, 0, NULL, RELOAD},
    {"log.level", config_read_choice, AT(log.level), "info", 0, 0, "debug info warn error", RELOAD},
};

const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "tables of keys are larger");

const struct config_key *config_find_key(const char *name)
{
    for (size_t i = 0; i < config_n_keys; i++)
        if (strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    return NULL;
}

bool config_key_is_list(const struct config_key *key)
{
    return key->read == config_read_endpoints || key->read == config_read_origins ||
           key->read == config_read_session_key_file;
}

bool config_needs_restart(const struct config *running, const struct config *read, struct buf *names)
{
    size_t before = names->len;
    for (size_t i = 0; i < config_n_keys; i++) {
        if (config_keys[i].reloadable || running->fingerprints[i] == read->fingerprints[i])
            continue;
        buf_append_string(names, names->len > before ? "," : "");
        buf_append_string(names, config_keys[i].name);
    }
    return names->len > before;
}

void config_free_values(struct config *config)
{
    config_free_lists(config);
    config_free_properties(config);
    config_free_auth(config);
    free(config->http.base_path);
    free(config->redis.login.username);
    free(config->redis.primary);
    config_free_located(&config->redis.tls.ca);
    config_free_located(&config->redis.tls.cert);
    config_free_located(&config->redis.tls.key);
    config_free_located(&config->redis.tls.server_name);
    free(config->kafka.brokers);
    free(config->kafka.deployment);
    free(config->kafka.topic_prefix);
    free(config->catalog);
}
