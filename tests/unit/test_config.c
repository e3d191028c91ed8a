/* The configuration: good values, and problems that name file, line and the nearest key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "config/config_load.h"

/* A folder with the secrets that the texts below name. */
static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/minuted-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("session.key", "0123456789abcdef0123456789abcdef\n");
    write_file("old.key", "fedcba9876543210fedcba9876543210");
    write_file("short.key", "short\n");
    write_file("kafka.password", "secret\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static const char base[] = "auth:\n"
                           "  session_key_file: session.key\n"
                           "  issuers: [{issuer: i, portal: p, secret: 0123456789abcdef0123456789abcdef}]\n"
                           "catalog: c.yaml\n";

static const char *config_path(void)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/minuted.yaml", folder);
    return path;
}

static struct config *load(const char *text, char *const *environment,
    const struct config_override *overrides, size_t n, bool dev, char **error)
{
    write_file("minuted.yaml", text);
    return config_load(config_path(), environment, overrides, n, dev, error);
}

static struct config *load_good(const char *text)
{
    char *error = NULL;
    struct config *config = load(text, NULL, NULL, 0, false, &error);
    if (config == NULL) {
        fail_msg("%s", error);
        return NULL;
    }
    return config;
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = load_good(base);
    char path[128];
    snprintf(path, sizeof(path), "%s/c.yaml", folder);
    assert_string_equal(c->catalog, path); /* relative to the file's folder */
    assert_int_equal(c->http.listen.n, 1);
    assert_int_equal(c->http.listen.items[0].port, 8080);
    assert_int_equal(c->http.max_body, 65536);
    assert_int_equal(c->heartbeats.interval_ms, 15000);
    assert_int_equal(c->heartbeats.horizon_ms, 24LL * 3600 * 1000);
    assert_int_equal(c->redis.partitions, 16);
    assert_int_equal(c->redis.linger_us, 1000);
    assert_int_equal(c->redis.early_retire_ms, 0);
    assert_true(c->redis.durability.fsync);
    assert_int_equal(c->redis.durability.replicas, 0);
    assert_int_equal(c->publish.grace_ms, 70000);
    assert_int_equal(c->publish.running_minutes_ms, 0);
    assert_int_equal(c->kafka.format, FORMAT_PROTOBUF);
    assert_int_equal(c->auth.session_keys.n, 1);
    assert_int_equal(c->auth.session_keys.items[0].len, 32); /* without the newline */
    assert_int_equal(c->log.level, LOG_INFO);
    config_free(c);
}

static void test_every_form(void **state)
{
    (void)state;
    struct config *c =
        load_good("http:\n"
                  "  listen: [127.0.0.1:81, '[::1]:82', unix:/run/m.sock]\n"
                  "  base_path: /watch\n"
                  "  workers: 3\n"
                  "  allowed_origins: [https://a.example, https://b.example]\n"
                  "  max_body: 128KiB\n"
                  "heartbeats: {interval: 5s, max_rate: 1.5, horizon: 2h}\n"
                  "redis: {durability: 'replicas:2', mode: cluster, linger: 0.5ms, early_retire: off}\n"
                  "kafka:\n"
                  "  format: json\n"
                  "  properties: {linger.ms: 5, sasl.password_file: kafka.password}\n"
                  "publish: {running_minutes: 2s, grace: 2m, max_rate: 1000}\n"
                  "auth:\n"
                  "  session_key_file: [session.key, old.key]\n"
                  "  issuers:\n"
                  "    - {issuer: https://x, audience: a, portal: basic, jwks_file: /etc/x.json}\n"
                  "catalog: /etc/c.yaml\n"
                  "log: {level: debug}\n");
    assert_int_equal(c->http.listen.n, 3);
    assert_string_equal(c->http.listen.items[1].host, "::1");
    assert_true(c->http.listen.items[2].is_unix);
    assert_string_equal(c->http.base_path, "/watch");
    assert_int_equal(c->http.workers, 3);
    assert_int_equal(c->http.allowed_origins.n, 2);
    assert_false(c->redis.durability.fsync);
    assert_int_equal(c->redis.durability.replicas, 2);
    assert_int_equal(c->redis.mode, REDIS_CLUSTER);
    assert_int_equal(c->redis.linger_us, 500);
    assert_int_equal(c->redis.early_retire_ms, 0);
    assert_int_equal(c->kafka.n_properties, 2);
    assert_string_equal(c->kafka.properties[1].name, "sasl.password");
    assert_string_equal(c->kafka.properties[1].value, "secret");
    assert_int_equal(c->publish.running_minutes_ms, 2000);
    assert_int_equal(c->auth.session_keys.n, 2);
    assert_string_equal(c->auth.issuers[0].jwks_file, "/etc/x.json");
    assert_int_equal(c->auth.issuers[0].line, 16);
    assert_string_equal(c->catalog, "/etc/c.yaml");
    config_free(c);
}

static void test_layers(void **state)
{
    (void)state;
    char *error = NULL;
    char *environment[] = {(char[]){"MINUTED_HTTP_LISTEN=[127.0.0.1:1, 127.0.0.1:2]"},
        (char[]){"MINUTED_LOG_LEVEL=warn"}, (char[]){"HOME=/x"}, (char[]){"MINUTED_HTTP_BASE_PATH="},
        (char[]){"MINUTED_KAFKA_PROPERTIES={linger.ms: 5, batch.size: 9}"},
        (char[]){"MINUTED_CATALOG=there.yaml"}, NULL};
    struct config_override overrides[] = {{"log.level", "error"}, {"kafka.properties.linger.ms", "7"}};
    char text[1024];
    snprintf(text, sizeof(text), "%skafka: {properties: {client.rack: r}}\nhttp: {base_path: /x}\n", base);
    struct config *c = load(text, environment, overrides, 2, false, &error);
    if (c == NULL) {
        fail_msg("%s", error);
        return;
    }
    assert_int_equal(c->http.listen.n, 2);
    assert_string_equal(c->http.base_path, "");
    assert_int_equal(c->log.level, LOG_ERROR);
    assert_string_equal(c->catalog, "there.yaml"); /* relative to the working directory */
    assert_int_equal(c->kafka.n_properties, 3);    /* merged */
    assert_string_equal(c->kafka.properties[0].value, "r");
    assert_string_equal(c->kafka.properties[1].value, "7");
    config_free(c);
}

/* A list as people write it in a shell, and an address that YAML would take for a list. */
static void test_bare_lists(void **state)
{
    static const struct {
        const char *value;
        size_t n;
        const char *last; /* host */
    } rows[] = {
        {"127.0.0.1:1,localhost:2", 2, "localhost"},
        {"127.0.0.1:1, 127.0.0.2:2", 2, "127.0.0.2"},
        {"[::1]:1", 1, "::1"},
        {"127.0.0.1:1,[::2]:2", 2, "::2"},
        {"['[::1]:1']", 1, "::1"},
        {"'127.0.0.1:1'", 1, "127.0.0.1"},
        {"unix:/run/m.sock", 1, "/run/m.sock"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *error = NULL;
        struct config_override override = {"redis.servers", rows[i].value};
        struct config *c = config_load(NULL, NULL, &override, 1, true, &error);
        if (c == NULL) {
            fail_msg("for %s: %s", rows[i].value, error);
            return;
        }
        assert_int_equal(c->redis.servers.n, rows[i].n);
        assert_string_equal(c->redis.servers.items[rows[i].n - 1].host, rows[i].last);
        config_free(c);
    }
    char *error = NULL;
    char *environment[] = {(char[]){"MINUTED_HTTP_ALLOWED_ORIGINS=*"},
        (char[]){"MINUTED_ADMIN_LISTEN=[::1]:9180"}, (char[]){"MINUTED_KAFKA_PROPERTIES={}"}, NULL};
    struct config *c = config_load(NULL, environment, NULL, 0, true, &error);
    if (c == NULL) {
        fail_msg("%s", error);
        return;
    }
    assert_string_equal(c->http.allowed_origins.items[0], "*");
    assert_string_equal(c->admin.listen.host, "::1");
    config_free(c);
}

/* What a higher layer replaces is not looked at, so a secret's file need not be where the file says. */
static void test_replaced_values_are_not_read(void **state)
{
    (void)state;
    char *error = NULL;
    char *environment[] = {(char[]){"MINUTED_AUTH_SESSION_KEY=0123456789abcdef0123456789abcdef-environment"},
        (char[]){"MINUTED_LOG_LEVEL=loud"}, NULL};
    struct config_override override = {"log.level", "warn"};
    struct config *c = load("auth:\n"
                            "  session_key_file: none.key\n"
                            "  issuers: [{issuer: i, portal: p, secret: 0123456789abcdef0123456789abcdef}]\n"
                            "catalog: c.yaml\n",
        environment, &override, 1, false, &error);
    if (c == NULL) {
        fail_msg("%s", error);
        return;
    }
    assert_int_equal(c->auth.session_keys.n, 1);
    assert_int_equal(c->auth.session_keys.items[0].len, 44);
    assert_int_equal(c->log.level, LOG_WARN);
    config_free(c);
}

static bool says(const char *error, const char *message)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", config_path(), message);
    return message[0] == ':' ? strcmp(error, whole) == 0 : strstr(error, message) != NULL;
}

static const struct {
    const char *text;    /* put before `base` */
    const char *message; /* all of it after the file's name; or a part, where it does not begin with ':' */
} wrong[] = {
    {"htp: {}\n", ":1: unknown section 'htp'; did you mean 'http'?"},
    {"http:\n  lisen: 127.0.0.1:1\n", ":2: unknown key 'http.lisen'; did you mean 'http.listen'?"},
    {"heartbeats: {intervall: 15s}\n",
        ":1: unknown key 'heartbeats.intervall'; did you mean 'heartbeats.interval'?"},
    {"http: {listen: 8080}\n", ":1: http.listen: '8080' is not host:port, [::1]:port or unix:/path"},
    {"http: {listen: '::1:80'}\n", ":1: http.listen: '::1:80' is not host:port, [::1]:port or unix:/path"},
    {"http: {listen: 127.0.0.1:99999}\n",
        ":1: http.listen: '127.0.0.1:99999' is not host:port, [::1]:port or unix:/path"},
    {"http: {listen: []}\n", ":1: http.listen: expected at least one address"},
    {"http:\n  listen:\n", ":2: http.listen: expected one value, not nothing"},
    {"http: {base_path: x}\n", ":1: http.base_path: 'x' is neither empty nor like /x"},
    {"http: {base_path: /x/}\n", ":1: http.base_path: '/x/' is neither empty nor like /x"},
    {"http: {base_path: /}\n", ":1: http.base_path: '/' is neither empty nor like /x"},
    {"http: {base_path: /a b}\n", ":1: http.base_path: '/a b' is neither empty nor like /x"},
    {"http: {workers: -1}\n", ":1: http.workers: '-1' is not a number"},
    {"http: {workers: 0x4}\n", ":1: http.workers: '0x4' is not a number"},
    {"http: {workers: 1.5}\n", ":1: http.workers: '1.5' is not a whole number"},
    {"http: {workers: 65}\n", ":1: http.workers: '65' is out of range (0 to 64)"},
    {"http: {allowed_origins: [https://a.example/]}\n",
        ":1: http.allowed_origins: 'https://a.example/' is not an origin such as "
        "https://training.example, nor '*'"},
    {"http: {allowed_origins: a.example}\n", ":1: http.allowed_origins: 'a.example' is not an origin "
                                             "such as https://training.example, nor '*'"},
    {"http: {max_body: 2MiB}\n", ":1: http.max_body: '2MiB' is out of range (1KiB to 1MiB)"},
    {"http: {max_body: 64KB}\n", ":1: http.max_body: '64KB' is not a size such as 512, 64KiB or 1MiB"},
    {"http: {idle_timeout: 10}\n",
        ":1: http.idle_timeout: '10' is not a duration such as 500ms, 15s, 10m or 24h"},
    {"http: {idle_timeout: 10 s}\n",
        ":1: http.idle_timeout: '10 s' is not a duration such as 500ms, 15s, 10m or 24h"},
    {"http: {idle_timeout: 1e3s}\n",
        ":1: http.idle_timeout: '1e3s' is not a duration such as 500ms, 15s, 10m or 24h"},
    {"http: {idle_timeout: [1s]}\n", ":1: http.idle_timeout: expected one value, not a list"},
    {"http: {header_timeout: 30s}\n", ":1: http.header_timeout is longer than http.request_timeout"},
    {"http: 5\n", ":1: 'http' is a section: expected a map"},
    {"heartbeats: {horizon: 1h}\n", ":1: heartbeats.horizon: '1h' is out of range (2h to 168h)"},
    {"heartbeats: {max_run: 11m}\n", ":1: heartbeats.max_run: '11m' is out of range (1s to 10m)"},
    {"heartbeats: {max_rate: 17}\n", ":1: heartbeats.max_rate: '17' is out of range (0.25 to 16)"},
    {"redis: {mode: sharded}\n", ":1: redis.mode: 'sharded' is none of: auto single sentinel cluster"},
    {"redis: {durability: disk}\n",
        ":1: redis.durability: 'disk' is none of: fsync replicas fsync+replicas memory"},
    {"redis: {durability: 'fsync:1'}\n",
        ":1: redis.durability: 'fsync:1' is none of: fsync replicas fsync+replicas memory"},
    {"redis: {durability: fsync replicas}\n",
        ":1: redis.durability: 'fsync replicas' is none of: fsync replicas fsync+replicas memory"},
    {"redis: {durability: 'fsync+replicas:17'}\n",
        ":1: redis.durability: 'fsync+replicas:17': 1 to 16 replicas may be asked for"},
    {"redis: {durability: 'replicas:0'}\n",
        ":1: redis.durability: 'replicas:0': 1 to 16 replicas may be asked for"},
    {"redis: {partitions: 0}\n", ":1: redis.partitions: '0' is out of range (1 to 256)"},
    {"redis: {linger: 1s}\n", ":1: redis.linger: '1s' is out of range (0ms to 100ms)"},
    {"redis: {early_retire: 1h}\n", ":1: redis.early_retire: '1h' is out of range (2h to 168h)"},
    {"redis: {early_retire: true}\n",
        ":1: redis.early_retire: 'true' is not a duration such as 500ms, 15s, 10m or 24h"},
    {"redis: {early_retire: 24h}\n", ":1: redis.early_retire is not shorter than heartbeats.horizon"},
    {"redis: {early_retire: 6h}\nheartbeats: {horizon: 6h}\n",
        ":1: redis.early_retire is not shorter than heartbeats.horizon"},
    {"kafka: {format: xml}\n", ":1: kafka.format: 'xml' is none of: protobuf json"},
    {"kafka: {deployment: 'a b'}\n",
        ":1: kafka.deployment: 'a b' must be 1 to 64 letters, digits, '.', '_' or '-'"},
    {"kafka: {deployment: [a, b]}\n", ":1: kafka.deployment: expected one value, not a list"},
    {"kafka: {deployment: \"a\\nb\"}\n",
        ":1: kafka.deployment: 'a?b' must be 1 to 64 letters, digits, '.', '_' or '-'"},
    {"kafka: {properties: {transactional.id: x}}\n",
        ":1: kafka.properties.transactional.id: minuted sets this property itself"},
    {"kafka: {properties: {bootstrap.servers_file: x}}\n",
        ":1: kafka.properties.bootstrap.servers: minuted sets this property itself"},
    {"kafka: {properties: {enabled_events: 1}}\n",
        ":1: kafka.properties.enabled_events: minuted sets this property itself"},
    {"kafka: {properties: {log.queue: true}}\n",
        ":1: kafka.properties.log.queue: minuted sets this property itself"},
    {"kafka: {properties: {internal.termination.signal: 15}}\n",
        ":1: kafka.properties.internal.termination.signal: minuted sets this property itself"},
    {"kafka: {properties: {enable.idempotence: false}}\n",
        ":1: kafka.properties.enable.idempotence: minuted sets this property itself"},
    {"kafka: {brokers: ''}\n", ":1: kafka.brokers: expected at least one address"},
    {"kafka: {brokers: ' ,'}\n", ":1: kafka.brokers: expected at least one address"},
    {"kafka:\n  brokers: a:9092:9092\n", ":2: kafka.brokers: 'a:9092:9092' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'a:9092;b:9092'}\n",
        ":1: kafka.brokers: 'a:9092;b:9092' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'a:9092, b:kafka'}\n", ":1: kafka.brokers: 'b:kafka' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'a:0'}\n", ":1: kafka.brokers: 'a:0' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'a:70000'}\n", ":1: kafka.brokers: 'a:70000' is not host:port or [::1]:port"},
    {"kafka: {brokers: '::1'}\n", ":1: kafka.brokers: '::1' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'a:'}\n", ":1: kafka.brokers: 'a:' is not host:port or [::1]:port"},
    {"kafka: {brokers: ':9092'}\n", ":1: kafka.brokers: ':9092' is not host:port or [::1]:port"},
    {"kafka: {brokers: 'SSL://a:9092'}\n",
        ":1: kafka.brokers: 'SSL://a:9092' is not host:port or [::1]:port"},
    {"kafka: {brokers: [a]}\n", ":1: kafka.brokers: expected one value, not a list"},
    {"kafka: {properties: {a: [b]}}\n", ":1: kafka.properties.a: expected one value"},
    {"kafka: {properties: {sasl.password_file: none}}\n", "/none cannot be read: No such file or directory"},
    {"kafka:\n  brokers: embedded\n",
        ":2: kafka.brokers: 'embedded' keeps nothing and is allowed with --dev only"},
    {"publish: {grace: 60s}\n", ":1: publish.grace: '60s' is out of range (70s to 24h)"},
    {"heartbeats:\n  max_interval: 80s\n", ":2: publish.grace is shorter than heartbeats.max_interval + "
                                           "10s: a minute would be due before its heartbeats came"},
    {"publish:\n  grace: 75s\nheartbeats:\n  max_interval: 80s\n",
        ":2: publish.grace is shorter than heartbeats.max_interval + 10s: a minute would be due before "
        "its heartbeats came"},
    {"heartbeats: {interval: 30s, max_interval: 20s}\n",
        ":1: heartbeats.interval is longer than heartbeats.max_interval"},
    {"publish: {running_minutes: 100ms}\n",
        ":1: publish.running_minutes: '100ms' is out of range (1s to 1m)"},
    {"publish: {max_rate: 0.5}\n", ":1: publish.max_rate: '0.5' is not a whole number"},
    {"log: {level: loud}\n", ":1: log.level: 'loud' is none of: debug info warn error"},
    {"log: {level: info, level: warn}\n", ":1: 'level' is given twice, first in line 1"},
    {"log: &a {level: info}\n", ":1: anchors and tags are not supported"},
    {"log: {level: info\n", "not valid YAML"},
    {"- a\n", "not valid YAML"},
};

static void test_problems(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[1024];
        char *error = NULL;
        snprintf(text, sizeof(text), "%s%s", wrong[i].text, base);
        struct config *config = load(text, NULL, NULL, 0, false, &error);
        if (config != NULL || !says(error, wrong[i].message))
            fail_msg("for %s: %s", wrong[i].text, config != NULL ? "no problem" : error);
        free(error);
    }
}

static void test_auth_problems(void **state)
{
    static const struct {
        const char *auth;
        const char *message;
    } rows[] = {
        {"", "auth.session_key_file is missing"},
        {"auth: {session_key: tooshort}\n",
            ":1: auth.session_key: a secret needs at least 32 bytes, this one has 8"},
        {"auth: {session_key_file: short.key}\n",
            ":1: auth.session_key_file: a secret needs at least 32 bytes, this one has 5"},
        {"auth: {session_key_file: none.key}\n", "none.key cannot be read: No such file or directory"},
        {"auth: {session_key_file: session.key, session_key: 0123456789abcdef0123456789abcdef}\n",
            ":1: auth.session_key_file and auth.session_key are both given: keep one"},
        {"auth: {session_key_file: session.key, issuers: []}\n",
            ":1: auth.issuers is empty, so nobody could open a session"},
        {"auth: {session_key_file: []}\n", ":1: auth.session_key_file: expected at least one file"},
        {"auth: {session_key_file: session.key, issuers: [{issuer: '', portal: p, jwks_file: x}]}\n",
            ":1: auth.issuers[]: 'issuer' is empty"},
        {"auth: {session_key_file: session.key, issuers: [{issuer: i, portal: p, secret: s, jwks_file: "
         "x}]}\n",
            "expected exactly one of secret, secret_file, public_key_file and jwks_file"},
        {"auth: {session_key_file: session.key, issuers: [{issuer: i, portal: p}]}\n",
            "exactly one of secret, secret_file"},
        {"auth: {session_key_file: session.key, issuers: [{portal: p, jwks_file: x}]}\n",
            "'issuer' is missing"},
        {"auth: {session_key_file: session.key, issuers: [{issuer: i, portal: 'a/b', jwks_file: x}]}\n",
            "portal 'a/b' is not"},
        {"auth: {session_key_file: session.key, issuers: [{isuer: i, portal: p, jwks_file: x}]}\n",
            "unknown key 'auth.issuers[].isuer'; did you mean 'issuer'?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *error = NULL;
        struct config *config = load(rows[i].auth, NULL, NULL, 0, false, &error);
        if (config != NULL || strstr(error, rows[i].message) == NULL)
            fail_msg("for %s: %s", rows[i].auth, config != NULL ? "no problem" : error);
        free(error);
    }
}

/* One a line, in the order of the file; what is missing comes last. */
static void test_every_problem_is_told(void **state)
{
    (void)state;
    char *error = NULL;
    char expected[4096];
    struct config *config =
        load("log: {level: z}\nhttp: {workers: x,\n  max_bdy: y}\n", NULL, NULL, 0, false, &error);
    assert_null(config);
    snprintf(expected, sizeof(expected),
        "%1$s:1: log.level: 'z' is none of: debug info warn error\n"
        "%1$s:2: http.workers: 'x' is not a number\n"
        "%1$s:3: unknown key 'http.max_bdy'; did you mean 'http.max_body'?\n"
        "%1$s: auth.session_key_file is missing\n"
        "%1$s: auth.issuers is missing, so nobody could open a session\n"
        "%1$s: catalog is missing",
        config_path());
    assert_string_equal(error, expected);
    free(error);
}

static void test_problems_elsewhere(void **state)
{
    (void)state;
    char *error = NULL;
    char *environment[] = {(char[]){"MINUTED_HTTP_LISEN=127.0.0.1:1"}, NULL};
    struct config_override override = {"http.workers", "many"};
    struct config *config = load(base, environment, &override, 1, false, &error);
    assert_null(config);
    assert_non_null(
        strstr(error, "environment MINUTED_HTTP_LISEN: no such key; did you mean 'MINUTED_HTTP_LISTEN'?"));
    assert_non_null(strstr(error, "--set http.workers: http.workers: 'many' is not a number"));
    free(error);
    char *both[] = {(char[]){"MINUTED_AUTH_SESSION_KEY=0123456789abcdef0123456789abcdef"},
        (char[]){"MINUTED_AUTH_SESSION_KEY_FILE=session.key"}, NULL};
    assert_null(load(base, both, NULL, 0, false, &error));
    assert_non_null(strstr(error, "auth.session_key and auth.session_key_file are both given: keep one"));
    free(error);
    assert_null(config_load("/no/such/file.yaml", NULL, NULL, 0, false, &error));
    assert_non_null(strstr(error, "/no/such/file.yaml: cannot be read: No such file or directory"));
    free(error);
}

static void test_brokers(void **state)
{
    static const char *const rows[] = {"kafka", "kafka.example:9092", "10.0.0.1:9092", "[::1]",
        "[fe80::1]:9092", "a:1,b:2,c", "a:1, b:2 ,,c:3 ", "broker_1:9092"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%skafka: {brokers: '%s'}\n", base, rows[i]);
        struct config *config = load_good(text);
        assert_string_equal(config->kafka.brokers, rows[i]);
        config_free(config);
    }
}

/* Whoever understands a property can say where it stands. */
static void test_properties_know_where_they_were_given(void **state)
{
    char text[1024];
    char *error = NULL;
    struct config_override override = {"kafka.properties.linger.ms", "7"};
    snprintf(text, sizeof(text),
        "%skafka:\n  properties:\n    linger.ms: 5\n    sasl.password_file: kafka.password\n", base);
    (void)state;
    struct config *config = load(text, NULL, &override, 1, false, &error);
    if (config == NULL) {
        fail_msg("%s", error);
        return;
    }
    assert_string_equal(config->kafka.properties[0].source, "--set kafka.properties.linger.ms");
    assert_int_equal(config->kafka.properties[0].line, 0);
    assert_false(config->kafka.properties[0].secret);
    assert_string_equal(config->kafka.properties[1].source, config_path());
    assert_int_equal(config->kafka.properties[1].line, 8);
    assert_true(config->kafka.properties[1].secret);
    config_free(config);
}

/* Kubernetes' own are no keys, and no mistakes either; a key that one of them names is a key. */
static void test_variables_of_services(void **state)
{
    (void)state;
    char *error = NULL;
    char *environment[] = {(char[]){"MINUTED_SERVICE_HOST=10.0.0.1"},
        (char[]){"MINUTED_PORT=tcp://10.0.0.1:80"}, (char[]){"MINUTED_HTTP_BASE_PATH=/x"}, NULL};
    struct config *config = load(base, environment, NULL, 0, false, &error);
    if (config == NULL) {
        fail_msg("%s", error);
        return;
    }
    assert_int_equal(config->n_ignored, 2);
    assert_string_equal(config->first_ignored, "MINUTED_SERVICE_HOST");
    assert_string_equal(config->http.base_path, "/x");
    config_free(config);
    char *mistaken[] = {(char[]){"MINUTED_SERVICE_HOST=10.0.0.1"}, (char[]){"MINUTED_REDIS_PORT=6379"}, NULL};
    assert_null(load(base, mistaken, NULL, 0, false, &error));
    assert_non_null(strstr(error, "environment MINUTED_REDIS_PORT: no such key"));
    assert_null(strstr(error, "MINUTED_SERVICE_HOST"));
    free(error);
}

static void test_dev(void **state)
{
    (void)state;
    char *error = NULL;
    struct config_override embedded = {"kafka.brokers", "embedded"};
    struct config *config = config_load(NULL, NULL, &embedded, 1, true, &error);
    assert_non_null(config);
    config_free(config);
    struct config_override open = {"http.listen", "0.0.0.0:8080"};
    assert_null(config_load(NULL, NULL, &open, 1, true, &error));
    assert_string_equal(error, "--set http.listen: http.listen: 0.0.0.0:8080 is not a loopback address, "
                               "but --dev gives tokens to anybody");
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_form),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_bare_lists),
        cmocka_unit_test(test_replaced_values_are_not_read),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_auth_problems),
        cmocka_unit_test(test_every_problem_is_told),
        cmocka_unit_test(test_problems_elsewhere),
        cmocka_unit_test(test_brokers),
        cmocka_unit_test(test_variables_of_services),
        cmocka_unit_test(test_properties_know_where_they_were_given),
        cmocka_unit_test(test_dev),
    };
    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
