/* When a civil day begins in a timezone. */
#include "config/civil_zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/civil_rule.h"

enum { TYPE_BYTES = 6, ZONE_BYTES_MAX = 256 * 1024 };

struct civil_zone {
    struct civil_change *changes; /* that the file lists, rising */
    size_t n_changes;
    int32_t initial; /* the offset before the first change */
    bool has_rule;   /* what happens after the last change is known */
    struct civil_rule rule;
};

/* ---- the file ---- */

/* Counts in a TZif header, in the file's order. */
struct zone_counts {
    uint32_t utc, standard, leaps, changes, types, chars;
};

/* TZif's numbers have their highest byte first. */
static uint64_t take_big(struct cursor *c, size_t size)
{
    struct slice bytes = cursor_take(c, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return value;
}

static bool read_header(struct cursor *c, struct zone_counts *counts)
{
    enum { UNUSED_BYTES = 15 };
    uint32_t n[6];
    bool magic = slice_is(cursor_take(c, 4), "TZif");
    bool has_long_times = cursor_take_u8(c) >= '2';
    cursor_take(c, UNUSED_BYTES);
    for (size_t i = 0; i < 6; i++)
        n[i] = (uint32_t)take_big(c, 4);
    *counts = (struct zone_counts){n[0], n[1], n[2], n[3], n[4], n[5]};
    return c->ok && magic && has_long_times && counts->changes < 100000 && counts->types > 0 &&
           counts->types <= 256 && counts->chars < 10000 && counts->leaps < 10000 && counts->utc <= 256 &&
           counts->standard <= 256;
}

/* Bytes of the data block after a header whose times have TIME_BYTES each. */
static size_t block_bytes(const struct zone_counts *c, size_t time_bytes)
{
    return c->changes * (time_bytes + 1) + (size_t)c->types * TYPE_BYTES + c->chars +
           c->leaps * (time_bytes + 4) + c->standard + c->utc;
}

/* The changes of a block: their times, then the type of each, then what the types say. */
static bool read_changes(struct cursor *c, const struct zone_counts *counts, struct civil_zone *zone)
{
    struct cursor times = cursor_of(cursor_take(c, (size_t)counts->changes * 8));
    struct cursor indexes = cursor_of(cursor_take(c, counts->changes));
    struct slice types = cursor_take(c, (size_t)counts->types * TYPE_BYTES);
    struct cursor first = cursor_of(types);
    zone->initial = (int32_t)take_big(&first, 4);
    zone->changes = mem_zalloc(counts->changes * sizeof(*zone->changes));
    zone->n_changes = counts->changes;
    for (size_t i = 0; i < zone->n_changes; i++) {
        struct cursor type = cursor_of(types);
        cursor_take(&type, (size_t)cursor_take_u8(&indexes) * TYPE_BYTES);
        zone->changes[i].at = (int64_t)take_big(&times, 8);
        zone->changes[i].offset = (int32_t)take_big(&type, 4);
        if (!type.ok)
            return false;
    }
    return c->ok;
}

/* The rule stands in a line of its own, which is empty where nobody knows what comes. */
static bool read_footer(struct slice footer, struct civil_zone *zone)
{
    if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n')
        return false;
    zone->has_rule = footer.len > 2;
    return !zone->has_rule || civil_rule_parse((struct slice){footer.ptr + 1, footer.len - 2}, &zone->rule);
}

/* A file with 64-bit times has them behind a block for old readers, which is passed over. */
struct civil_zone *civil_zone_parse(struct slice file)
{
    struct civil_zone *zone = mem_zalloc(sizeof(*zone));
    struct cursor c = cursor_of(file);
    struct zone_counts counts;
    bool good = read_header(&c, &counts);
    if (good)
        cursor_take(&c, block_bytes(&counts, 4));
    good = good && read_header(&c, &counts);
    if (good) {
        struct cursor block = cursor_of(cursor_take(&c, block_bytes(&counts, 8)));
        good = read_changes(&block, &counts, zone) && read_footer(cursor_take(&c, cursor_left(&c)), zone);
    }
    if (good && zone->n_changes == 0 && zone->has_rule)
        zone->initial = zone->rule.standard;
    if (good)
        return zone;
    civil_zone_free(zone);
    return NULL;
}

struct civil_zone *civil_zone_load(const char *name)
{
    char path[128];
    struct buf bytes = {0};
    /* The name becomes part of a path, so it may hold no dot and not begin with a slash. */
    if (!isalpha((unsigned char)name[0]) || strlen(name) >= 64)
        return NULL;
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_+-/", *c) == NULL)
            return NULL;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    struct civil_zone *zone =
        file_read(path, ZONE_BYTES_MAX, &bytes) ? civil_zone_parse(buf_slice(&bytes)) : NULL;
    buf_free(&bytes);
    return zone;
}

void civil_zone_free(struct civil_zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->changes);
    free(zone);
}

/* ---- days ---- */

/*
 * LOCAL is midnight by the clock, as if UTC were shown, and UNIX_S the instant when the clock shows it by the
 * offset before CHANGES. Returns the instant in the first stretch between two changes in which the clock
 * shows midnight, or which begins past it.
 */
static int64_t pass_changes(const struct civil_change *changes, size_t n, int64_t local, int64_t unix_s)
{
    for (size_t i = 0; i < n && unix_s >= changes[i].at; i++) {
        unix_s = local - changes[i].offset;
        unix_s = unix_s > changes[i].at ? unix_s : changes[i].at;
    }
    return unix_s;
}

int64_t civil_zone_day_start_ms(const struct civil_zone *zone, int year, int month, int day)
{
    int64_t local = civil_rule_days(year, month, day) * 86400;
    int64_t unix_s = pass_changes(zone->changes, zone->n_changes, local, local - zone->initial);
    if (zone->has_rule && zone->rule.has_summer) {
        /* Changes of other years than these are too far away to matter. */
        struct civil_change changes[3 * 2];
        size_t first = 0;
        for (int i = 0; i < 3; i++)
            civil_rule_changes(&zone->rule, year - 1 + i, &changes[2 * (size_t)i]);
        while (first < 6 && zone->n_changes > 0 && changes[first].at <= zone->changes[zone->n_changes - 1].at)
            first++;
        unix_s = pass_changes(changes + first, 6 - first, local, unix_s);
    }
    return unix_s * 1000;
}
