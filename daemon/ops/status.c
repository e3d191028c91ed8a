/* /status.json. */
#include "ops/status.h"

#include <inttypes.h>
#include <math.h>

#include "base/json_write.h"
#include "credit/claim.h"
#include "ops/metrics.h"
#include "ops/readiness.h"
#include "publish/publisher.h"

static void write_key(struct buf *out, const char *key)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        buf_append_char(out, ',');
    json_write_string(out, slice_of(key));
    buf_append_char(out, ':');
}

static void write_text(struct buf *out, const char *key, const char *text)
{
    write_key(out, key);
    json_write_string(out, slice_of(text));
}

static void write_number(struct buf *out, const char *key, double value)
{
    write_key(out, key);
    if (isfinite(value))
        json_write_number(out, value, 3);
    else
        buf_append_string(out, "null");
}

static void write_object(struct buf *out, const char *key)
{
    write_key(out, key);
    buf_append_char(out, '{');
}

struct field {
    const char *key;
    enum metric metric;
};

static void write_fields(struct buf *out, const struct metrics *m, const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        write_number(out, fields[i].key, m->value[fields[i].metric][0]);
}

#define WRITE_FIELDS(out, m, ...)                                                                            \
    write_fields(out, m, (const struct field[]){__VA_ARGS__},                                                \
        sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field))

static void write_daemon(struct buf *out, const struct metrics *m, const struct ops_sources *sources)
{
    struct buf why = {0};
    bool ready = readiness_check(sources, false, &why);
    write_text(out, "version", MINUTED_VERSION);
    WRITE_FIELDS(out, m, {"now", METRIC_daemon_clock}, {"started", METRIC_process_start_time},
        {"workers", METRIC_daemon_workers}, {"cpu_seconds", METRIC_process_cpu},
        {"rss_bytes", METRIC_process_resident_memory}, {"open_fds", METRIC_process_open_fds});
    write_number(out, "monotonic", (double)clock_monotonic_ms() / 1000);
    write_key(out, "ready");
    buf_append_string(out, ready ? "true" : "false");
    buf_append_char(&why, '\0');
    write_text(out, "not_ready", why.data);
    buf_free(&why);
}

static void write_runs(struct buf *out, const struct metrics *m)
{
    write_object(out, "runs");
    WRITE_FIELDS(out, m, {"accepted", METRIC_api_runs_accepted}, {"queued", METRIC_store_queued_runs},
        {"failed", METRIC_store_failed_runs});
    write_object(out, "refused");
    for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        write_number(
            out, claim_reason_name((enum run_reason)reason), m->value[METRIC_daemon_runs_refused][reason]);
    buf_append_string(out, "}}");
    write_object(out, "seconds");
    WRITE_FIELDS(out, m, {"credited", METRIC_store_credited_seconds},
        {"duplicate", METRIC_store_duplicate_seconds}, {"contested", METRIC_store_contested_seconds});
    buf_append_char(out, '}');
}

static void write_http(struct buf *out, const struct metrics *m)
{
    write_object(out, "http");
    WRITE_FIELDS(out, m, {"open", METRIC_http_open_connections}, {"connections", METRIC_http_connections},
        {"refused_connections", METRIC_http_refused_connections},
        {"yielded_connections", METRIC_http_yielded_connections}, {"requests", METRIC_http_requests},
        {"sessions", METRIC_api_sessions}, {"heartbeats", METRIC_api_heartbeats},
        {"progress", METRIC_api_progress}, {"shed", METRIC_api_requests_shed},
        {"problems", METRIC_api_requests_refused}, {"timeouts", METRIC_http_timeouts});
    buf_append_char(out, '}');
}

static void write_servers(struct buf *out, const struct metrics *m)
{
    write_key(out, "redis");
    buf_append_char(out, '[');
    for (size_t i = 0; i < m->n_servers; i++) {
        const struct redis_condition *server = &m->servers[i];
        buf_append_string(out, i > 0 ? ",{" : "{");
        write_text(out, "name", server->name);
        write_text(out, "problem", server->problem);
        write_key(out, "reached");
        buf_append_string(out, server->reached ? "true" : "false");
        write_number(out, "skew", m->value[METRIC_server_clock_skew][i]);
        write_number(out, "used_memory", m->value[METRIC_server_used_memory][i]);
        write_number(out, "max_memory", m->value[METRIC_server_max_memory][i]);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

static void write_publisher(struct buf *out, const struct metrics *m, struct publisher *publisher)
{
    char text[256] = "none";
    if (publisher != NULL)
        publisher_describe(publisher, text);
    write_object(out, "publisher");
    write_text(out, "state", text);
    WRITE_FIELDS(out, m, {"holds_lease", METRIC_publish_holds_lease}, {"records", METRIC_publish_records},
        {"transactions", METRIC_publish_transactions}, {"aborts", METRIC_publish_aborts},
        {"dirty_minutes", METRIC_publish_backlog}, {"published_through", METRIC_daemon_published_through},
        {"final_through", METRIC_daemon_final_through}, {"last_commit", METRIC_daemon_last_commit});
    buf_append_char(out, '}');
}

void status_write(const struct ops_sources *sources, struct buf *out)
{
    struct metrics *m = metrics_collect(sources);
    buf_append_char(out, '{');
    write_daemon(out, m, sources);
    write_runs(out, m);
    write_http(out, m);
    write_servers(out, m);
    write_publisher(out, m, sources->publisher);
    buf_append_string(out, "}\n");
    metrics_free(m);
}
