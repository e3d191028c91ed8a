/* config/minuted.yaml, the reference: it loads, names every key and says the truth about defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_load.h"
#include "config/config_schema.h"

#define REFERENCE SOURCE_DIR "/config/minuted.yaml"

/* In place of the secrets that are the operator's to make. */
static const struct config_override secrets[] = {{"auth.session_key", "0123456789abcdef0123456789abcdef"},
    {"auth.issuers", "[{issuer: i, portal: p, secret: 0123456789abcdef0123456789abcdef}]"}};

static void assert_same_values(const struct config *a, const struct config *b)
{
    char one[300], other[300];
    assert_int_equal(a->http.listen.n, 1);
    assert_string_equal(
        endpoint_format(a->http.listen.items, one), endpoint_format(b->http.listen.items, other));
    assert_string_equal(a->http.base_path, b->http.base_path);
    assert_int_equal(a->http.workers, b->http.workers);
    assert_int_equal(a->http.allowed_origins.n, b->http.allowed_origins.n);
    assert_int_equal(a->http.max_connections, b->http.max_connections);
    assert_int_equal(a->http.max_body, b->http.max_body);
    assert_int_equal(a->http.header_timeout_ms, b->http.header_timeout_ms);
    assert_int_equal(a->http.request_timeout_ms, b->http.request_timeout_ms);
    assert_int_equal(a->http.idle_timeout_ms, b->http.idle_timeout_ms);
    assert_string_equal(endpoint_format(&a->admin.listen, one), endpoint_format(&b->admin.listen, other));
    assert_memory_equal(&a->heartbeats, &b->heartbeats, sizeof(a->heartbeats));
    assert_string_equal(
        endpoint_format(a->redis.servers.items, one), endpoint_format(b->redis.servers.items, other));
    assert_int_equal(a->redis.mode, b->redis.mode);
    assert_int_equal(a->redis.durability.fsync, b->redis.durability.fsync);
    assert_int_equal(a->redis.durability.replicas, b->redis.durability.replicas);
    assert_int_equal(a->redis.partitions, b->redis.partitions);
    assert_int_equal(a->redis.linger_us, b->redis.linger_us);
    assert_string_equal(a->kafka.brokers, b->kafka.brokers);
    assert_int_equal(a->kafka.n_properties, b->kafka.n_properties);
    assert_int_equal(a->kafka.format, b->kafka.format);
    assert_string_equal(a->kafka.deployment, b->kafka.deployment);
    assert_string_equal(a->kafka.topic_prefix, b->kafka.topic_prefix);
    assert_memory_equal(&a->publish, &b->publish, sizeof(a->publish));
    assert_int_equal(a->log.level, b->log.level);
}

static void test_every_key(void **state)
{
    (void)state;
    char *error = NULL;
    struct config *documented = config_load(REFERENCE, NULL, secrets, 2, false, &error);
    if (documented == NULL) {
        fail_msg("%s", error);
        return;
    }
    struct config *defaults = config_load(NULL, NULL, NULL, 0, true, &error);
    assert_non_null(defaults);
    assert_same_values(documented, defaults);
    assert_string_equal(documented->catalog, SOURCE_DIR "/config/winter-2023.yaml");
    config_free(documented);
    config_free(defaults);

    FILE *file = fopen(REFERENCE, "r");
    assert_non_null(file);
    static char text[16384];
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < config_n_keys; i++) {
        const char *dot = strrchr(config_keys[i].name, '.');
        char word[64];
        snprintf(word, sizeof(word), "%s:", dot == NULL ? config_keys[i].name : dot + 1);
        if (strstr(text, word) == NULL)
            fail_msg("%s is not documented", config_keys[i].name);
    }
}

/* Nothing but the operator's secrets is wrong with it. */
static void test_only_secrets_are_missing(void **state)
{
    (void)state;
    char *error = NULL;
    assert_null(config_load(REFERENCE, NULL, NULL, 0, false, &error));
    const char *second = strchr(error, '\n');
    assert_non_null(second);
    assert_null(strchr(second + 1, '\n'));
    assert_non_null(strstr(error, "session.key cannot be read"));
    assert_non_null(strstr(second, "platform.secret cannot be read"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_only_secrets_are_missing),
    };
    return cmocka_run_group_tests_name("config_reference", tests, NULL, NULL);
}
