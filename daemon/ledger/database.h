/*
 * The ledger's SQLite file: records by key, and the offsets to go on from, written together. Not thread-safe.
 *
 * Functions that return false, or no statement, have printed what failed to standard error, naming the file.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "stream/stream_record.h"

struct database;

/*
 * Opens PATH for reading, or, if TOPIC_PREFIX is not NULL, for writing what the topics of that prefix say: it
 * is made where it is missing. NULL with *ERROR set ("database PATH: what", to be freed): it cannot be opened
 * or written, is no database, not a ledger's, has another schema version, or was filled from topics of
 * another prefix.
 */
struct database *database_open(const char *path, const char *topic_prefix, char **error);
/* What was not committed is lost. DB may be NULL. */
void database_close(struct database *db);

/* The full name of a topic that the database was filled from. */
const char *database_topic_name(const struct database *db, enum topic topic);

/* ---- writing ---- */

bool database_begin(struct database *db) __attribute__((warn_unused_result));
bool database_commit(struct database *db) __attribute__((warn_unused_result));

/*
 * Stores a record, and that it was read. A record that was read before changes nothing. A tombstone deletes
 * what there was of its key.
 */
bool database_store(struct database *db, const struct stream_record *r) __attribute__((warn_unused_result));

/* Notes that the record at OFFSET was read and cannot be stored. */
bool database_pass(struct database *db, enum topic topic, int partition, int64_t offset)
    __attribute__((warn_unused_result));

/* Notes that everything before NEXT was read. */
bool database_reach(struct database *db, enum topic topic, int partition, int64_t next)
    __attribute__((warn_unused_result));

/* How far a topic partition was read: all zero for one never read. */
struct database_place {
    bool known;
    int64_t next;      /* the offset to go on from */
    int64_t checked;   /* what was read before it is known to be this topic's */
    int64_t tombstone; /* the offset of the last tombstone; -1: none was read */
};

bool database_place(struct database *db, enum topic topic, int partition, struct database_place *place)
    __attribute__((warn_unused_result));

/* Notes that the records read before NEXT are known to be this topic's. */
bool database_check(struct database *db, enum topic topic, int partition, int64_t next)
    __attribute__((warn_unused_result));

/* One more than the greatest partition that was read; 0 for a topic never read. */
bool database_partitions(struct database *db, enum topic topic, int *n) __attribute__((warn_unused_result));

enum database_match {
    MATCH_SAME,   /* it is the last record that was read of its key, or a tombstone that nothing is left of */
    MATCH_OTHER,  /* no such record was read at its offset */
    MATCH_UNKNOWN /* the key's last record was in another partition, or not before BEFORE, or was deleted */
};

/* Compares R, the newest record that Kafka has before the offset BEFORE, with what the ledger read there. */
bool database_compare(struct database *db, const struct stream_record *r, int64_t before,
    enum database_match *match) __attribute__((warn_unused_result));

/* The id of the cluster that was read, to be freed; "" while none is known. NULL after an error. */
char *database_cluster(struct database *db);
bool database_set_cluster(struct database *db, const char *id) __attribute__((warn_unused_result));

/* Notes that the partition begins at LOW now, so that what lay before it and was not read is missed. */
bool database_miss(struct database *db, enum topic topic, int partition, int64_t low)
    __attribute__((warn_unused_result));

/* Forgets all offsets of a topic that was made anew, and where the last record of each key stood. */
bool database_forget_offsets(struct database *db, enum topic topic) __attribute__((warn_unused_result));

/* ---- reading ---- */

/* A statement, finalized by the caller. SQL may use popcount(mask). */
sqlite3_stmt *database_query(struct database *db, const char *sql);

/* Which learners a report is about. NULL means all programs, all portals, or all learners. */
struct learner_filter {
    const char *program;
    const char *portal;
    const char *learner;
};

/* As database_query(). Each `%s` in SQL, of which there may be two, becomes FILTER as an SQL condition. */
sqlite3_stmt *database_query_learners(struct database *db, const char *sql, struct learner_filter filter);

/* True with the next row. False at the end, and with *FAILED set after printing an error. */
bool database_next_row(struct database *db, sqlite3_stmt *statement, bool *failed)
    __attribute__((warn_unused_result));

/* The single number that SQL selects; 0 for NULL. */
bool database_number(struct database *db, const char *sql, int64_t *number)
    __attribute__((warn_unused_result));

/* Column I of the row as text, "" for NULL. The text lives until the next row. */
struct slice database_text(sqlite3_stmt *statement, int i);
