/*
 * Every row of the schema by the same test, so that a new key has its limits, its place in the reference and
 * its word about a reload tested from the start: the least and the greatest value are good; the next beyond
 * each is refused, with file, line and key; config/minuted.yaml documents the key and marks it [reload] where
 * a reload is enough.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config_auth.h"
#include "config/config_lists.h"
#include "config/config_load.h"
#include "config/config_properties.h"
#include "config/config_scalars.h"
#include "config/config_schema.h"

#define REFERENCE SOURCE_DIR "/config/minuted.yaml"
#define A_FILE SOURCE_DIR "/.clang-format" /* any file with as many bytes as a secret has */

static char file_name[] = "/tmp/test_config_schema.XXXXXX";

/* ---- values that fit, and that do not ---- */

/* How a number of the row's limits is written, and the least step from one value to the next. */
static const struct {
    config_reader *read;
    const char *unit;
    double step;
} numbers[] = {
    {config_read_duration, "ms", 1},
    {config_read_duration_or_off, "ms", 1},
    {config_read_linger, "ms", 0.001},
    {config_read_size, "", 1},
    {config_read_int, "", 1},
    {config_read_workers, "", 1},
    {config_read_rate, "", 1},
    {config_read_double, "", 0.0001},
};

/* Of rows that have no limits. */
static const struct {
    config_reader *read;
    const char *good;
    const char *bad;
} examples[] = {
    {config_read_string, "someone", "[a]"},
    {config_read_path, "catalog.yaml", "[a]"},
    {config_read_located, "redis.example", "''"},
    {config_read_located_path, "redis.pem", "[a]"},
    {config_read_base_path, "/x", "x"},
    {config_read_name, "a.b-c_D9", "a b"},
    {config_read_endpoints, "['127.0.0.1:1', '[::1]:2']", "nowhere"},
    {config_read_endpoint, "127.0.0.1:1", "nowhere"},
    {config_read_origins, "['https://training.example']", "training.example"},
    {config_read_brokers, "'one:9092,two:9092'", "'one:0x'"},
    {config_read_properties, "{linger.ms: 5}", "{acks: 1}"},
    {config_read_session_key, "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcde"},
    {config_read_session_key_file, "[" A_FILE "]", "/nowhere"},
    {config_read_issuers, "[{issuer: i, portal: p, secret: 0123456789abcdef0123456789abcdef}]",
        "[{issuer: i, secret: 0123456789abcdef0123456789abcdef}]"},
    {config_read_password, "secret", "''"},
    {config_read_password_file, A_FILE, "/nowhere"},
};

/* Keep the other half of each relation between two keys out of the way. */
static const struct config_override companions[] = {{"heartbeats.interval", "1s"},
    {"heartbeats.max_interval", "60s"}, {"heartbeats.horizon", "168h"}, {"publish.grace", "24h"},
    {"http.header_timeout", "100ms"}, {"http.request_timeout", "300s"}};
static const struct config_override password = {"redis.password", "secret"};

struct values {
    char good[2][120]; /* the least and the greatest, or two choices, or one twice */
    char bad[2][120];
};

static void values_of_choices(const struct config_key *key, struct values *v)
{
    const char *last = strrchr(key->choices, ' ');
    assert_non_null(last);
    snprintf(v->good[0], sizeof(v->good[0]), "%.*s", (int)strcspn(key->choices, " "), key->choices);
    snprintf(v->good[1], sizeof(v->good[1]), "%s", last + 1);
    snprintf(v->bad[0], sizeof(v->bad[0]), "nonsense");
    snprintf(v->bad[1], sizeof(v->bad[1]), "%.*s", (int)strlen(v->good[0]) - 1, v->good[0]);
}

static void values_of_number(const struct config_key *key, const char *unit, double step, struct values *v)
{
    /* The greatest that early_retire can be is under the horizon, whose greatest is the same. */
    double greatest = strcmp(key->name, "redis.early_retire") == 0 ? key->max - step : key->max;
    assert_true(key->min < key->max);
    snprintf(v->good[0], sizeof(v->good[0]), "%.15g%s", key->min, unit);
    snprintf(v->good[1], sizeof(v->good[1]), "%.15g%s", greatest, unit);
    snprintf(v->bad[0], sizeof(v->bad[0]), "%.15g%s", key->min - step, unit);
    snprintf(v->bad[1], sizeof(v->bad[1]), "%.15g%s", key->max + step, unit);
}

static void values_of(const struct config_key *key, struct values *v)
{
    if (key->choices != NULL) {
        values_of_choices(key, v);
        return;
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].read == key->read) {
            values_of_number(key, numbers[i].unit, numbers[i].step, v);
            return;
        }
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        if (examples[i].read == key->read) {
            for (int k = 0; k < 2; k++) {
                snprintf(v->good[k], sizeof(v->good[k]), "%s", examples[i].good);
                snprintf(v->bad[k], sizeof(v->bad[k]), "%s", examples[i].bad);
            }
            return;
        }
    fail_msg("%s: this test knows no values that its reader takes", key->name);
}

/* ---- loading one value ---- */

/* A file that gives KEY alone; VALUE stands in line 4, or in line 3 where the key has no section. */
static void write_file(const char *key, const char *value)
{
    const char *dot = strchr(key, '.');
    const char *last = strrchr(key, '.');
    FILE *file = fopen(file_name, "w");
    assert_non_null(file);
    fputs("# one key\n\n", file);
    if (dot != last) /* a section in a section */
        fprintf(file, "%.*s:\n  %.*s: {%s: %s}\n", (int)(dot - key), key, (int)(last - dot - 1), dot + 1,
            last + 1, value);
    else if (dot != NULL)
        fprintf(file, "%.*s:\n  %s: %s\n", (int)(dot - key), key, dot + 1, value);
    else
        fprintf(file, "%s: %s\n", key, value);
    assert_int_equal(fclose(file), 0);
}

static struct config *load(const char *key, const char *value, char **error)
{
    struct config_override overrides[sizeof(companions) / sizeof(companions[0]) + 1];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++)
        if (key == NULL || strcmp(companions[i].key, key) != 0)
            overrides[n++] = companions[i];
    if (key != NULL && strcmp(key, "redis.username") == 0)
        overrides[n++] = password;
    if (key != NULL)
        write_file(key, value);
    *error = NULL;
    return config_load(key == NULL ? NULL : file_name, NULL, overrides, n, true, error);
}

static struct config *load_good(const char *key, const char *value)
{
    char *error;
    struct config *config = load(key, value, &error);
    if (config == NULL)
        fail_msg("%s: %s is refused: %s", key == NULL ? "nothing" : key, value, error);
    return config;
}

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_n_keys; i++) {
        const char *key = config_keys[i].name;
        struct values v;
        char place[120];
        values_of(&config_keys[i], &v);
        snprintf(place, sizeof(place), "%s:%d: %s", file_name, strchr(key, '.') == NULL ? 3 : 4, key);
        for (int k = 0; k < 2; k++) {
            char *error;
            config_free(load_good(key, v.good[k]));
            if (load(key, v.bad[k], &error) != NULL)
                fail_msg("%s: %s is accepted", key, v.bad[k]);
            if (strncmp(error, place, strlen(place)) != 0)
                fail_msg("%s: %s is refused without '%s': %s", key, v.bad[k], place, error);
            free(error);
        }
    }
}

/* What is no number has a word of its own. */
static void test_words_for_numbers(void **state)
{
    static const struct {
        config_reader *read;
        const char *word;
    } words[] = {{config_read_duration_or_off, "off"}, {config_read_duration_or_off, "0"},
        {config_read_workers, "auto"}, {config_read_durability, "'replicas:1'"},
        {config_read_durability, "'replicas:16'"}, {config_read_durability, "'fsync+replicas:16'"}};
    (void)state;
    for (size_t i = 0; i < config_n_keys; i++)
        for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
            if (config_keys[i].read == words[w].read)
                config_free(load_good(config_keys[i].name, words[w].word));
}

/* ---- reloading ---- */

static bool names_key(const struct config *running, const struct config *read, const char *key)
{
    struct buf names = {0};
    bool any = config_needs_restart(running, read, &names);
    bool named = slice_is(buf_slice(&names), key);
    if (any != named)
        fail_msg("%s: '%.*s' is named", key, SLICE_ARG(buf_slice(&names)));
    buf_free(&names);
    return named;
}

static void test_reload(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        struct values v;
        values_of(key, &v);
        bool two = strcmp(v.good[0], v.good[1]) != 0;
        struct config *one = load_good(key->name, v.good[0]);
        struct config *same = load_good(key->name, v.good[0]);
        if (two) {
            struct config *other = load_good(key->name, v.good[1]);
            assert_int_equal(names_key(one, other, key->name), !key->reloadable);
            config_free(other);
        }
        assert_false(names_key(one, same, key->name));
        config_free(one);
        config_free(same);
    }
}

/* Given or not is a difference too; what is given as the default is none. */
static void test_reload_of_what_was_not_given(void **state)
{
    (void)state;
    struct config *none = load_good(NULL, "");
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        bool is_companion = false;
        for (size_t c = 0; c < sizeof(companions) / sizeof(companions[0]); c++)
            is_companion = is_companion || strcmp(companions[c].key, key->name) == 0;
        if (is_companion || strcmp(key->name, "redis.username") == 0)
            continue;
        if (key->initial != NULL) {
            struct config *same = load_good(key->name, key->initial);
            assert_false(names_key(none, same, key->name));
            config_free(same);
        } else {
            struct values v;
            values_of(key, &v);
            struct config *given = load_good(key->name, v.good[0]);
            assert_int_equal(names_key(none, given, key->name), !key->reloadable);
            config_free(given);
        }
    }
    config_free(none);
}

/* ---- the reference ---- */

/* The line of TEXT that begins at P without its line end, and where the next one begins. */
static struct slice line_at(const char *p)
{
    return (struct slice){p, strcspn(p, "\n")};
}

static bool has(struct slice text, const char *word)
{
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* The lines of a section, of which the first names it; of the keys without a section the line alone. */
static struct slice section_of(const char *text, const char *name)
{
    for (const char *p = text; *p != '\0'; p += line_at(p).len + (p[line_at(p).len] != '\0')) {
        size_t len = strlen(name);
        if (strncmp(p, name, len) != 0 || p[len] != ':')
            continue;
        const char *end = p + line_at(p).len;
        while (end[0] == '\n' && (end[1] == ' ' || end[1] == '\n' || end[1] == '#'))
            end += 1 + line_at(end + 1).len;
        return (struct slice){p, (size_t)(end - p)};
    }
    fail_msg("%s is not documented", name);
    return (struct slice){"", 0};
}

/* The line of the key in its section, with the comment right above it. */
static struct slice entry_of(const char *text, struct slice section, const char *word)
{
    const char *found = memmem(section.ptr, section.len, word, strlen(word));
    if (found == NULL)
        return (struct slice){"", 0};
    const char *start = found;
    const char *end = found + line_at(found).len;
    while (start > text && start[-1] != '\n')
        start--;
    while (start > text) {
        const char *above = start - 1;
        while (above > text && above[-1] != '\n')
            above--;
        if (above[strspn(above, " ")] != '#')
            break;
        start = above;
    }
    return (struct slice){start, (size_t)(end - start)};
}

static void test_reference(void **state)
{
    struct buf text = {0};
    (void)state;
    assert_true(file_read(REFERENCE, 1 << 20, &text));
    buf_append_char(&text, '\0');
    for (size_t i = 0; i < config_n_keys; i++) {
        const char *key = config_keys[i].name;
        const char *dot = strrchr(key, '.');
        char section_name[40], word[64];
        snprintf(section_name, sizeof(section_name), "%.*s", (int)strcspn(key, "."), key);
        snprintf(word, sizeof(word), "%s:", dot == NULL ? key : dot + 1);
        struct slice section = section_of(text.data, section_name);
        struct slice entry = entry_of(text.data, section, word);
        if (entry.len == 0)
            fail_msg("%s is not documented", key);
        bool marked = has(entry, "[reload]") || (dot != NULL && has(line_at(section.ptr), "[reload]"));
        if (marked != config_keys[i].reloadable)
            fail_msg("%s: the reference %s [reload]", key, marked ? "says" : "does not say");
    }
    buf_free(&text);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file_name);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_words_for_numbers),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_of_what_was_not_given),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
