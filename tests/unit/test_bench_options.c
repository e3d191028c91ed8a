/* The command line: what each option makes of its value, and what is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/options.h"

enum { WORDS_MAX = 100, SAID_MAX = 4096 };

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct line {
    char text[2048];
    char *words[WORDS_MAX];
    struct load_options options;
    enum exit_status status;
    char said[SAID_MAX]; /* on standard error */
};

static int cut_in_words(struct line *l, const char *text)
{
    int n = 0;
    char *rest = NULL;
    snprintf(l->text, sizeof(l->text), "minuted-bench %s", text);
    for (char *word = strtok_r(l->text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        l->words[n++] = word;
    l->words[n] = NULL;
    return n;
}

static void read_back(FILE *file, char said[static SAID_MAX])
{
    fflush(stderr);
    rewind(file);
    said[fread(said, 1, SAID_MAX - 1, file)] = '\0';
    fclose(file);
}

/* Words are told apart by single spaces. */
static bool parse(struct line *l, const char *text)
{
    int n = cut_in_words(l, text);
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    optind = 0;
    bool good = load_options_parse(n, l->words, &l->options, &l->status);
    read_back(file, l->said);
    dup2(kept, STDERR_FILENO);
    close(kept);
    return good;
}

static void must_parse(struct line *l, const char *text)
{
    if (!parse(l, text))
        fail_msg("%s: %s", text, l->said);
}

static void test_what_is_not_said(void **state)
{
    (void)state;
    struct line l;
    must_parse(&l, "--config a.yaml");
    const struct load_options *o = &l.options;
    assert_string_equal(o->config_file, "a.yaml");
    assert_string_equal(o->schedule_text, "1000:10s");
    assert_int_equal(schedule_requests(&o->schedule), 10000);
    assert_int_equal(o->batch, 1);
    assert_int_equal(o->connections, 256);
    assert_int_equal(o->threads, 1);
    assert_int_equal(o->timeout_us, 5000000);
    assert_int_equal(o->warmup_us, 2000000);
    assert_int_equal(o->drain_us, 30000000);
    assert_int_equal(o->seed, 1);
    assert_true(o->pauses == 0.02 && o->seeks == 0.03 && o->resends == 0.01 && o->speeds == 0.2);
    assert_false(o->verify || o->make_sessions || o->close || o->any_answer || o->quiet || o->dev);
    assert_null(o->base_path);
}

static void test_all_that_can_be_said(void **state)
{
    (void)state;
    struct line l;
    must_parse(&l,
        "-c a.yaml -s redis.linger=2ms --set x= --dev --to 127.0.0.1:80 --to unix:/x --base-path /w "
        "-l 2K-4K:1m -p 3M -i 500ms -b 256 -n 4K --close --from 127.0.0.1,127.0.0.2 --idle 10 -t 4 "
        "--timeout 1.5s --warmup 0s --drain 1h --seed 99 --pauses 50% --seeks 0 --resends 1 --speeds 0.5 "
        "--backdate 4h --claim 1m -w minuted=1 -w redis=4294 --verify --verify-wait 9s "
        "-a p99<5ms,refused==0 --title T --json - --hgrm h --html p -q");
    const struct load_options *o = &l.options;
    assert_int_equal(o->n_overrides, 2);
    assert_string_equal(o->overrides[0].key, "redis.linger");
    assert_string_equal(o->overrides[0].value, "2ms");
    assert_string_equal(o->overrides[1].value, "");
    assert_int_equal(o->n_places, 2);
    assert_int_equal(o->places[0].port, 80);
    assert_true(o->places[1].is_unix);
    assert_string_equal(o->base_path, "/w");
    assert_string_equal(o->schedule_text, "2K-4K:1m");
    assert_int_equal(schedule_requests(&o->schedule), 180000);
    assert_true(o->players == 3e6);
    assert_int_equal(o->interval_us, 500000);
    assert_int_equal(o->batch, 256);
    assert_int_equal(o->connections, 4000);
    assert_int_equal(o->n_sources, 2);
    assert_string_equal(o->sources[1], "127.0.0.2");
    assert_int_equal(o->idle, 10);
    assert_int_equal(o->threads, 4);
    assert_int_equal(o->timeout_us, 1500000);
    assert_int_equal(o->warmup_us, 0);
    assert_int_equal(o->drain_us, INT64_C(3600000000));
    assert_int_equal(o->seed, 99);
    assert_true(o->pauses == 0.5 && o->seeks == 0 && o->resends == 1 && o->speeds == 0.5);
    assert_int_equal(o->backdate_us, INT64_C(14400000000));
    assert_int_equal(o->claim_us, 60000000);
    assert_int_equal(o->n_watched, 2);
    assert_string_equal(o->watched[1].name, "redis");
    assert_int_equal(o->watched[1].pid, 4294);
    assert_int_equal(o->verify_wait_us, 9000000);
    assert_string_equal(o->assertions, "p99<5ms,refused==0");
    assert_string_equal(o->title, "T");
    assert_string_equal(o->json_file, "-");
    assert_string_equal(o->hgrm_file, "h");
    assert_string_equal(o->html_file, "p");
    assert_true(o->verify && o->make_sessions && o->close && o->quiet && o->dev);
}

static void test_plain_players(void **state)
{
    (void)state;
    struct line l;
    must_parse(&l, "-c a --pauses 50% --plain --make-sessions --any-answer");
    assert_true(
        l.options.pauses == 0 && l.options.seeks == 0 && l.options.resends == 0 && l.options.speeds == 0);
    assert_true(l.options.make_sessions && l.options.any_answer);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *said; /* names the option */
    } rows[] = {
        {"", "--config or --set is required"},
        {"-c a b", "'b'"},
        {"-c a --nonsense", "nonsense"},
        {"-c", "option requires an argument"},
        {"-c a --close=1", "close"},
        {"-c a --set x", "--set"},
        {"-c a --set =x", "--set"},
        {"-c a --to nowhere", "--to"},
        {"-c a --base-path w", "--base-path"},
        {"-c a --load 1000", "--load"},
        {"-c a --load max:1s,5:1s", "cannot be combined"},
        {"-c a --load 1000:1s", "--warmup"}, /* two seconds of it */
        {"-c a --load 1000:2.5s", "--warmup"},
        {"-c a --load 1000:3s --warmup 3s", "--warmup"},
        {"-c a --players 0", "--players"},
        {"-c a --players 5M", "--players"},
        {"-c a --players 1.5", "--players"},
        {"-c a --players 3 --threads 4", "--players"},
        {"-c a --interval 0s", "--interval"},
        {"-c a --interval 15", "--interval"},
        {"-c a --batch 0", "--batch"},
        {"-c a --batch 257", "--batch"},
        {"-c a --connections 0", "--connections"},
        {"-c a --connections 60001", "--connections"},
        {"-c a --connections 1 --threads 2", "--connections"},
        {"-c a --threads 65", "--threads"},
        {"-c a --threads -1", "--threads"},
        {"-c a --threads 1x", "--threads"},
        {"-c a --idle 60001", "--idle"},
        {"-c a --timeout 1ms", "--timeout"},
        {"-c a --warmup 2d", "--warmup"},
        {"-c a --drain x", "--drain"},
        {"-c a --seed -1", "--seed"},
        {"-c a --pauses 101%", "--pauses"},
        {"-c a --seeks -1%", "--seeks"},
        {"-c a --resends 2", "--resends"},
        {"-c a --speeds 5%%", "--speeds"},
        {"-c a --backdate 500ms", "--backdate"},
        {"-c a --backdate 5h", "--backdate"},
        {"-c a --claim 0s", "--claim"},
        {"-c a --watch 1", "--watch"},
        {"-c a --watch =1", "--watch"},
        {"-c a --watch x=0", "--watch"},
        {"-c a --watch x=y", "--watch"},
        {"-c a --watch 12345678901234567890123456789012=1", "--watch"},
        {"-c a --assert p98<5ms", "--assert"},
        {"-c a --assert p99<5", "--assert"},
        {"-c a --verify --any-answer", "--verify"},
        {"-c a --verify-wait 1", "--verify-wait"},
        {"-c a --json=", "--json"},
    };
    struct line l;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (parse(&l, rows[i].text))
            fail_msg("'%s' is accepted", rows[i].text);
        assert_int_equal(l.status, EXIT_USAGE);
        if (strstr(l.said, rows[i].said) == NULL)
            fail_msg("'%s' is refused with '%s'", rows[i].text, l.said);
    }
}

static void test_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int most;
    } rows[] = {{" --to h:1", PLACES_MAX}, {" -w a=1", WATCHED_MAX}};
    struct line l;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024] = "-c a";
        size_t len = strlen(text);
        for (int n = 0; n < rows[i].most; n++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", rows[i].words);
        must_parse(&l, text);
        snprintf(text + len, sizeof(text) - len, "%s", rows[i].words);
        assert_false(parse(&l, text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_said),
        cmocka_unit_test(test_all_that_can_be_said),
        cmocka_unit_test(test_plain_players),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
