/*
 * minuted-ledger totals: watched seconds by the last record, by the greatest and by the merged evidence, and
 * whether the three agree.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "ledger/commands.h"
#include "ledger/database.h"

struct options {
    const char *database;
    const char *portal;
    const char *learner;
    bool json;
};

struct row {
    struct slice portal, learner, lesson, course;
    int64_t watched, covered; /* greatest */
    int64_t last_watched, last_covered;
    int64_t evidence; /* bits of the merged masks */
    int64_t falls;
};

static const char query[] =
    "WITH evidence AS (SELECT portal, lesson_id, learner_id, sum(popcount(seconds_mask)) AS seconds, "
    "sum(falls) AS falls "
    "  FROM learner_minutes GROUP BY portal, lesson_id, learner_id) "
    "SELECT l.portal, l.learner_id, l.lesson_id, l.course_id, l.watched_seconds, l.covered_seconds, "
    "l.last_watched, "
    "  l.last_covered, coalesce(e.seconds, 0), l.falls + coalesce(e.falls, 0) "
    "FROM learner_lessons l LEFT JOIN evidence e USING (portal, lesson_id, learner_id) "
    "WHERE (?1 IS NULL OR l.portal = ?1) AND (?2 IS NULL OR l.learner_id = ?2) "
    "UNION ALL "
    "SELECT e.portal, e.learner_id, e.lesson_id, '', 0, 0, 0, 0, e.seconds, e.falls "
    "FROM evidence e LEFT JOIN learner_lessons l USING (portal, lesson_id, learner_id) "
    "WHERE l.portal IS NULL AND (?1 IS NULL OR e.portal = ?1) AND (?2 IS NULL OR e.learner_id = ?2) "
    "ORDER BY 1, 2, 3";

static bool agrees(const struct row *row)
{
    return row->watched == row->last_watched && row->covered == row->last_covered &&
           row->watched == row->evidence && row->falls == 0;
}

static void print_text(const struct row *row)
{
    printf("%.*s/%.*s  %.*s  watched %lld s, covered %lld s", SLICE_ARG(row->portal), SLICE_ARG(row->learner),
        SLICE_ARG(row->lesson), (long long)row->watched, (long long)row->covered);
    if (!agrees(row))
        printf("  DISAGREES: last record %lld s and %lld s, evidence %lld s, %lld records fell",
            (long long)row->last_watched, (long long)row->last_covered, (long long)row->evidence,
            (long long)row->falls);
    putchar('\n');
}

static void json_member_text(struct buf *b, const char *name, struct slice value)
{
    buf_append_string(b, name);
    json_write_string(b, value);
}

static void print_json(const struct row *row, bool first)
{
    struct buf b = {0};
    buf_append_string(&b, first ? "" : ",");
    json_member_text(&b, "\n{\"portal\":", row->portal);
    json_member_text(&b, ",\"learner_id\":", row->learner);
    json_member_text(&b, ",\"lesson_id\":", row->lesson);
    json_member_text(&b, ",\"course_id\":", row->course);
    buf_printf(&b,
        ",\"watched_seconds\":%lld,\"covered_seconds\":%lld,\"last_watched_seconds\":%lld,\"last_covered_"
        "seconds\":%lld,"
        "\"evidence_seconds\":%lld,\"falls\":%lld,\"agrees\":%s}",
        (long long)row->watched, (long long)row->covered, (long long)row->last_watched,
        (long long)row->last_covered, (long long)row->evidence, (long long)row->falls,
        agrees(row) ? "true" : "false");
    fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
}

static struct row read_row(sqlite3_stmt *s)
{
    return (struct row){
        .portal = column_text(s, 0),
        .learner = column_text(s, 1),
        .lesson = column_text(s, 2),
        .course = column_text(s, 3),
        .watched = sqlite3_column_int64(s, 4),
        .covered = sqlite3_column_int64(s, 5),
        .last_watched = sqlite3_column_int64(s, 6),
        .last_covered = sqlite3_column_int64(s, 7),
        .evidence = sqlite3_column_int64(s, 8),
        .falls = sqlite3_column_int64(s, 9),
    };
}

static int print_rows(sqlite3_stmt *s, bool json)
{
    long rows = 0;
    long wrong = 0;
    if (json)
        fputs("[", stdout);
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct row row = read_row(s);
        if (json)
            print_json(&row, rows == 0);
        else
            print_text(&row);
        rows++;
        wrong += !agrees(&row);
    }
    if (json)
        fputs("\n]\n", stdout);
    else if (wrong > 0)
        printf("%ld of %ld rows disagree\n", wrong, rows);
    else
        printf("%ld %s, all agree: last record = greatest = evidence\n", rows, rows == 1 ? "row" : "rows");
    return wrong == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static const char usage[] =
    "Usage: minuted-ledger totals --db FILE [--portal P] [--learner L] [--format text|json]\n"
    "\n"
    "Watched and covered seconds of each learner and lesson. The last record of a key, the greatest one and\n"
    "the bits of the merged minutes must say the same: exit status 1 and the rows that differ, if not.\n";

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {{"db", required_argument, NULL, 'd'},
        {"portal", required_argument, NULL, 'p'}, {"learner", required_argument, NULL, 'l'},
        {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    *o = (struct options){0};
    while ((option = getopt_long(argc, argv, "d:p:l:f:h", long_options, NULL)) != -1) {
        if (option == 'd')
            o->database = optarg;
        else if (option == 'p')
            o->portal = optarg;
        else if (option == 'l')
            o->learner = optarg;
        else if (option == 'f' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "text") == 0))
            o->json = optarg[0] == 'j';
        else
            return option == 'h' ? EXIT_GOOD : EXIT_USAGE;
    }
    return o->database != NULL && optind == argc ? -1 : EXIT_USAGE;
}

int totals_command(int argc, char **argv)
{
    struct options o;
    char *error = NULL;
    int status = parse(argc, argv, &o);
    if (status >= 0) {
        fputs(usage, status == EXIT_GOOD ? stdout : stderr);
        return status;
    }
    struct database *db = database_open(o.database, false, &error);
    if (db == NULL) {
        fprintf(stderr, "minuted-ledger: %s\n", error);
        free(error);
        return EXIT_FAILED;
    }
    status = EXIT_FAILED;
    sqlite3_stmt *s = database_query(db, query);
    if (s != NULL) {
        if (o.portal != NULL)
            bind_text(s, 1, slice_of(o.portal));
        if (o.learner != NULL)
            bind_text(s, 2, slice_of(o.learner));
        status = print_rows(s, o.json);
        sqlite3_finalize(s);
    }
    database_close(db);
    return status;
}
