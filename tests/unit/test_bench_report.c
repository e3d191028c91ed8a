/* The reports of a load: what they say, and that strangers' text stays text in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "load/metric_format.h"
#include "load/report_hgrm.h"
#include "load/report_html.h"
#include "load/report_json.h"
#include "load/report_text.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct result *sample(void)
{
    struct result *r = mem_zalloc(sizeof(*r));
    strcpy(r->title, "Steady");
    strcpy(r->command, "minuted-bench --rate 100");
    strcpy(r->started, "2022-12-02T08:00:00Z");
    strcpy(r->version, "0.1.0");
    strcpy(r->schedule, "100:10s");
    r->players = 12345;
    r->seed = UINT64_MAX;
    r->measured_s = 10;
    r->counts =
        (struct load_counts){.offered = 1000, .answered = 1000, .accepted = 1000, .credited_s = 1234567};
    for (int i = 1; i <= 1000; i++)
        histogram_add(&r->latency, i);
    r->n_watched = 1;
    strcpy(r->watched_names[0], "minuted");
    r->watched[0] = (struct usage){.cpu_us = 20000, .memory = 3 << 20};
    r->has_redis = true;
    r->redis = (struct redis_usage){.commands = 5000, .memory = 1600, .keys = 7};
    r->n_seconds = 2;
    r->seconds = mem_zalloc(2 * sizeof(*r->seconds));
    r->seconds[0] = (struct second){.counts.answered = 5,
        .offered_rate = 99.5,
        .latency_us = {1, 2, 3, 4, 5},
        .watched[0] = {11, 12},
        .redis = {21, 22, 23}};
    return r;
}

static void sample_free(struct result *r)
{
    result_free(r);
    free(r);
}

static char *written(void (*report)(const struct result *, struct buf *), const struct result *r)
{
    struct buf out = {0};
    report(r, &out);
    buf_append_char(&out, '\0');
    return out.data;
}

/* ---- figures ---- */

static void test_metric_format(void **state)
{
    (void)state;
    static const struct {
        enum metric_unit unit;
        double value;
        const char *text;
    } rows[] = {{UNIT_US, 0, "0 µs"}, {UNIT_US, 7, "7 µs"}, {UNIT_US, 12.34, "12.3 µs"},
        {UNIT_US, 842, "842 µs"}, {UNIT_US, 999.4, "999 µs"}, {UNIT_US, 999.6, "1.00 ms"},
        {UNIT_US, 1250, "1.25 ms"}, {UNIT_US, 12500, "12.5 ms"}, {UNIT_US, 999600, "1.00 s"},
        {UNIT_US, 7.2e9, "7,200 s"}, {UNIT_PER_S, 20000, "20,000/s"}, {UNIT_PER_S, 9.091, "9.09/s"},
        {UNIT_COUNT, 0, "0"}, {UNIT_COUNT, 999, "999"}, {UNIT_COUNT, 1000, "1,000"},
        {UNIT_COUNT, 1234567, "1,234,567"}, {UNIT_COUNT, 18446744073709551615.0, "2e+19"},
        {UNIT_BYTES, 812, "812 B"}, {UNIT_BYTES, 24.61, "24.6 B"}, {UNIT_BYTES, 1280, "1.25 KiB"},
        {UNIT_BYTES, 18 << 20, "18.0 MiB"}, {UNIT_BYTES, -1280, "-1.25 KiB"},
        {UNIT_BYTES, 1023.7, "1.00 KiB"}, {UNIT_BYTES, 0x1p41, "2,048 GiB"}, {UNIT_RATIO, 0.423, "42.3 %"},
        {UNIT_RATIO, 1, "100 %"}, {UNIT_RATIO, 0, "0 %"}, {UNIT_US, NAN, "–"}, {UNIT_US, INFINITY, "–"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32];
        if (strcmp(load_metric_format(rows[i].unit, rows[i].value, text), rows[i].text) != 0)
            fail_msg("%s instead of %s", text, rows[i].text);
    }
}

/* ---- .hgrm ---- */

static void test_hgrm_layout(void **state)
{
    (void)state;
    struct histogram *h = mem_zalloc(sizeof(*h));
    for (int i = 0; i < 3; i++)
        histogram_add(h, 1000);
    histogram_add(h, 2000);
    struct buf out = {0};
    report_hgrm(h, &out);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                                  "\n"
                                  "       1.000 0.000000000000          3           1.00\n"
                                  "       1.000 0.100000000000          3           1.11\n"
                                  "       1.000 0.200000000000          3           1.25\n"
                                  "       1.000 0.300000000000          3           1.43\n"
                                  "       1.000 0.400000000000          3           1.67\n"
                                  "       1.000 0.500000000000          3           2.00\n"
                                  "       1.000 0.550000000000          3           2.22\n"
                                  "       1.000 0.600000000000          3           2.50\n"
                                  "       1.000 0.650000000000          3           2.86\n"
                                  "       1.000 0.700000000000          3           3.33\n"
                                  "       1.000 0.750000000000          3           4.00\n"
                                  "       2.000 0.775000000000          4           4.44\n"
                                  "       2.000 1.000000000000          4\n"
                                  "#[Mean    =        1.250, StdDeviation   =        0.433]\n"
                                  "#[Max     =        2.000, Total count    =            4]\n"
                                  "#[Buckets =           22, SubBuckets     =         2048]\n");
    buf_free(&out);
    free(h);
}

static void test_hgrm_of_nothing(void **state)
{
    (void)state;
    struct result *r = mem_zalloc(sizeof(*r));
    struct buf out = {0};
    report_hgrm(&r->latency, &out);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
                                  "#[Mean    =        0.000, StdDeviation   =        0.000]\n"
                                  "#[Max     =        0.000, Total count    =            0]\n"
                                  "#[Buckets =           22, SubBuckets     =         2048]\n");
    buf_free(&out);
    free(r);
}

/* ---- JSON ---- */

/* Moves into the member KEY of the object that comes next. */
static bool enter(struct json_reader *r, const char *key)
{
    struct slice found;
    if (!json_object(r))
        return false;
    while (json_member(r, &found)) {
        if (slice_is(found, key))
            return true;
        json_skip(r);
    }
    return false;
}

static bool enter_element(struct json_reader *r, unsigned index)
{
    if (!json_array(r))
        return false;
    for (; json_element(r); index--) {
        if (index == 0)
            return true;
        json_skip(r);
    }
    return false;
}

/* To the value at PATH, such as "redis keys" or "seconds 0 latency_us 3". */
static bool walk(struct json_reader *r, const char *path)
{
    char step[64];
    int taken;
    for (; sscanf(path, " %63s%n", step, &taken) == 1; path += taken) {
        bool is_index = strspn(step, "0123456789") == strlen(step);
        if (!(is_index ? enter_element(r, (unsigned)atoi(step)) : enter(r, step)))
            return false;
    }
    return true;
}

static void test_json_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        double value;
    } rows[] = {{"format", 1}, {"load players", 12345}, {"measured_s", 10}, {"metrics p50", 500},
        {"metrics p99.9", 999}, {"metrics achieved", 100}, {"metrics cpu_per_heartbeat", 20},
        {"metrics cpu.minuted", 20}, {"metrics void", 0}, {"counts credited_s", 1234567},
        {"latency_us n", 1000}, {"latency_us mean", 500.5}, {"latency_us steps 5 0", 0.5},
        {"latency_us steps 5 1", 500}, {"latency_us steps 5 2", 500}, {"processes 0 cpu_us", 20000},
        {"processes 0 memory", 3 << 20}, {"redis commands", 5000}, {"redis keys", 7},
        {"seconds 0 offered_rate", 99.5}, {"seconds 0 answered", 5}, {"seconds 0 latency_us 3", 4},
        {"seconds 0 processes 0 0", 11}, {"seconds 0 processes 0 1", 12}, {"seconds 0 redis 2", 23}};
    struct result *r = sample();
    char *json = written(report_json, r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = {0};
        struct json_reader reader;
        struct json_number number = {0};
        json_read(&reader, slice_of(json), &arena);
        if (!walk(&reader, rows[i].path) || !json_number(&reader, &number) || number.value != rows[i].value)
            fail_msg("%s: %g", rows[i].path, number.value);
        arena_free(&arena);
    }
    free(json);
    sample_free(r);
}

static void test_json_nulls(void **state)
{
    (void)state;
    static const char *const paths[] = {"void_reason", "metrics lost", "metrics memory_per_idle_connection",
        "verification", "seconds 1 latency_us"};
    struct result *r = sample();
    char *json = written(report_json, r);
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct json_reader reader;
        json_read(&reader, slice_of(json), NULL);
        if (!walk(&reader, paths[i]) || json_next_type(&reader) != JSON_NULL)
            fail_msg("%s", paths[i]);
    }
    free(json);
    sample_free(r);
}

static void check_whole(const struct result *r)
{
    char *json = written(report_json, r);
    struct json_reader reader;
    json_read(&reader, slice_of(json), NULL);
    if (!json_skip(&reader) || !json_end(&reader))
        fail_msg("%s at %zu of %s", reader.error, reader.error_offset, json);
    free(json);
}

static void test_json_is_json(void **state)
{
    (void)state;
    struct result *r = sample();
    check_whole(r);
    strcpy(r->title, "\"quotes\" \\ \n \xff 教师");
    r->verification.asked = true;
    check_whole(r);
    strcpy(r->verification.problem, "no \"Kafka\"");
    r->has_redis = false;
    r->n_watched = 0;
    check_whole(r);
    sample_free(r);
    struct result *empty = mem_zalloc(sizeof(*empty));
    check_whole(empty);
    free(empty);
}

/* 64 bits are more than a double keeps. */
static void test_json_keeps_the_seed(void **state)
{
    (void)state;
    struct result *r = sample();
    char *json = written(report_json, r);
    assert_non_null(strstr(json, "\"seed\":\"18446744073709551615\""));
    free(json);
    sample_free(r);
}

/* ---- text ---- */

static void check_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in\n%s", part, text);
}

static void test_text_says_what_matters(void **state)
{
    (void)state;
    static const char *const parts[] = {"Steady\n", "$ minuted-bench --rate 100\n", "open loop, 100:10s",
        "12,345 players", "seconds credited    1,234,567", "from the intended time of sending",
        "      500 µs", "minuted                20 µs", "500/s commands"};
    struct result *r = sample();
    char *text = written(report_text, r);
    for (size_t i = 0; i < COUNT(parts); i++)
        check_says(text, parts[i]);
    assert_null(strstr(text, "VOID"));
    assert_null(strstr(text, "Verified"));
    free(text);
    sample_free(r);
}

static void test_text_warns(void **state)
{
    (void)state;
    struct result *r = sample();
    r->closed_loop = true;
    strcpy(r->void_reason, "99 % of a CPU");
    r->verification = (struct verification){.asked = true, .expected_s = 100, .redis_s = 60, .lost_s = 40};
    char *text = written(report_text, r);
    check_says(text, "VOID: 99 % of a CPU");
    check_says(text, "closed loop");
    check_says(text, "waiting for a free connection is not counted");
    check_says(text, "60  DIFFERS");
    check_says(text, "NOT WHAT WAS ACCEPTED: 40 s lost");
    free(text);
    strcpy(r->verification.problem, "Kafka did not answer");
    text = written(report_text, r);
    check_says(text, "NOT VERIFIED: Kafka did not answer");
    assert_null(strstr(text, "DIFFERS"));
    free(text);
    sample_free(r);
}

/* Even where nothing was lost, a total that differs is not what was accepted. */
static void test_text_verifies_the_totals(void **state)
{
    (void)state;
    struct result *r = sample();
    r->verification = (struct verification){
        .asked = true, .expected_s = 9, .redis_s = 9, .redis_total_s = 9, .kafka_s = 9, .kafka_total_s = 9};
    char *text = written(report_text, r);
    check_says(text, "Exactly what was accepted");
    free(text);
    r->verification.kafka_total_s = 8;
    text = written(report_text, r);
    check_says(text, "NOT WHAT WAS ACCEPTED");
    free(text);
    sample_free(r);
}

static void test_text_passes_no_control_characters_on(void **state)
{
    (void)state;
    struct result *r = sample();
    strcpy(r->title, "a\x1b[2Jb\xc2\x9b"
                     "c\xff教师");
    char *text = written(report_text, r);
    check_says(text, "a?[2Jb?c?教师\n");
    free(text);
    sample_free(r);
}

/* ---- HTML ---- */

static size_t occurrences(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void test_html_takes_text_as_text(void **state)
{
    (void)state;
    struct result *r = sample();
    char *plain = written(report_html, r);
    strcpy(r->title, "</title></script><script>alert(1)</script>\xe2\x80\xa8\xe2\x80\xa9&{{text}}{{json}}");
    strcpy(r->command, "</pre><!--<script>");
    strcpy(r->watched_names[0], "<b>\"");
    char *page = written(report_html, r);
    assert_int_equal(occurrences(page, "<script"), occurrences(plain, "<script"));
    assert_int_equal(occurrences(page, "</script"), occurrences(plain, "</script"));
    assert_int_equal(occurrences(page, "</title"), 1);
    assert_int_equal(occurrences(page, "<!--"), occurrences(plain, "<!--"));
    assert_int_equal(occurrences(page, "<b>"), 0);
    check_says(page, "\"\\u003c/title\\u003e\\u003c/script\\u003e");
    check_says(page, "\\u2028\\u2029\\u0026{{text}}{{json}}\"");
    check_says(page, "<title>&lt;/title&gt;");
    free(plain);
    free(page);
    sample_free(r);
}

/* What the page's script reads is what report_json() wrote. */
static void test_html_holds_the_json(void **state)
{
    (void)state;
    struct result *r = sample();
    strcpy(r->title, "a <b> & c");
    char *page = written(report_html, r);
    const char *from = strstr(page, "id=\"result\">");
    assert_non_null(from);
    from += strlen("id=\"result\">");
    const char *to = strstr(from, "</script>");
    struct arena arena = {0};
    struct json_reader reader;
    struct slice title;
    json_read(&reader, (struct slice){from, (size_t)(to - from)}, &arena);
    assert_true(walk(&reader, "title") && json_string(&reader, &title) && slice_is(title, "a <b> & c"));
    arena_free(&arena);
    free(page);
    sample_free(r);
}

static void test_html_loads_nothing(void **state)
{
    (void)state;
    static const char *const parts[] = {
        " src=", "<link", "@import", "url(", "fetch(", "innerHTML", "insertAdjacentHTML"};
    struct result *r = sample();
    char *page = written(report_html, r);
    for (size_t i = 0; i < COUNT(parts); i++)
        if (strstr(page, parts[i]) != NULL)
            fail_msg("%s", parts[i]);
    check_says(page, "default-src 'none'");
    free(page);
    sample_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_format),
        cmocka_unit_test(test_hgrm_layout),
        cmocka_unit_test(test_hgrm_of_nothing),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_json_nulls),
        cmocka_unit_test(test_json_is_json),
        cmocka_unit_test(test_json_keeps_the_seed),
        cmocka_unit_test(test_text_says_what_matters),
        cmocka_unit_test(test_text_warns),
        cmocka_unit_test(test_text_verifies_the_totals),
        cmocka_unit_test(test_text_passes_no_control_characters_on),
        cmocka_unit_test(test_html_takes_text_as_text),
        cmocka_unit_test(test_html_holds_the_json),
        cmocka_unit_test(test_html_loads_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
