/* The ledger's SQLite file. */
#include "ledger/database.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "embedded/schema_sql.h"

enum { SCHEMA_VERSION = 1, BUSY_MS = 10000 };

enum statement {
    STORE_LEARNER_LESSON,
    STORE_LEARNER_MINUTE,
    STORE_LESSON_MINUTE,
    STORE_WATERMARK,
    STORE_OFFSET,
    READ_OFFSET,
    STATEMENT_COUNT
};

struct database {
    char *path;
    sqlite3 *sqlite;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/*
 * The value that counts only grows. The last value, and whether it fell, follow the offset: a record that is
 * read again is older than what is stored, and changes nothing.
 */
#define NEWER "excluded.kafka_offset > kafka_offset OR excluded.kafka_partition <> kafka_partition"
#define LAST(column) #column " = CASE WHEN " NEWER " THEN excluded." #column " ELSE " #column " END"
#define FELL(condition) "falls = falls + CASE WHEN (" NEWER ") AND (" condition ") THEN 1 ELSE 0 END"
#define GREATEST(column) #column " = max(" #column ", excluded." #column ")"

static const char *const statement_sql[STATEMENT_COUNT] = {
    [STORE_LEARNER_LESSON] =
        "INSERT INTO learner_lessons VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5, ?6, 0, ?8, ?9) "
        "ON CONFLICT DO UPDATE SET " FELL(
            "excluded.last_watched < last_watched OR excluded.last_covered < "
            "last_covered") ", " GREATEST(watched_seconds) ", " GREATEST(covered_seconds) ", " GREATEST(last_minute_start) ", " LAST(course_id) ", " LAST(last_watched) ", " LAST(last_covered) ", " LAST(kafka_partition) ", " LAST(kafka_offset),
    [STORE_LEARNER_MINUTE] = "INSERT INTO learner_minutes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, ?7, ?8) "
                             "ON CONFLICT DO UPDATE SET " FELL("excluded.last_mask & last_mask <> last_mask") ", seconds_mask = seconds_mask | excluded.seconds_mask, " LAST(
                                 course_id) ", " LAST(last_mask) ", " LAST(kafka_partition) ", " LAST(kafka_offset),
    [STORE_LESSON_MINUTE] =
        "INSERT INTO lesson_minutes VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?5, 0, ?6, ?7) "
        "ON CONFLICT DO UPDATE SET " FELL(
            "excluded.last_watched < last_watched OR excluded.last_learners < "
            "last_learners") ", " GREATEST(watched_seconds) ", " GREATEST(learners) ", " LAST(course_id) ","
                                                                                                         " " LAST(last_watched) ", " LAST(last_learners) ", " LAST(
                                                                                                             kafka_partition) ", " LAST(kafka_offset),
    [STORE_WATERMARK] =
        "INSERT INTO watermarks VALUES (?1, ?2, ?3, 0, ?4, ?5) "
        "ON CONFLICT DO UPDATE SET " FELL(
            "excluded.published_through < published_through OR "
            "excluded.final_through < final_through") ", " GREATEST(published_through) ", " GREATEST(final_through) ", " LAST(kafka_partition) ", " LAST(kafka_offset),
    [STORE_OFFSET] = "INSERT INTO offsets VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET next_offset = "
                     "max(next_offset, excluded.next_offset)",
    [READ_OFFSET] = "SELECT next_offset FROM offsets WHERE topic = ?1 AND kafka_partition = ?2",
};

/* ---- opening ---- */

static void popcount(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    sqlite3_result_int(ctx, __builtin_popcountll((unsigned long long)sqlite3_value_int64(values[0])));
}

/* The aggregate or_all(mask). */
static void or_step(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    sqlite3_int64 *all = sqlite3_aggregate_context(ctx, sizeof(*all));
    (void)n;
    if (all != NULL)
        *all |= sqlite3_value_int64(values[0]);
}

static void or_final(sqlite3_context *ctx)
{
    const sqlite3_int64 *all = sqlite3_aggregate_context(ctx, sizeof(*all));
    sqlite3_result_int64(ctx, all == NULL ? 0 : *all);
}

static bool execute(struct database *db, const char *sql)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fprintf(stderr, "minuted-ledger: database %s: %s\n", db->path, sqlite3_errmsg(db->sqlite));
    return false;
}

static int64_t read_number(struct database *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static char *describe(const char *path, const char *what)
{
    struct buf text = {0};
    buf_printf(&text, "database %s: %s", path, what);
    buf_append_char(&text, '\0');
    return text.data;
}

/* Version 0 with tables is somebody else's file. NULL when the schema is ours, else what is wrong. */
static const char *check_schema(struct database *db, bool write)
{
    int64_t version = read_number(db, "PRAGMA user_version");
    int64_t tables = read_number(db, "SELECT count(*) FROM sqlite_master");
    if (version < 0 || tables < 0)
        return sqlite3_errmsg(db->sqlite);
    if (version == SCHEMA_VERSION && !write)
        return NULL;
    if (version != SCHEMA_VERSION && (tables > 0 || version != 0))
        return "is not a ledger of this version";
    if (version == 0 && !write)
        return "is empty: run 'minuted-ledger follow' first";
    if (sqlite3_exec(db->sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(db->sqlite, (const char *)schema_sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db->sqlite, "PRAGMA user_version = 1", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite3_errmsg(db->sqlite);
    return NULL;
}

static const char *prepare_all(struct database *db)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v2(db->sqlite, statement_sql[i], -1, &db->statements[i], NULL) != SQLITE_OK)
            return sqlite3_errmsg(db->sqlite);
    return NULL;
}

struct database *database_open(const char *path, bool write, char **error)
{
    struct database *db = mem_zalloc(sizeof(*db));
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
    db->path = mem_strdup(path);
    const char *problem = NULL;
    if (sqlite3_open_v2(path, &db->sqlite, flags, NULL) != SQLITE_OK)
        problem = sqlite3_errmsg(db->sqlite);
    if (problem == NULL && write && sqlite3_db_readonly(db->sqlite, "main") == 1)
        problem = "cannot be written";
    sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    sqlite3_create_function(
        db->sqlite, "popcount", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, popcount, NULL, NULL);
    sqlite3_create_function(
        db->sqlite, "or_all", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, NULL, or_step, or_final);
    if (problem == NULL)
        problem = check_schema(db, write);
    if (problem == NULL && write)
        problem = prepare_all(db);
    if (problem == NULL)
        return db;
    *error = describe(path, problem);
    database_close(db);
    return NULL;
}

void database_close(struct database *db)
{
    if (db == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sqlite);
    free(db->path);
    free(db);
}

/* ---- writing ---- */

bool database_begin(struct database *db)
{
    return execute(db, "BEGIN IMMEDIATE");
}

bool database_commit(struct database *db)
{
    return execute(db, "COMMIT");
}

void bind_text(sqlite3_stmt *statement, int i, struct slice text)
{
    sqlite3_bind_text(statement, i, text.ptr == NULL ? "" : text.ptr, (int)text.len, SQLITE_TRANSIENT);
}

static bool run(struct database *db, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_DONE)
        fprintf(stderr, "minuted-ledger: database %s: %s\n", db->path, sqlite3_errmsg(db->sqlite));
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

static sqlite3_stmt *bind_learner_lesson(struct database *db, const struct record *r)
{
    sqlite3_stmt *s = db->statements[STORE_LEARNER_LESSON];
    bind_text(s, 1, r->portal);
    bind_text(s, 2, r->lesson);
    bind_text(s, 3, r->learner);
    bind_text(s, 4, r->course);
    sqlite3_bind_int64(s, 5, r->watched_seconds);
    sqlite3_bind_int64(s, 6, r->covered_seconds);
    sqlite3_bind_int64(s, 7, r->minute_start);
    sqlite3_bind_int(s, 8, r->partition);
    sqlite3_bind_int64(s, 9, r->offset);
    return s;
}

static sqlite3_stmt *bind_learner_minute(struct database *db, const struct record *r)
{
    sqlite3_stmt *s = db->statements[STORE_LEARNER_MINUTE];
    sqlite3_bind_int64(s, 1, r->minute_start);
    bind_text(s, 2, r->portal);
    bind_text(s, 3, r->lesson);
    bind_text(s, 4, r->learner);
    bind_text(s, 5, r->course);
    sqlite3_bind_int64(s, 6, (sqlite3_int64)r->mask);
    sqlite3_bind_int(s, 7, r->partition);
    sqlite3_bind_int64(s, 8, r->offset);
    return s;
}

static sqlite3_stmt *bind_lesson_minute(struct database *db, const struct record *r)
{
    sqlite3_stmt *s = db->statements[STORE_LESSON_MINUTE];
    sqlite3_bind_int64(s, 1, r->minute_start);
    bind_text(s, 2, r->lesson);
    bind_text(s, 3, r->course);
    sqlite3_bind_int64(s, 4, r->watched_seconds);
    sqlite3_bind_int64(s, 5, r->learners);
    sqlite3_bind_int(s, 6, r->partition);
    sqlite3_bind_int64(s, 7, r->offset);
    return s;
}

static sqlite3_stmt *bind_watermark(struct database *db, const struct record *r)
{
    sqlite3_stmt *s = db->statements[STORE_WATERMARK];
    bind_text(s, 1, r->deployment);
    sqlite3_bind_int64(s, 2, r->published_through);
    sqlite3_bind_int64(s, 3, r->final_through);
    sqlite3_bind_int(s, 4, r->partition);
    sqlite3_bind_int64(s, 5, r->offset);
    return s;
}

bool database_skip(struct database *db, enum topic topic, int partition, int64_t offset)
{
    sqlite3_stmt *s = db->statements[STORE_OFFSET];
    bind_text(s, 1, slice_of(topic_names[topic]));
    sqlite3_bind_int(s, 2, partition);
    sqlite3_bind_int64(s, 3, offset + 1);
    return run(db, s);
}

bool database_store(struct database *db, const struct record *r)
{
    static sqlite3_stmt *(*const binders[TOPIC_COUNT])(struct database *, const struct record *) = {
        [TOPIC_LEARNER_LESSONS] = bind_learner_lesson,
        [TOPIC_LEARNER_MINUTES] = bind_learner_minute,
        [TOPIC_LESSON_MINUTES] = bind_lesson_minute,
        [TOPIC_WATERMARKS] = bind_watermark,
    };
    return run(db, binders[r->topic](db, r)) && database_skip(db, r->topic, r->partition, r->offset);
}

bool database_offset(struct database *db, enum topic topic, int partition, int64_t *next)
{
    sqlite3_stmt *s = db->statements[READ_OFFSET];
    bind_text(s, 1, slice_of(topic_names[topic]));
    sqlite3_bind_int(s, 2, partition);
    int rc = sqlite3_step(s);
    *next = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        fprintf(stderr, "minuted-ledger: database %s: %s\n", db->path, sqlite3_errmsg(db->sqlite));
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool database_forget_offsets(struct database *db, enum topic topic, int partition)
{
    static const char *const tables[TOPIC_COUNT] = {
        "learner_lessons", "learner_minutes", "lesson_minutes", "watermarks"};
    struct buf sql = {0};
    buf_printf(&sql,
        "DELETE FROM offsets WHERE topic = '%s' AND kafka_partition = %d; "
        "UPDATE %s SET kafka_offset = -1 WHERE kafka_partition = %d",
        topic_names[topic], partition, tables[topic], partition);
    buf_append_char(&sql, '\0');
    bool done = execute(db, sql.data);
    buf_free(&sql);
    return done;
}

/* ---- reading ---- */

sqlite3_stmt *database_query(struct database *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) == SQLITE_OK)
        return statement;
    fprintf(stderr, "minuted-ledger: database %s: %s\n", db->path, sqlite3_errmsg(db->sqlite));
    return NULL;
}

struct slice column_text(sqlite3_stmt *statement, int i)
{
    const char *text = (const char *)sqlite3_column_text(statement, i);
    return (struct slice){text == NULL ? "" : text, (size_t)sqlite3_column_bytes(statement, i)};
}
