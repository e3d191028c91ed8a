/* The metrics as Prometheus reads them. */
#include "ops/metrics_text.h"

#include <math.h>

#include "credit/claim.h"

enum label { LABEL_none, LABEL_reason, LABEL_server, LABEL_version };

struct family {
    const char *name;
    const char *help;
    const char *type;
    enum label label;
};

static const struct family families[METRIC_COUNT] = {
#define FAMILY(source, field, type, label, name, help)                                                       \
    [METRIC_##source##_##field] = {name, help, #type, LABEL_##label},
    METRICS(FAMILY)
#undef FAMILY
};

static const char *const label_names[] = {"", "reason", "server", "version"};
_Static_assert(sizeof(label_names) / sizeof(label_names[0]) == LABEL_version + 1, "every label has a name");

/* The value of LABEL for series I; NULL if there is no such series. */
static const char *label_value(const struct metrics *m, enum label label, size_t i)
{
    switch (label) {
    case LABEL_none:
        return i == 0 ? "" : NULL;
    case LABEL_version:
        return i == 0 ? MINUTED_VERSION : NULL;
    case LABEL_reason:
        return i > REASON_NONE && i < REASON_COUNT ? claim_reason_name((enum run_reason)i) : NULL;
    case LABEL_server:
        return i < m->n_servers ? m->servers[i].name : NULL;
    }
    return NULL;
}

static void write_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "{%s=\"", name);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n')
            buf_append_string(out, "\\n");
        else if (*c == '"' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else
            buf_append_char(out, *c);
    }
    buf_append_string(out, "\"}");
}

/* Counters of seconds, bytes and requests are whole numbers, and stay so up to 2^53. */
static void write_value(struct buf *out, double value)
{
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        buf_printf(out, " %.0f\n", value);
    else if (isfinite(value))
        buf_printf(out, " %.17g\n", value);
    else
        buf_append_string(out, value > 0 ? " +Inf\n" : " -Inf\n");
}

void metrics_text_write(const struct metrics *m, struct buf *out)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        const struct family *f = &families[metric];
        size_t start = out->len;
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
        size_t head_end = out->len;
        for (size_t i = 0; i < METRIC_SERIES_MAX; i++) {
            const char *label = label_value(m, f->label, i);
            if (label == NULL || isnan(m->value[metric][i]))
                continue;
            buf_append_string(out, f->name);
            if (f->label != LABEL_none)
                write_label(out, label_names[f->label], label);
            write_value(out, m->value[metric][i]);
        }
        if (out->len == head_end)
            out->len = start; /* a family without a series says nothing */
    }
}
