/* What `hours` says of a learner. */
#include "ledger/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "ledger/commands.h"

/* ---- text ---- */

static void append_minutes(struct buf *b, int64_t seconds)
{
    buf_printf(b, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
}

static void append_text(struct buf *b, const struct report *r, const struct report_learner *l)
{
    buf_printf(b, "%s/%.*s: ", l->portal->id, SLICE_ARG(l->learner));
    /* The hours are rounded down, so that a second less than an hour does not look like an hour. */
    buf_printf(b, "%.2f hours learned, %g of %g hours certified, ",
        floor(l->result.learned * 100 + 1e-6) / 100, l->result.certified, r->catalog->hours_max);
    buf_append_string(b, l->result.certificate ? "certificate\n" : "no certificate");
    if (!l->result.certificate)
        buf_append_string(b, l->portal->certificate == CERTIFICATE_ALL_HOURS
                                 ? ": this portal wants the hours of every course\n"
                                 : ": no course gave its hours\n");
    for (size_t i = 0; i < r->catalog->n_courses; i++) {
        const struct hours_course *c = &l->courses[i];
        buf_printf(b, "    %-24s ", r->catalog->courses[i].id);
        append_minutes(b, c->watched_seconds);
        buf_append_string(b, " of ");
        append_minutes(b, c->needed_seconds);
        buf_append_string(b, " minutes");
        if (c->certified > 0)
            buf_printf(b, ", %g h", c->certified);
        if (c->missing_seconds > 0) {
            buf_append_string(b, ", missing ");
            append_minutes(b, c->missing_seconds);
        }
        buf_append_string(b, c->test_missing ? ", test not passed\n" : "\n");
    }
}

/* ---- JSON ---- */

static void append_number(struct buf *b, const char *name, double value)
{
    buf_append_string(b, name);
    json_write_number(b, value, 4);
}

static void append_json(struct buf *b, const struct report *r, const struct report_learner *l)
{
    commands_append_member(
        b, r->learners == 0 ? "\n{\"portal\":" : ",\n{\"portal\":", slice_of(l->portal->id));
    commands_append_member(b, ",\"learner_id\":", l->learner);
    append_number(b, ",\"hours_learned\":", l->result.learned);
    append_number(b, ",\"hours_certified\":", l->result.certified);
    buf_printf(b, ",\"complete\":%s,\"certificate\":%s", l->result.complete ? "true" : "false",
        l->result.certificate ? "true" : "false");
    /* The courses that gave no hours are listed; what is missing of each stands in its own object. */
    const char *before = ",\"missing_courses\":[";
    for (size_t i = 0; i < r->catalog->n_courses; i++) {
        if (hours_course_complete(&l->courses[i]))
            continue;
        commands_append_member(b, before, slice_of(r->catalog->courses[i].id));
        before = ",";
    }
    buf_append_string(b, l->result.complete ? ",\"missing_courses\":[]" : "]");
    for (size_t i = 0; i < r->catalog->n_courses; i++) {
        const struct hours_course *c = &l->courses[i];
        buf_append_string(b, i == 0 ? ",\"courses\":[" : ",");
        commands_append_member(b, "{\"course_id\":", slice_of(r->catalog->courses[i].id));
        buf_printf(b,
            ",\"watched_seconds\":%" PRId64 ",\"needed_seconds\":%" PRId64 ",\"missing_seconds\":%" PRId64
            ",\"test_missing\":%s",
            c->watched_seconds, c->needed_seconds, c->missing_seconds, c->test_missing ? "true" : "false");
        append_number(b, ",\"hours_learned\":", c->learned);
        append_number(b, ",\"hours_certified\":", c->certified);
        buf_append_char(b, '}');
    }
    buf_append_string(b, "]}");
}

/* ---- CSV ---- */

/* Appends TEXT and a comma, in quotes if RFC 4180 requires them. */
static void append_field(struct buf *b, struct slice text)
{
    bool quoted = memchr(text.ptr, ',', text.len) != NULL || memchr(text.ptr, '"', text.len) != NULL;
    if (quoted)
        buf_append_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_append_char(b, '"');
        buf_append_char(b, text.ptr[i]);
    }
    if (quoted)
        buf_append_char(b, '"');
    buf_append_char(b, ',');
}

static void append_csv(struct buf *b, const struct report *r, const struct report_learner *l)
{
    for (size_t i = 0; i < r->catalog->n_courses; i++) {
        const struct hours_course *c = &l->courses[i];
        append_field(b, slice_of(l->portal->id));
        append_field(b, l->learner);
        append_field(b, slice_of(r->catalog->courses[i].id));
        buf_printf(b, "%" PRId64 ",%" PRId64 ",%d,%g,%.4f,%g,%s\n", c->watched_seconds, c->missing_seconds,
            c->test_missing, c->certified, l->result.learned, l->result.certified,
            l->result.certificate ? "yes" : "no");
    }
}

/* ---- the report ---- */

void report_begin(const struct report *r)
{
    if (r->format == FORMAT_AS_JSON)
        fputs("[", stdout);
    else if (r->format == FORMAT_AS_CSV)
        puts("portal,learner_id,course_id,watched_seconds,missing_seconds,test_missing,course_hours,"
             "hours_learned,hours_certified,certificate");
}

void report_learner(struct report *r, const struct report_learner *l)
{
    static void (*const append[])(struct buf *, const struct report *, const struct report_learner *) = {
        [FORMAT_AS_TEXT] = append_text,
        [FORMAT_AS_JSON] = append_json,
        [FORMAT_AS_CSV] = append_csv,
    };
    struct buf b = {0};
    append[r->format](&b, r, l);
    fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    r->learners++;
    r->certified += l->result.certified > 0;
    r->certificates += l->result.certificate;
}

void report_end(const struct report *r)
{
    if (r->format == FORMAT_AS_JSON)
        fputs("\n]\n", stdout);
    else if (r->format == FORMAT_AS_TEXT)
        printf("%ld learners, %ld with certified hours, %ld with a certificate (%s)\n", r->learners,
            r->certified, r->certificates, r->catalog->program);
}
