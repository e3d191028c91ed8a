/* The ledger's SQLite file. */
#include "ledger/database.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "embedded/compare_sql.h"
#include "embedded/deletes_sql.h"
#include "embedded/schema_sql.h"
#include "embedded/upserts_sql.h"

/* "mntL" in the file's header says that it is a ledger; user_version says which tables it has. */
enum { APPLICATION_ID = 0x6d6e744c, SCHEMA_VERSION = 4, BUSY_MS = 10000, SQL_MAX = 2048 };

static const char write_offset_sql[] =
    "INSERT INTO offsets (topic, kafka_partition, next_offset, missed) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT DO UPDATE SET "
    "next_offset = max(next_offset, excluded.next_offset), missed = missed + excluded.missed";
static const char write_check_sql[] =
    "UPDATE offsets SET checked = ?3 WHERE topic = ?1 AND kafka_partition = ?2";
static const char write_tombstone_sql[] =
    "UPDATE offsets SET tombstone = max(tombstone, ?3) WHERE topic = ?1 AND kafka_partition = ?2";
static const char read_offset_sql[] =
    "SELECT next_offset, checked, tombstone FROM offsets WHERE topic = ?1 AND kafka_partition = ?2";

struct database {
    char *path;
    char **error; /* while it is being opened: where what is wrong goes */
    sqlite3 *sqlite;
    struct stream_topics topics;
    sqlite3_stmt *upserts[TOPIC_COUNT];
    sqlite3_stmt *deletes[TOPIC_COUNT];
    sqlite3_stmt *compares[TOPIC_COUNT];
    sqlite3_stmt *write_offset;
    sqlite3_stmt *write_check;
    sqlite3_stmt *write_tombstone;
    sqlite3_stmt *read_offset;
};

static bool complain(const struct database *db, const char *what)
{
    if (db->error == NULL) {
        fprintf(stderr, "minuted-ledger: database %s: %s\n", db->path, what);
        return false;
    }
    struct buf text = {0};
    buf_printf(&text, "database %s: %s", db->path, what);
    buf_append_char(&text, '\0');
    free(*db->error);
    *db->error = text.data;
    return false;
}

static bool complain_sqlite(const struct database *db)
{
    return complain(db, sqlite3_errmsg(db->sqlite));
}

static bool execute(struct database *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK || complain_sqlite(db);
}

static bool prepare(struct database *db, const char *sql, sqlite3_stmt **statement, const char **rest)
{
    return sqlite3_prepare_v2(db->sqlite, sql, -1, statement, rest) == SQLITE_OK || complain_sqlite(db);
}

/* The text that SQL selects, to be freed; "" if there is no row. NULL after an error. */
static char *read_text(struct database *db, const char *sql)
{
    bool failed;
    sqlite3_stmt *s = database_query(db, sql);
    if (s == NULL)
        return NULL;
    struct slice text = database_next_row(db, s, &failed) ? database_text(s, 0) : slice_of("");
    char *copy = failed ? NULL : mem_strndup(text.ptr, text.len);
    sqlite3_finalize(s);
    return copy;
}

/* ---- opening ---- */

static void popcount(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    sqlite3_result_int(ctx, __builtin_popcountll((unsigned long long)sqlite3_value_int64(values[0])));
}

static bool write_schema(struct database *db, const char *topic_prefix)
{
    char *sql = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; "
                                "INSERT INTO kafka VALUES (%Q, '')",
        APPLICATION_ID, SCHEMA_VERSION, topic_prefix);
    bool done = execute(db, (const char *)schema_sql) && execute(db, sql);
    sqlite3_free(sql);
    return done;
}

/* To be called within a transaction, or two programs that start at once might both find the file empty. */
static bool check_schema(struct database *db, const char *topic_prefix)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t tables = 0;
    if (!database_number(db, "PRAGMA application_id", &application) ||
        !database_number(db, "PRAGMA user_version", &version) ||
        !database_number(db, "SELECT count(*) FROM sqlite_schema", &tables))
        return false;
    if (application == 0 && version == 0 && tables == 0)
        return topic_prefix != NULL ? write_schema(db, topic_prefix)
                                    : complain(db, "is empty; 'minuted-ledger follow' fills it");
    if (application != APPLICATION_ID)
        return complain(db, "is not a database of minuted-ledger");
    if (version == SCHEMA_VERSION)
        return true;
    char text[128];
    snprintf(text, sizeof(text),
        "has schema version %lld, but this program needs %d; read the topics into a new file",
        (long long)version, SCHEMA_VERSION);
    return complain(db, text);
}

/* Names the topics by the prefix that the database remembers, which must be TOPIC_PREFIX unless that is NULL.
 */
static bool name_topics(struct database *db, const char *topic_prefix)
{
    char *prefix = read_text(db, "SELECT topic_prefix FROM kafka");
    if (prefix == NULL)
        return false;
    db->topics = stream_topics_of(prefix);
    bool same = topic_prefix == NULL || strcmp(prefix, topic_prefix) == 0;
    if (!same) {
        char text[256];
        snprintf(text, sizeof(text),
            "was filled from topics with the prefix '%.64s', not '%.64s'; read these into a new file", prefix,
            topic_prefix);
        complain(db, text);
    }
    free(prefix);
    return same;
}

/* Prepares the statements in SQL, one for each topic in the order of the enum. */
static bool prepare_topics(
    struct database *db, const unsigned char *sql, sqlite3_stmt *statements[TOPIC_COUNT])
{
    const char *rest = (const char *)sql;
    for (enum topic topic = 0; topic < TOPIC_COUNT; topic++)
        if (!prepare(db, rest, &statements[topic], &rest))
            return false;
    return true;
}

struct database *database_open(const char *path, const char *topic_prefix, char **error)
{
    struct database *db = mem_zalloc(sizeof(*db));
    bool writing = topic_prefix != NULL;
    *error = NULL;
    db->error = error;
    int flags = SQLITE_OPEN_READWRITE | (writing ? SQLITE_OPEN_CREATE : 0);
    db->path = mem_strdup(path);
    bool opened = sqlite3_open_v2(path, &db->sqlite, flags, NULL) == SQLITE_OK || complain_sqlite(db);
    if (opened) {
        sqlite3_busy_timeout(db->sqlite, BUSY_MS);
        sqlite3_create_function(
            db->sqlite, "popcount", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, popcount, NULL, NULL);
    }
    /* A report reads one snapshot, however much is written meanwhile. */
    if (opened && !writing)
        opened = execute(db, "BEGIN") && check_schema(db, NULL) && name_topics(db, NULL);
    /* The file is changed only after it is known to be a ledger. */
    if (opened && writing)
        opened = (sqlite3_db_readonly(db->sqlite, "main") == 0 || complain(db, "cannot be written")) &&
                 database_begin(db) && check_schema(db, topic_prefix) && name_topics(db, topic_prefix) &&
                 database_commit(db) && execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL") &&
                 prepare_topics(db, upserts_sql, db->upserts) &&
                 prepare_topics(db, deletes_sql, db->deletes) &&
                 prepare_topics(db, compare_sql, db->compares) &&
                 prepare(db, write_tombstone_sql, &db->write_tombstone, NULL) &&
                 prepare(db, write_offset_sql, &db->write_offset, NULL) &&
                 prepare(db, write_check_sql, &db->write_check, NULL) &&
                 prepare(db, read_offset_sql, &db->read_offset, NULL);
    db->error = NULL;
    if (opened)
        return db;
    database_close(db);
    return NULL;
}

void database_close(struct database *db)
{
    if (db == NULL)
        return;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        sqlite3_finalize(db->upserts[i]);
        sqlite3_finalize(db->deletes[i]);
        sqlite3_finalize(db->compares[i]);
    }
    sqlite3_finalize(db->write_offset);
    sqlite3_finalize(db->write_check);
    sqlite3_finalize(db->write_tombstone);
    sqlite3_finalize(db->read_offset);
    sqlite3_close(db->sqlite);
    free(db->path);
    free(db);
}

const char *database_topic_name(const struct database *db, enum topic topic)
{
    return db->topics.names[topic];
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

static bool run(struct database *db, sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE || complain_sqlite(db);
    sqlite3_reset(statement);
    return done;
}

static void bind_text(sqlite3_stmt *statement, int i, struct slice text)
{
    sqlite3_bind_text(statement, i, text.ptr == NULL ? "" : text.ptr, (int)text.len, SQLITE_TRANSIENT);
}

static void bind_place(const struct database *db, sqlite3_stmt *statement, enum topic topic, int partition)
{
    sqlite3_bind_text(statement, 1, db->topics.names[topic], -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, partition);
}

static bool write_offset(struct database *db, enum topic topic, int partition, int64_t next, int64_t missed)
{
    bind_place(db, db->write_offset, topic, partition);
    sqlite3_bind_int64(db->write_offset, 3, next);
    sqlite3_bind_int64(db->write_offset, 4, missed);
    return run(db, db->write_offset);
}

/* A statement names only the parameters that its topic has. The others have index 0, which binds nothing. */
static void bind_record(sqlite3_stmt *s, const struct stream_record *r, bool fresh)
{
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{":program", r->program}, {":portal", r->portal}, {":learner", r->learner},
        {":course", r->course}, {":lesson", r->lesson}, {":deployment", r->deployment}};
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {{":minute", r->minute_start}, {":watched", r->watched_seconds},
        {":covered", r->covered_seconds}, {":learners", r->learners}, {":mask", (int64_t)r->mask},
        {":published", r->published_through}, {":final", r->final_through}, {":epoch", r->epoch},
        {":taken", r->taken}, {":redis_partition", r->redis_partition}, {":partition", r->partition},
        {":offset", r->offset}, {":fresh", fresh}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bind_text(s, sqlite3_bind_parameter_index(s, texts[i].name), texts[i].text);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sqlite3_bind_int64(s, sqlite3_bind_parameter_index(s, numbers[i].name), numbers[i].number);
}

static bool bury(struct database *db, const struct stream_record *r)
{
    bind_record(db->deletes[r->topic], r, true);
    if (!run(db, db->deletes[r->topic]) || !database_pass(db, r->topic, r->partition, r->offset))
        return false;
    bind_place(db, db->write_tombstone, r->topic, r->partition);
    sqlite3_bind_int64(db->write_tombstone, 3, r->offset);
    return run(db, db->write_tombstone);
}

bool database_store(struct database *db, const struct stream_record *r)
{
    struct database_place place;
    if (r->tombstone)
        return bury(db, r);
    if (!database_place(db, r->topic, r->partition, &place))
        return false;
    bind_record(db->upserts[r->topic], r, r->offset >= place.next);
    return run(db, db->upserts[r->topic]) && database_pass(db, r->topic, r->partition, r->offset);
}

bool database_pass(struct database *db, enum topic topic, int partition, int64_t offset)
{
    return write_offset(db, topic, partition, offset + 1, 0);
}

bool database_reach(struct database *db, enum topic topic, int partition, int64_t next)
{
    return write_offset(db, topic, partition, next, 0);
}

bool database_place(struct database *db, enum topic topic, int partition, struct database_place *place)
{
    sqlite3_stmt *s = db->read_offset;
    bind_place(db, s, topic, partition);
    int rc = sqlite3_step(s);
    *place = (struct database_place){.tombstone = -1};
    if (rc == SQLITE_ROW)
        *place = (struct database_place){
            true, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)};
    bool done = rc == SQLITE_ROW || rc == SQLITE_DONE || complain_sqlite(db);
    sqlite3_reset(s);
    return done;
}

bool database_check(struct database *db, enum topic topic, int partition, int64_t next)
{
    bind_place(db, db->write_check, topic, partition);
    sqlite3_bind_int64(db->write_check, 3, next);
    return write_offset(db, topic, partition, next, 0) && run(db, db->write_check);
}

bool database_partitions(struct database *db, enum topic topic, int *n)
{
    char sql[256];
    int64_t number;
    snprintf(sql, sizeof(sql),
        "SELECT max(kafka_partition) + 1 FROM offsets WHERE topic = '%s' AND next_offset > 0",
        db->topics.names[topic]);
    bool done = database_number(db, sql, &number);
    *n = done ? (int)number : 0;
    return done;
}

bool database_compare(
    struct database *db, const struct stream_record *r, int64_t before, enum database_match *match)
{
    struct database_place place;
    if (!database_place(db, r->topic, r->partition, &place))
        return false;
    sqlite3_stmt *s = db->compares[r->topic];
    bind_record(s, r, false);
    int rc = sqlite3_step(s);
    *match = MATCH_OTHER;
    if (rc == SQLITE_ROW) {
        int partition = sqlite3_column_int(s, 0);
        int64_t offset = sqlite3_column_int64(s, 1);
        bool as_said = sqlite3_column_int(s, 2) != 0;
        if (partition != r->partition || offset < 0 || offset >= before)
            *match = MATCH_UNKNOWN;
        else if (offset == r->offset && as_said && !r->tombstone)
            *match = MATCH_SAME;
    } else if (rc == SQLITE_DONE && place.tombstone >= r->offset) {
        /* A tombstone that was read there or later may have deleted what was read of the key. */
        *match = r->tombstone ? MATCH_SAME : MATCH_UNKNOWN;
    }
    bool done = rc == SQLITE_ROW || rc == SQLITE_DONE || complain_sqlite(db);
    sqlite3_reset(s);
    return done;
}

char *database_cluster(struct database *db)
{
    return read_text(db, "SELECT cluster_id FROM kafka");
}

bool database_set_cluster(struct database *db, const char *id)
{
    sqlite3_stmt *s = database_query(db, "UPDATE kafka SET cluster_id = ?1");
    bool done = s != NULL;
    if (done) {
        bind_text(s, 1, slice_of(id));
        done = run(db, s);
    }
    sqlite3_finalize(s);
    return done;
}

bool database_miss(struct database *db, enum topic topic, int partition, int64_t low)
{
    struct database_place place;
    return database_place(db, topic, partition, &place) &&
           (place.next >= low || write_offset(db, topic, partition, low, low - place.next));
}

bool database_forget_offsets(struct database *db, enum topic topic)
{
    static const char *const tables[TOPIC_COUNT] = {
        "learner_lessons", "learner_minutes", "lesson_minutes", "watermarks"};
    char sql[256];
    snprintf(sql, sizeof(sql),
        "UPDATE offsets SET next_offset = 0, checked = 0, tombstone = -1 WHERE topic = '%s'; UPDATE %s SET "
        "kafka_offset = -1",
        db->topics.names[topic], tables[topic]);
    return execute(db, sql);
}

/* ---- reading ---- */

sqlite3_stmt *database_query(struct database *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    return prepare(db, sql, &statement, NULL) ? statement : NULL;
}

static void bind_filter(sqlite3_stmt *s, const char *name, const char *value)
{
    if (s != NULL && value != NULL)
        sqlite3_bind_text(s, sqlite3_bind_parameter_index(s, name), value, -1, SQLITE_TRANSIENT);
}

sqlite3_stmt *database_query_learners(struct database *db, const char *sql, struct learner_filter filter)
{
    char text[SQL_MAX];
    char where[128];
    snprintf(where, sizeof(where), "true%s%s%s", filter.program == NULL ? "" : " AND program = :program",
        filter.portal == NULL ? "" : " AND portal = :portal",
        filter.learner == NULL ? "" : " AND learner_id = :learner");
    sqlite3_snprintf(sizeof(text), text, sql, where, where);
    sqlite3_stmt *statement = database_query(db, text);
    bind_filter(statement, ":program", filter.program);
    bind_filter(statement, ":portal", filter.portal);
    bind_filter(statement, ":learner", filter.learner);
    return statement;
}

bool database_next_row(struct database *db, sqlite3_stmt *statement, bool *failed)
{
    int rc = sqlite3_step(statement);
    *failed = rc != SQLITE_ROW && rc != SQLITE_DONE && !complain_sqlite(db);
    return rc == SQLITE_ROW;
}

bool database_number(struct database *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *s = NULL;
    bool failed = false;
    if (!prepare(db, sql, &s, NULL))
        return false;
    *number = database_next_row(db, s, &failed) ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return !failed;
}

struct slice database_text(sqlite3_stmt *statement, int i)
{
    const char *text = (const char *)sqlite3_column_text(statement, i);
    return (struct slice){text == NULL ? "" : text, (size_t)sqlite3_column_bytes(statement, i)};
}
