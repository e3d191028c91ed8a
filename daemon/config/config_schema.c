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

const struct config_key config_keys[] = {
    {"http.listen", config_read_endpoints, AT(http.listen), "127.0.0.1:8080", 0, 0, NULL},
    {"http.base_path", config_read_base_path, AT(http.base_path), "''", 0, 0, NULL},
    {"http.workers", config_read_workers, AT(http.workers), "auto", 0, 64, NULL},
    {"http.allowed_origins", config_read_origins, AT(http.allowed_origins), "[]", 0, 0, NULL},
    {"http.max_connections", config_read_int, AT(http.max_connections), "16000", 1, 1000000, NULL},
    {"http.max_body", config_read_size, AT(http.max_body), "64KiB", 1024, 1048576, NULL},
    {"http.header_timeout", config_read_duration, AT(http.header_timeout_ms), "10s", 100, 300000, NULL},
    {"http.request_timeout", config_read_duration, AT(http.request_timeout_ms), "20s", 100, 300000, NULL},
    {"http.idle_timeout", config_read_duration, AT(http.idle_timeout_ms), "75s", 100, 3600000, NULL},
    {"admin.listen", config_read_endpoint, AT(admin.listen), "127.0.0.1:9180", 0, 0, NULL},
    {"auth.session_key", config_read_session_key, AT(auth.session_keys), NULL, 0, 0, NULL},
    {"auth.session_key_file", config_read_session_key_file, AT(auth.session_keys), NULL, 0, 0, NULL},
    {"auth.issuers", config_read_issuers, AT(auth.issuers), NULL, 0, 0, NULL},
    {"heartbeats.interval", config_read_duration, AT(heartbeats.interval_ms), "15s", 1000, 60000, NULL},
    {"heartbeats.max_interval", config_read_duration, AT(heartbeats.max_interval_ms), "60s", 1000, 600000,
        NULL},
    {"heartbeats.max_run", config_read_duration, AT(heartbeats.max_run_ms), "10m", 1000, 600000, NULL},
    {"heartbeats.horizon", config_read_duration, AT(heartbeats.horizon_ms), "24h", 7200000, 7 * DAY_MS, NULL},
    {"heartbeats.clock_slack", config_read_duration, AT(heartbeats.clock_slack_ms), "5s", 0, 60000, NULL},
    {"heartbeats.max_rate", config_read_double, AT(heartbeats.max_rate), "2.0", 0.25, 16, NULL},
    {"redis.servers", config_read_endpoints, AT(redis.servers), "127.0.0.1:6379", 0, 0, NULL},
    {"redis.username", config_read_string, AT(redis.login.username), NULL, 0, 0, NULL},
    {"redis.password", config_read_password, AT(redis.login.password), NULL, 0, 0, NULL},
    {"redis.password_file", config_read_password_file, AT(redis.login.password), NULL, 0, 0, NULL},
    {"redis.mode", config_read_choice, AT(redis.mode), "auto", 0, 0, "auto single sentinel cluster"},
    {"redis.durability", config_read_durability, AT(redis.durability), "fsync", 0, 0,
        "fsync replicas memory"},
    {"redis.partitions", config_read_int, AT(redis.partitions), "16", 1, 256, NULL},
    {"redis.linger", config_read_linger, AT(redis.linger_us), "1ms", 0, 100, NULL},
    {"redis.early_retire", config_read_duration_or_off, AT(redis.early_retire_ms), "off", 7200000, 7 * DAY_MS,
        NULL},
    {"kafka.brokers", config_read_brokers, AT(kafka.brokers), "127.0.0.1:9092", 0, 0, NULL},
    {"kafka.properties", config_read_properties, AT(kafka.properties), NULL, 0, 0, NULL},
    {"kafka.format", config_read_choice, AT(kafka.format), "protobuf", 0, 0, "protobuf json"},
    {"kafka.deployment", config_read_name, AT(kafka.deployment), "default", 0, 0, NULL},
    {"publish.grace", config_read_duration, AT(publish.grace_ms), "70s", 70000, DAY_MS, NULL},
    {"publish.running_minutes", config_read_duration_or_off, AT(publish.running_minutes_ms), "off", 1000,
        60000, NULL},
    {"publish.max_rate", config_read_rate, AT(publish.max_rate), "0", 0, 1e9, NULL},
    {"catalog", config_read_path, AT(catalog), NULL, 0, 0, NULL},
    {"log.level", config_read_choice, AT(log.level), "info", 0, 0, "debug info warn error"},
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

void config_free_values(struct config *config)
{
    config_free_lists(config);
    config_free_properties(config);
    config_free_auth(config);
    free(config->http.base_path);
    free(config->redis.login.username);
    free(config->kafka.brokers);
    free(config->kafka.deployment);
    free(config->catalog);
}
