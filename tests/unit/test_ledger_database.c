/* The ledger's file: greatest, OR and last record; reading again changes nothing; files that are none of
 * ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ledger/database.h"

enum { PATH_SIZE = 300, MINUTE_A = 1672900800 };

#define EPOCH INT64_C(1672900800123)

struct fixture {
    char directory[64];
    char path[PATH_SIZE];
    struct database *db;
};

static struct database *open_ledger(const char *path, const char *topic_prefix)
{
    char *error = NULL;
    struct database *db = database_open(path, topic_prefix, &error);
    if (db == NULL)
        print_error("%s\n", error);
    free(error);
    return db;
}

static int make_directory(void **state)
{
    static struct fixture f;
    snprintf(f.directory, sizeof(f.directory), "/tmp/ledger-XXXXXX");
    if (mkdtemp(f.directory) == NULL)
        return 1;
    snprintf(f.path, sizeof(f.path), "%s/ledger.db", f.directory);
    f.db = open_ledger(f.path, "minuted");
    *state = &f;
    return f.db == NULL;
}

static int remove_directory(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    struct fixture *f = *state;
    database_close(f->db);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char path[PATH_SIZE + 16];
        snprintf(path, sizeof(path), "%s%s", f->path, endings[i]);
        unlink(path);
    }
    return rmdir(f->directory);
}

/* ---- records ---- */

static struct stream_record lesson_record(int64_t offset, int64_t watched, int64_t covered)
{
    return (struct stream_record){.topic = TOPIC_LEARNER_LESSONS,
        .partition = 3,
        .offset = offset,
        .program = slice_of("y"),
        .portal = slice_of("higher"),
        .learner = slice_of("t-1"),
        .course = slice_of("c"),
        .lesson = slice_of("c-1"),
        .minute_start = MINUTE_A + 60 * offset,
        .watched_seconds = watched,
        .covered_seconds = covered,
        .epoch = EPOCH};
}

static struct stream_record in_epoch(int64_t epoch, struct stream_record r)
{
    r.epoch = epoch;
    return r;
}

static struct stream_record in_program(const char *program, struct stream_record r)
{
    r.program = slice_of(program);
    return r;
}

static struct stream_record minute_record(int64_t offset, uint64_t mask)
{
    struct stream_record r = lesson_record(offset, __builtin_popcountll(mask), 0);
    r.topic = TOPIC_LEARNER_MINUTES;
    r.minute_start = MINUTE_A;
    r.mask = mask;
    return r;
}

static struct stream_record sum_record(int64_t offset, int64_t watched, int64_t learners)
{
    struct stream_record r = lesson_record(offset, watched, 0);
    r.topic = TOPIC_LESSON_MINUTES;
    r.minute_start = MINUTE_A;
    r.learners = learners;
    return r;
}

static struct stream_record watermark_record(int64_t offset, int64_t published, int64_t final)
{
    return (struct stream_record){.topic = TOPIC_WATERMARKS,
        .offset = offset,
        .program = slice_of("y"),
        .deployment = slice_of("d"),
        .redis_partition = -1,
        .published_through = published,
        .final_through = final};
}

static struct stream_record partition_record(int64_t offset, int64_t epoch, int64_t taken)
{
    return (struct stream_record){.topic = TOPIC_WATERMARKS,
        .offset = offset,
        .program = slice_of("y"),
        .deployment = slice_of("d"),
        .redis_partition = 5,
        .epoch = epoch,
        .taken = taken};
}

static void store(struct fixture *f, const struct stream_record *records, size_t n)
{
    assert_true(database_begin(f->db));
    for (size_t i = 0; i < n; i++)
        assert_true(database_store(f->db, &records[i]));
    assert_true(database_commit(f->db));
}

#define STORE(f, ...)                                                                                        \
    do {                                                                                                     \
        const struct stream_record records_[] = {__VA_ARGS__};                                               \
        store(f, records_, sizeof(records_) / sizeof(records_[0]));                                          \
    } while (0)

/* Every row of TABLE, columns by '|', rows by newlines. */
static struct buf dump(struct fixture *f, const char *table)
{
    struct buf text = {0};
    char sql[64];
    bool failed;
    snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
    sqlite3_stmt *s = database_query(f->db, sql);
    assert_non_null(s);
    while (database_next_row(f->db, s, &failed)) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            buf_append_string(&text, i == 0 ? "" : "|");
            buf_append_slice(&text, database_text(s, i));
        }
        buf_append_char(&text, '\n');
    }
    sqlite3_finalize(s);
    assert_false(failed);
    buf_append_char(&text, '\0');
    return text;
}

static void assert_rows(struct fixture *f, const char *table, const char *expected)
{
    struct buf text = dump(f, table);
    assert_string_equal(text.data, expected);
    buf_free(&text);
}

/* ---- storing ---- */

#define TOTAL "y|higher|t-1|c-1|c|"
#define IN_EPOCH "1672900800123|"
#define IN_LATER_EPOCH "1672900900000|"
#define LATER_EPOCH INT64_C(1672900900000)

static void test_greatest_and_last(void **state)
{
    STORE(*state, lesson_record(0, 10, 9), lesson_record(1, 25, 20));
    assert_rows(*state, "learner_lessons", TOTAL IN_EPOCH "25|20|1672900860|" IN_EPOCH "25|20|0|3|1\n");
    STORE(*state, lesson_record(2, 12, 21)); /* fell */
    assert_rows(*state, "learner_lessons", TOTAL IN_EPOCH "25|21|1672900920|" IN_EPOCH "12|21|1|3|2\n");
    STORE(*state, lesson_record(3, 30, 21)); /* and rose again: what fell is not forgotten */
    assert_rows(*state, "learner_lessons", TOTAL IN_EPOCH "30|21|1672900980|" IN_EPOCH "30|21|1|3|3\n");
    STORE(*state, lesson_record(4, 30, 20)); /* what it covers fell */
    assert_rows(*state, "learner_lessons", TOTAL IN_EPOCH "30|21|1672901040|" IN_EPOCH "30|20|2|3|4\n");
}

/* A total of a greater epoch replaces the one before, and one of a smaller epoch never counts. */
static void test_epochs(void **state)
{
    struct stream_record late = in_epoch(LATER_EPOCH, lesson_record(1, 7, 5));
    late.minute_start = MINUTE_A - 60;
    STORE(*state, lesson_record(0, 25, 20), late);
    assert_rows(
        *state, "learner_lessons", TOTAL IN_LATER_EPOCH "7|5|1672900740|" IN_LATER_EPOCH "7|5|0|3|1\n");
    STORE(*state, in_epoch(LATER_EPOCH, lesson_record(2, 9, 5)));
    assert_rows(
        *state, "learner_lessons", TOTAL IN_LATER_EPOCH "9|5|1672900920|" IN_LATER_EPOCH "9|5|0|3|2\n");
    STORE(*state, lesson_record(3, 26, 21)); /* of the epoch before: it fell, however many seconds it has */
    assert_rows(*state, "learner_lessons", TOTAL IN_LATER_EPOCH "9|5|1672900920|" IN_EPOCH "26|21|1|3|3\n");
    STORE(*state, in_epoch(LATER_EPOCH, lesson_record(4, 10, 6)));
    assert_rows(
        *state, "learner_lessons", TOTAL IN_LATER_EPOCH "10|6|1672901040|" IN_LATER_EPOCH "10|6|1|3|4\n");
}

static void test_or_of_masks(void **state)
{
    STORE(*state, minute_record(0, 0x3), minute_record(1, 0x7));
    assert_rows(*state, "learner_minutes", "y|higher|t-1|1672900800|c-1|c|7|7|0|3|1\n");
    STORE(*state, minute_record(2, 0x9)); /* has lost two bits */
    assert_rows(*state, "learner_minutes", "y|higher|t-1|1672900800|c-1|c|15|9|1|3|2\n");
}

static void test_sums(void **state)
{
    STORE(*state, sum_record(0, 100, 3), sum_record(1, 120, 2));
    assert_rows(*state, "lesson_minutes", "y|1672900800|c-1|c|120|3|120|2|1|3|1\n");
}

/* Of a deployment and of a partition, which share their program and deployment. */
static void test_watermarks(void **state)
{
    STORE(*state, watermark_record(0, 600, 0), watermark_record(1, 660, 60), watermark_record(2, 600, 60),
        partition_record(3, EPOCH, 7), partition_record(4, EPOCH, 8));
    assert_rows(*state, "watermarks",
        "y|d|-1|660|60|0|0|600|60|0|0|1|0|2\n"
        "y|d|5|0|0|" IN_EPOCH "8|0|0|" IN_EPOCH "8|0|0|4\n");
    STORE(*state, partition_record(5, EPOCH, 6), partition_record(6, LATER_EPOCH, 1));
    assert_rows(*state, "watermarks",
        "y|d|-1|660|60|0|0|600|60|0|0|1|0|2\n"
        "y|d|5|0|0|" IN_LATER_EPOCH "1|0|0|" IN_LATER_EPOCH "1|1|0|6\n");
    STORE(*state, partition_record(7, EPOCH, 9));
    assert_rows(*state, "watermarks",
        "y|d|-1|660|60|0|0|600|60|0|0|1|0|2\n"
        "y|d|5|0|0|" IN_LATER_EPOCH "1|0|0|" IN_EPOCH "9|2|0|7\n");
}

/* What two programs say of the same learner, lesson and minute has nothing to do with each other. */
static void test_programs(void **state)
{
    STORE(*state, lesson_record(0, 25, 20), in_program("z", lesson_record(1, 12, 8)), minute_record(0, 0x7),
        in_program("z", minute_record(1, 0x9)), sum_record(0, 100, 3), in_program("z", sum_record(1, 90, 2)),
        watermark_record(0, 600, 0), in_program("z", watermark_record(1, 60, 0)));
    assert_rows(*state, "learner_lessons",
        TOTAL IN_EPOCH "25|20|1672900800|" IN_EPOCH "25|20|0|3|0\n"
                       "z|higher|t-1|c-1|c|" IN_EPOCH "12|8|1672900860|" IN_EPOCH "12|8|0|3|1\n");
    assert_rows(*state, "learner_minutes",
        "y|higher|t-1|1672900800|c-1|c|7|7|0|3|0\nz|higher|t-1|1672900800|c-1|c|9|9|0|3|1\n");
    assert_rows(*state, "lesson_minutes",
        "y|1672900800|c-1|c|100|3|100|3|0|3|0\nz|1672900800|c-1|c|90|2|90|2|0|3|1\n");
    assert_rows(*state, "watermarks", "y|d|-1|600|0|0|0|600|0|0|0|0|0|0\nz|d|-1|60|0|0|0|60|0|0|0|0|0|1\n");
}

static void test_reading_again_changes_nothing(void **state)
{
    static const char *const tables[] = {
        "learner_lessons", "learner_minutes", "lesson_minutes", "watermarks", "offsets"};
    const struct stream_record records[] = {lesson_record(0, 10, 9), minute_record(0, 0x3),
        lesson_record(1, 25, 20), minute_record(1, 0x7), sum_record(0, 100, 3), sum_record(1, 90, 4),
        lesson_record(2, 20, 20), in_epoch(LATER_EPOCH, lesson_record(3, 4, 3)), lesson_record(4, 21, 20),
        watermark_record(7, 60, 0), watermark_record(8, 120, 60), partition_record(9, EPOCH, 7),
        partition_record(10, LATER_EPOCH, 1), partition_record(11, EPOCH, 8)};
    struct stream_record moved = lesson_record(0, 28, 20);
    moved.partition = 4; /* partitions were added: another order among them is no reason to differ */
    enum { RECORDS = sizeof(records) / sizeof(records[0]), TABLES = sizeof(tables) / sizeof(tables[0]) };
    struct buf before[TABLES];
    store(*state, records, RECORDS);
    STORE(*state, moved);
    for (int i = 0; i < TABLES; i++)
        before[i] = dump(*state, tables[i]);
    STORE(*state, moved);
    for (int again = 0; again < 2; again++)
        for (size_t i = 0; i < RECORDS; i++)
            store(*state, &records[i], 1);
    for (int i = 0; i < TABLES; i++) {
        assert_rows(*state, tables[i], before[i].data);
        buf_free(&before[i]);
    }
}

/* ---- tombstones ---- */

static struct stream_record tombstone_of(int64_t offset, struct stream_record r)
{
    r.offset = offset;
    r.tombstone = true;
    r.course = slice_of("");
    r.watched_seconds = r.covered_seconds = r.learners = r.published_through = r.final_through = r.epoch =
        r.taken = 0;
    r.mask = 0;
    return r;
}

/* A tombstone takes what there was of its key, and nothing else. */
static void test_tombstones(void **state)
{
    struct fixture *f = *state;
    struct stream_record other = lesson_record(1, 11, 9), other_lesson = minute_record(1, 0x1);
    other.learner = slice_of("t-2");
    other_lesson.lesson = slice_of("c-2");
    STORE(f, lesson_record(0, 25, 20), other, minute_record(0, 0x7), other_lesson, sum_record(0, 100, 3),
        watermark_record(0, 600, 0), partition_record(1, EPOCH, 7));
    STORE(f, tombstone_of(2, lesson_record(0, 0, 0)), tombstone_of(2, minute_record(0, 0)),
        tombstone_of(2, sum_record(0, 0, 0)), tombstone_of(2, watermark_record(0, 0, 0)),
        tombstone_of(3, in_program("z", partition_record(0, 0, 0))));
    assert_rows(
        f, "learner_lessons", "y|higher|t-2|c-1|c|" IN_EPOCH "11|9|1672900860|" IN_EPOCH "11|9|0|3|1\n");
    assert_rows(f, "learner_minutes", "y|higher|t-1|1672900800|c-2|c|1|1|0|3|1\n");
    assert_rows(f, "lesson_minutes", "");
    assert_rows(f, "watermarks", "y|d|5|0|0|" IN_EPOCH "7|0|0|" IN_EPOCH "7|0|0|1\n");
    assert_rows(f, "offsets",
        "minuted.learner-lessons|3|3|0|0|2\nminuted.learner-minutes|3|3|0|0|2\n"
        "minuted.lesson-minutes|3|3|0|0|2\nminuted.watermarks|0|4|0|0|3\n");
    /* What comes after it begins anew, and reading all again ends with the same. */
    STORE(f, lesson_record(3, 5, 4));
    struct buf before = dump(f, "learner_lessons");
    assert_non_null(strstr(before.data, TOTAL IN_EPOCH "5|4|1672900980|" IN_EPOCH "5|4|0|3|3\n"));
    STORE(f, lesson_record(0, 25, 20), tombstone_of(2, lesson_record(0, 0, 0)), lesson_record(3, 5, 4));
    assert_rows(f, "learner_lessons", before.data);
    buf_free(&before);
}

/* ---- offsets ---- */

static int64_t next_offset(struct fixture *f, enum topic topic, int partition)
{
    struct database_place place;
    assert_true(database_place(f->db, topic, partition, &place));
    return place.next;
}

static void test_offsets(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(next_offset(f, TOPIC_LEARNER_LESSONS, 3), 0);
    STORE(f, lesson_record(41, 10, 9));
    assert_int_equal(next_offset(f, TOPIC_LEARNER_LESSONS, 3), 42);
    assert_int_equal(next_offset(f, TOPIC_LEARNER_LESSONS, 2), 0);
    assert_int_equal(next_offset(f, TOPIC_LEARNER_MINUTES, 3), 0);
    assert_true(database_pass(f->db, TOPIC_LEARNER_LESSONS, 3, 42));
    assert_int_equal(next_offset(f, TOPIC_LEARNER_LESSONS, 3), 43);
    assert_true(database_miss(f->db, TOPIC_LEARNER_LESSONS, 3, 50));
    assert_true(database_miss(f->db, TOPIC_LEARNER_LESSONS, 3, 50));
    assert_rows(f, "offsets", "minuted.learner-lessons|3|50|7|0|-1\n");
    assert_true(database_reach(f->db, TOPIC_LEARNER_LESSONS, 3, 52));
    assert_true(database_reach(f->db, TOPIC_LEARNER_LESSONS, 3, 51)); /* it never falls */
    assert_true(database_check(f->db, TOPIC_LEARNER_LESSONS, 3, 52));
    assert_true(database_check(f->db, TOPIC_LEARNER_MINUTES, 5, 0));
    assert_rows(f, "offsets", "minuted.learner-lessons|3|52|7|52|-1\nminuted.learner-minutes|5|0|0|0|-1\n");
}

static void test_places_known(void **state)
{
    struct fixture *f = *state;
    struct database_place place;
    int n = -1;
    assert_true(database_place(f->db, TOPIC_WATERMARKS, 0, &place));
    assert_true(!place.known && place.next == 0 && place.checked == 0);
    assert_true(database_partitions(f->db, TOPIC_LEARNER_LESSONS, &n));
    assert_int_equal(n, 0);
    STORE(f, lesson_record(41, 10, 9)); /* of partition 3 */
    assert_true(database_reach(f->db, TOPIC_LEARNER_LESSONS, 7, 0));
    assert_true(database_partitions(f->db, TOPIC_LEARNER_LESSONS, &n));
    assert_int_equal(n, 4);
    assert_true(database_check(f->db, TOPIC_LEARNER_LESSONS, 3, 42));
    assert_true(database_place(f->db, TOPIC_LEARNER_LESSONS, 3, &place));
    assert_true(place.known && place.next == 42 && place.checked == 42);
}

/* ---- the same topic? ---- */

static enum database_match compare(struct fixture *f, struct stream_record r)
{
    enum database_match match;
    assert_true(database_compare(f->db, &r, 6, &match));
    return match;
}

static void test_compare(void **state)
{
    struct fixture *f = *state;
    struct stream_record moved = lesson_record(1, 25, 20), renamed = moved,
                         marked = watermark_record(2, 600, 60), other = partition_record(2, EPOCH, 7);
    moved.partition = 4;
    renamed.learner = slice_of("t-2");
    other.redis_partition = 6;
    STORE(f, lesson_record(0, 10, 9), lesson_record(1, 25, 20), minute_record(4, 0x7), sum_record(5, 100, 3),
        watermark_record(1, 600, 60), partition_record(2, EPOCH, 7));
    assert_int_equal(compare(f, lesson_record(1, 25, 20)), MATCH_SAME);
    assert_int_equal(compare(f, minute_record(4, 0x7)), MATCH_SAME);
    assert_int_equal(compare(f, sum_record(5, 100, 3)), MATCH_SAME);
    assert_int_equal(compare(f, watermark_record(1, 600, 60)), MATCH_SAME);
    assert_int_equal(compare(f, partition_record(2, EPOCH, 7)), MATCH_SAME);
    assert_int_equal(compare(f, lesson_record(0, 10, 9)), MATCH_OTHER); /* it was not the newest of its key */
    assert_int_equal(compare(f, lesson_record(1, 25, 21)), MATCH_OTHER);
    assert_int_equal(compare(f, lesson_record(1, 24, 20)), MATCH_OTHER);
    assert_int_equal(compare(f, in_epoch(EPOCH + 1, lesson_record(1, 25, 20))), MATCH_OTHER);
    assert_int_equal(compare(f, in_program("z", lesson_record(1, 25, 20))), MATCH_OTHER);
    assert_int_equal(compare(f, renamed), MATCH_OTHER);
    assert_int_equal(compare(f, in_program("z", minute_record(4, 0x7))), MATCH_OTHER);
    assert_int_equal(compare(f, in_program("z", sum_record(5, 100, 3))), MATCH_OTHER);
    assert_int_equal(compare(f, minute_record(4, 0x3)), MATCH_OTHER);
    assert_int_equal(compare(f, minute_record(3, 0x7)), MATCH_OTHER);
    assert_int_equal(compare(f, sum_record(5, 100, 2)), MATCH_OTHER);
    assert_int_equal(compare(f, marked), MATCH_OTHER);
    assert_int_equal(compare(f, in_program("z", watermark_record(1, 600, 60))), MATCH_OTHER);
    assert_int_equal(compare(f, other), MATCH_OTHER);
    assert_int_equal(compare(f, partition_record(2, EPOCH, 8)), MATCH_OTHER);
    assert_int_equal(compare(f, partition_record(2, EPOCH + 1, 7)), MATCH_OTHER);
    assert_int_equal(compare(f, moved), MATCH_UNKNOWN);
    STORE(f, sum_record(6, 101, 3));
    assert_int_equal(compare(f, sum_record(5, 100, 3)), MATCH_UNKNOWN); /* followed by a newer one */
    assert_true(database_forget_offsets(f->db, TOPIC_LEARNER_MINUTES));
    assert_int_equal(compare(f, minute_record(4, 0x7)), MATCH_UNKNOWN);
}

/* What a later tombstone has deleted is no reason to take the topic for another one. */
static void test_compare_beside_tombstones(void **state)
{
    struct fixture *f = *state;
    struct stream_record total = lesson_record(1, 25, 20), gone = tombstone_of(4, total);
    STORE(f, total, gone);
    assert_int_equal(compare(f, total), MATCH_UNKNOWN);
    assert_int_equal(compare(f, gone), MATCH_SAME);
    assert_int_equal(compare(f, tombstone_of(5, total)), MATCH_OTHER); /* none was read there */
    assert_int_equal(compare(f, lesson_record(5, 25, 20)), MATCH_OTHER);
    STORE(f, lesson_record(5, 7, 6));
    assert_int_equal(compare(f, lesson_record(5, 7, 6)), MATCH_SAME);
    assert_int_equal(compare(f, tombstone_of(5, total)), MATCH_OTHER);
    assert_true(database_forget_offsets(f->db, TOPIC_LEARNER_LESSONS));
    assert_int_equal(compare(f, in_program("z", total)), MATCH_OTHER);
}

static void test_cluster(void **state)
{
    static const char *const ids[] = {"", "first", "second"};
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_true(i == 0 || database_set_cluster(f->db, ids[i]));
        char *id = database_cluster(f->db);
        assert_string_equal(id, ids[i]);
        free(id);
    }
    assert_rows(f, "kafka", "minuted|second\n");
}

static void assert_refused(const char *path, const char *topic_prefix, const char *what)
{
    char *error = NULL;
    char expected[PATH_SIZE + 200];
    assert_null(database_open(path, topic_prefix, &error));
    snprintf(expected, sizeof(expected), "database %s: %s", path, what);
    assert_string_equal(error, expected);
    free(error);
}

/* A database keeps to the prefix that it was made with. */
static void test_topic_prefix(void **state)
{
    static const char *const prefixes[] = {"minuted", "a-1.b_2"};
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        const char *other = prefixes[1 - i];
        char text[128];
        char topic[64];
        database_close(f->db);
        unlink(f->path);
        f->db = open_ledger(f->path, prefixes[i]);
        STORE(f, lesson_record(5, 10, 9));
        snprintf(topic, sizeof(topic), "%s.learner-lessons", prefixes[i]);
        snprintf(text, sizeof(text), "%s|3|6|0|0|-1\n", topic);
        assert_rows(f, "offsets", text);
        snprintf(text, sizeof(text),
            "was filled from topics with the prefix '%s', not '%s'; read these into a new file", prefixes[i],
            other);
        assert_refused(f->path, other, text);
        for (int writing = 1; writing >= 0; writing--) {
            database_close(f->db);
            f->db = open_ledger(f->path, writing ? prefixes[i] : NULL);
            assert_string_equal(database_topic_name(f->db, TOPIC_LEARNER_LESSONS), topic);
        }
    }
}

/* What was not committed is gone, record and offset. */
static void test_one_transaction(void **state)
{
    struct fixture *f = *state;
    struct stream_record r = lesson_record(5, 10, 9);
    assert_true(database_begin(f->db));
    assert_true(database_store(f->db, &r));
    database_close(f->db);
    f->db = open_ledger(f->path, "minuted");
    assert_rows(f, "learner_lessons", "");
    assert_rows(f, "offsets", "");
}

static void test_a_topic_made_anew(void **state)
{
    struct fixture *f = *state;
    STORE(f, lesson_record(9, 25, 20), minute_record(9, 0x7));
    assert_true(database_miss(f->db, TOPIC_LEARNER_LESSONS, 3, 12));
    assert_true(database_forget_offsets(f->db, TOPIC_LEARNER_LESSONS));
    assert_int_equal(next_offset(f, TOPIC_LEARNER_LESSONS, 3), 0);
    assert_int_equal(next_offset(f, TOPIC_LEARNER_MINUTES, 3), 10);
    assert_rows(f, "offsets", "minuted.learner-lessons|3|0|2|0|-1\nminuted.learner-minutes|3|10|0|0|-1\n");
    STORE(f, lesson_record(0, 12, 12)); /* the first of a new topic does not fall */
    assert_rows(f, "learner_lessons", TOTAL IN_EPOCH "25|20|1672901340|" IN_EPOCH "12|12|0|3|0\n");
    STORE(f, lesson_record(1, 11, 12));
    assert_rows(f, "learner_lessons", TOTAL IN_EPOCH "25|20|1672901340|" IN_EPOCH "11|12|1|3|1\n");
}

/* ---- files ---- */

static void write_text(const char *path)
{
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 100; i++)
        fputs("this is a text and no database\n", file);
    fclose(file);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
}

static void test_files_that_are_none(void **state)
{
    static const char cannot_open[] = "unable to open database file";
    static const char other[] = "is not a database of minuted-ledger";
    struct fixture *f = *state;
    database_close(f->db);
    f->db = NULL;
    assert_refused(f->directory, "minuted", cannot_open);
    assert_refused("/proc/ledger.db", "minuted", cannot_open);
    for (int version = 1; version < 8; version++) {
        char text[128];
        snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
        run_sql(f->path, text);
        snprintf(text, sizeof(text),
            "has schema version %d, but this program needs 4; read the topics into a new file", version);
        for (int writing = 0; version != 4 && writing < 2; writing++)
            assert_refused(f->path, writing ? "minuted" : NULL, text);
    }
    unlink(f->path);
    assert_refused(f->path, NULL, cannot_open);
    assert_int_equal(access(f->path, F_OK), -1);
    run_sql(f->path, "CREATE TABLE somebody (x)");
    assert_refused(f->path, "minuted", other);
    assert_refused(f->path, NULL, other);
    unlink(f->path);
    write_text(f->path);
    assert_refused(f->path, "minuted", "file is not a database");
    unlink(f->path);
    run_sql(f->path, "PRAGMA user_version = 0"); /* an empty file */
    assert_refused(f->path, NULL, "is empty; 'minuted-ledger follow' fills it");
}

/* Before anything was read, and while somebody writes. */
static void test_reading_beside_writing(void **state)
{
    struct fixture *f = *state;
    int64_t rows = -1;
    assert_true(database_begin(f->db));
    struct database *reader = open_ledger(f->path, NULL);
    assert_non_null(reader);
    assert_true(database_number(reader, "SELECT count(*) FROM learner_lessons", &rows));
    assert_int_equal(rows, 0);
    database_close(reader);
    assert_true(database_commit(f->db));
}

#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILE(test_greatest_and_last),
        ON_FILE(test_or_of_masks),
        ON_FILE(test_epochs),
        ON_FILE(test_sums),
        ON_FILE(test_watermarks),
        ON_FILE(test_programs),
        ON_FILE(test_reading_again_changes_nothing),
        ON_FILE(test_tombstones),
        ON_FILE(test_offsets),
        ON_FILE(test_places_known),
        ON_FILE(test_compare),
        ON_FILE(test_compare_beside_tombstones),
        ON_FILE(test_cluster),
        ON_FILE(test_topic_prefix),
        ON_FILE(test_one_transaction),
        ON_FILE(test_a_topic_made_anew),
        ON_FILE(test_files_that_are_none),
        ON_FILE(test_reading_beside_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
