/* Metrics by name, and what a load is held to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/assertions.h"
#include "load/metrics.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Ten seconds, a thousand answers of 1.5 ms; two watched processes and one of the load's side. */
static struct result *sample(void)
{
    struct result *r = mem_zalloc(sizeof(*r));
    r->measured_s = 10;
    r->counts = (struct load_counts){
        .offered = 1010, .answered = 1000, .refused = 10, .accepted = 2000, .credited_s = 30000};
    for (int i = 0; i < 1000; i++)
        histogram_add(&r->latency, i == 0 ? 9000 : 1500);
    histogram_add(&r->lateness, 120);
    r->generator_cpu = 0.5;
    r->n_watched = 3;
    strcpy(r->watched_names[0], "minuted");
    strcpy(r->watched_names[1], "redis");
    strcpy(r->watched_names[2], "client-nginx");
    r->watched[0].cpu_us = 40000;
    r->watched[1].cpu_us = 20000;
    r->watched[2].cpu_us = 1000000;
    r->has_redis = true;
    r->redis = (struct redis_usage){.commands = 5000, .memory = 1600};
    r->redis_memory_before = 100;
    r->n_seconds = 2;
    r->seconds = mem_zalloc(2 * sizeof(*r->seconds));
    r->seconds[0].counts.credited_s = 1200;
    r->seconds[1].counts.credited_s = 600;
    r->verification = (struct verification){.asked = true, .extra_s = 3};
    return r;
}

static void sample_free(struct result *r)
{
    result_free(r);
    free(r);
}

static void test_metric_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double value;
    } rows[] = {{"p50", 1500}, {"p99", 1500}, {"p99.9", 1500}, {"p99.99", 9000}, {"max", 9000},
        {"mean", 1507.5}, {"offered", 101}, {"achieved", 100}, {"runs_per_s", 200}, {"refused", 10},
        {"failed", 0}, {"accepted", 2000}, {"credited_s", 30000}, {"cpu_per_heartbeat", 30},
        {"cpu_per_request", 60}, {"cpu.minuted", 20}, {"cpu.redis", 10}, {"cpu.client-nginx", 500},
        {"redis_commands_per_s", 500}, {"redis_bytes_per_minute", 50}, {"lost", 0}, {"extra", 3},
        {"lateness_p99", 120}, {"lateness_max", 120}, {"generator_cpu", 0.5}, {"void", 0},
        {"memory_per_idle_connection", NAN}, {"cpu.nginx", NAN}, {"nonsense", NAN}, {"", NAN}};
    struct result *r = sample();
    for (size_t i = 0; i < COUNT(rows); i++) {
        double value = load_metric_value(r, slice_of(rows[i].name));
        if (isnan(rows[i].value) ? !isnan(value) : !(fabs(value - rows[i].value) < 1e-9))
            fail_msg("%s: %g", rows[i].name, value);
    }
    sample_free(r);
}

/* A floor such as nginx's `return 204` credits nothing: then a heartbeat is an answered request. */
static void test_cpu_where_nothing_is_credited(void **state)
{
    (void)state;
    struct result *r = sample();
    r->counts.accepted = 0;
    assert_true(load_metric_value(r, slice_of("cpu_per_heartbeat")) == 60);
    assert_true(load_metric_value(r, slice_of("cpu.minuted")) == 40);
    sample_free(r);
}

static void test_what_was_not_measured_is_nan(void **state)
{
    (void)state;
    static const char *const names[] = {"p99", "mean", "offered", "achieved", "cpu_per_heartbeat",
        "cpu_per_request", "memory_per_idle_connection", "redis_commands_per_s", "redis_bytes_per_minute",
        "lost", "extra", "lateness_max"};
    struct result *empty = mem_zalloc(sizeof(*empty));
    for (size_t i = 0; i < COUNT(names); i++)
        if (!isnan(load_metric_value(empty, slice_of(names[i]))))
            fail_msg("%s", names[i]);
    free(empty);
}

static void test_lost_is_unknown_when_it_could_not_be_judged(void **state)
{
    (void)state;
    struct result *r = sample();
    strcpy(r->verification.problem, "Kafka did not answer");
    assert_true(isnan(load_metric_value(r, slice_of("lost"))));
    assert_true(isnan(load_metric_value(r, slice_of("extra"))));
    sample_free(r);
}

static void test_names(void **state)
{
    (void)state;
    enum metric_unit unit;
    for (size_t i = 0; i < load_n_metrics; i++) {
        assert_true(load_metric_find(slice_of(load_metrics[i].name), &unit));
        assert_int_equal(unit, load_metrics[i].unit);
        assert_true(load_metrics[i].help && load_metrics[i].value);
    }
    assert_true(load_metric_find(slice_of("cpu.x"), &unit) && unit == UNIT_US);
    assert_false(load_metric_find(slice_of("cpu."), &unit));
    assert_false(load_metric_find(slice_of("cpu"), &unit));
    assert_false(load_metric_find(slice_of("p98"), &unit));
}

static void test_syntax(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem; /* a part of it; NULL when it can be read */
    } rows[] = {{"p99<5ms", NULL}, {"p99<5ms,refused==0,lost==0", NULL},
        {" p99 < 5 ms , refused == 0 ", NULL}, {"p99<=300us", NULL}, {"p99>=0.5s", NULL}, {"p99!=1µs", NULL},
        {"achieved>20K", NULL}, {"accepted>1.5M", NULL}, {"memory_per_idle_connection<=1KiB", NULL},
        {"generator_cpu<80%", NULL}, {"cpu.minuted<12.5us", NULL}, {"", "expected one of"},
        {"p99", "expected one of"}, {"p99=5ms", "expected one of"}, {"p99<5ms,", "expected one of"},
        {",p99<5ms", "expected one of"}, {"p99<5ms,,lost==0", "expected one of"}, {"p99<", "number"},
        {"p99<ms", "number"}, {"p99<-5ms", "number"}, {"p99<0x5ms", "unit"}, {"p99<1e3ms", "unit"},
        {"p99<1.2.3ms", "number"}, {"p99<.", "number"}, {"p99<inf", "number"}, {"p99<5", "us, ms or s"},
        {"p99<5KiB", "us, ms or s"}, {"refused<5ms", "K or M"}, {"refused<5%", "K or M"},
        {"generator_cpu<5ms", "%"}, {"p98<5ms", "no such metric"}, {"<5ms", "no such metric"},
        {"cpu.<5us", "no such metric"}, {"p99<<5ms", "number"}, {"p99==5ms extra", "unit"},
        {"p99<99999999999999999999999999999999999ms", "number"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char problem[256] = "";
        bool good = assertions_check_syntax(rows[i].text, problem);
        if (good != (rows[i].problem == NULL))
            fail_msg("\"%s\": %s", rows[i].text, good ? "can be read" : problem);
        if (rows[i].problem && strstr(problem, rows[i].problem) == NULL)
            fail_msg("\"%s\": %s", rows[i].text, problem);
    }
}

static void test_a_problem_quotes_no_more_than_fits(void **state)
{
    (void)state;
    char text[2000];
    char problem[256];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_false(assertions_check_syntax(text, problem));
    assert_true(strlen(problem) < sizeof(problem) && strstr(problem, "expected one of") != NULL);
}

static void test_judging(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool met;
    } rows[] = {{"p99<5ms", true}, {"p99<1.5ms", false}, {"p99<=1.5ms", true}, {"p99>1.5ms", false},
        {"p99>=1.5ms", true}, {"p99==1.5ms", true}, {"p99==1500us", true}, {"p99==0.0015s", true},
        {"p99!=1.5ms", false}, {"p99!=5ms", true}, {"accepted==2K", true}, {"achieved>=0.1K", true},
        {"generator_cpu<=50%", true}, {"generator_cpu<0.5", false}, {"cpu.minuted<20.1us", true},
        {"cpu.minuted<20us", false}, {"redis_bytes_per_minute<1KiB", true}, {"extra==0", false},
        {"void==0", true}, {"p99<5ms,extra==3", true}, {"p99<5ms,extra==0", false},
        {"extra==0,p99<5ms", false},
        /* Not measured: neither equal nor unequal to anything. */
        {"cpu.nginx<1s", false}, {"cpu.nginx!=1s", false}, {"memory_per_idle_connection<1M", false},
        {"cpu.nginx>=0us", false}, {"nonsense<1", false}};
    struct result *r = sample();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};
        if (assertions_judge(rows[i].text, r, &out) != rows[i].met)
            fail_msg("\"%s\": %.*s", rows[i].text, (int)out.len, out.data);
        buf_free(&out);
    }
    sample_free(r);
}

static void test_each_assertion_has_a_line(void **state)
{
    (void)state;
    struct result *r = sample();
    struct buf out = {0};
    assert_false(assertions_judge("p99<5ms, refused==0, cpu.nginx<1us", r, &out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "met      p99<5ms                       found 1.50 ms\n"
                                  "NOT MET  refused==0                    found 10\n"
                                  "NOT MET  cpu.nginx<1us                 not measured\n");
    buf_free(&out);
    sample_free(r);
}

static void test_a_void_result_meets_nothing(void **state)
{
    (void)state;
    struct result *r = sample();
    struct buf out = {0};
    strcpy(r->void_reason, "the generator took 99 % of a CPU");
    assert_false(assertions_judge("p99<5ms", r, &out));
    buf_append_char(&out, '\0');
    assert_non_null(strstr(out.data, "the generator took 99 % of a CPU"));
    buf_free(&out);
    sample_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_values),
        cmocka_unit_test(test_cpu_where_nothing_is_credited),
        cmocka_unit_test(test_what_was_not_measured_is_nan),
        cmocka_unit_test(test_lost_is_unknown_when_it_could_not_be_judged),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_a_problem_quotes_no_more_than_fits),
        cmocka_unit_test(test_judging),
        cmocka_unit_test(test_each_assertion_has_a_line),
        cmocka_unit_test(test_a_void_result_meets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
