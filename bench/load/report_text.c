/* A result on one screen of text. Columns are aligned by characters, not bytes. */
#include "load/report_text.h"

#include <inttypes.h>
#include <math.h>

#include "base/utf8.h"
#include "load/metrics.h"

enum { LABEL = 18, COLUMN = 12 };

/* ---- cells ---- */

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_append_char(out, ' ');
}

static void cell(struct buf *out, const char *text)
{
    size_t n = characters(text);
    pad(out, n < COLUMN ? COLUMN - n : 1);
    buf_append_string(out, text);
}

static void figure(struct buf *out, enum metric_unit unit, double value)
{
    char text[32];
    cell(out, load_metric_format(unit, value, text));
}

static void count_cell(struct buf *out, uint64_t n)
{
    figure(out, UNIT_COUNT, (double)n);
}

static void inline_figure(struct buf *out, enum metric_unit unit, double value)
{
    char text[32];
    buf_append_string(out, load_metric_format(unit, value, text));
}

/* Text from outside: no control character reaches the terminal. */
static void printable(struct buf *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t n = utf8_length((const unsigned char *)text, left);
        bool plain = n > 0 && utf8_text_valid((struct slice){text, n});
        buf_append(out, plain ? text : "?", plain ? n : 1);
        text += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
}

static void label(struct buf *out, const char *text)
{
    size_t start = out->len;
    buf_append_string(out, "  ");
    printable(out, text);
    buf_append_char(out, '\0');
    size_t n = characters(out->data + start);
    out->len--;
    pad(out, n < LABEL ? LABEL - n : 1);
}

static double metric(const struct result *r, const char *name)
{
    return load_metric_value(r, slice_of(name));
}

/* ---- what was asked for ---- */

static void line_of(struct buf *out, const char *text)
{
    printable(out, text);
    buf_append_char(out, '\n');
}

static void append_void(const struct result *r, struct buf *out)
{
    if (r->void_reason[0] == '\0')
        return;
    static const char bar[] =
        "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!\n";
    buf_append_string(out, bar);
    buf_append_string(out, "VOID: ");
    line_of(out, r->void_reason);
    buf_append_string(out, "Do not use these figures: they do not show what the server can do.\n");
    buf_append_string(out, bar);
    buf_append_char(out, '\n');
}

static void append_head(const struct result *r, struct buf *out)
{
    line_of(out, r->title[0] ? r->title : "minuted-bench");
    buf_printf(out, "minuted-bench %s, %s\n", r->version, r->started);
    line_of(out, r->machine);
    buf_append_string(out, "$ ");
    line_of(out, r->command);
    buf_append_char(out, '\n');
    append_void(r, out);
    buf_printf(out, "Load    %s loop, ", r->closed_loop ? "closed" : "open");
    line_of(out, r->schedule);
    buf_append_string(out, "        ");
    inline_figure(out, UNIT_COUNT, (double)r->players);
    buf_append_string(out, " players, ");
    inline_figure(out, UNIT_COUNT, (double)r->connections);
    buf_append_string(out, " connections");
    if (r->idle_connections > 0) {
        buf_append_string(out, " and ");
        inline_figure(out, UNIT_COUNT, (double)r->idle_connections);
        buf_append_string(out, " idle ones");
    }
    buf_printf(out, ", %u %s\n", r->threads, r->threads == 1 ? "thread" : "threads");
    buf_printf(out, "        %u %s per request, %g s between a player's heartbeats, seed %" PRIu64 "\n",
        r->batch, r->batch == 1 ? "heartbeat" : "heartbeats", r->interval_s, r->seed);
    buf_printf(out, "        measured for %.1f s after %.1f s of warm-up\n\n", r->measured_s, r->warmup_s);
}

/* ---- what came of it ---- */

static void count_line(const struct result *r, struct buf *out, const char *name, uint64_t n)
{
    label(out, name);
    count_cell(out, n);
    figure(out, UNIT_PER_S, r->measured_s > 0 ? (double)n / r->measured_s : NAN);
}

static void append_counts(const struct result *r, struct buf *out)
{
    const struct load_counts *c = &r->counts;
    const struct {
        const char *request;
        uint64_t requests;
        const char *run;
        uint64_t runs;
    } rows[] = {{"offered", c->offered, "accepted", c->accepted},
        {"answered", c->answered, "to be retried", c->retried},
        {"refused", c->refused, "rejected", c->rejected},
        {"failed", c->failed, "seconds credited", c->credited_s}};
    buf_append_string(out, "Requests                            Runs\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        count_line(r, out, rows[i].request, rows[i].requests);
        buf_append_char(out, ' ');
        count_line(r, out, rows[i].run, rows[i].runs);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

static void append_latency(const struct result *r, struct buf *out)
{
    static const char *const names[] = {"p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"};
    buf_printf(out, "Latency  %s\n",
        r->closed_loop ? "from the time of sending; waiting for a free connection is not counted"
                       : "from the intended time of sending");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cell(out, names[i]);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        figure(out, UNIT_US, metric(r, names[i]));
    buf_append_string(out, "\n\n");
}

/* ---- what it cost ---- */

static void append_processes(const struct result *r, struct buf *out)
{
    static const char *const titles[] = {"per run", "of one CPU", "memory", "growth"};
    if (r->n_watched == 0)
        return;
    buf_append_string(out, "CPU and memory    ");
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        cell(out, titles[i]);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < r->n_watched; i++) {
        double cpu_s = (double)r->watched[i].cpu_us / 1e6;
        label(out, r->watched_names[i]);
        figure(out, UNIT_US, load_metric_cpu_of_process(r, i));
        figure(out, UNIT_RATIO, r->measured_s > 0 ? cpu_s / r->measured_s : NAN);
        figure(out, UNIT_BYTES, (double)r->watched[i].memory);
        figure(out, UNIT_BYTES, (double)r->watched[i].memory - (double)r->watched_memory_before[i]);
        buf_append_string(out, result_is_client(r->watched_names[i]) ? "  (not in the sum)\n" : "\n");
    }
    label(out, "in total");
    figure(out, UNIT_US, metric(r, "cpu_per_heartbeat"));
    buf_append_char(out, '\n');
    if (r->idle_connections > 0) {
        label(out, "idle connection");
        pad(out, (size_t)COLUMN * 3);
        figure(out, UNIT_BYTES, r->memory_per_idle_connection);
        buf_append_string(out, " each");
        if (r->idle_closed > 0)
            buf_printf(out, "; the server closed %" PRIu64 " of them", r->idle_closed);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

static void append_redis(const struct result *r, struct buf *out)
{
    if (!r->has_redis)
        return;
    buf_append_string(out, "Redis   ");
    inline_figure(out, UNIT_PER_S, metric(r, "redis_commands_per_s"));
    buf_append_string(out, " commands, ");
    inline_figure(out, UNIT_COUNT, (double)r->redis.keys);
    buf_append_string(out, " keys, ");
    inline_figure(out, UNIT_BYTES, (double)r->redis.memory);
    buf_append_string(out, ", growth ");
    inline_figure(out, UNIT_BYTES, (double)r->redis.memory - (double)r->redis_memory_before);
    buf_append_string(out, ": ");
    inline_figure(out, UNIT_BYTES, metric(r, "redis_bytes_per_minute"));
    buf_append_string(out, " per credited minute\n\n");
}

/* ---- whether it can be believed ---- */

static void append_holding(struct buf *out, const char *name, uint64_t seconds, uint64_t expected)
{
    label(out, name);
    count_cell(out, seconds);
    buf_append_string(out, seconds == expected ? "  as accepted\n" : "  DIFFERS\n");
}

static bool exact(const struct verification *v)
{
    return v->lost_s == 0 && v->extra_s == 0 && v->redis_s == v->expected_s &&
           v->redis_total_s == v->expected_s && v->kafka_s == v->expected_s &&
           v->kafka_total_s == v->expected_s;
}

static void append_verification(const struct result *r, struct buf *out)
{
    const struct verification *v = &r->verification;
    if (!v->asked)
        return;
    buf_append_string(out, "Verification, in seconds\n");
    if (v->problem[0]) {
        buf_append_string(out, "  NOT VERIFIED: ");
        line_of(out, v->problem);
        buf_append_char(out, '\n');
        return;
    }
    label(out, "accepted");
    count_cell(out, v->expected_s);
    buf_append_char(out, '\n');
    append_holding(out, "Redis, masks", v->redis_s, v->expected_s);
    append_holding(out, "Redis, totals", v->redis_total_s, v->expected_s);
    append_holding(out, "Kafka, masks", v->kafka_s, v->expected_s);
    append_holding(out, "Kafka, totals", v->kafka_total_s, v->expected_s);
    buf_append_string(out, exact(v) ? "  Exactly what was accepted: " : "  NOT WHAT WAS ACCEPTED: ");
    inline_figure(out, UNIT_COUNT, (double)v->lost_s);
    buf_append_string(out, " s lost, ");
    inline_figure(out, UNIT_COUNT, (double)v->extra_s);
    buf_append_string(
        out, exact(v) ? " s too many; Kafka had all of it " : " s too many; Kafka was read until ");
    inline_figure(out, UNIT_US, (double)v->waited_us);
    buf_append_string(out, " after the last answer\n\n");
}

static void append_generator(const struct result *r, struct buf *out)
{
    buf_append_string(out, "Generator  sent late by ");
    inline_figure(out, UNIT_US, metric(r, "lateness_p99"));
    buf_append_string(out, " at p99, ");
    inline_figure(out, UNIT_US, metric(r, "lateness_max"));
    buf_append_string(out, " at worst; its busiest thread took ");
    inline_figure(out, UNIT_RATIO, r->generator_cpu);
    buf_append_string(out, " of a CPU\n");
}

void report_text(const struct result *r, struct buf *out)
{
    append_head(r, out);
    append_counts(r, out);
    append_latency(r, out);
    append_processes(r, out);
    append_redis(r, out);
    append_verification(r, out);
    append_generator(r, out);
    append_void(r, out);
}
