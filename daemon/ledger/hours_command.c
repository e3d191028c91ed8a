/*
 * minuted-ledger hours: each learner's hours learned and certified, whether there is a certificate, and what
 * is missing. One learner after another: the totals' and the evidence's rows stand in the same order, so each
 * is read once.
 */
#include "ledger/hours_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/hours.h"
#include "ledger/passes.h"
#include "ledger/report.h"

/* Seconds as published, or a minute's mask; in the order of minutes and lessons, which the primary key gives.
 */
static const char learners_query[] = "SELECT portal, learner_id, lesson_id, watched_seconds "
                                     "FROM learner_lessons WHERE %s ORDER BY portal, learner_id";
static const char evidence_query[] =
    "SELECT lesson_id, minute_start, seconds_mask FROM learner_minutes "
    "WHERE program = ?1 AND portal = ?2 AND learner_id = ?3 ORDER BY minute_start, lesson_id";

/* Totals of all programs but ?1. The primary key leads to those of each. */
static const char others_query[] =
    "SELECT count(*) FROM learner_lessons "
    "WHERE program IN (SELECT program FROM programs WHERE program <> ?1) AND %s";

struct hours {
    const struct ledger_options *options;
    struct catalog *catalog;
    struct passes *passes; /* NULL: no file was given */
    struct database *db;
    sqlite3_stmt *evidence;
    struct report report;
    struct hours_tally tally;
    struct buf portal; /* the learner being read; empty: none */
    struct buf learner;
    struct buf unknown_portal; /* said already */
    int64_t *seconds;          /* of each course, as are these */
    struct hours_input *inputs;
    struct hours_course *courses;
    long unknown_lessons;
};

/* ---- one learner ---- */

/* Judges the learner whose totals were read, and reports the result. */
static bool finish_learner(struct hours *h)
{
    if (h->portal.len == 0)
        return true;
    bool failed = false;
    struct slice portal_id = buf_slice(&h->portal);
    struct slice learner = buf_slice(&h->learner);
    const struct portal *portal = catalog_find_portal(h->catalog, portal_id);
    if (portal != NULL) {
        sqlite3_bind_text(h->evidence, 1, h->catalog->program, -1, SQLITE_STATIC);
        sqlite3_bind_text(h->evidence, 2, portal_id.ptr, (int)portal_id.len, SQLITE_STATIC);
        sqlite3_bind_text(h->evidence, 3, learner.ptr, (int)learner.len, SQLITE_STATIC);
        while (database_next_row(h->db, h->evidence, &failed)) {
            const struct lesson *lesson = catalog_find_lesson(h->catalog, database_text(h->evidence, 0));
            if (lesson != NULL)
                hours_tally_add_evidence(&h->tally, lesson, sqlite3_column_int64(h->evidence, 1),
                    (uint64_t)sqlite3_column_int64(h->evidence, 2));
        }
        sqlite3_reset(h->evidence);
    } else if (!slice_equal(portal_id, buf_slice(&h->unknown_portal))) {
        buf_clear(&h->unknown_portal);
        buf_append_slice(&h->unknown_portal, portal_id);
        fprintf(stderr, "minuted-ledger: catalog %s has no portal '%.*s'; its learners are left out\n",
            h->options->catalog, SLICE_ARG(portal_id));
    }
    if (portal != NULL && !failed) {
        struct report_learner l = {.portal = portal, .learner = learner, .courses = h->courses};
        hours_tally_courses(&h->tally, h->catalog, h->seconds);
        for (size_t i = 0; i < h->catalog->n_courses; i++)
            h->inputs[i] = (struct hours_input){h->seconds[i],
                h->passes != NULL && passes_has(h->passes, portal_id, learner, h->catalog->courses[i].id)};
        l.result = hours_judge(h->catalog, portal, h->inputs, h->courses);
        report_learner(&h->report, &l);
    }
    hours_tally_clear(&h->tally);
    return !failed;
}

/* ---- all of them ---- */

static bool read_learners(struct hours *h, sqlite3_stmt *rows)
{
    bool failed;
    while (database_next_row(h->db, rows, &failed)) {
        struct slice portal = database_text(rows, 0);
        struct slice learner = database_text(rows, 1);
        if (!slice_equal(portal, buf_slice(&h->portal)) || !slice_equal(learner, buf_slice(&h->learner))) {
            if (!finish_learner(h))
                return false;
            buf_clear(&h->portal);
            buf_clear(&h->learner);
            buf_append_slice(&h->portal, portal);
            buf_append_slice(&h->learner, learner);
        }
        const struct lesson *lesson = catalog_find_lesson(h->catalog, database_text(rows, 2));
        if (lesson == NULL)
            h->unknown_lessons++;
        else
            hours_tally_add_total(&h->tally, lesson, sqlite3_column_int64(rows, 3));
    }
    return !failed && finish_learner(h);
}

/* Says how many totals are left out since they belong to other programs. */
static bool tell_others(struct hours *h)
{
    const struct ledger_options *o = h->options;
    bool failed = false;
    sqlite3_stmt *s =
        database_query_learners(h->db, others_query, (struct learner_filter){NULL, o->portal, o->learner});
    if (s == NULL)
        return false;
    sqlite3_bind_text(s, 1, h->catalog->program, -1, SQLITE_STATIC);
    long long n = database_next_row(h->db, s, &failed) ? sqlite3_column_int64(s, 0) : 0;
    if (n > 0)
        fprintf(stderr,
            "minuted-ledger: %lld totals belong to other programs than '%s', which catalog %s is of; "
            "they are left out\n",
            n, h->catalog->program, o->catalog);
    sqlite3_finalize(s);
    return !failed;
}

static bool print_hours(struct hours *h)
{
    const struct ledger_options *o = h->options;
    size_t n = h->catalog->n_courses;
    sqlite3_stmt *rows = database_query_learners(
        h->db, learners_query, (struct learner_filter){h->catalog->program, o->portal, o->learner});
    h->evidence = database_query(h->db, evidence_query);
    h->seconds = mem_zalloc(n * sizeof(*h->seconds));
    h->inputs = mem_zalloc(n * sizeof(*h->inputs));
    h->courses = mem_zalloc(n * sizeof(*h->courses));
    h->report = (struct report){.format = o->format, .catalog = h->catalog};
    report_begin(&h->report);
    bool good = rows != NULL && h->evidence != NULL && read_learners(h, rows);
    sqlite3_finalize(rows);
    sqlite3_finalize(h->evidence);
    if (good)
        report_end(&h->report);
    if (good && o->learner != NULL && h->report.learners == 0) {
        fprintf(stderr, "minuted-ledger: database %s has no learner '%s'%s%s in program %s\n", o->database,
            o->learner, o->portal == NULL ? "" : " of portal ", o->portal == NULL ? "" : o->portal,
            h->catalog->program);
        good = false;
    }
    if (h->unknown_lessons > 0)
        fprintf(stderr,
            "minuted-ledger: %ld totals belong to lessons that are not in catalog %s; they are left out\n",
            h->unknown_lessons, o->catalog);
    return tell_others(h) && good;
}

/* ---- opening ---- */

static bool open_all(struct hours *h)
{
    const struct ledger_options *o = h->options;
    char *error = NULL;
    h->catalog = catalog_load(o->catalog, &error);
    if (h->catalog == NULL)
        return commands_complain(error);
    if (o->portal != NULL && catalog_find_portal(h->catalog, slice_of(o->portal)) == NULL) {
        fprintf(stderr, "minuted-ledger: catalog %s has no portal '%s'\n", o->catalog, o->portal);
        return false;
    }
    if (o->passes != NULL && (h->passes = passes_load(o->passes, h->catalog, &error)) == NULL)
        return commands_complain(error);
    h->db = commands_open_database(o->database, NULL);
    return h->db != NULL;
}

enum exit_status hours_command(const struct ledger_options *o)
{
    struct hours h = {.options = o};
    bool good = open_all(&h) && print_hours(&h);
    free(h.seconds);
    free(h.inputs);
    free(h.courses);
    buf_free(&h.portal);
    buf_free(&h.learner);
    buf_free(&h.unknown_portal);
    hours_tally_free(&h.tally);
    database_close(h.db);
    passes_free(h.passes);
    catalog_free(h.catalog);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
