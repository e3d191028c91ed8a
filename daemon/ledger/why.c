/*
 * minuted-ledger why: one learner's minute as 60 cells, a row a lesson, and the records that say so.
 */
#include "ledger/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/catalog.h"
#include "credit/mask.h"
#include "ledger/commands.h"
#include "ledger/database.h"

static const char query[] =
    "SELECT m.lesson_id, m.seconds_mask, m.last_mask, m.kafka_partition, m.kafka_offset, l.watched_seconds,"
    " l.covered_seconds, l.kafka_partition, l.kafka_offset "
    "FROM learner_minutes m LEFT JOIN learner_lessons l USING (program, portal, learner_id, lesson_id) "
    "WHERE m.program = :program AND m.portal = :portal AND m.learner_id = :learner AND m.minute_start = "
    ":minute ORDER BY m.lesson_id";

/* Where a record stands in its topic. */
struct place {
    int partition; /* negative: there is no such record */
    int64_t offset;
};

struct why_row {
    char *lesson;
    uint64_t mask;
    uint64_t last_mask;
    struct place evidence;
    int64_t watched; /* in all minutes */
    int64_t covered;
    struct place total;
};

struct minute {
    char *program; /* "" if the database has none */
    struct why_row *rows;
    size_t n;
    int name_width;
    uint64_t all;
    uint64_t doubled; /* seconds that two lessons have */
    int64_t final_through;
};

/* ---- reading ---- */

static struct place read_place(sqlite3_stmt *s, int i)
{
    bool none = sqlite3_column_type(s, i) == SQLITE_NULL;
    return (struct place){none ? -1 : sqlite3_column_int(s, i), sqlite3_column_int64(s, i + 1)};
}

/* What the user named, else the catalog's, else the only one that the database has. */
static bool choose_program(
    struct database *db, const struct ledger_options *o, const struct catalog *catalog, struct minute *m)
{
    struct buf all = {0};
    size_t n = 0;
    bool failed;
    const char *named = o->program != NULL ? o->program : catalog != NULL ? catalog->program : NULL;
    if (named != NULL && catalog != NULL && strcmp(named, catalog->program) != 0) {
        fprintf(stderr, "minuted-ledger: catalog %s is of program '%s', not '%s'\n", o->catalog,
            catalog->program, named);
        return false;
    }
    if (named != NULL) {
        m->program = mem_strdup(named);
        return true;
    }
    sqlite3_stmt *s = database_query(db, "SELECT program FROM programs ORDER BY program");
    if (s == NULL)
        return false;
    for (; database_next_row(db, s, &failed); n++) {
        buf_append_string(&all, n == 0 ? "" : ", ");
        buf_append_slice(&all, database_text(s, 0));
    }
    sqlite3_finalize(s);
    buf_append_char(&all, '\0');
    if (n > 1)
        fprintf(stderr,
            "minuted-ledger: database %s has several programs, so --program must name one of %s\n",
            o->database, all.data);
    m->program = all.data;
    return !failed && n <= 1;
}

/* The highest of all deployments: they share no learner. */
static bool read_final(struct database *db, struct minute *m)
{
    char *sql = sqlite3_mprintf("SELECT max(final_through) FROM watermarks WHERE program = %Q", m->program);
    bool good = database_number(db, sql, &m->final_through);
    sqlite3_free(sql);
    return good;
}

static bool read_minute(struct database *db, const struct ledger_options *o, struct minute *m)
{
    bool failed;
    sqlite3_stmt *s =
        database_query_learners(db, query, (struct learner_filter){m->program, o->portal, o->learner});
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, sqlite3_bind_parameter_index(s, ":minute"), o->minute);
    while (database_next_row(db, s, &failed)) {
        struct slice lesson = database_text(s, 0);
        struct why_row row = {
            .lesson = mem_strndup(lesson.ptr, lesson.len),
            .mask = (uint64_t)sqlite3_column_int64(s, 1),
            .last_mask = (uint64_t)sqlite3_column_int64(s, 2),
            .evidence = read_place(s, 3),
            .watched = sqlite3_column_int64(s, 5),
            .covered = sqlite3_column_int64(s, 6),
            .total = read_place(s, 7),
        };
        m->rows = mem_realloc(m->rows, (m->n + 1) * sizeof(*m->rows));
        m->rows[m->n++] = row;
        if ((int)lesson.len > m->name_width)
            m->name_width = (int)lesson.len;
        m->doubled |= m->all & row.mask;
        m->all |= row.mask;
    }
    sqlite3_finalize(s);
    return !failed;
}

/* ---- writing ---- */

static void print_cells(const struct minute *m, const char *name, uint64_t mask)
{
    printf("%-*s ", m->name_width, name);
    for (int i = 0; i < MINUTE_SECONDS; i++)
        putchar((mask & m->doubled) >> i & 1 ? '!' : mask >> i & 1 ? '#' : '.');
    printf(" %2u s", mask_count(mask));
}

static void print_place(const char *topic, struct place place)
{
    if (place.partition < 0)
        printf("  no record in %s", topic);
    else if (place.offset < 0)
        printf("  from a %s that no longer exists", topic);
    else
        printf("  %s partition %d offset %" PRId64, topic, place.partition, place.offset);
}

static enum exit_status print_minute(const struct ledger_options *o, const struct database *db,
    const struct minute *m, const struct catalog *catalog)
{
    time_t start = (time_t)o->minute;
    struct tm utc;
    char when[32];
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&start, &utc));
    printf("%s/%s, ", o->portal, o->learner);
    if (*m->program != '\0')
        printf("program %s, ", m->program);
    printf("minute %" PRId64 " (%s)\n\n", o->minute, when);
    printf("%-*s ", m->name_width, "second");
    for (int i = 0; i < MINUTE_SECONDS; i += 10)
        printf("%-10d", i);
    putchar('\n');
    for (size_t i = 0; i < m->n; i++) {
        const struct why_row *row = &m->rows[i];
        print_cells(m, row->lesson, row->mask);
        print_place(database_topic_name(db, TOPIC_LEARNER_MINUTES), row->evidence);
        if (row->last_mask != row->mask)
            printf("  (%u s by the last record)", mask_count(row->last_mask));
        putchar('\n');
    }
    print_cells(m, "in all", m->all);
    puts(m->n == 0 ? "\n\nNo second of this minute was credited to this learner." : "\n");
    for (size_t i = 0; i < m->n; i++) {
        const struct why_row *row = &m->rows[i];
        const struct lesson *lesson =
            catalog == NULL ? NULL : catalog_find_lesson(catalog, slice_of(row->lesson));
        printf("  %-*s %" PRId64 " s in all minutes, %" PRId64 " s of the video", m->name_width, row->lesson,
            row->watched, row->covered);
        print_place(database_topic_name(db, TOPIC_LEARNER_LESSONS), row->total);
        if (lesson != NULL)
            printf("  %s%s%s", lesson->course->title, *lesson->title == '\0' ? "" : ": ", lesson->title);
        else if (catalog != NULL)
            fputs("  not in the catalog", stdout);
        putchar('\n');
    }
    puts(o->minute + MINUTE_SECONDS <= m->final_through
             ? "\nThe minute is final: nothing can be credited to it any more."
             : "\nThe minute is not final yet: late heartbeats may still be credited to it.");
    if (m->doubled == 0)
        return EXIT_GOOD;
    printf("CONTESTED: %u seconds (!) were credited to two lessons.\n", mask_count(m->doubled));
    return EXIT_FAILED;
}

enum exit_status why_command(const struct ledger_options *o)
{
    struct minute m = {.name_width = (int)strlen("in all")};
    struct catalog *catalog = NULL;
    char *error = NULL;
    if (o->catalog != NULL && (catalog = catalog_load(o->catalog, &error)) == NULL) {
        commands_complain(error);
        return EXIT_FAILED;
    }
    struct database *db = commands_open_database(o->database, NULL);
    enum exit_status status = EXIT_FAILED;
    if (db != NULL && choose_program(db, o, catalog, &m) && read_minute(db, o, &m) && read_final(db, &m))
        status = print_minute(o, db, &m, catalog);
    for (size_t i = 0; i < m.n; i++)
        free(m.rows[i].lesson);
    free(m.rows);
    free(m.program);
    database_close(db);
    catalog_free(catalog);
    return status;
}
