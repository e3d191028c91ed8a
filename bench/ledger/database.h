/*
 * The ledger's SQLite file: records by key, and the offset to go on from, written together.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger/record.h"

struct database;

/* Opens PATH, making it with WRITE where it is missing. NULL with *ERROR set (to be freed) on failure. */
struct database *database_open(const char *path, bool write, char **error);
void database_close(struct database *db);

/* Each returns false after printing what failed to standard error, naming the file. */
bool database_begin(struct database *db) __attribute__((warn_unused_result));
bool database_commit(struct database *db) __attribute__((warn_unused_result));

/*
 * Stores a record and that the next one of its partition follows it. A record that was stored before changes
 * nothing.
 */
bool database_store(struct database *db, const struct record *r) __attribute__((warn_unused_result));

/* The offset after a record that is none of ours. */
bool database_skip(struct database *db, enum topic topic, int partition, int64_t offset)
    __attribute__((warn_unused_result));

/* Where to go on; 0 for a partition never read. */
bool database_offset(struct database *db, enum topic topic, int partition, int64_t *next)
    __attribute__((warn_unused_result));

/* The topic was made anew: its offsets count from the beginning again. */
bool database_forget_offsets(struct database *db, enum topic topic, int partition)
    __attribute__((warn_unused_result));

/*
 * For the commands that read: a statement, finalized by the caller; NULL after printing what failed. SQL may
 * use popcount(mask) and the aggregate or_all(mask).
 */
sqlite3_stmt *database_query(struct database *db, const char *sql);

/* Column I of the statement's row as text, "" for NULL. Lives until the next step. */
struct slice column_text(sqlite3_stmt *statement, int i);
void bind_text(sqlite3_stmt *statement, int i, struct slice text);
