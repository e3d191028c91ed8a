/*
 * minuted-ledger why: one learner's minute as 60 cells, a row a lesson.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "catalog.h"
#include "ledger/commands.h"
#include "ledger/database.h"
#include "ledger/record.h"

enum { LESSON_WIDTH = 20 };

struct options {
    const char *database;
    const char *portal;
    const char *learner;
    const char *minute;
    const char *catalog;
};

static const char query[] =
    "SELECT lesson_id, course_id, seconds_mask, kafka_partition, kafka_offset FROM learner_minutes "
    "WHERE portal = ?1 AND learner_id = ?2 AND minute_start = ?3 ORDER BY lesson_id";

/* Unix seconds or RFC 3339 in UTC; the minute's start. */
static bool parse_minute(const char *text, int64_t *start)
{
    struct tm utc = {0};
    char *end;
    long long seconds = strtoll(text, &end, 10);
    if (end == text || *end != '\0') {
        end = strptime(text, "%Y-%m-%dT%H:%M", &utc);
        if (end == NULL)
            return false;
        if (*end == ':')
            end = strptime(end, ":%S", &utc);
        if (end == NULL || strcmp(end, "Z") != 0)
            return false;
        seconds = timegm(&utc);
    }
    *start = seconds - seconds % 60;
    return seconds >= 0;
}

static void print_cells(const char *name, uint64_t mask, uint64_t doubled)
{
    printf("%-*.*s ", LESSON_WIDTH, LESSON_WIDTH, name);
    for (int i = 0; i < 60; i++) {
        bool watched = mask >> i & 1;
        putchar(doubled >> i & 1 ? '!' : watched ? '#' : '.');
    }
    printf(" %2d s", __builtin_popcountll(mask));
}

static void print_scale(void)
{
    printf("%-*s ", LESSON_WIDTH, "second");
    for (int i = 0; i < 60; i += 10)
        printf("%-10d", i);
    putchar('\n');
}

static void print_lesson(sqlite3_stmt *s, const struct catalog *catalog, uint64_t mask, uint64_t doubled)
{
    struct slice id = column_text(s, 0);
    char name[LESSON_WIDTH + 1];
    snprintf(name, sizeof(name), "%.*s", SLICE_ARG(id));
    print_cells(name, mask, doubled);
    printf("  %s partition %d offset %lld", topic_names[TOPIC_LEARNER_MINUTES], sqlite3_column_int(s, 3),
        (long long)sqlite3_column_int64(s, 4));
    const struct lesson *lesson = catalog == NULL ? NULL : catalog_find_lesson(catalog, id);
    if (lesson != NULL)
        printf("  %s · %s", lesson->course->title, lesson->title);
    putchar('\n');
}

static int explain(sqlite3_stmt *s, const struct catalog *catalog)
{
    uint64_t all = 0;
    uint64_t doubled = 0;
    int lessons = 0;
    print_scale();
    for (; sqlite3_step(s) == SQLITE_ROW; lessons++) {
        uint64_t mask = (uint64_t)sqlite3_column_int64(s, 2);
        print_lesson(s, catalog, mask, all & mask);
        doubled |= all & mask;
        all |= mask;
    }
    print_cells("in all", all, doubled);
    putchar('\n');
    if (lessons == 0)
        puts("No second of this minute was credited to this learner.");
    if (doubled == 0)
        return EXIT_GOOD;
    printf("%d seconds (!) stand in two lessons: a second may be credited once.\n",
        __builtin_popcountll(doubled));
    return EXIT_FAILED;
}

static const char usage[] =
    "Usage: minuted-ledger why --db FILE --portal P --learner L --minute TIME [--catalog FILE]\n"
    "\n"
    "One learner's minute as 60 cells, a row a lesson: # was credited, . was not, ! stands in two lessons.\n"
    "TIME is in Unix seconds or like 2023-01-05T08:00:00Z. With a catalog, lessons have titles.\n";

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {{"db", required_argument, NULL, 'd'},
        {"portal", required_argument, NULL, 'p'}, {"learner", required_argument, NULL, 'l'},
        {"minute", required_argument, NULL, 'm'}, {"catalog", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    *o = (struct options){0};
    while ((option = getopt_long(argc, argv, "d:p:l:m:c:h", long_options, NULL)) != -1) {
        const char **value = option == 'd'   ? &o->database
                             : option == 'p' ? &o->portal
                             : option == 'l' ? &o->learner
                             : option == 'm' ? &o->minute
                             : option == 'c' ? &o->catalog
                                             : NULL;
        if (value == NULL)
            return option == 'h' ? EXIT_GOOD : EXIT_USAGE;
        *value = optarg;
    }
    bool complete = o->database != NULL && o->portal != NULL && o->learner != NULL && o->minute != NULL;
    return complete && optind == argc ? -1 : EXIT_USAGE;
}

static int fail(char *error)
{
    fprintf(stderr, "minuted-ledger: %s\n", error);
    free(error);
    return EXIT_FAILED;
}

static int explain_minute(
    const struct options *o, struct database *db, const struct catalog *catalog, int64_t start)
{
    time_t seconds = (time_t)start;
    struct tm utc;
    char when[32];
    sqlite3_stmt *s = database_query(db, query);
    if (s == NULL)
        return EXIT_FAILED;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    printf("%s/%s, minute %lld (%s)\n", o->portal, o->learner, (long long)start, when);
    bind_text(s, 1, slice_of(o->portal));
    bind_text(s, 2, slice_of(o->learner));
    sqlite3_bind_int64(s, 3, start);
    int status = explain(s, catalog);
    sqlite3_finalize(s);
    return status;
}

int why_command(int argc, char **argv)
{
    struct options o;
    struct catalog *catalog = NULL;
    char *error = NULL;
    int64_t start;
    int status = parse(argc, argv, &o);
    if (status >= 0) {
        fputs(usage, status == EXIT_GOOD ? stdout : stderr);
        return status;
    }
    if (!parse_minute(o.minute, &start)) {
        fprintf(stderr,
            "minuted-ledger: --minute %s: Unix seconds or a time like 2023-01-05T08:00:00Z is wanted\n",
            o.minute);
        return EXIT_USAGE;
    }
    if (o.catalog != NULL && (catalog = catalog_load(o.catalog, &error)) == NULL)
        return fail(error);
    struct database *db = database_open(o.database, false, &error);
    status = db == NULL ? fail(error) : explain_minute(&o, db, catalog, start);
    database_close(db);
    catalog_free(catalog);
    return status;
}
