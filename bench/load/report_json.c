/* A result as one JSON object, for programs and for the page. */
#include "load/report_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json_write.h"
#include "load/metrics.h"

/* ---- members ---- */

/* No comma behind the opening bracket. */
static void separate(struct buf *out)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        buf_append_char(out, ',');
}

static void member(struct buf *out, const char *key)
{
    separate(out);
    json_write_string(out, slice_of(key));
    buf_append_char(out, ':');
}

static void whole_value(struct buf *out, uint64_t value)
{
    separate(out);
    buf_printf(out, "%" PRIu64, value);
}

static void whole(struct buf *out, const char *key, uint64_t value)
{
    member(out, key);
    buf_printf(out, "%" PRIu64, value);
}

static void number(struct buf *out, const char *key, double value)
{
    member(out, key);
    json_write_number(out, value, 6);
}

static void boolean(struct buf *out, const char *key, bool value)
{
    member(out, key);
    buf_append_string(out, value ? "true" : "false");
}

static void text(struct buf *out, const char *key, const char *value)
{
    member(out, key);
    json_write_string(out, slice_of(value));
}

static void text_or_null(struct buf *out, const char *key, const char *value)
{
    member(out, key);
    if (value[0])
        json_write_string(out, slice_of(value));
    else
        buf_append_string(out, "null");
}

static void open_member(struct buf *out, const char *key, char bracket)
{
    member(out, key);
    buf_append_char(out, bracket);
}

/* ---- parts ---- */

static void append_metrics(const struct result *r, struct buf *out)
{
    open_member(out, "metrics", '{');
    for (size_t i = 0; i < load_n_metrics; i++)
        number(out, load_metrics[i].name, load_metrics[i].value(&load_metrics[i], r));
    for (size_t i = 0; i < r->n_watched; i++) {
        char name[sizeof(METRIC_CPU_PREFIX) + NAME_MAX_CHARS];
        snprintf(name, sizeof(name), METRIC_CPU_PREFIX "%s", r->watched_names[i]);
        number(out, name, load_metric_cpu_of_process(r, i));
    }
    buf_append_char(out, '}');
}

static void append_counts(const struct load_counts *c, struct buf *out)
{
    whole(out, "offered", c->offered);
    whole(out, "sent", c->sent);
    whole(out, "answered", c->answered);
    whole(out, "refused", c->refused);
    whole(out, "failed", c->failed);
    whole(out, "accepted", c->accepted);
    whole(out, "retried", c->retried);
    whole(out, "rejected", c->rejected);
    whole(out, "credited_s", c->credited_s);
}

static void append_histogram(const char *key, const struct histogram *h, struct buf *out)
{
    open_member(out, key, '{');
    whole(out, "n", h->n);
    number(out, "mean", histogram_mean(h));
    number(out, "deviation", histogram_deviation(h));
    whole(out, "max", h->max_us);
    open_member(out, "steps", '[');
    struct histogram_step step = {0};
    while (histogram_next_step(h, &step)) {
        separate(out);
        buf_append_char(out, '[');
        json_write_number(out, step.quantile, 12);
        whole_value(out, step.value_us);
        whole_value(out, step.count);
        buf_append_char(out, ']');
    }
    buf_append_string(out, "]}");
}

static void append_processes(const struct result *r, struct buf *out)
{
    open_member(out, "processes", '[');
    for (size_t i = 0; i < r->n_watched; i++) {
        separate(out);
        buf_append_char(out, '{');
        text(out, "name", r->watched_names[i]);
        boolean(out, "client", result_is_client(r->watched_names[i]));
        whole(out, "cpu_us", r->watched[i].cpu_us);
        number(out, "cpu_us_per_heartbeat", load_metric_cpu_of_process(r, i));
        whole(out, "memory", r->watched[i].memory);
        whole(out, "memory_before", r->watched_memory_before[i]);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

static void append_redis(const struct result *r, struct buf *out)
{
    if (!r->has_redis) {
        text_or_null(out, "redis", "");
        return;
    }
    open_member(out, "redis", '{');
    whole(out, "commands", r->redis.commands);
    whole(out, "memory", r->redis.memory);
    whole(out, "memory_before", r->redis_memory_before);
    whole(out, "keys", r->redis.keys);
    buf_append_char(out, '}');
}

static void append_verification(const struct verification *v, struct buf *out)
{
    if (!v->asked) {
        text_or_null(out, "verification", "");
        return;
    }
    open_member(out, "verification", '{');
    text_or_null(out, "problem", v->problem);
    whole(out, "expected_s", v->expected_s);
    whole(out, "redis_s", v->redis_s);
    whole(out, "redis_total_s", v->redis_total_s);
    whole(out, "kafka_s", v->kafka_s);
    whole(out, "kafka_total_s", v->kafka_total_s);
    whole(out, "lost_s", v->lost_s);
    whole(out, "extra_s", v->extra_s);
    number(out, "waited_us", (double)v->waited_us);
    buf_append_char(out, '}');
}

/* ---- seconds ---- */

static void append_second(const struct result *r, const struct second *s, struct buf *out)
{
    separate(out);
    buf_append_char(out, '{');
    number(out, "offered_rate", s->offered_rate);
    append_counts(&s->counts, out);
    if (s->counts.answered == 0 && s->latency_us[LATENCY_MARKS - 1] == 0) {
        /* No answer came, so there is no latency, which is not the same as one of 0. */
        text_or_null(out, "latency_us", "");
    } else {
        open_member(out, "latency_us", '[');
        for (size_t i = 0; i < LATENCY_MARKS; i++)
            whole_value(out, s->latency_us[i]);
        buf_append_char(out, ']');
    }
    whole(out, "lateness_us", s->lateness_us);
    whole(out, "generator_cpu_us", s->generator_cpu_us);
    open_member(out, "processes", '[');
    for (size_t i = 0; i < r->n_watched; i++) {
        separate(out);
        buf_printf(out, "[%" PRIu64 ",%" PRIu64 "]", s->watched[i].cpu_us, s->watched[i].memory);
    }
    buf_append_char(out, ']');
    if (r->has_redis) {
        member(out, "redis");
        buf_printf(
            out, "[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", s->redis.commands, s->redis.memory, s->redis.keys);
    }
    buf_append_char(out, '}');
}

/* ---- the whole ---- */

void report_json(const struct result *r, struct buf *out)
{
    buf_append_char(out, '{');
    whole(out, "format", 1);
    text(out, "title", r->title);
    text(out, "command", r->command);
    text(out, "started", r->started);
    text(out, "machine", r->machine);
    text(out, "version", r->version);
    text_or_null(out, "void_reason", r->void_reason);
    open_member(out, "load", '{');
    text(out, "schedule", r->schedule);
    boolean(out, "closed_loop", r->closed_loop);
    whole(out, "players", r->players);
    whole(out, "connections", r->connections);
    whole(out, "idle_connections", r->idle_connections);
    whole(out, "idle_closed", r->idle_closed);
    whole(out, "threads", r->threads);
    whole(out, "batch", r->batch);
    number(out, "interval_s", r->interval_s);
    /* All of its 64 bits count, more than readers of JSON numbers keep. */
    member(out, "seed");
    buf_printf(out, "\"%" PRIu64 "\"", r->seed);
    buf_append_char(out, '}');
    number(out, "warmup_s", r->warmup_s);
    number(out, "measured_s", r->measured_s);
    append_metrics(r, out);
    open_member(out, "counts", '{');
    append_counts(&r->counts, out);
    buf_append_char(out, '}');
    append_histogram("latency_us", &r->latency, out);
    append_histogram("lateness_us", &r->lateness, out);
    append_processes(r, out);
    append_redis(r, out);
    append_verification(&r->verification, out);
    open_member(out, "seconds", '[');
    for (size_t i = 0; i < r->n_seconds; i++)
        append_second(r, &r->seconds[i], out);
    buf_append_string(out, "]}\n");
}
