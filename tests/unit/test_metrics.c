/* The metrics' text, read back line by line as Prometheus would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "ops/metrics.h"
#include "ops/metrics_text.h"
#include "ops/status.h"

/* --- two workers whose counters are known ------------------------------------------------------ */

struct fixture {
    struct http_counters http[2];
    struct api_counters api[2];
    struct store_counters store[2];
    const struct http_counters *http_of[2];
    const struct api_counters *api_of[2];
    const struct store_counters *store_of[2];
    struct clock clock;
    struct ops_state state;
    struct ops_sources sources;
};

static void fill(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    for (int i = 0; i < 2; i++) {
        f->http_of[i] = &f->http[i];
        f->api_of[i] = &f->api[i];
        f->store_of[i] = &f->store[i];
        f->http[i].open_connections = 5 + i;
        f->api[i].runs_accepted = 1000000007;
        f->api[i].runs_refused[REASON_TOO_LATE] = 3;
        f->store[i].credited_seconds = 20;
    }
    f->state.started = true;
    f->sources = (struct ops_sources){
        .n_workers = 2,
        .http = f->http_of,
        .api = f->api_of,
        .store = f->store_of,
        .clock = &f->clock,
        .state = &f->state,
        .start_ms = 1700000000500,
    };
}

static char *text_of(const struct metrics *m)
{
    struct buf text = {0};
    metrics_text_write(m, &text);
    buf_append_char(&text, '\0');
    return text.data;
}

/* --- a reader of the exposition format ---------------------------------------------------------- */

struct reader {
    char family[128];
    char type[16];
    char seen[2 * METRIC_COUNT][128];
    size_t n_seen;
    size_t samples;
};

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == ':';
}

static const char *read_name(const char *at, char name[static 128])
{
    size_t n = 0;
    while (name_char(at[n]) && n < 127) {
        name[n] = at[n];
        n++;
    }
    name[n] = '\0';
    assert_true(n > 0 && !isdigit((unsigned char)name[0]));
    return at + n;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t end = strlen(suffix);
    return len > end && strcmp(name + len - end, suffix) == 0;
}

/* HELP opens a family, which must be new; TYPE follows it. */
static void read_help(struct reader *r, const char *at)
{
    assert_int_equal(*read_name(at, r->family), ' ');
    for (size_t i = 0; i < r->n_seen; i++)
        assert_string_not_equal(r->seen[i], r->family);
    memcpy(r->seen[r->n_seen++], r->family, sizeof(r->family));
    r->type[0] = '\0';
    r->samples = 0;
}

static void read_type(struct reader *r, const char *at)
{
    char name[128];
    at = read_name(at, name);
    assert_string_equal(name, r->family);
    assert_string_equal(r->type, "");
    assert_true(strcmp(at, " counter") == 0 || strcmp(at, " gauge") == 0);
    snprintf(r->type, sizeof(r->type), "%s", at + 1);
    assert_int_equal(ends_in(name, "_total"), strcmp(r->type, "counter") == 0);
}

static const char *read_label(const char *at)
{
    char name[128];
    at = read_name(at + 1, name);
    assert_memory_equal(at, "=\"", 2);
    for (at += 2; *at != '"'; at++) {
        assert_int_not_equal(*at, '\0');
        if (*at == '\\') {
            at++;
            assert_non_null(strchr("\\\"n", *at));
        }
    }
    assert_int_equal(at[1], '}');
    return at + 2;
}

static void read_sample(struct reader *r, const char *at)
{
    char name[128];
    at = read_name(at, name);
    assert_string_equal(name, r->family);
    assert_string_not_equal(r->type, "");
    if (*at == '{')
        at = read_label(at);
    assert_int_equal(*at, ' ');
    char *end;
    double value = strtod(at + 1, &end);
    assert_int_equal(*end, '\0');
    assert_true(!isnan(value));
    r->samples++;
}

static void read_text(char *text)
{
    struct reader *r = calloc(1, sizeof(*r));
    assert_int_equal(text[strlen(text) - 1], '\n');
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(r, line + 7);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(r, line + 7);
        else
            read_sample(r, line);
    }
    assert_true(r->n_seen > 30);
    assert_true(r->samples > 0);
    free(r);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void add_server(struct metrics *m, const char *name, bool reached, bool clock_known)
{
    struct redis_condition *server = &m->servers[m->n_servers++];
    snprintf(server->name, sizeof(server->name), "%s", name);
    server->reached = reached;
    server->clock_known = clock_known;
    server->clock_skew_ms = clock_known ? -1500 : 0;
    server->used_memory = 123456789012;
    metrics_collect_servers(m);
}

static void every_line_parses(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    struct metrics *m = metrics_collect(&f.sources);
    add_server(m, "unix:/a \"quoted\\ name\"\n", true, true);
    add_server(m, "[::1]:6379", false, true);
    char *text = text_of(m);
    read_text(text);
    free(text);
    metrics_free(m);
}

static void says_what_is_counted(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    f.store[1].last_answer_ms = clock_monotonic_ms();
    struct metrics *m = metrics_collect(&f.sources);
    add_server(m, "[::1]:6379", true, true);
    add_server(m, "[::1]:6380", false, true);
    char *text = text_of(m);
    static const char *const lines[] = {
        "\nminuted_http_open_connections 11\n",
        "\nminuted_runs_accepted_total 2000000014\n",
        "\nminuted_runs_refused_total{reason=\"too_late\"} 6\n",
        "\nminuted_runs_refused_total{reason=\"malformed\"} 0\n",
        "\nminuted_credited_seconds_total 40\n",
        "\nminuted_started 1\n",
        "\nminuted_ready 0\n",
        "\nminuted_build_info{version=\"",
        "\nminuted_redis_reached{server=\"[::1]:6379\"} 1\n",
        "\nminuted_redis_reached{server=\"[::1]:6380\"} 0\n",
        "\nminuted_redis_clock_skew_seconds{server=\"[::1]:6379\"} -1.5\n",
        "\nminuted_redis_used_memory_bytes{server=\"[::1]:6379\"} 123456789012\n",
        "\nprocess_start_time_seconds 1700000000.5\n",
        "\nprocess_resident_memory_bytes ",
        "\nprocess_open_fds ",
        "\nminuted_store_last_answer_age_seconds 0",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("no line \"%s\"", lines[i]);
    free(text);
    metrics_free(m);
}

/* A wrong number is worse than none: what is not known has no series, and a family without one no header. */
static void leaves_out_what_is_not_known(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    struct metrics *m = metrics_collect(&f.sources);
    add_server(m, "[::1]:6379", true, false);
    add_server(m, "[::1]:6380", false, true);
    char *text = text_of(m);
    static const char *const absent[] = {"minuted_published_through_timestamp_seconds", "last_answer_age",
        "reason=\"\"", "minuted_redis_clock_skew_seconds", "nan", "NaN"};
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_null(strstr(text, absent[i]));
    free(text);
    metrics_free(m);
}

static void status_is_json(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    struct buf json = {0};
    status_write(&f.sources, &json);
    struct arena arena = {0};
    struct json_reader r;
    json_read(&r, buf_slice(&json), &arena);
    assert_true(json_skip(&r));
    assert_true(json_end(&r));
    buf_append_char(&json, '\0');
    assert_non_null(strstr(json.data, "\"accepted\":2000000014"));
    assert_non_null(strstr(json.data, "\"too_late\":6"));
    assert_non_null(strstr(json.data, "\"published_through\":null"));
    assert_non_null(strstr(json.data, "\"ready\":false"));
    arena_free(&arena);
    buf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_parses),
        cmocka_unit_test(says_what_is_counted),
        cmocka_unit_test(leaves_out_what_is_not_known),
        cmocka_unit_test(status_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
