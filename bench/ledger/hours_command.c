/*
 * minuted-ledger hours: who may be certified, with how many hours, and what is missing.
 *
 * The number that counts is the greatest total of each learner and lesson, less the seconds that the evidence
 * shows in two lessons at once: the total outlives the evidence, which Kafka keeps for 90 days, and a second
 * that was credited twice (where a failover of Redis lost a write) is still paid once. It goes to the lesson
 * whose id comes first.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/hours.h"
#include "ledger/passes.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

struct options {
    const char *database;
    const char *catalog;
    const char *passes;
    const char *portal;
    const char *learner;
    enum format format;
};

/* What a learner's rows add up to, and where the report goes. */
struct report {
    const struct options *options;
    const struct catalog *catalog;
    const struct passes *passes;
    struct hours_input *inputs;
    struct hours_course *courses;
    char *portal;
    char *learner;
    long learners;
    long certified;
    long unknown_lessons;
};

static const char query[] =
    "WITH doubled AS ("
    "  SELECT portal, learner_id, lesson_id, sum(seconds) AS seconds FROM ("
    "    SELECT m.portal, m.learner_id, m.lesson_id, popcount(m.seconds_mask & or_all(o.seconds_mask)) AS "
    "seconds"
    "    FROM learner_minutes m JOIN learner_minutes o ON o.portal = m.portal AND o.learner_id = m.learner_id"
    "      AND o.minute_start = m.minute_start AND o.lesson_id < m.lesson_id AND o.seconds_mask & "
    "m.seconds_mask <> 0"
    "    GROUP BY m.portal, m.learner_id, m.minute_start, m.lesson_id)"
    "  GROUP BY portal, learner_id, lesson_id) "
    "SELECT l.portal, l.learner_id, l.lesson_id, l.watched_seconds - coalesce(d.seconds, 0) FROM "
    "learner_lessons l "
    "LEFT JOIN doubled d USING (portal, learner_id, lesson_id) "
    "WHERE (?1 IS NULL OR l.portal = ?1) AND (?2 IS NULL OR l.learner_id = ?2) ORDER BY 1, 2";

/* ---- writing ---- */

static void print_minutes(const char *before, int64_t seconds)
{
    printf("%s%lld:%02lld", before, (long long)seconds / 60, (long long)seconds % 60);
}

static void print_course_text(const struct course *course, const struct hours_course *c)
{
    printf("    %-24s ", course->id);
    print_minutes("", c->watched_seconds);
    print_minutes(" of ", c->needed_seconds);
    if (c->certified > 0)
        printf("  %g h", c->certified);
    if (c->missing_seconds > 0)
        print_minutes("  missing ", c->missing_seconds);
    if (c->test_missing)
        fputs("  test not passed", stdout);
    putchar('\n');
}

static void print_text(const struct report *r, const struct portal *portal, const struct hours_result *result)
{
    printf("%s/%s: %g of %g hours certified, %.2f learned%s\n", r->portal, r->learner, result->certified,
        r->catalog->hours_max, result->learned,
        portal->certificate == CERTIFICATE_ALL_HOURS && !result->complete
            ? " (this portal certifies all hours or none)"
            : "");
    for (size_t i = 0; i < r->catalog->n_courses; i++)
        print_course_text(&r->catalog->courses[i], &r->courses[i]);
}

static void print_json(const struct report *r, const struct hours_result *result)
{
    struct buf b = {0};
    buf_append_string(&b, r->learners == 0 ? "\n{\"portal\":" : ",\n{\"portal\":");
    json_write_string(&b, slice_of(r->portal));
    buf_append_string(&b, ",\"learner_id\":");
    json_write_string(&b, slice_of(r->learner));
    buf_printf(&b, ",\"hours_certified\":%g,\"hours_learned\":%.4f,\"complete\":%s,\"courses\":[",
        result->certified, result->learned, result->complete ? "true" : "false");
    for (size_t i = 0; i < r->catalog->n_courses; i++) {
        const struct hours_course *c = &r->courses[i];
        buf_printf(&b,
            "%s{\"course_id\":\"%s\",\"watched_seconds\":%lld,\"missing_seconds\":%lld,\"test_missing\":%s,"
            "\"hours_certified\":%g}",
            i == 0 ? "" : ",", r->catalog->courses[i].id, (long long)c->watched_seconds,
            (long long)c->missing_seconds, c->test_missing ? "true" : "false", c->certified);
    }
    buf_append_string(&b, "]}");
    fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
}

static void print_csv(const struct report *r, const struct hours_result *result)
{
    for (size_t i = 0; i < r->catalog->n_courses; i++)
        printf("%s,\"%s\",%s,%lld,%lld,%d,%g,%g\n", r->portal, r->learner, r->catalog->courses[i].id,
            (long long)r->courses[i].watched_seconds, (long long)r->courses[i].missing_seconds,
            r->courses[i].test_missing, r->courses[i].certified, result->certified);
}

/* ---- one learner after another ---- */

static void clear_learner(struct report *r)
{
    free(r->portal);
    free(r->learner);
    r->portal = NULL;
    r->learner = NULL;
    memset(r->inputs, 0, r->catalog->n_courses * sizeof(*r->inputs));
}

static void finish_learner(struct report *r)
{
    if (r->portal == NULL)
        return;
    const struct portal *portal = catalog_find_portal(r->catalog, slice_of(r->portal));
    if (portal == NULL) {
        fprintf(stderr, "minuted-ledger: the catalog has no portal '%s': learner %s is left out\n", r->portal,
            r->learner);
        clear_learner(r);
        return;
    }
    for (size_t i = 0; i < r->catalog->n_courses; i++)
        r->inputs[i].test_passed =
            passes_has(r->passes, slice_of(r->portal), slice_of(r->learner), r->catalog->courses[i].id);
    struct hours_result result = hours_judge(r->catalog, portal, r->inputs, r->courses);
    if (r->options->format == FORMAT_JSON)
        print_json(r, &result);
    else if (r->options->format == FORMAT_CSV)
        print_csv(r, &result);
    else
        print_text(r, portal, &result);
    r->learners++;
    r->certified += result.certified > 0;
    clear_learner(r);
}

static void add_row(struct report *r, sqlite3_stmt *s)
{
    struct slice portal = column_text(s, 0);
    struct slice learner = column_text(s, 1);
    if (r->portal == NULL || !slice_is(portal, r->portal) || !slice_is(learner, r->learner)) {
        finish_learner(r);
        r->portal = mem_strndup(portal.ptr, portal.len);
        r->learner = mem_strndup(learner.ptr, learner.len);
    }
    const struct lesson *lesson = catalog_find_lesson(r->catalog, column_text(s, 2));
    if (lesson == NULL)
        r->unknown_lessons++;
    else
        r->inputs[lesson->course - r->catalog->courses].watched_seconds += sqlite3_column_int64(s, 3);
}

static void print_head(const struct report *r)
{
    if (r->options->format == FORMAT_JSON)
        fputs("[", stdout);
    else if (r->options->format == FORMAT_CSV)
        puts("portal,learner_id,course_id,watched_seconds,missing_seconds,test_missing,course_hours,"
             "certified_hours");
}

static void print_tail(const struct report *r)
{
    if (r->options->format == FORMAT_JSON)
        fputs("\n]\n", stdout);
    else if (r->options->format == FORMAT_TEXT)
        printf("%ld of %ld learners may be certified (%s)\n", r->certified, r->learners, r->catalog->program);
    if (r->unknown_lessons > 0)
        fprintf(stderr, "minuted-ledger: %ld totals are of lessons that the catalog does not have\n",
            r->unknown_lessons);
}

static bool print_report(struct report *r, struct database *db)
{
    sqlite3_stmt *s = database_query(db, query);
    if (s == NULL)
        return false;
    if (r->options->portal != NULL)
        bind_text(s, 1, slice_of(r->options->portal));
    if (r->options->learner != NULL)
        bind_text(s, 2, slice_of(r->options->learner));
    print_head(r);
    while (sqlite3_step(s) == SQLITE_ROW)
        add_row(r, s);
    finish_learner(r);
    print_tail(r);
    sqlite3_finalize(s);
    return true;
}

/* ---- the command line ---- */

static const char usage[] =
    "Usage: minuted-ledger hours --db FILE --catalog FILE [options]\n"
    "\n"
    "Applies the catalog's rules: whole courses, their minutes, tests where a portal asks for them, a "
    "maximum.\n"
    "\n"
    "  -d, --db FILE              the database that 'follow' fills\n"
    "  -c, --catalog FILE         the catalog\n"
    "  -t, --passes FILE          passed tests as CSV: portal,learner,course[,passed]\n"
    "  -p, --portal P             this portal only\n"
    "  -l, --learner L            this learner only\n"
    "  -f, --format FORMAT        text, json or csv\n"
    "  -h, --help                 print this\n";

static bool parse_format(const char *text, enum format *format)
{
    static const char *const names[] = {"text", "json", "csv"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *format = (enum format)i;
            return true;
        }
    }
    return false;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {{"db", required_argument, NULL, 'd'},
        {"catalog", required_argument, NULL, 'c'}, {"passes", required_argument, NULL, 't'},
        {"portal", required_argument, NULL, 'p'}, {"learner", required_argument, NULL, 'l'},
        {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    *o = (struct options){0};
    while ((option = getopt_long(argc, argv, "d:c:t:p:l:f:h", long_options, NULL)) != -1) {
        const char **value = option == 'd'   ? &o->database
                             : option == 'c' ? &o->catalog
                             : option == 't' ? &o->passes
                             : option == 'p' ? &o->portal
                             : option == 'l' ? &o->learner
                                             : NULL;
        if (value != NULL)
            *value = optarg;
        else if (option != 'f' || !parse_format(optarg, &o->format))
            return option == 'h' ? EXIT_GOOD : EXIT_USAGE;
    }
    return o->database != NULL && o->catalog != NULL && optind == argc ? -1 : EXIT_USAGE;
}

static int report_hours(const struct options *o, char **error)
{
    struct report r = {.options = o};
    struct passes *passes = NULL;
    struct database *db = NULL;
    bool good = false;
    struct catalog *catalog = catalog_load(o->catalog, error);
    if (catalog != NULL && o->passes != NULL)
        passes = passes_load(o->passes, catalog, error);
    if (catalog != NULL && (o->passes == NULL || passes != NULL))
        db = database_open(o->database, false, error);
    if (db != NULL) {
        r.catalog = catalog;
        r.passes = passes;
        r.inputs = mem_zalloc(catalog->n_courses * sizeof(*r.inputs));
        r.courses = mem_zalloc(catalog->n_courses * sizeof(*r.courses));
        good = print_report(&r, db);
        free(r.inputs);
        free(r.courses);
    }
    database_close(db);
    passes_free(passes);
    catalog_free(catalog);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

int hours_command(int argc, char **argv)
{
    struct options o;
    char *error = NULL;
    int status = parse(argc, argv, &o);
    if (status >= 0) {
        fputs(usage, status == EXIT_GOOD ? stdout : stderr);
        return status;
    }
    status = report_hours(&o, &error);
    if (error != NULL)
        fprintf(stderr, "minuted-ledger: %s\n", error);
    free(error);
    return status;
}
