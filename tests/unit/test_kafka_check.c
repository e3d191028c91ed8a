/* kafka.properties: what librdkafka says of them, and where each was given, before any broker is asked. */
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/config_load.h"
#include "config/problems.h"
#include "publish/kafka_check.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/minuted-kafka-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("secret", "swordfish\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

enum { SAID_MAX = 2048 };

static void take(struct problems *problems, char text[static SAID_MAX])
{
    char *taken = problems_take(problems);
    snprintf(text, SAID_MAX, "%s", taken != NULL ? taken : "");
    free(taken);
}

/* Whether the properties of TEXT, which begins in line 1, are good; what is said of them, "" for nothing. */
static bool check(const char *text, const char *brokers, const struct config_override *overrides, size_t n,
    char problem[static SAID_MAX], char note[static SAID_MAX])
{
    char yaml[1024];
    char *error = NULL;
    struct problems problems = {0};
    struct problems notes = {0};
    snprintf(yaml, sizeof(yaml), "%s\n  brokers: %s\n", text, brokers);
    write_file("minuted.yaml", yaml);
    struct config *config = config_load(path_of("minuted.yaml"), NULL, overrides, n, true, &error);
    if (config == NULL) {
        fail_msg("%s", error);
        return false;
    }
    bool good = kafka_check_properties(config, &problems, &notes);
    take(&problems, problem);
    take(&notes, note);
    config_free(config);
    assert_int_equal(good, problem[0] == '\0');
    return good;
}

#define KAFKA "kafka:\n  properties:\n    "

static void test_good(void **state)
{
    static const char *const rows[] = {
        "kafka:",
        KAFKA "linger.ms: 5",
        KAFKA "linger.ms: 0.5",
        KAFKA "linger.ms: 1e1",
        KAFKA "batch.size: 0x10000",
        KAFKA "message.timeout.ms: 30000",
        KAFKA "compression.type: zstd",
        KAFKA "client.id: 5-of-us",
        KAFKA "client.rack: ''",
        KAFKA "debug: broker,eos",
        KAFKA "socket.keepalive.enable: 1",
        KAFKA "security.protocol: SASL_SSL\n    sasl.mechanism: PLAIN\n    sasl.username: 1a\n    "
              "sasl.password: 2b",
        KAFKA "security.protocol: SASL_SSL\n    sasl.mechanism: OAUTHBEARER\n"
              "    enable.sasl.oauthbearer.unsecure.jwt: true",
        KAFKA "security.protocol: SSL\n    ssl.ca.location: /etc",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char problem[SAID_MAX], note[SAID_MAX];
        if (!check(rows[i], "127.0.0.1:1", NULL, 0, problem, note) || note[0] != '\0')
            fail_msg("for %s: %s%s", rows[i], problem, note);
    }
}

static const struct {
    const char *text;
    const char *problem; /* behind the file's name; parts of it, each found */
    const char *more;
} wrong[] = {
    {KAFKA "security.protocl: ssl", ":3: kafka.properties.security.protocl: No such configuration property",
        ""},
    {KAFKA "client.id: x\n    security.protocol: sssl",
        ":4: kafka.properties.security.protocol: Invalid value", "\"sssl\""},
    {KAFKA "linger.ms: -5",
        ":3: kafka.properties.linger.ms: ", "value -5 is outside allowed range 0..900000"},
    {KAFKA "linger.ms: soon", ":3: kafka.properties.linger.ms: Invalid value", ""},
    {KAFKA "linger.ms: 5s", ":3: kafka.properties.linger.ms: expected a plain number", ""},
    {KAFKA "queue.buffering.max.kbytes: 1MiB",
        ":3: kafka.properties.queue.buffering.max.kbytes: expected a plain number", ""},
    {KAFKA "message.timeout.ms: 30s", ":3: kafka.properties.message.timeout.ms: expected a plain number", ""},
    {KAFKA "ssl.ca.location: /nowhere", ":3: kafka.properties.ssl.ca.location: ssl.ca.location failed: ", ""},
    {KAFKA "security.protocol: ssl\n    ssl.ca.location: /nowhere",
        ":4: kafka.properties.ssl.ca.location: ", "failed"},
    {KAFKA "security.protocol: ssl\n    ssl.certificate.location: /etc",
        ":4: kafka.properties.ssl.certificate.location: ", "failed"},
    {KAFKA "security.protocol: ssl\n    ssl.key.location: /nowhere",
        ":4: kafka.properties.ssl.key.location: ", "failed"},
    {KAFKA "security.protocol: sasl_ssl\n    sasl.mechanisms: FOO",
        ":4: kafka.properties.sasl.mechanisms: Unsupported SASL mechanism: FOO", ""},
    {KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: FOO",
        ":4: kafka.properties.sasl.mechanism: Unsupported", ""},
    {KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: PLAIN\n    sasl.username: me",
        ":5: kafka.properties.sasl.username: sasl.username and sasl.password must be set", ""},
    {KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: OAUTHBEARER",
        ":4: kafka.properties.sasl.mechanism: Unsupported SASL mechanism: OAUTHBEARER", "gets no token"},
    {KAFKA "client.id: x\n    max.in.flight.requests.per.connection: 50",
        ":4: kafka.properties.max.in.flight.requests.per.connection: `max.in.flight` must be set <= 5", ""},
    {KAFKA "max.in.flight: 50", ":3: kafka.properties.max.in.flight: `max.in.flight` must be set <= 5", ""},
    {KAFKA "retries: 0", ":3: kafka.properties.retries: `retries` must be set >= 1", ""},
    {KAFKA "queuing.strategy: lifo", ":3: kafka.properties.queuing.strategy: ", "fifo"},
    {KAFKA "transaction.timeout.ms: 1000\n    message.timeout.ms: 100000",
        ":3: kafka.properties.transaction.timeout.ms: ",
        "`message.timeout.ms` must be set <= `transaction.timeout.ms`"},
    {KAFKA "linger.ms: 400000", ":3: kafka.properties.linger.ms: ", "`message.timeout.ms` must be"},
    {KAFKA "message.timeout.ms: 4", ":3: kafka.properties.message.timeout.ms: ", "less than 1000"},
    {KAFKA "dr_cb: x", ":3: kafka.properties.dr_cb: ", "dedicated"},
    {KAFKA "plugin.library.paths: /nowhere", ":3: kafka.properties.plugin.library.paths: ", ""},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char problem[SAID_MAX], note[SAID_MAX];
        char start[256];
        (void)check(wrong[i].text, "127.0.0.1:1", NULL, 0, problem, note);
        snprintf(start, sizeof(start), "%s%s", path_of("minuted.yaml"), wrong[i].problem);
        if (strncmp(problem, start, strlen(start)) != 0 || strstr(problem, wrong[i].more) == NULL ||
            strchr(problem, '\n') != NULL)
            fail_msg("for %s: %s", wrong[i].text, problem);
    }
}

static void test_every_wrong_property_is_told(void **state)
{
    char problem[SAID_MAX], note[SAID_MAX];
    const struct config_override override = {"kafka.properties.batch.size", "0"};
    (void)state;
    assert_false(check(KAFKA "linger.ms: -5\n    no.such: 1", "127.0.0.1:1", &override, 1, problem, note));
    assert_non_null(strstr(problem, "minuted.yaml:3: kafka.properties.linger.ms: "));
    assert_non_null(strstr(problem, "minuted.yaml:4: kafka.properties.no.such: "));
    assert_non_null(strstr(problem, "--set kafka.properties.batch.size: kafka.properties.batch.size: "));
}

/* The last to give a property is the one that is named. */
static void test_the_layer_that_counts_is_named(void **state)
{
    char problem[SAID_MAX], note[SAID_MAX];
    const struct config_override bad = {"kafka.properties.linger.ms", "-1"};
    const struct config_override good = {"kafka.properties.linger.ms", "1"};
    (void)state;
    assert_false(check(KAFKA "linger.ms: 5", "127.0.0.1:1", &bad, 1, problem, note));
    assert_ptr_equal(strstr(problem, "--set kafka.properties.linger.ms: "), problem);
    assert_true(check(KAFKA "linger.ms: -5", "127.0.0.1:1", &good, 1, problem, note));
}

static void test_no_secret_is_told(void **state)
{
    static const char *const rows[] = {
        KAFKA "security.protocol_file: secret",
        KAFKA "linger.ms_file: secret",
        KAFKA "ssl.ca.pem_file: secret",
        KAFKA "ssl.key.password_file: secret\n    ssl.key.location: /nowhere",
        KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: PLAIN\n    sasl.password_file: secret",
        KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: PLAIN\n    sasl.password: swordfish",
        KAFKA "ssl.ca.pem: swordfish",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char problem[SAID_MAX], note[SAID_MAX];
        assert_false(check(rows[i], "127.0.0.1:1", NULL, 0, problem, note));
        if (strstr(problem, "swordfish") != NULL || strstr(problem, "kafka.properties.") == NULL)
            fail_msg("for %s: %s", rows[i], problem);
    }
}

static void test_what_is_heeded_by_nobody_is_noted(void **state)
{
    static const struct {
        const char *text;
        const char *note;
    } rows[] = {
        {
            KAFKA "client.id: x\n    group.id: x",
            ":4: kafka.properties.group.id: ",
        },
        {KAFKA "auto.offset.reset: earliest", ":3: kafka.properties.auto.offset.reset: "},
        {KAFKA "sasl.mechanism: PLAIN\n    sasl.username: a\n    sasl.password: b",
            ":3: kafka.properties.sasl.mechanism: Configuration property"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char problem[SAID_MAX], note[SAID_MAX];
        if (!check(rows[i].text, "127.0.0.1:1", NULL, 0, problem, note) ||
            strstr(note, rows[i].note) == NULL || strchr(note, '\n') != NULL)
            fail_msg("for %s: %s %s", rows[i].text, problem, note);
    }
}

static void test_scram_is_refused_where_the_library_repeats_a_nonce(void **state)
{
    static const char text[] = KAFKA "security.protocol: sasl_ssl\n    sasl.mechanism: SCRAM-SHA-512\n    "
                                     "sasl.username: a\n    sasl.password: b";
    char problem[SAID_MAX], note[SAID_MAX];
    (void)state;
    bool good = check(text, "127.0.0.1:1", NULL, 0, problem, note);
    assert_int_equal(good, rd_kafka_version() >= 0x02060100);
    if (!good) {
        assert_non_null(
            strstr(problem, ":4: kafka.properties.sasl.mechanism: SASL mechanism SCRAM-SHA-512 needs "
                            "librdkafka 2.6.1, and this is "));
        assert_null(strchr(problem, '\n'));
    }
}

static void test_the_embedded_broker_speaks_plainly(void **state)
{
    char problem[SAID_MAX], note[SAID_MAX];
    (void)state;
    assert_true(check(KAFKA "linger.ms: 5", "embedded", NULL, 0, problem, note));
    assert_false(check(KAFKA "linger.ms: 5\n    security.protocol: ssl", "embedded", NULL, 0, problem, note));
    assert_non_null(
        strstr(problem, "minuted.yaml:4: kafka.properties.security.protocol: kafka.brokers is 'embedded'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_every_wrong_property_is_told),
        cmocka_unit_test(test_the_layer_that_counts_is_named),
        cmocka_unit_test(test_no_secret_is_told),
        cmocka_unit_test(test_what_is_heeded_by_nobody_is_noted),
        cmocka_unit_test(test_scram_is_refused_where_the_library_repeats_a_nonce),
        cmocka_unit_test(test_the_embedded_broker_speaks_plainly),
    };
    return cmocka_run_group_tests_name("kafka_check", tests, make_folder, remove_folder);
}
