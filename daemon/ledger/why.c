/*
 * minuted-ledger why: one learner's minute as 60 cells, a row a lesson, and the records that say so.
 */
#include "ledger/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "config/catalog.h"
#include "credit/mask.h"
#include "ledger/commands.h"
#include "ledger/database.h"

static const char query[] =
    "SELECT m.lesson_id, m.seconds_mask, m.last_mask, m.kafka_partition, m.kafka_offset, l.watched_seconds,"
    " l.covered_seconds, l.kafka_partition, l.kafka_offset "
    "FROM learner_minutes m LEFT JOIN learner_lessons l USING (portal, learner_id, lesson_id) "
    "WHERE m.portal = :portal AND m.learner_id = :learner AND m.minute_start = :minute ORDER BY m.lesson_id";

/* The highest of all deployments: they share no learner. */
static const char final_query[] = "SELECT max(final_through) FROM watermarks";

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
    struct why_row *rows;
    size_t n;
    int name_width;
    uint64_t all;
    uint64_t doubled; /* seconds that two lessons have */
};

/* ---- reading ---- */

static struct place read_place(sqlite3_stmt *s, int i)
{
    bool none = sqlite3_column_type(s, i) == SQLITE_NULL;
    return (struct place){none ? -1 : sqlite3_column_int(s, i), sqlite3_column_int64(s, i + 1)};
}

static bool read_minute(struct database *db, const struct ledger_options *o, struct minute *m)
{
    bool failed;
    sqlite3_stmt *s = database_query_learners(db, query, (struct learner_filter){o->portal, o->learner});
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

static void print_place(enum topic topic, struct place place)
{
    if (place.partition < 0)
        printf("  no record in %s", ledger_topic_names[topic]);
    else if (place.offset < 0)
        printf("  from a %s that no longer exists", ledger_topic_names[topic]);
    else
        printf("  %s partition %d offset %" PRId64, ledger_topic_names[topic], place.partition, place.offset);
}

static enum exit_status print_minute(const struct ledger_options *o, const struct minute *m,
    const struct catalog *catalog, int64_t final_through)
{
    time_t start = (time_t)o->minute;
    struct tm utc;
    char when[32];
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&start, &utc));
    printf("%s/%s, minute %" PRId64 " (%s)\n\n", o->portal, o->learner, o->minute, when);
    printf("%-*s ", m->name_width, "second");
    for (int i = 0; i < MINUTE_SECONDS; i += 10)
        printf("%-10d", i);
    putchar('\n');
    for (size_t i = 0; i < m->n; i++) {
        const struct why_row *row = &m->rows[i];
        print_cells(m, row->lesson, row->mask);
        print_place(TOPIC_LEARNER_MINUTES, row->evidence);
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
        print_place(TOPIC_LEARNER_LESSONS, row->total);
        if (lesson != NULL)
            printf("  %s%s%s", lesson->course->title, *lesson->title == '\0' ? "" : ": ", lesson->title);
        else if (catalog != NULL)
            fputs("  not in the catalog", stdout);
        putchar('\n');
    }
    puts(o->minute + MINUTE_SECONDS <= final_through
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
    int64_t final_through;
    if (o->catalog != NULL && (catalog = catalog_load(o->catalog, &error)) == NULL) {
        commands_complain(error);
        return EXIT_FAILED;
    }
    struct database *db = commands_open_database(o->database, false);
    enum exit_status status = EXIT_FAILED;
    if (db != NULL && read_minute(db, o, &m) && database_number(db, final_query, &final_through))
        status = print_minute(o, &m, catalog, final_through);
    for (size_t i = 0; i < m.n; i++)
        free(m.rows[i].lesson);
    free(m.rows);
    database_close(db);
    catalog_free(catalog);
    return status;
}
