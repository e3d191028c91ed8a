/*
 * minuted-ledger totals: seconds by the last record, by the greatest and by the merged evidence, and whether
 * they agree. They agree as long as the publisher keeps its promises: a consumer that upserts, one that takes
 * the greatest and one that merges masks with OR then end at the same number.
 */
#include "ledger/totals.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "ledger/commands.h"
#include "ledger/database.h"

/*
 * The rows of both tables are put together and grouped by key, which takes one sort. A FULL JOIN of the two
 * would look through all of the evidence again for each total.
 */
static const char query[] =
    "SELECT program, portal, learner_id, lesson_id, coalesce(max(lesson_course), max(minute_course)),"
    " sum(watched), sum(covered), sum(last_watched), sum(last_covered), sum(merged), sum(last_merged),"
    " sum(falls) FROM ("
    "SELECT program, portal, learner_id, lesson_id, course_id AS lesson_course, NULL AS minute_course,"
    " watched_seconds AS watched, covered_seconds AS covered, last_watched, last_covered,"
    " 0 AS merged, 0 AS last_merged, falls FROM learner_lessons WHERE %s "
    "UNION ALL SELECT program, portal, learner_id, lesson_id, NULL, course_id, 0, 0, 0, 0,"
    " popcount(seconds_mask), popcount(last_mask), falls FROM learner_minutes WHERE %s) "
    "GROUP BY program, portal, learner_id, lesson_id ORDER BY program, portal, learner_id, lesson_id";

/* How many records of lesson minutes and watermarks, which are no learner's, said less than the one before.
 */
static const char falls_query[] = "SELECT (SELECT coalesce(sum(falls), 0) FROM lesson_minutes) + "
                                  "(SELECT coalesce(sum(falls), 0) FROM watermarks)";

struct total_row {
    struct slice program, portal, learner, lesson, course;
    int64_t watched, covered; /* greatest */
    int64_t last_watched, last_covered;
    int64_t evidence, last_evidence; /* of the merged masks, and of the last ones */
    int64_t falls;                   /* records that said less than the one before */
    bool agrees;
};

static struct total_row read_row(sqlite3_stmt *s, bool evidence_is_whole)
{
    struct total_row row = {
        .program = database_text(s, 0),
        .portal = database_text(s, 1),
        .learner = database_text(s, 2),
        .lesson = database_text(s, 3),
        .course = database_text(s, 4),
        .watched = sqlite3_column_int64(s, 5),
        .covered = sqlite3_column_int64(s, 6),
        .last_watched = sqlite3_column_int64(s, 7),
        .last_covered = sqlite3_column_int64(s, 8),
        .evidence = sqlite3_column_int64(s, 9),
        .last_evidence = sqlite3_column_int64(s, 10),
        .falls = sqlite3_column_int64(s, 11),
    };
    bool evidence_agrees = evidence_is_whole ? row.evidence == row.watched : row.evidence <= row.watched;
    row.agrees = row.last_watched == row.watched && row.last_covered == row.covered && evidence_agrees &&
                 row.last_evidence == row.evidence && row.falls == 0;
    return row;
}

static void print_json(const struct total_row *row, bool first)
{
    struct buf b = {0};
    commands_append_member(&b, first ? "\n{\"program\":" : ",\n{\"program\":", row->program);
    commands_append_member(&b, ",\"portal\":", row->portal);
    commands_append_member(&b, ",\"learner_id\":", row->learner);
    commands_append_member(&b, ",\"lesson_id\":", row->lesson);
    commands_append_member(&b, ",\"course_id\":", row->course);
    buf_printf(&b,
        ",\"watched_seconds\":%" PRId64 ",\"covered_seconds\":%" PRId64 ",\"last_watched_seconds\":%" PRId64
        ",\"last_covered_seconds\":%" PRId64 ",\"evidence_seconds\":%" PRId64
        ",\"last_evidence_seconds\":%" PRId64 ",\"falls\":%" PRId64 ",\"agrees\":%s}",
        row->watched, row->covered, row->last_watched, row->last_covered, row->evidence, row->last_evidence,
        row->falls, row->agrees ? "true" : "false");
    fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
}

static enum exit_status print_rows(struct database *db, sqlite3_stmt *s, bool json, bool evidence_is_whole)
{
    long rows = 0;
    long wrong = 0;
    bool failed;
    if (json)
        fputs("[", stdout);
    while (database_next_row(db, s, &failed)) {
        struct total_row row = read_row(s, evidence_is_whole);
        if (json) {
            print_json(&row, rows == 0);
        } else {
            printf("%.*s  %.*s/%.*s  %.*s  watched %" PRId64 " s, covered %" PRId64 " s",
                SLICE_ARG(row.program), SLICE_ARG(row.portal), SLICE_ARG(row.learner), SLICE_ARG(row.lesson),
                row.watched, row.covered);
            if (!row.agrees)
                printf("  DISAGREES: last record watched %" PRId64 " s, covered %" PRId64
                       " s; evidence %" PRId64 " s, its last records %" PRId64
                       " s; records that fell: %" PRId64,
                    row.last_watched, row.last_covered, row.evidence, row.last_evidence, row.falls);
            putchar('\n');
        }
        rows++;
        wrong += !row.agrees;
    }
    if (failed)
        return EXIT_FAILED;
    if (json)
        fputs("\n]\n", stdout);
    else if (wrong > 0)
        printf("%ld of %ld rows disagree\n", wrong, rows);
    else
        printf("%ld %s, all agree: last record = greatest %s evidence\n", rows, rows == 1 ? "row" : "rows",
            evidence_is_whole ? "=" : ">=");
    if (!evidence_is_whole)
        fprintf(stderr,
            "minuted-ledger: Kafka deleted records of %s before they were read, so the minutes may add up to "
            "less than the totals\n",
            database_topic_name(db, TOPIC_LEARNER_MINUTES));
    return wrong == 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* How many records of the evidence Kafka had deleted before they were read. */
static bool count_missed(struct database *db, int64_t *missed)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "SELECT sum(missed) FROM offsets WHERE topic = '%s'",
        database_topic_name(db, TOPIC_LEARNER_MINUTES));
    return database_number(db, sql, missed);
}

enum exit_status totals_command(const struct ledger_options *o)
{
    struct database *db = commands_open_database(o->database, NULL);
    enum exit_status status = EXIT_FAILED;
    sqlite3_stmt *s = NULL;
    int64_t missed;
    int64_t falls;
    if (db != NULL && count_missed(db, &missed) && database_number(db, falls_query, &falls) &&
        (s = database_query_learners(
             db, query, (struct learner_filter){o->program, o->portal, o->learner})) != NULL) {
        status = print_rows(db, s, o->format == FORMAT_AS_JSON, missed == 0);
        if (falls != 0) {
            fprintf(stderr,
                "minuted-ledger: %" PRId64 " records of %s or %s said less than the ones before\n", falls,
                database_topic_name(db, TOPIC_LESSON_MINUTES), database_topic_name(db, TOPIC_WATERMARKS));
            status = EXIT_FAILED;
        }
    }
    sqlite3_finalize(s);
    database_close(db);
    return status;
}
